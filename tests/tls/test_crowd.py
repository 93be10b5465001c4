"""A lecture hall at the door: 2,000 viewers with one token in two seconds, and 200 hosts that come
back at once, over TLS. The same without TLS is tests/e2e/test_crowd.py."""

import tls_support
from crowd import CrowdTests, HostsTests
from tls_support import TlsTestCase, client_context


class Crowd(CrowdTests, TlsTestCase):
    COUNT = tls_support.scaled(2000, 1000, 300)

    def crowd_context(self):
        return client_context()


class Hosts(HostsTests, TlsTestCase):
    HOSTS = HostsTests.HOSTS if not tls_support.EMULATED else 50

    def hosts_context(self):
        return client_context()


if __name__ == "__main__":
    tls_support.main()
