"""WebSocket rules that peers break: close codes and reasons byte by byte, pings, closing.

Method: frames made by hand on raw sockets; after each fault a bystander on the same topic must be
able to go on.
"""

import os
import struct
import time

import relay_support
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, close_payload,
                    encode_frame)


class ProtocolCase(SharedRelayTestCase):
    def raw(self, *arguments, **changes):
        return self.track(self.relay.raw(*arguments, **changes))

    def setUp(self):
        self.bystanders = [self.raw("t0"), self.raw("t0")]

    def check_bystanders(self):
        self.bystanders[0].send_message("still here")
        self.assertEqual(self.bystanders[1].message(), (TEXT, b"still here"))


class Faults(ProtocolCase):
    def check(self, frames, code, reason):
        client = self.raw("t0")
        client.send(frames)
        self.assertEqual(client.expect_close(), (code, reason))

    def test_faults_of_single_frames(self):
        faults = [
            ("an unmasked text", encode_frame(TEXT, b"x", mask=b""), b"bad MASK"),
            ("an unmasked empty binary", encode_frame(BINARY, b"", mask=b""), b"bad MASK"),
            ("an unmasked ping", encode_frame(PING, b"x", mask=b""), b"bad MASK"),
            ("RSV1", encode_frame(TEXT, b"x", rsv=4), b"RSV1 set"),
            ("RSV2", encode_frame(TEXT, b"x", rsv=2), b"RSV2 set"),
            ("RSV3", encode_frame(BINARY, b"x", rsv=1), b"RSV3 set"),
            ("RSV1 on a ping", encode_frame(PING, b"x", rsv=4), b"RSV1 set"),
            ("a continuation of nothing", encode_frame(CONTINUATION, b"x"),
             b"continuation after FIN"),
            ("a continuation of nothing, not final", encode_frame(CONTINUATION, b"x", fin=False),
             b"continuation after FIN"),
            ("a long ping", encode_frame(PING, b"x" * 126), b"len > 125 for control"),
            ("a long pong", encode_frame(PONG, b"x" * 70000), b"len > 125 for control"),
            ("a long close", encode_frame(CLOSE, close_payload(1000, b"x" * 124)),
             b"len > 125 for control"),
            ("a ping in parts", encode_frame(PING, b"x", fin=False), b"FIN not set on control"),
            ("a close in parts", encode_frame(CLOSE, b"", fin=False), b"FIN not set on control"),
        ]
        faults += [(f"opcode {opcode}", encode_frame(opcode, b"x"), f"bad opcode {opcode}".encode())
                   for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)]
        for name, frame, reason in faults:
            with self.subTest(name):
                self.check(frame, 1002, reason)
        self.check_bystanders()

    def test_close_codes_that_must_not_be_sent(self):
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535):
            with self.subTest(code=code):
                self.check(encode_frame(CLOSE, close_payload(code, b"bye")), 1002,
                           f"bad close code {code}".encode())
        self.check_bystanders()

    def test_a_close_of_one_byte(self):
        self.check(encode_frame(CLOSE, b"\x03"), 1002, b"close payload of one byte")

    def test_close_reasons_that_are_not_utf8(self):
        """RFC 6455 §5.5.1: the body is UTF-8; the text is gorilla/websocket's."""
        for reason in (b"\xff", "grüße".encode()[:3], b"\xc0\x80", b"\xed\xa0\x80edited"):
            with self.subTest(reason=reason):
                self.check(encode_frame(CLOSE, close_payload(1000, reason)), 1002,
                           b"invalid utf8 payload in close frame")

    def test_a_new_message_inside_a_fragmented_one(self):
        client = self.raw("t0")
        client.send_frame(TEXT, b"one", fin=False)
        client.send_frame(TEXT, b"two")
        self.assertEqual(client.expect_close()[0], 1002)
        self.assertEqual(self.bystanders[0].barrier(), [])

    def test_lengths_that_are_not_minimal_or_negative(self):
        mask = b"\0\0\0\0"
        for name, header in (("16 bits for 5", b"\x82\xfe\x00\x05"),
                             ("64 bits for 5", b"\x82\xff" + struct.pack(">Q", 5)),
                             ("64 bits for 65535", b"\x82\xff" + struct.pack(">Q", 65535)),
                             ("the top bit", b"\x82\xff" + struct.pack(">Q", 1 << 63 | 5))):
            with self.subTest(name):
                client = self.raw("t0")
                client.send(header + mask + b"hello")
                self.assertEqual(client.expect_close()[0], 1002)
        self.check_bystanders()

    def test_a_fault_behind_good_messages_does_not_lose_them(self):
        client = self.raw("t0")
        client.send(encode_frame(TEXT, b"good 1") + encode_frame(TEXT, b"good 2")
                    + encode_frame(3, b"bad"))
        self.assertEqual(client.expect_close(), (1002, b"bad opcode 3"))
        for bystander in self.bystanders:
            self.assertEqual([bystander.message(), bystander.message()],
                             [(TEXT, b"good 1"), (TEXT, b"good 2")])

    def test_nothing_behind_a_fault_is_delivered(self):
        client = self.raw("t0")
        client.send(encode_frame(3, b"bad") + encode_frame(TEXT, b"too late"))
        self.assertEqual(client.frame().close(), (1002, b"bad opcode 3"))
        for bystander in self.bystanders:
            self.assertEqual(bystander.barrier(), [])

    def test_a_fault_with_megabytes_behind_it(self):
        client = self.raw("t0")
        try:
            client.send(encode_frame(3, b"bad") + os.urandom(4 << 20))
        except OSError:
            pass  # the server need not read to the end
        self.assertEqual(client.frame().close(), (1002, b"bad opcode 3"))
        self.check_bystanders()

    def test_text_that_is_no_websocket_at_all(self):
        client = self.raw("t0")
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(client.expect_close()[0], 1002)

    def test_random_bytes_never_hurt_others(self):
        for seed in range(60):
            client = self.relay.raw("random", ("read", "write"))
            try:
                client.send(os.urandom(1 + seed * 13))
                client.shutdown_write()
                client.read_end()
            except OSError:
                pass
            finally:
                client.kill()
        self.check_bystanders()

    def test_the_end_of_one_connection_does_not_touch_the_next(self):
        """Descriptor numbers are used again at once: an operation of the old connection that is
        late would hit the new one."""
        for number in range(150):
            old = self.relay.raw("next", ("read", "write"))
            target = self.relay.target("next")
            client = self.track(RawClient(self.relay.relay_port, timeout_s=relay_support.WAIT_S))
            old.send_frame(3, b"bad")
            if number % 3 == 0:
                old.shutdown_write()
                old.read_end()
            elif number % 3 == 1:
                old.frame()
            old.reset()
            with RawClient(self.relay.relay_port, timeout_s=relay_support.WAIT_S) as other:
                client.upgrade(target)
                other.upgrade(self.relay.target("next"))
                self.assertEqual(client.barrier(), [])
                self.assertEqual(other.barrier(), [])
            client.kill()

    def test_faults_are_counted(self):
        before = self.relay.counters()["closed_protocol_error"]
        self.check(encode_frame(3), 1002, b"bad opcode 3")
        self.assertEqual(self.relay.wait_counter("closed_protocol_error", before + 1)
                         ["closed_protocol_error"], before + 1)


