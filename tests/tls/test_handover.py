"""The same as e2e/test_handover_crowd.py over TLS, with records by ourselves or by the kernel: keys
and sequence numbers move too.
"""

import os
import signal

import tls_support
from held_thread import HeldThread
from succession import Succession
from succession_crowd import cross
from tls_support import TlsRelay, TlsTestCase, scaled, tls12_context


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

    # TLS 1.2 has its state in OpenSSL: such connections stay, and drain.

    def stayed(self, relay, **changes):
        return self.track(relay.raw("t0", context=tls12_context(), **changes))

    def test_websockets_that_stay_hear_1001_soon(self):
        relay = self.start(RELAY_HANDOVER_DRAIN="2s")
        clients = [self.stayed(relay) for _ in range(6)]
        line = relay.hand_over()
        self.assertEqual((line["moved"], line["stayed"]), (0, 6))
        for client in clients:
            self.assertEqual(client.expect_close()[0], 1001)
            client.kill()
        relay.wait_before()

    def test_a_denial_reaches_what_stays(self):
        relay = self.start(RELAY_HANDOVER_DRAIN="1h")
        clients = {name: self.stayed(relay, booking_id=name) for name in ("a", "b")}
        relay.hand_over()
        self.assertEqual(relay.deny("b").status, 204)
        self.assertEqual(clients["b"].expect_close()[0], 4403)
        clients["b"].kill()
        clients["a"].barrier()
        self.assertEqual(relay.before[0].poll(), None)
        clients["a"].kill()

    def test_what_stays_ends_when_a_denial_cannot_be_carried_out(self):
        relay = self.start(RELAY_WORKERS="1", RELAY_HANDOVER_DRAIN="1h")
        clients = {name: self.stayed(relay, booking_id=name) for name in ("a", "b")}
        relay.hand_over()
        with HeldThread(relay.before[0].pid, "worker 0"):
            self.assertEqual(relay.deny("b").status, 204)
        self.assertIn(clients["b"].expect_close()[0], (1001, 4403))
        self.assertEqual(clients["a"].expect_close()[0], 1001)
        for client in clients.values():
            client.kill()
        relay.wait_before()

    def test_what_stayed_two_programs_back_ends(self):
        relay = self.start(RELAY_HANDOVER_DRAIN="1h")
        client = self.stayed(relay)
        relay.hand_over()
        client.barrier()
        relay.hand_over()  # no denial would reach it any more
        self.assertEqual(client.expect_close()[0], 1001)
        client.kill()
        relay.wait_before()

    def test_what_stays_ends_with_the_program_that_would_tell_of_denials(self):
        relay = self.start(RELAY_HANDOVER_DRAIN="1h")
        client = self.stayed(relay)
        relay.hand_over()
        os.kill(relay.process.pid, signal.SIGKILL)
        self.assertEqual(client.expect_close()[0], 1001)
        client.kill()
        relay.wait_before(status=1)  # no relay serves any more: systemd is to know
        relay.kill()

    def test_a_signal_ends_the_drain(self):
        relay = self.start(RELAY_HANDOVER_DRAIN="1h")
        client = self.stayed(relay)
        relay.hand_over()
        relay.before[0].send_signal(signal.SIGTERM)
        self.assertEqual(client.expect_close()[0], 1001)
        client.kill()
        relay.wait_before()


if __name__ == "__main__":
    tls_support.main()
