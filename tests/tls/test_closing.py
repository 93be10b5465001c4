"""The end of an encrypted connection: close_notify before FIN, and nothing cut off before it.

Method: clients for which an end without close_notify is an error, slow ones with small windows.
"""

import hashlib
import os
import signal
import socket
import threading

import tls_support
from openssl_client import TLS_1_2, TLS_1_3, OpenSslClient, TlsBroken
from relay_support import WAIT_S
from tls_support import EMULATED, KERNEL, TlsTestCase, scaled, tls12_context
from ws_raw import BINARY, CLOSE, close_payload, encode_frame

SMALL_WINDOW = 32768
SLOW_READ = 8192


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
                try:
                    self.assertEqual(client.read_end(), b"")
                except TlsBroken:
                    pass
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
    """A message, and SIGTERM at once: it arrives whole, however slow the reader."""

    ROUNDS, READERS = (2, 10) if EMULATED else (4, 25)
    SIZES = (1000, 300000)

    def read_slowly(self, viewer, results, index):
        """Small reads through a small window: what the server sends waits in its kernel. (An end
        without close_notify raises and leaves no result.)"""
        data = bytearray()
        while chunk := viewer.sock.recv(SLOW_READ):
            data += chunk
        results[index] = bytes(data)
        viewer.kill()

    def run_round(self, size, context):
        relay = self.start(context=context,
                           transport="user" if context else tls_support.TRANSPORT)
        viewers = [self.track(relay.viewer("last", rcvbuf=SMALL_WINDOW))
                   for _ in range(self.READERS)]
        publisher = self.track(relay.publisher("last"))
        payload = os.urandom(size)
        publisher.send_message(payload)
        publisher.barrier()
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_line("stopping")
        results = [None] * len(viewers)
        threads = [threading.Thread(target=self.read_slowly, args=(viewer, results, index))
                   for index, viewer in enumerate(viewers)]
        for thread in threads:
            thread.start()
        publisher.kill()
        for thread in threads:
            thread.join()
        counters = relay.stop()
        whole = 0
        digest = hashlib.sha256(payload).digest()
        for data in results:
            self.assertIsNotNone(data, "cut off")
            head = 4 if size < 65536 else 10
            self.assertEqual(hashlib.sha256(data[head:head + size]).digest(), digest)
            close = data[head + size:]
            self.assertEqual((close[0], close[2:4]), (0x88, b"\x03\xe9"), close)
            whole += 1
        self.assertEqual(counters["closed_drain"], len(viewers) + 1)
        return whole

    def test_a_message_followed_by_a_stop_arrives_whole(self):
        for context in (None,) if KERNEL else (None, tls12_context()):
            for size in self.SIZES:
                whole = sum(self.run_round(size, context) for _ in range(self.ROUNDS))
                self.assertEqual(whole, self.ROUNDS * self.READERS)
                print(f"{whole} of {whole} readers got {size} bytes whole before the stop, "
                      f"{'TLS 1.2' if context else 'TLS 1.3'}, {tls_support.TRANSPORT}")


if __name__ == "__main__":
    tls_support.main()
