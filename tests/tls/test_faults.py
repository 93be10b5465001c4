"""Bad input on a TLS port: counted, closed by its deadline, nothing left behind.

Method: sockets and OpenSSL driven record by record; the fixture checks that no connection is left
when the server stops, the tests that descriptors and the counters are as they should be.
"""

import os
import socket
import ssl
import struct

import tls_support
from openssl_client import OpenSslClient, TlsBroken
from relay_support import WAIT_S, wait_until
from tls_support import KERNEL, TlsTestCase, scaled, tls12_context
from ws_raw import BINARY, RawClient, encode_frame

ALERT, HANDSHAKE, DATA, HEARTBEAT = 21, 22, 23, 24
UNEXPECTED, BAD_RECORD_MAC, ILLEGAL_PARAMETER = 10, 20, 47  # alerts
CLIENT_HELLO_HEAD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
NOT_TLS = (b"\x80\x2e\x01\x00\x02", b"\x16\x02\x00\x00\x10", b"\x16\x03\x01\x00\x00",
           b"\x16\x03\x01\xff\xff", b"\x00" * 5, b"\x13\x03\x03\x00\x10", b"SSH-2.0-x\r\n",
           b"\x18\x03\x03\x00\x10" + bytes(16), os.urandom(3) + b"\xff\xff" * 50)


