"""A lecture hall at the door: 2,000 viewers with one token in two seconds, default options.
The same over TLS is tests/tls/test_crowd.py."""

import relay_support
from crowd import CrowdTests
from relay_support import RelayTestCase


class Crowd(CrowdTests, RelayTestCase):
    pass


if __name__ == "__main__":
    relay_support.main()
