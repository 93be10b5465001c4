"""The same as e2e/test_handover_crowd.py over TLS, with records by ourselves or by the kernel: keys
and sequence numbers move too. RELAY_TEST_CROWD=full makes the crowd as large on an emulated
processor as it is on others.
"""

import os
import signal

import tls_support
from held_thread import HeldThread
from openssl_client import OpenSslClient
from relay_support import WAIT_S
from succession import Succession
from succession_crowd import LONG, cross
from tls_support import (COUNTER, EMULATED, KERNEL, SUITES, TlsRelay, TlsTestCase, scaled,
                         tls12_context)

FULL = os.environ.get("RELAY_TEST_CROWD") == "full"
FULL_PERIOD_S = 4.0 if EMULATED else 0.2  # a thousand messages take emulated processors seconds


class TlsSuccession(Succession, TlsRelay):
    """A relay with certificates that is followed by new programs. What each counted of handshakes
    is added up when it hands over."""

    def __init__(self, **options):
        # The last program sees no handshake: its counters say nothing of the transport.
        super().__init__(transport=None, **options)
        self.handshakes = dict.fromkeys(("tls_kernel", "tls_user"), 0)

    def hand_over(self, *arguments, **options):
        counters = self.counters()
        for name in self.handshakes:
            self.handshakes[name] += counters[name]
        return super().hand_over(*arguments, **options)


def kernel_tls_sockets():
    """How many sockets of this machine have records made by its kernel, and read by it."""
    with open("/proc/net/tls_stat", encoding="ascii") as file:
        now = {name: int(value) for name, value in map(str.split, file)}
    return (now["TlsCurrTxSw"] + now["TlsCurrTxDevice"],
            now["TlsCurrRxSw"] + now["TlsCurrRxDevice"])


class HandoverTestCase(TlsTestCase):
    def start(self, **options):
        relay = TlsSuccession(**{"RELAY_HANDSHAKE_TIMEOUT": f"{WAIT_S:g}s", **options})
        self.addCleanup(self._stop, relay)
        return relay


class Crowd(HandoverTestCase):
    def test_a_crowd(self):
        relay = self.start(**LONG)
        topics, members, hand_overs, period_s = (20, 50, 50, FULL_PERIOD_S) if FULL else (
            scaled(20, 5, 2), scaled(50, 10, 5), scaled(50, 10, 5), scaled(0.2, 0.2, 1.0))

        def expect_records_of_the_kernel():
            self.assertGreaterEqual(min(kernel_tls_sockets()), topics * members)

        cross(self, relay, hand_overs, topics=topics, members=members, period_s=period_s,
              at_the_end=expect_records_of_the_kernel if KERNEL else lambda: None)
        # Each came for a code on one connection, and for its WebSocket on another.
        self.assertEqual(relay.handshakes, {"tls_kernel": 0, "tls_user": 0,
                                            COUNTER: 2 * topics * members})


class Keys(HandoverTestCase):
    def exchange(self, relay, client, payload):
        with relay.raw("t0") as other:
            client.send_message(payload)
            self.assertEqual(other.message()[1], payload)
            other.send_message(payload[::-1])
            self.assertEqual(client.message()[1], payload[::-1])

    def test_a_key_update_is_followed_or_refused_as_without_a_hand_over(self):
        relay = self.start()
        follows = not KERNEL or "KeyUpdate" in relay.listening["kernel_tls"]
        for suite in SUITES:
            with self.subTest(suite=suite):
                client = self.track(OpenSslClient(relay.relay_port, timeout_s=WAIT_S, suite=suite))
                client.upgrade(relay.target("t0"))
                for round_ in range(2):
                    if follows:
                        client.send_bytes(client.key_update(True))
                        self.exchange(relay, client, os.urandom(30000))
                    relay.hand_over()
                    self.exchange(relay, client, os.urandom(30000 + round_))
                client.send_bytes(client.key_update(True))
                if follows:
                    self.exchange(relay, client, os.urandom(30000))
                else:
                    self.assertEqual(client.expect_close()[0], 1001)
                client.kill()


class WhatStays(HandoverTestCase):
    """TLS 1.2 has its state in OpenSSL: such connections stay, and drain."""

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
