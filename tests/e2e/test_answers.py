"""Answers that take their time: long lists, slow readers, a disk that is busy, a stop meanwhile.

Method: a started server, plain sockets, a second user of the database who holds its lock.
"""

import os
import shutil
import signal
import sqlite3
import tempfile
import time

import relay_support
from relay_support import WAIT_S, RelayTestCase
from ws_raw import PING, PONG, RawClient, encode_frame

PAUSE_S = 0.02  # a reader of 400 kB/s


class SlowReaders(RelayTestCase):
    def deny_many(self, relay, admin, count):
        """Their ids make a list that is longer than the kernel takes at once."""
        client = self.track(RawClient(relay.access_port, timeout_s=WAIT_S))
        end = int(time.time()) + 3600
        for number in range(count):
            client.send(f"POST /bids/deny?bid={'b' * 200}{number}&exp={end} HTTP/1.1\r\n"
                        f"Host: x\r\nAuthorization: {admin}\r\nContent-Length: 0\r\n\r\n".encode())
            self.assertEqual(client.reply().status, 204)

    def test_a_long_list_arrives_whole_at_a_slow_reader(self):
        relay = self.start(RELAY_WORKERS="1")  # alone it keeps connections alive over denials
        admin = relay.token(scopes=("relay:admin",))
        self.deny_many(relay, admin, 5000)
        client = self.track(RawClient(relay.access_port, rcvbuf=4096, timeout_s=WAIT_S))
        client.send(f"GET /bids/deny HTTP/1.0\r\nAuthorization: {admin}\r\n\r\n".encode())
        received = bytearray()
        started = time.monotonic()
        while data := client.sock.recv(8192):
            received += data
            time.sleep(PAUSE_S)  # the reader's own pace, which is what is tested
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        self.assertTrue(body.endswith(b"]}\n"))
        self.assertGreater(time.monotonic() - started, 2.5, "no slower than a goodbye may be")


class BusyDisk(RelayTestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="relay-store-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "relay.db")

    def test_a_stop_still_gives_the_answer_that_waits_for_the_disk(self):
        relay = self.start(RELAY_STORE=self.path)
        lock = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(lock.close)
        lock.execute("BEGIN IMMEDIATE")
        client = self.track(RawClient(relay.access_port, timeout_s=WAIT_S))
        client.send(f"POST /bids/deny?bid=x&exp={int(time.time()) + 99} HTTP/1.1\r\nHost: x\r\n"
                    f"Authorization: {relay.token(scopes=('relay:admin',))}\r\n"
                    "Content-Length: 0\r\n\r\n".encode())
        relay_support.wait_until(lambda: relay.request(
            "GET", "/bids/deny", {"Authorization": relay.token(scopes=("relay:admin",))}).json()
            == {"booking_ids": ["x"]}, "the denial to be carried out")
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_line("stopping")
        lock.execute("ROLLBACK")
        self.assertEqual(client.reply().status, 204)
        client.kill()
        self.assertEqual(relay.process.wait(relay_support.STOP_LIMIT_S
                                            * relay_support.TIME_SCALE), 0)
        with self.subTest("and it is there after the restart"):
            again = self.start(RELAY_STORE=self.path)
            admin = again.token(scopes=("relay:admin",))
            reply = again.request("GET", "/bids/deny", {"Authorization": admin})
            self.assertEqual(reply.json(), {"booking_ids": ["x"]})


class OldVersion(RelayTestCase):
    def test_answers_that_waited_are_of_the_version_of_the_request(self):
        relay = self.start(RELAY_STORE="memory")
        token = relay.token(scopes=("relay:stats",))
        for version in ("1.0", "1.1"):
            client = self.track(RawClient(relay.access_port, timeout_s=WAIT_S))
            client.send(f"GET /status HTTP/{version}\r\nHost: x\r\n"
                        f"Authorization: {token}\r\n\r\n".encode())
            received = b""
            while data := client.sock.recv(65536):
                received += data
            self.assertTrue(received.startswith(f"HTTP/{version} 200 ".encode()), received[:40])


class Order(RelayTestCase):
    def test_a_ping_behind_the_request_is_answered_behind_the_101(self):
        relay = self.start()
        client = self.track(RawClient(relay.relay_port, timeout_s=WAIT_S))
        client.send(f"GET {relay.target('t0')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
                    + encode_frame(PING, b"early", mask=b"mask"))
        self.assertEqual(client.reply(head_only=True).status, 101)
        frame = client.frame()
        self.assertEqual((frame.opcode, frame.payload), (PONG, b"early"))


class Forwarded(RelayTestCase):
    def address_logged(self, *fields):
        relay = self.start()
        self.track(relay.raw("t0", ("read",), headers=fields))
        return relay.wait_line("new connection")["remote_addr"]

    def test_the_end_of_a_long_field_is_kept(self):
        claimed = ", ".join(f"10.0.0.{number}" for number in range(50))
        address = self.address_logged(f"X-Forwarded-For: {claimed}, 203.0.113.77")
        self.assertTrue(address.endswith(", 10.0.0.49, 203.0.113.77"), address)
        self.assertRegex(address, r"^10\.0\.0\.\d+, 10\.0\.0\.\d+, ", "half an address")

    def test_the_last_of_several_fields_counts(self):
        self.assertEqual(self.address_logged("X-Forwarded-For: 10.9.9.9",
                                             "X-Forwarded-For: 203.0.113.77"), "203.0.113.77")


if __name__ == "__main__":
    relay_support.main()
