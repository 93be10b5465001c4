"""The same as e2e/test_handover_crowd.py over TLS, with records by ourselves or by the kernel: keys
and sequence numbers move too.
"""

import tls_support
from succession import Succession
from succession_crowd import cross
from tls_support import TlsRelay, TlsTestCase, scaled


class TlsSuccession(Succession, TlsRelay):
    """A relay with certificates that is followed by new programs."""


class Handover(TlsTestCase):
    def start(self, **options):
        # The last program sees no handshake: its counters say nothing of the transport.
        relay = TlsSuccession(transport=None, **options)
        self.addCleanup(self._stop, relay)
        return relay

    def test_a_crowd(self):
        cross(self, self.start(), scaled(50, 10, 5), topics=scaled(20, 5, 2),
              members=scaled(50, 10, 5), period_s=scaled(0.2, 0.2, 1.0))


if __name__ == "__main__":
    tls_support.main()