def hello():
    """The ClientHello of a real client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = tls_support.client_context().wrap_bio(incoming, outgoing,
                                                       server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Plain(TlsTestCase):
    def test_plain_http_is_told_to_use_tls(self):
        relay = self.start(transport=None)
        for port in (relay.access_port, relay.relay_port):
            for text in (b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"POST /session/t0 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                         b"OPTIONS * HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n"):
                with self.subTest(port=port, text=text[:10]):
                    client = self.track(RawClient(port, timeout_s=WAIT_S))
                    client.send(text)
                    reply = client.reply()
                    self.assertEqual(reply.status, 400)
                    self.assertIn(b"TLS", reply.body)
                    self.assertIn(b"https://", reply.body)
                    client.expect_end()
                    client.kill()
        self.assertEqual(relay.wait_counter("tls_plain_refused", 6)["tls_plain_refused"], 6)
        self.round_trip(relay)


class Certificates(TlsTestCase):
    """What clients will refuse is told where it can be mended."""

    LONELY = "a certificate's issuer is not in its file"
    NAMELESS = "a certificate has no subjectAltName"

    def told(self, cert, key):
        relay = self.start(pairs=[(cert, key)], transport=None)
        return {line["msg"]: line for line in relay.lines
                if line["msg"] in (self.LONELY, self.NAMELESS)}

    def test_an_issuer_that_is_not_sent(self):
        cert, key = tls_support.default_pair()
        told = self.told(cert, key)
        self.assertEqual(set(told), {self.LONELY})
        self.assertEqual((told[self.LONELY]["file"], told[self.LONELY]["issuer"]),
                         (cert, "CN=relay test authority"))
        whole = cert + ".whole"
        with open(whole, "wb") as out:
            for path in (cert, tls_support.authority().ca_file):
                with open(path, "rb") as part:
                    out.write(part.read())
        self.assertEqual(self.told(whole, key), {})

    def test_names_that_are_missing(self):
        cert, key = (tls_support.authority().path("nameless" + end) for end in (".pem", ".key"))
        tls_support.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-keyout", key, "-out", cert, "-days", "100",
                            "-subj", "/CN=localhost")
        told = self.told(cert, key)
        self.assertEqual(set(told), {self.NAMELESS})
        self.assertIn("make it anew", told[self.NAMELESS]["cure"])


class Handshakes(TlsTestCase):
    def fds_return_to(self, relay, before):
        wait_until(lambda: relay.fds() == before, f"{before} descriptors, not {relay.fds()}")

    def test_a_stalled_handshake_ends_at_its_deadline_wherever_it_stalls(self):
        relay = self.start(RELAY_HANDSHAKE_TIMEOUT="500ms", transport=None)
        before = relay.fds()
        whole = hello()
        clients = [RawClient(relay.relay_port, timeout_s=WAIT_S) for _ in range(7)]
        for client, part in zip(clients, (b"", b"\x16", whole[:5], whole[:6], whole[:-1], whole,
                                          CLIENT_HELLO_HEAD)):
            self.track(client)
            if part:
                client.send(part)
        for client in clients:
            client.read_end()
            client.kill()
        counters = relay.wait_counter("handshake_timeouts", len(clients))
        self.assertEqual(counters["handshake_timeouts"], len(clients))
        self.fds_return_to(relay, before)
        self.round_trip(relay)

    def test_what_is_not_tls_is_closed_at_once_and_counted(self):
        relay = self.start(transport=None)
        before = relay.fds()
        for data in NOT_TLS:
            with self.subTest(data=data[:12]):
                failed = relay.counters()
                client = self.track(RawClient(relay.relay_port, timeout_s=WAIT_S))
                client.send(data)
                client.read_end()
                client.kill()
                wait_until(lambda failed=failed: sum(
                    relay.counters()[name] - failed[name]
                    for name in ("tls_failed", "tls_plain_refused")) == 1, "the count")
        self.fds_return_to(relay, before)
        self.round_trip(relay)

    def test_a_damaged_hello_gets_an_alert(self):
        relay = self.start(transport=None)
        whole = hello()
        for at in (5, 6, 9, 11, 43, len(whole) - 3):
            with self.subTest(at=at):
                data = bytearray(whole)
                data[at] ^= 0xff
                client = self.track(RawClient(relay.relay_port, timeout_s=WAIT_S))
                client.send(bytes(data))
                client.shutdown_write()
                client.read_end()  # an alert, a ServerHello or nothing: but an end
                client.kill()
        self.round_trip(relay)

    def test_an_end_at_any_byte_of_the_handshake_leaves_nothing(self):
        relay = self.start(transport=None)
        before = relay.fds()
        whole = hello()
        for size in range(0, len(whole), scaled(7, 31, 101)):
            client = RawClient(relay.relay_port, timeout_s=WAIT_S)
            client.send(whole[:size])
            client.kill() if size % 2 else client.reset()
        self.fds_return_to(relay, before)
        self.round_trip(relay)

    def test_a_reset_after_finished_leaves_nothing(self):
        relay = self.start(transport=None)
        before = relay.fds()
        count = scaled(100, 30, 10)
        for _ in range(count):
            client = OpenSslClient(relay.relay_port, handshake=False, timeout_s=WAIT_S)
            client.send_bytes(client.handshake())
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.kill()
        # The last one may not even be accepted yet.
        relay.wait_counter("connections_closed", count)
        self.fds_return_to(relay, before)
        self.assertEqual(relay.counters()["connections_accepted"], count)
        self.round_trip(relay)

    def test_a_second_client_hello_is_an_error_of_the_peer(self):
        relay = self.start(transport=None)
        whole = hello()
        client = self.track(RawClient(relay.relay_port, timeout_s=WAIT_S))
        client.send(whole + whole)
        client.read_end()
        client.kill()
        relay.wait_counter("tls_failed", 1)


class Records(TlsTestCase):
    """After the handshake."""

    def connected(self, relay, **options):
        client = self.track(OpenSslClient(relay.relay_port, timeout_s=WAIT_S, **options))
        client.upgrade(relay.target("t0"))
        return client

    def expect_broken(self, relay, before, count=1):
        """Exactly that many bad records are counted, and nothing else."""
        wait_until(lambda: relay.counters()["tls_broken"] >= before["tls_broken"] + count,
                   "the count")
        counters = relay.counters()
        self.assertEqual(counters["tls_broken"], before["tls_broken"] + count)
        for name in ("closed_io_error", "tls_alerts", "tls_rekeys", "tls_rekeys_refused"):
            self.assertEqual(counters[name], before[name], name)

    def test_a_bad_tag_ends_the_connection_and_nobody_elses(self):
        relay = self.start()
        other, viewer = self.track(relay.publisher("t1")), self.track(relay.viewer("t1"))
        for at in (5, 40, -1):
            with self.subTest(at=at):
                client = self.connected(relay)
                before = relay.counters()
                record = bytearray(client.encrypt(b"x" * 100))
                record[at] ^= 1
                client.send_bytes(bytes(record))
                with self.assertRaises((TlsBroken, ConnectionError)):
                    client.frame()
                self.expect_broken(relay, before)
                if not KERNEL:
                    self.assertEqual(client.alert, BAD_RECORD_MAC)
                client.kill()
        other.send_message(b"still here")
        self.assertEqual(viewer.message()[1], b"still here")

    def test_a_replayed_record_ends_the_connection(self):
        relay = self.start()
        client = self.connected(relay)
        viewer = self.track(relay.viewer("t0"))
        before = relay.counters()
        client.send_message(b"once")
        record = client.encrypt(encode_frame(BINARY, b"twice"))
        client.send_bytes(record + record)
        with self.assertRaises((TlsBroken, ConnectionError)):
            while True:
                client.frame()
        self.expect_broken(relay, before)
        self.assertEqual([viewer.message()[1], viewer.message()[1]], [b"once", b"twice"])
        viewer.barrier()  # and nothing more

    def test_plain_text_inside_tls_ends_the_connection(self):
        relay = self.start()
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\xff\xff" + bytes(100),
                     b"\x17\x03\x03\x00\x00", b"\x16\x03\x03\x00\x05" + bytes(5),
                     b"\x15\x03\x03\x00\x02\x01\x00", b"\x63\x03\x03\x00\x10" + bytes(16)):
            with self.subTest(data=data[:8]):
                client = self.connected(relay)
                before = relay.counters()
                client.send_bytes(data)
                with self.assertRaises((TlsBroken, ConnectionError)):
                    client.frame()
                self.expect_broken(relay, before)
                client.kill()

    def test_an_encrypted_record_that_has_no_business_here_ends_the_connection(self):
        relay = self.start()
        for inner_type, payload, alert in (
                (HANDSHAKE, b"\x14\0\0\x20" + bytes(32), UNEXPECTED),  # a second Finished
                (HANDSHAKE, b"\x01\0\0\x01\0", UNEXPECTED),  # a new ClientHello
                (HANDSHAKE, b"\x18\0\0\x02\0\0", UNEXPECTED),  # KeyUpdate, too long
                (HANDSHAKE, b"\x18\0\0\x01\x02", ILLEGAL_PARAMETER),  # neither 0 nor 1
                (HANDSHAKE, b"\x18\0\0\x01\0" * 2, UNEXPECTED),  # the 2nd has a new key
                (ALERT, b"\x02", UNEXPECTED), (HEARTBEAT, b"\x01\0\0", UNEXPECTED)):
            with self.subTest(inner_type=inner_type, payload=payload):
                client = self.connected(relay, suite="TLS_AES_128_GCM_SHA256")
                before = relay.counters()
                client.send_bytes(client.forged(1, inner_type, payload))  # behind the upgrade
                with self.assertRaises((TlsBroken, ConnectionError)):
                    client.frame()
                self.expect_broken(relay, before)
                if not KERNEL:
                    self.assertEqual(client.alert, alert)
                client.kill()

    def test_a_forged_record_of_data_is_taken(self):
        """So it is not the forgery that ends the connections of the test before."""
        relay = self.start()
        viewer = self.track(relay.viewer("t0"))
        client = self.connected(relay, suite="TLS_AES_128_GCM_SHA256")
        client.send_bytes(client.forged(1, DATA, encode_frame(BINARY, b"forged")))
        self.assertEqual(viewer.message()[1], b"forged")

    def test_an_alert_of_the_peer_ends_the_connection(self):
        """A damaged record makes OpenSSL say bad_record_mac, encrypted."""
        relay = self.start()
        client = self.connected(relay)
        client.send_frame(9, b"ping")
        client.sock.settimeout(WAIT_S)
        answer = bytearray(client.sock.recv(65536))
        answer[-1] ^= 1
        client.feed(bytes(answer))
        with self.assertRaises(TlsBroken):
            client._decrypt()
        client.send_bytes(client.records())
        wait_until(lambda: relay.counters()["connections_closed"]
                   == relay.counters()["connections_accepted"], "the end of the connection")
        counters = relay.counters()
        self.assertEqual((counters["tls_alerts"], counters["tls_broken"]), (1, 0))

    def test_a_reset_in_the_middle_of_a_message_leaves_nothing(self):
        relay = self.start()
        before = relay.fds()
        for index in range(scaled(60, 20, 6)):
            client = relay.publisher("t0")
            client.send(b"\x82\xfe\xff\xff" + bytes(4) + bytes(20000))
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", index % 2, 0))
            client.kill()
        wait_until(lambda: relay.fds() == before, "the descriptors")

    def test_a_reset_under_a_waiting_send_leaves_nothing(self):
        relay = self.start()
        before = relay.fds()
        for context in (None, tls12_context()) if not KERNEL else (None,):
            viewers = [relay.viewer("t0", rcvbuf=4096, context=context) for _ in range(3)]
            publisher = relay.publisher("t0")
            for _ in range(3):
                publisher.send_message(bytes(1000000))
            publisher.barrier()
            for viewer in viewers:
                viewer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
                viewer.kill()
            publisher.kill()
        wait_until(lambda: relay.fds() == before, "the descriptors")

    def test_random_bytes_after_the_handshake_never_hang(self):
        relay = self.start()
        for _ in range(scaled(100, 30, 8)):
            client = self.connected(relay)
            client.send_bytes(os.urandom(300))
            try:
                client.shutdown_write()
                client.read_end()
            except (TlsBroken, OSError) as ended:
                self.assertNotIsInstance(ended, TimeoutError)
            client.kill()
        self.round_trip(relay)


if __name__ == "__main__":
    tls_support.main()
