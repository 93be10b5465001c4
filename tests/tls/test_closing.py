"""The end of an encrypted connection: close_notify before FIN, and nothing cut off before it.

Method: clients for which an end without close_notify is an error, slow ones with small windows.
"""

import hashlib
import os
import signal
import socket
import threading
import time

import tls_support
from openssl_client import TLS_1_2, TLS_1_3, OpenSslClient
from relay_support import TIME_SCALE, WAIT_S
from tls_support import EMULATED, KERNEL, TlsTestCase, scaled, tls12_context
from ws_raw import BINARY, CLOSE, close_payload, encode_frame

SMALL_WINDOW = 32768
SLOW_READ = 8192
WHOLE = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"  # a request
SEND_BUFFER = 512 * 1024  # of the server's sockets, as the kernel doubles it


class CleanEnd(TlsTestCase):
    def versions(self):
        return (TLS_1_3,) if KERNEL else (TLS_1_3, TLS_1_2)

    def test_a_websocket_that_closes_sees_close_notify(self):
        relay = self.start()
        for version in self.versions():
            with self.subTest(version=hex(version)):
                client = self.track(OpenSslClient(relay.relay_port, version=version,
                                                  timeout_s=WAIT_S))
                client.upgrade(relay.target("t0"))
                client.send_frame(CLOSE, close_payload(1000))
                self.assertEqual(client.expect_close()[0], 1000)
                self.assertTrue(client.ended_cleanly)

    def test_an_answer_with_connection_close_ends_cleanly(self):
        relay = self.start()
        for version in self.versions():
            with self.subTest(version=hex(version)):
                client = self.track(OpenSslClient(relay.access_port, version=version,
                                                  timeout_s=WAIT_S))
                client.send(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                self.assertIn(client.reply().status, (401, 404))
                client.expect_end()
                self.assertTrue(client.ended_cleanly)

    def asked(self, relay, version, request):
        """A client that sent that, and has its answer if it is whole."""
        client = self.track(OpenSslClient(relay.access_port, version=version, timeout_s=WAIT_S))
        client.send(request)
        if request == WHOLE:
            self.assertIn(client.reply().status, (401, 404))
        return client

    def test_a_connection_whose_next_request_does_not_come_ends_cleanly(self):
        relay = self.start(RELAY_HANDSHAKE_TIMEOUT=f"{5 * TIME_SCALE:g}s")
        clients = {(version, request): self.asked(relay, version, request)
                   for version in self.versions() for request in (WHOLE, WHOLE[:9], b"")}
        for (version, request), client in clients.items():
            with self.subTest(version=hex(version), request=request):
                client.expect_end()
                self.assertTrue(client.ended_cleanly)

    def test_a_connection_between_two_requests_ends_cleanly_at_a_stop(self):
        relay = self.start()
        clients = [self.asked(relay, version, WHOLE) for version in self.versions()]
        relay.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.expect_end()
            self.assertTrue(client.ended_cleanly)

    def test_a_protocol_error_ends_cleanly(self):
        relay = self.start()
        client = self.track(OpenSslClient(relay.relay_port, timeout_s=WAIT_S))
        client.upgrade(relay.target("t0"))
        client.send(b"\x81\x01x")  # not masked
        self.assertEqual(client.expect_close()[0], 1002)
        self.assertTrue(client.ended_cleanly)

    def test_close_notify_of_the_client_is_its_end(self):
        """Without a Close frame, so it is an abrupt end for a WebSocket: what waits is dropped."""
        relay = self.start()
        for how in ("notify", "notify and fin", "fin"):
            with self.subTest(how=how):
                client = self.track(OpenSslClient(relay.relay_port, timeout_s=WAIT_S))
                client.upgrade(relay.target("t0"))
                closed = relay.counters()["closed_by_peer"]
                if "notify" in how:
                    client.send_bytes(client.close_notify())
                if "fin" in how:
                    client.sock.shutdown(socket.SHUT_WR)
                relay.wait_counter("closed_by_peer", closed + 1)
                self.assertEqual(client.read_end(), b"")
                self.assertTrue(client.ended_cleanly)
                client.kill()

    def test_data_ahead_of_close_notify_is_not_lost(self):
        relay = self.start()
        viewer = self.track(relay.viewer("t0"))
        for _ in range(scaled(20, 10, 5)):
            client = self.track(OpenSslClient(relay.relay_port, timeout_s=WAIT_S))
            client.upgrade(relay.target("t0"))
            payload = os.urandom(100000)
            client.send_bytes(client.encrypt(encode_frame(BINARY, payload))
                              + client.close_notify())
            self.assertEqual(viewer.message()[1], payload)
            client.kill()


class LastMessage(TlsTestCase):
    """What was said before the end arrives whole, however slow the reader."""

    # A stop gives everybody four seconds, however slow the machine that is emulated.
    STOP_S = 4.0
    ROUNDS, READERS = (6, 2) if EMULATED else (10, 10)
    SIZES = (1000, 700000) if EMULATED else (1000, 700000, 1500000)
    PAUSE_S = 0.3  # a reader's own, while records wait for it in the server's kernel
    BIDS, BATCH, BID_BYTES = 4000, 100, 240
    ANSWER_BYTES = BIDS * (BID_BYTES + len('"0000",'))
    ANSWER_S = 7.0  # longer than a goodbye may take, shorter than RELAY_WRITE_TIMEOUT

    def read_message(self, viewer, results, index, enough):
        """Small reads through a small window, and a rest on the way. (An end without close_notify
        raises.)"""
        data, started = bytearray(), time.monotonic()
        try:
            while len(data) < enough and (chunk := viewer.sock.recv(SLOW_READ)):
                if not data:
                    time.sleep(self.PAUSE_S)
                data += chunk
            results[index] = bytes(data)
        except OSError as error:
            results[index] = (f"{error}: {len(data)} bytes came in "
                              f"{time.monotonic() - started:.1f} s")
        viewer.kill()

    def difference(self, data, payload):
        at = next((at for at in range(min(len(data), len(payload))) if data[at] != payload[at]),
                  "the end")
        return f"{len(data)} bytes, of which those from {at} on differ"

    def publish(self, size, context):
        relay = self.start(context=context, RELAY_QUEUE_AGE="1m",
                           transport="user" if context else tls_support.TRANSPORT)
        viewers = [self.track(relay.viewer("last", rcvbuf=SMALL_WINDOW))
                   for _ in range(self.READERS)]
        publisher = self.track(relay.publisher("last"))
        payload = os.urandom(size)
        publisher.send_message(payload)
        publisher.barrier()
        return relay, viewers, publisher, payload

    def all_read(self, viewers, enough=1 << 30):
        """What each got up to its end, or until it had so many bytes."""
        results = [None] * len(viewers)
        threads = [threading.Thread(target=self.read_message,
                                    args=(viewer, results, index, enough))
                   for index, viewer in enumerate(viewers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def skip_if_too_slow(self):
        """The same readers, while nothing stops: an emulated machine on a busy one may need longer
        than any stop gives them."""
        relay, viewers, publisher, payload = self.publish(max(self.SIZES), None)
        started = time.monotonic()
        self.all_read(viewers, len(payload))
        took_s = time.monotonic() - started
        publisher.kill()
        relay.stop()
        if took_s > self.STOP_S / 2:
            print(f"{self.READERS} readers took {took_s:.1f} s")
            self.skipTest("too slow for the time that a stop gives")

    def run_round(self, size, context):
        relay, viewers, publisher, payload = self.publish(size, context)
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_line("stopping")
        results = self.all_read(viewers)
        publisher.kill()
        counters = relay.stop()
        for name in ("age", "queue", "memory", "mailbox"):
            self.assertEqual(counters[f"messages_dropped_{name}"], 0, name)
        digest = hashlib.sha256(payload).digest()
        for data in results:
            self.assertIsInstance(data, bytes, data)
            head = 4 if size < 65536 else 10
            self.assertEqual(hashlib.sha256(data[head:head + size]).digest(), digest,
                             self.difference(data[head:], payload))
            close = data[head + size:]
            self.assertEqual((close[0], close[2:4]), (0x88, b"\x03\xe9"), close)
        self.assertEqual(counters["closed_drain"], len(viewers) + 1)
        if size > SEND_BUFFER:
            self.assertGreaterEqual(counters["sends_short"], len(viewers), "nothing had to wait")
        return len(results)

    def test_a_message_followed_by_a_stop_arrives_whole(self):
        if EMULATED:
            self.skip_if_too_slow()
        for context in (None,) if KERNEL else (None, tls12_context()):
            for size in self.SIZES:
                rounds = self.ROUNDS if size == max(self.SIZES) else 1
                whole = sum(self.run_round(size, context) for _ in range(rounds))
                self.assertEqual(whole, rounds * self.READERS)
                print(f"{whole} of {whole} readers got {size} bytes whole before the stop, "
                      f"{'TLS 1.2' if context else 'TLS 1.3'}, {tls_support.TRANSPORT}")

    def deny_many(self, relay, admin):
        client = self.track(relay.connect(port=relay.access_port))
        end = int(time.time()) + 3600
        for first in range(0, self.BIDS, self.BATCH):
            client.send(b"".join(
                f"POST /bids/deny?bid={'b' * self.BID_BYTES}{number}&exp={end} HTTP/1.1\r\n"
                f"Host: x\r\nAuthorization: {admin}\r\nContent-Length: 0\r\n\r\n".encode()
                for number in range(first, first + self.BATCH)))
            for _ in range(self.BATCH):
                self.assertEqual(client.reply().status, 204)
        client.kill()

    def read_answer(self, client, rest_at, answers):
        """In ANSWER_S, to the proper end (the ssl module raises at any other): evenly, or with one
        long rest."""
        received, started = bytearray(), time.monotonic()
        while chunk := client.sock.recv(SLOW_READ):
            received += chunk
            part = len(received) / self.ANSWER_BYTES
            due_s = (part if rest_at is None else float(part > rest_at)) * self.ANSWER_S
            time.sleep(max(0.0, started + due_s - time.monotonic()))  # the reader's own pace
        answers[rest_at] = bytes(received), time.monotonic() - started

    def test_a_slow_reader_gets_all_of_a_long_answer(self):
        """Rests at several places, because between the last send and the room for close_notify
        there are only some 100 kB, and where those lie depends on the kernel."""
        # One worker: then a denial need not wait for others, and its answers keep the connection.
        relay = self.start(RELAY_WRITE_TIMEOUT="20s", RELAY_WORKERS="1")
        admin = relay.token(scopes=("relay:admin",))
        self.deny_many(relay, admin)
        answers, threads = {}, []
        for rest_at in (None, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65):
            client = self.track(relay.connect(port=relay.access_port, rcvbuf=SMALL_WINDOW))
            client.send(f"GET /bids/deny HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        f"Authorization: {admin}\r\n\r\n".encode())
            threads.append(threading.Thread(target=self.read_answer,
                                            args=(client, rest_at, answers)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), len(threads), f"whole only for {list(answers)}")
        for received, took_s in answers.values():
            head, _, body = received.partition(b"\r\n\r\n")
            self.assertIn(f"Content-Length: {len(body)}".encode(), head)
            self.assertTrue(body.endswith(b"]}\n"))
            self.assertGreater(took_s, 5.0)
        self.assertGreater(relay.counters()["sends_short"], 0, "nothing had to wait")


if __name__ == "__main__":
    tls_support.main()
