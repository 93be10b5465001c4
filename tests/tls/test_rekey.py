"""KeyUpdate from the client, in every mode: followed, or closed politely with 1001. Never a hang,
never a wrong byte.

Method: OpenSSL driven record by record, and `openssl s_client` with its K and k commands.
"""

import os
import subprocess
import threading

import tls_support
from openssl_client import OpenSslClient, TlsBroken
from relay_support import WAIT_S, wait_until
from tls_support import KERNEL, SUITES, TlsTestCase, scaled
from ws_raw import BINARY, CLOSE, encode_frame


class KeyUpdate(TlsTestCase):
    def connected(self, relay, topic="t0", **options):
        client = self.track(OpenSslClient(relay.relay_port, timeout_s=WAIT_S, **options))
        client.upgrade(relay.target(topic))
        return client

    def can_follow(self, relay):
        return not KERNEL or "KeyUpdate" in relay.listening["kernel_tls"]

    def refused(self, relay, client, before):
        """Close 1001 and a clean end."""
        code, reason = client.expect_close()
        self.assertEqual(code, 1001)
        self.assertIn(b"re-key", reason)
        self.assertTrue(client.ended_cleanly)
        client.kill()
        relay.wait_counter("tls_rekeys_refused", before + 1)

    def test_a_key_update_is_followed_or_refused_politely(self):
        relay = self.start()
        for suite in SUITES:
            for answer_wanted in (False, True):
                with self.subTest(suite=suite, answer_wanted=answer_wanted):
                    before = relay.counters()["tls_rekeys_refused"]
                    client = self.connected(relay, suite=suite)
                    client.send_bytes(client.key_update(answer_wanted))
                    if not self.can_follow(relay):
                        self.refused(relay, client, before)
                        continue
                    for _ in range(3):
                        payload = os.urandom(30000)
                        viewer = self.track(relay.viewer("t0"))
                        client.send_message(payload)
                        self.assertEqual(viewer.message()[1], payload)
                        publisher = self.track(relay.publisher("t0"))
                        publisher.send_message(payload[::-1])
                        self.assertEqual(client.message()[1], payload[::-1])
                        for other in (viewer, publisher):
                            other.kill()
                        client.send_bytes(client.key_update(answer_wanted))
                    client.kill()

    def test_data_ahead_of_a_key_update_in_one_segment_arrives(self):
        relay = self.start()
        viewer = self.track(relay.viewer("t0"))
        client = self.connected(relay)
        payload = os.urandom(100000)
        flight = client.encrypt(encode_frame(BINARY, payload)) + client.key_update(True)
        client.send_bytes(flight + client.encrypt(encode_frame(BINARY, b"behind")))
        self.assertEqual(viewer.message()[1], payload)
        if self.can_follow(relay):
            self.assertEqual(viewer.message()[1], b"behind")
        else:
            self.refused(relay, client, 0)

    def test_a_key_update_in_the_middle_of_a_message(self):
        relay = self.start()
        viewer = self.track(relay.viewer("t0"))
        client = self.connected(relay)
        payload = os.urandom(50000)
        frame = encode_frame(BINARY, payload)
        client.send_bytes(client.encrypt(frame[:20000]) + client.key_update(True)
                          + client.encrypt(frame[20000:]))
        if self.can_follow(relay):
            self.assertEqual(viewer.message()[1], payload)
        else:
            self.refused(relay, client, 0)
            viewer.barrier()  # the half message did not get out

    def test_a_key_update_while_the_server_is_sending(self):
        """Under load: each message arrives whole, or the connection ends with 1001."""
        relay = self.start(RELAY_BUFFER_SIZE="512")
        client = self.connected(relay)
        publisher = self.track(relay.publisher("t0"))
        count = scaled(300, 100, 40)
        payloads = [os.urandom(4000) for _ in range(count)]

        def publish():
            for payload in payloads:
                publisher.send_message(payload)

        thread = threading.Thread(target=publish)
        thread.start()
        heard = []
        closed, asked = None, False
        while closed is None and (len(heard) < count or not self.can_follow(relay)):
            frame = client.frame()
            if frame.opcode == CLOSE:
                closed = frame.close()[0]
                break
            heard.append(frame.payload)
            # Few enough that the answers still waiting to be sent never are a flood.
            if len(heard) % (count // 8) == 0 and (self.can_follow(relay) or not asked):
                asked = True
                client.send_bytes(client.key_update(True))
        thread.join()
        self.assertEqual(heard, payloads[:len(heard)])
        if self.can_follow(relay):
            self.assertEqual(len(heard), count)
        else:
            self.assertEqual(closed, 1001)
            client.expect_end()
            self.assertTrue(client.ended_cleanly)

    def test_a_flood_of_key_updates_ends_or_is_followed(self):
        relay = self.start()
        client = self.connected(relay)
        flood = b"".join(client.key_update(number % 2 == 0) for number in range(400))
        client.send_bytes(flood)
        if not self.can_follow(relay):
            self.refused(relay, client, 0)
            self.assertEqual(relay.counters()["tls_rekeys_refused"], 1)
        else:
            broken = 0
            try:
                client.barrier()
            except (TlsBroken, ConnectionError):
                broken = 1
            self.assertEqual(relay.wait_counter("tls_broken", broken)["tls_broken"], broken)
        client.kill()
        self.round_trip(relay)

    def test_a_key_update_before_the_request(self):
        relay = self.start()
        client = self.track(OpenSslClient(relay.access_port, timeout_s=WAIT_S))
        client.send_bytes(client.key_update(False) + client.encrypt(
            f"POST /session/t0 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            f"Authorization: {relay.token('t0')}\r\n\r\n".encode()))
        if self.can_follow(relay):
            self.assertEqual(client.reply().status, 200)
        else:
            client.expect_end()
            self.assertTrue(client.ended_cleanly)


class SClient(TlsTestCase):
    def test_s_client_changes_its_keys(self):
        """K asks for the server's new keys as well, k does not."""
        for command in (b"K", b"k"):
            with self.subTest(command=command):
                relay = self.start()
                process = subprocess.Popen(
                    ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.relay_port}", "-tls1_3"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.addCleanup(self.end, process)
                heard = bytearray()
                reader = threading.Thread(target=self.read, args=(process, heard), daemon=True)
                reader.start()
                head = (f"GET {relay.target('t0')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n").encode()
                self.say(process, head)
                wait_until(lambda: b" 101 " in heard, "the upgrade")
                viewer = self.track(relay.viewer("t0"))
                self.say(process, command + b"\n")
                wait_until(lambda: b"KEYUPDATE" in heard, "the command to be taken")
                if KERNEL and "KeyUpdate" not in relay.listening["kernel_tls"]:
                    wait_until(lambda: b"re-key" in heard, "the polite close")
                    process.wait(WAIT_S)
                    relay.wait_counter("tls_rekeys_refused", 1)
                else:
                    self.say(process, encode_frame(BINARY, b"under the new key"))
                    self.assertEqual(viewer.message()[1], b"under the new key")
                viewer.kill()

    def say(self, process, data):
        process.stdin.write(data)
        process.stdin.flush()

    def read(self, process, heard):
        while data := process.stdout.read1(65536):
            heard += data

    def end(self, process):
        process.kill()
        process.wait()
        process.stdin.close()


if __name__ == "__main__":
    tls_support.main()