class Pings(ProtocolCase):
    def test_a_ping_is_answered_with_its_payload(self):
        client = self.raw("t0")
        for payload in (b"", b"x", b"\0\xff" * 62, os.urandom(125)):
            client.send_frame(PING, payload)
            frame = client.frame()
            self.assertEqual((frame.fin, frame.rsv, frame.opcode, frame.masked, frame.payload),
                             (True, 0, PONG, False, payload))

    def test_pings_are_answered_for_every_scope(self):
        for scopes in (("read",), ("write",), ("read", "write")):
            self.assertEqual(self.raw("pinged", scopes).barrier(), [])

    def test_unasked_pongs_are_ignored(self):
        client = self.raw("t0")
        client.send_frame(PONG, b"")
        client.send_frame(PONG, b"unasked")
        self.assertEqual(client.barrier(), [])
        self.assertEqual(self.bystanders[0].barrier(), [])

    def test_the_pong_follows_the_messages_that_came_before_the_ping(self):
        client = self.raw("t0")
        client.send_message("before")
        self.assertEqual(client.barrier(), [])
        self.assertEqual(self.bystanders[0].barrier() or [self.bystanders[0].message()],
                         [(TEXT, b"before")])

    def test_a_flood_of_pings_is_survived_and_bounded(self):
        """Not every ping of a flood needs its own pong (RFC 6455 §5.5.3), the last one does."""
        client = self.raw("t0")
        client.send(b"".join(encode_frame(PING, struct.pack(">I", number))
                             for number in range(20000)))
        last = struct.pack(">I", 19999)
        pongs = 0
        while True:
            frame = client.frame()
            self.assertEqual(frame.opcode, PONG)
            pongs += 1
            if frame.payload == last:
                break
        self.assertLessEqual(pongs, 20000)
        self.check_bystanders()


