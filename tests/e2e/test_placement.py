"""WebSockets move to the worker of their topic: see support/placement.py."""

import relay_support
from placement import Placement
from relay_support import RelayTestCase
from ws_raw import RawClient


class PlacesOverTcp(Placement, RelayTestCase):
    def connect(self, relay, context):
        return RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S)


if __name__ == "__main__":
    relay_support.main()
