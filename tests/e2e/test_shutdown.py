"""SIGTERM and SIGINT: nobody is let in any more, every WebSocket hears 1001, status 0 within 5 s.

Method: servers in every state that matters (idle, busy, with viewers that do not read, in the
middle of a request); the fixture checks exit status, time and the counts of what was left.
"""

import os
import signal
import threading
import time

import relay_support
from relay_support import RelayTestCase
from ws_raw import BINARY, CLOSE, TEXT, RawClient, close_payload


def close_frame_of(client):
    """Reads on to the server's close frame and the end of the stream, answers as clients do."""
    while True:
        frame = client.frame()
        if frame.opcode == CLOSE:
            client.send_frame(CLOSE, close_payload(1001))
            client.expect_end()
            client.kill()
            return frame.close()[0]


class Shutdown(RelayTestCase):
    def stopped_beside(self, relay, by, clients):
        """Stops the server while the clients behave well; returns what they were told."""
        codes = [None] * len(clients)

        def listen(index):
            codes[index] = close_frame_of(clients[index])

        threads = [threading.Thread(target=listen, args=(index,)) for index in range(len(clients))]
        for thread in threads:
            thread.start()
        try:
            counters = relay.stop(by)
        finally:
            for thread in threads:
                thread.join()
        return codes, counters

    def test_an_idle_server_ends_at_once(self):
        for by in (signal.SIGTERM, signal.SIGINT):
            relay = self.start()
            relay.stop(by)

    def test_every_websocket_is_closed_with_1001(self):
        for by in (signal.SIGTERM, signal.SIGINT):
            relay = self.start(RELAY_WORKERS="3")
            clients = [self.track(relay.raw(f"t{number % 3}")) for number in range(12)]
            codes, counters = self.stopped_beside(relay, by, clients)
            self.assertEqual(codes, [1001] * 12)
            self.assertEqual(counters["closed_drain"], 12)
            self.assertEqual(counters["connections_accepted"], counters["connections_closed"])

    def test_an_independent_client_sees_1001(self):
        relay = self.start()
        peer = relay.peer("t0")
        code = []
        listener = threading.Thread(target=lambda: code.append(peer.expect_closed()[0]))
        listener.start()
        relay.stop()
        listener.join()
        self.assertEqual(code, [1001])

    def test_clients_that_do_not_answer_do_not_hold_it_up(self):
        relay = self.start()
        for _ in range(5):
            self.track(relay.raw("t0"))
        relay.stop()

    def test_viewers_that_do_not_read_do_not_hold_it_up(self):
        relay = self.start()
        publisher = self.track(relay.publisher())
        for _ in range(3):
            self.track(relay.viewer(rcvbuf=4096))
        payload = os.urandom(200_000)
        for _ in range(60):
            publisher.send_frame(BINARY, payload, mask=b"\0\0\0\0")
        publisher.barrier()
        relay.stop()

    def test_a_busy_server_ends_in_time(self):
        relay = self.start()
        publisher, viewer = self.track(relay.publisher()), self.track(relay.viewer())
        counts = {"sent": 0, "received": 0}

        def publish():
            payload = os.urandom(20_000)
            try:
                while True:
                    publisher.send_frame(BINARY, payload, mask=b"\0\0\0\0")
                    counts["sent"] += 1
            except OSError:
                pass

        def view():
            try:
                while True:
                    frame = viewer.frame()
                    if frame.opcode == CLOSE:
                        counts["code"] = frame.close()[0]
                        viewer.kill()
                        return
                    counts["received"] += 1
            except OSError as failure:
                counts["code"] = repr(failure)

        threads = [threading.Thread(target=publish), threading.Thread(target=view)]
        for thread in threads:
            thread.start()
        relay_support.wait_until(lambda: counts["received"] > 200, "traffic")
        try:
            relay.stop()
        finally:
            publisher.kill()
            for thread in threads:
                thread.join()
        self.assertEqual(counts["code"], 1001)

    def test_what_was_accepted_before_the_signal_is_delivered(self):
        relay = self.start()
        publisher, viewer = self.track(relay.publisher()), self.track(relay.viewer())
        for number in range(30):
            publisher.send_message(f"{number}")
        publisher.barrier()
        publisher.kill()
        received = []

        def view():
            while True:
                frame = viewer.frame()
                if frame.opcode == CLOSE:
                    received.append(frame.close()[0])
                    viewer.kill()
                    return
                received.append((frame.opcode, frame.payload))

        listener = threading.Thread(target=view)
        listener.start()
        relay.stop()
        listener.join()
        self.assertEqual(received,
                         [(TEXT, f"{number}".encode()) for number in range(30)] + [1001])

    def test_what_waits_for_a_slow_viewer_is_still_sent(self):
        """More than the kernel's buffers hold is waiting when the signal comes; then the viewer
        begins to read."""
        relay = self.start(RELAY_BUFFER_SIZE="512", RELAY_QUEUE_AGE="0")
        publisher = self.track(relay.publisher())
        viewer = self.track(relay.viewer(rcvbuf=16384))
        payloads = [bytes([number]) * 100_000 for number in range(50)]
        for payload in payloads:
            publisher.send_frame(BINARY, payload)
        publisher.barrier()
        publisher.kill()
        received = []

        def view():
            try:
                while True:
                    frame = viewer.frame()
                    if frame.opcode == CLOSE:
                        received.append(frame.close()[0])
                        viewer.kill()
                        return
                    received.append(frame.payload)
            except OSError as failure:
                received.append(repr(failure))

        relay.process.send_signal(signal.SIGTERM)
        listener = threading.Thread(target=view)
        listener.start()
        relay.stop()
        listener.join()
        self.assertEqual(received[-1], 1001)
        self.assertTrue(received[:-1] == payloads,
                        f"{len(received) - 1} of {len(payloads)} messages arrived")

    def test_half_made_requests_do_not_hold_it_up(self):
        relay = self.start()
        for port in (relay.access_port, relay.relay_port):
            self.track(RawClient(port))
            client = self.track(RawClient(port))
            client.send(b"GET /session/t0 HTTP/1.1\r\nHost")
        kept = self.track(RawClient(relay.access_port))
        kept.send(b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(kept.reply().status, 404)
        relay.stop()

    def test_half_made_messages_do_not_hold_it_up(self):
        relay = self.start()
        publisher = self.track(relay.publisher())
        publisher.send_frame(TEXT, b"part", fin=False)
        other = self.track(relay.publisher())
        other.send_frame(BINARY, b"a" * 1000, length=5_000_000)
        publisher.barrier()
        relay.stop()

    def test_clients_that_leave_the_end_of_tcp_to_the_server_do_not_hold_it_up(self):
        """RFC 6455 §7.1.1: the server ends the connection when both Closes were sent. The hosts of
        practable/relay answer a Close and wait for that; others do not even answer."""
        relay = self.start(RELAY_WORKERS="2")
        answering = [self.track(relay.raw(f"t{number}")) for number in range(8)]
        begun = self.track(relay.publisher())
        begun.send_frame(BINARY, b"a" * 10, length=1000)  # its Close stands behind the rest
        for _ in range(4):
            self.track(relay.raw("t0"))
        kept = [self.track(RawClient(relay.access_port)) for _ in range(4)]
        for client in kept:
            client.send(b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(client.reply().status, 404)
        ends = {}

        def answer(client, rest):
            frame = client.frame()
            assert frame.close()[0] == 1001, frame
            client.send(rest)
            client.send_frame(CLOSE, close_payload(1001))
            answered = time.monotonic()
            client.expect_end()
            ends[client] = time.monotonic() - answered

        threads = [threading.Thread(target=answer, args=(client, b"")) for client in answering]
        threads.append(threading.Thread(target=answer, args=(begun, b"a" * 990)))
        for thread in threads:
            thread.start()
        start = time.monotonic()
        relay.stop()
        took_s = time.monotonic() - start
        for thread in threads:
            thread.join()
        self.assertEqual(len(ends), 9)
        self.assertLess(took_s, 1.0 * relay_support.TIME_SCALE)

    def test_a_second_signal_does_no_harm(self):
        relay = self.start()
        self.track(relay.raw("t0"))
        relay.process.send_signal(signal.SIGTERM)
        relay.process.send_signal(signal.SIGTERM)
        relay.process.send_signal(signal.SIGINT)
        relay.stop()

    def is_let_in(self, relay):
        try:
            client = RawClient(relay.access_port, timeout_s=2.0)
        except OSError:
            return False
        try:
            client.send(b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n")
            client.reply()
            return True
        except OSError:
            return False
        finally:
            client.kill()

    def test_nobody_is_let_in_any_more(self):
        relay = self.start()
        stays = self.track(relay.raw("t0"))
        relay.process.send_signal(signal.SIGTERM)
        self.assertEqual(stays.frame().close()[0], 1001)
        relay_support.wait_until(lambda: not self.is_let_in(relay), "both workers to have stopped")
        self.assertFalse(self.is_let_in(relay))
        relay.process.wait(relay_support.STOP_LIMIT_S * relay_support.TIME_SCALE)
        self.assertEqual(relay.process.returncode, 0)

    def test_the_port_can_be_used_again_at_once(self):
        first = self.start()
        client = self.track(first.raw("t0"))
        self.stopped_beside(first, signal.SIGTERM, [client])
        second = self.start(RELAY_PORT_ACCESS=str(first.access_port),
                            RELAY_PORT_RELAY=str(first.relay_port))
        self.assertEqual(second.listening["access_port"], first.access_port)

    def test_a_killed_server_can_be_followed_at_once(self):
        """Its listening sockets live on until the kernel has taken its ring apart."""
        relay = self.start()
        ports = {"RELAY_PORT_ACCESS": str(relay.access_port),
                 "RELAY_PORT_RELAY": str(relay.relay_port), "RELAY_SECRET": relay.secret}
        for _ in range(20):
            relay.kill()
            relay = self.start(**ports)

    def test_counters_are_logged_on_request_and_at_the_end(self):
        relay = self.start()
        viewer, publisher = self.track(relay.viewer()), self.track(relay.publisher())
        publisher.send_message("x" * 100)
        viewer.message()
        now = relay.wait_counter("messages_sent", 1)  # counted when the kernel reports the send
        self.assertEqual((now["messages_received"], now["messages_sent"]), (1, 1))
        self.assertEqual(now["bytes_received"], 100)
        self.assertEqual(now["websockets_opened"], 2)
        viewer.kill()
        publisher.kill()
        stopped = relay.stop()
        self.assertEqual((stopped["messages_received"], stopped["messages_sent"]), (1, 1))


if __name__ == "__main__":
    relay_support.main()