class Liveness(RelayTestCase):
    INTERVAL_S = 1.8 * relay_support.TIME_SCALE  # a pong is due 10/9 of it after its ping
    ROUNDS = 2

    def start_eager(self):
        return self.start(RELAY_PING_INTERVAL=f"{int(self.INTERVAL_S * 1000)}ms")

    def test_the_server_pings_with_an_empty_payload(self):
        relay = self.start_eager()
        client = self.track(relay.raw("t0"))
        start = time.monotonic()
        for _ in range(self.ROUNDS):
            frame = client.frame()
            self.assertEqual((frame.opcode, frame.payload, frame.fin), (PING, b"", True))
            client.send_frame(PONG, frame.payload)
        took_s = time.monotonic() - start
        self.assertGreater(took_s, self.ROUNDS * self.INTERVAL_S - 0.3)
        self.assertLess(took_s, self.ROUNDS * self.INTERVAL_S + 1.5 * relay_support.TIME_SCALE)
        self.assertEqual(relay.counters()["closed_no_pong"], 0)

    def test_without_a_pong_the_stream_ends(self):
        """Data alone does not count: a half-dead proxy may still forward it."""
        relay = self.start_eager()
        client = self.track(relay.raw("t0"))
        start = time.monotonic()
        self.assertEqual(client.frame().opcode, PING)
        client.send_message("data is no pong")
        client.read_end()
        took_s = time.monotonic() - start
        self.assertGreater(took_s, self.INTERVAL_S * 19 / 9 - 0.3)
        self.assertLess(took_s, self.INTERVAL_S * 19 / 9 + 1.5 * relay_support.TIME_SCALE)
        self.assertEqual(relay.wait_counter("closed_no_pong", 1)["closed_no_pong"], 1)

    def test_an_independent_client_lives_on(self):
        relay = self.start_eager()
        peer = self.track(relay.peer("t0"))
        other = self.track(relay.raw("t0"))
        for _ in range(self.ROUNDS):
            frame = other.frame()
            other.send_frame(PONG, frame.payload)
        other.send_message("still there?")
        self.assertEqual(peer.recv(), "still there?")


class Closing(ProtocolCase):
    def test_a_close_is_answered_with_its_code_and_the_end_of_the_stream(self):
        for payload, answer in ((close_payload(1000), (1000, b"")),
                                (close_payload(1000, b"bye"), (1000, b"")),
                                (close_payload(1001), (1001, b"")),
                                (close_payload(1011, "grüße".encode()), (1011, b"")),
                                (close_payload(3000), (3000, b"")),
                                (close_payload(4000), (4000, b"")),
                                (close_payload(4999, b"x" * 123), (4999, b"")),
                                (b"", (None, b""))):
            with self.subTest(payload=payload[:20]):
                client = self.raw("t0")
                client.send_frame(CLOSE, payload)
                self.assertEqual(client.expect_close(), answer)
        self.check_bystanders()

    def test_messages_ahead_of_a_close_are_delivered(self):
        client = self.raw("t0")
        client.send(encode_frame(TEXT, b"last words") + encode_frame(CLOSE, close_payload(1000)))
        self.assertEqual(client.expect_close(), (1000, b""))
        self.assertEqual(self.bystanders[0].message(), (TEXT, b"last words"))

    def test_messages_behind_a_close_are_not_delivered(self):
        client = self.raw("t0")
        client.send(encode_frame(CLOSE, close_payload(1000)) + encode_frame(TEXT, b"ghost"))
        self.assertEqual(client.frame().close(), (1000, b""))
        self.assertEqual(self.bystanders[0].barrier(), [])

    def test_an_independent_client_sees_a_clean_close(self):
        peer = self.relay.peer("t0")
        peer.close(4000, "enough")
        self.assertEqual(peer.expect_closed()[0], 4000)

    def test_streams_that_end_without_a_close(self):
        before = self.relay.counters()["connections_closed"]
        self.relay.raw("t0").kill()
        self.relay.raw("t0").reset()
        half = self.raw("t0")
        half.shutdown_write()
        half.read_end()
        inside = self.relay.raw("t0")
        inside.send(encode_frame(TEXT, b"whole frame")[:5])
        inside.kill()
        self.relay.wait_counter("connections_closed", before + 4)
        self.check_bystanders()


if __name__ == "__main__":
    relay_support.main()
