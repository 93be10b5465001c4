"""What is agreed on in the handshake, and which transport the records take then.

Method: Python's ssl module and OpenSSL driven record by record; the server's counters tell which
way the records took.
"""

import json
import os
import socket
import ssl
import subprocess
import unittest
import warnings

import tls_support
from openssl_client import TLS_1_2, OpenSslClient, TlsBroken
from relay_support import WAIT_S
from tls_support import (EMULATED, KERNEL, SUITES, TlsTestCase, authority, client_context,
                         tls12_context)
from ws_raw import PING, PONG, encode_frame

CIPHERS_12 = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
              "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
              "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305")
WEAK = ("ALL:COMPLEMENTOFALL:!CHACHA20:!AESGCM@SECLEVEL=0", "aNULL:eNULL@SECLEVEL=0",
        "kRSA@SECLEVEL=0", "kDHE@SECLEVEL=0", "AES128-SHA:ECDHE-ECDSA-AES128-SHA256@SECLEVEL=0",
        "PSK@SECLEVEL=0")
CUTS = (None, 5) if EMULATED else (None, 1, 5, 30)  # of a record; None: it is whole


def request(relay, topic="t0", token=None):
    return (f"POST /session/{topic} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            f"Authorization: {token or relay.token(topic)}\r\n\r\n").encode()


class Transport(TlsTestCase):
    def reported(self, relay):
        """Who encrypts, as /status and the topic tell it of a connection that lives."""
        monitor = self.track(relay.raw("stats", ("read", "write")))
        monitor.send_message('{"cmd":"update"}')
        listed = json.loads(monitor.message()[1])
        self.assertTrue(all(list(each)[-1] == "tls" for each in listed
                            if each["remoteAddr"] != "internal"), listed)
        reply = relay.request("GET", "/status",
                              {"Authorization": relay.token(scopes=("relay:stats",))})
        monitor.kill()
        return {each.get("tls") for each in listed + reply.json()
                if each.get("user_agent", each.get("userAgent")) != "crossbar"}

    def test_every_suite_of_tls_1_3_takes_the_expected_transport(self):
        relay = self.start()
        self.assertEqual(KERNEL, relay.listening["kernel_tls"].startswith("yes"))
        for suite in SUITES:
            with self.subTest(suite=suite):
                before = relay.counters()[tls_support.COUNTER]
                client = self.track(OpenSslClient(relay.relay_port, suite=suite, timeout_s=WAIT_S))
                client.upgrade(relay.target("t0"))
                payload = os.urandom(50000)
                viewer = self.track(relay.viewer("t0"))
                client.send_message(payload)
                self.assertEqual(viewer.message()[1], payload)
                viewer.kill()
                self.track(relay.publisher("t0")).send_message(payload)
                self.assertEqual(client.message()[1], payload)
                self.assertGreater(relay.counters()[tls_support.COUNTER], before)
                client.kill()
                self.assertEqual(self.reported(relay), {tls_support.TRANSPORT})

    def test_tls_1_2_stays_in_user_space_with_every_cipher(self):
        rsa = authority().pair("rsa", key="rsa")
        for pair, kind in ((None, "ECDSA"), (rsa, "RSA")):
            context = tls12_context()
            relay = self.start(pairs=pair and [pair], context=context, transport="user")
            for cipher in (name for name in CIPHERS_12 if f"-{kind}-" in name):
                with self.subTest(cipher=cipher):
                    used = self.round_trip(relay, tls12_context(cipher))
                    self.assertEqual(used[:2], (cipher, "TLSv1.2"))

    def test_tls_min_1_3_refuses_1_2(self):
        relay = self.start(RELAY_TLS_MIN="1.3")
        self.assertEqual(self.round_trip(relay)[1], "TLSv1.3")
        with self.assertRaises(ssl.SSLError):
            relay.connect(tls12_context())
        relay.wait_counter("tls_failed", 1)

    def test_a_client_with_small_fragments_gets_them_from_user_space(self):
        relay = self.start(transport=None)
        client = self.track(OpenSslClient(relay.relay_port, fragment=2, timeout_s=WAIT_S))  # 1024
        client.upgrade(relay.target("t0"))
        payload = os.urandom(20000)
        self.track(relay.publisher("t0")).send_message(payload)
        self.assertEqual(client.message()[1], payload)
        client.kill()
        self.assertGreaterEqual(relay.counters()["tls_user"], 1)

    def test_padded_records_are_read(self):
        relay = self.start()
        client = self.track(OpenSslClient(relay.relay_port, padding=4096, timeout_s=WAIT_S))
        client.upgrade(relay.target("t0"))
        viewer = self.track(relay.viewer("t0"))
        for size in (1, 5000, 40000):
            payload = os.urandom(size)
            client.send_message(payload)
            self.assertEqual(viewer.message()[1], payload)

    def test_ktls_off_keeps_records_in_user_space(self):
        relay = self.start(RELAY_KTLS="off", transport="user")
        self.assertTrue(relay.listening["kernel_tls"].startswith("off"), relay.listening)
        self.round_trip(relay)

    @unittest.skipIf(tls_support.kernel_has_tls(), "this kernel has TLS")
    def test_ktls_require_does_not_start_without_the_module_and_says_the_cure(self):
        cert, key = tls_support.default_pair()
        done = tls_support.relay_support.relay_run(
            "serve", RELAY_AUDIENCE="https://a", RELAY_URL="wss://x", RELAY_SECRET="s" * 32,
            RELAY_PORT_ACCESS="0", RELAY_PORT_RELAY="0", RELAY_LOG_FILE="stderr",
            RELAY_TLS_CERT=cert, RELAY_TLS_KEY=key, RELAY_KTLS="require")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("modprobe tls", done.stdout + done.stderr)

    @unittest.skipUnless(KERNEL, "needs kernel TLS")
    def test_ktls_require_serves_only_what_the_kernel_takes(self):
        relay = self.start(RELAY_KTLS="require")
        self.round_trip(relay)
        client = relay.connect(tls12_context())
        with self.assertRaises(OSError):
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            client.read_end()
            raise ConnectionResetError("a clean end is as good")
        client.kill()
        self.assertGreaterEqual(relay.wait_counter("tls_failed", 1)["tls_failed"], 1)


class FinishedAndData(TlsTestCase):
    """The client's Finished in one segment with what follows: nothing of it may get lost."""

    def answered(self, relay, client):
        reply = client.reply()
        self.assertEqual(reply.status, 200, reply)
        client.kill()

    def test_the_request_in_the_segment_of_finished(self):
        """Tickets are the first records under the server's key: however many, the next one has
        the right number."""
        for tickets in ("0", "1", "2", "8"):
            relay = self.start(RELAY_TLS_TICKETS=tickets)
            for suite in SUITES:
                for cut in CUTS:
                    with self.subTest(tickets=tickets, suite=suite, cut=cut):
                        client = self.track(OpenSslClient(relay.access_port, handshake=False,
                                                          suite=suite, timeout_s=WAIT_S))
                        self.ask_with_finished(relay, client, cut)
                        self.answered(relay, client)

    def ask_with_finished(self, relay, client, cut):
        """The request in the segment of Finished, or `cut` bytes of its record; the rest follows
        when the server has finished the handshake."""
        flight = client.handshake()
        record = client.encrypt(request(relay))
        if cut is None:
            client.send_bytes(flight + record)
            return
        before = relay.counters()[tls_support.COUNTER]
        client.send_bytes(flight + record[:cut])
        relay.wait_counter(tls_support.COUNTER, before + 1)
        client.send_bytes(record[cut:])

    def test_several_records_in_the_segment_of_finished(self):
        relay = self.start()
        client = self.track(OpenSslClient(relay.access_port, handshake=False, timeout_s=WAIT_S))
        flight = client.handshake()
        text = request(relay)
        flight += b"".join(client.encrypt(text[i:i + 20]) for i in range(0, len(text), 20))
        client.send_bytes(flight)
        self.answered(relay, client)

    def test_an_end_behind_the_request_in_the_segment_of_finished(self):
        """The kernel takes over no connection whose peer has ended: user space answers it."""
        relay = self.start(transport=None)
        client = self.half_closed(relay)
        self.assertEqual(client.reply().status, 200)
        client.expect_end()
        self.assertTrue(client.ended_cleanly)
        self.assertEqual(relay.counters()["tls_user"], 1)

    @unittest.skipUnless(KERNEL, "needs kernel TLS")
    def test_an_end_behind_the_request_is_only_an_end_where_the_kernel_is_required(self):
        relay = self.start(RELAY_KTLS="require")
        client = self.half_closed(relay)
        with self.assertRaises((TlsBroken, ConnectionError)):
            client.reply()
        self.assertEqual(relay.counters()["tls_failed"], 0)

    def half_closed(self, relay):
        client = self.track(OpenSslClient(relay.access_port, handshake=False, timeout_s=WAIT_S))
        flight = client.handshake() + client.encrypt(request(relay))
        # MSG_MORE holds it back, so that the end travels in the same segment.
        self.assertEqual(client.sock.send(flight, socket.MSG_MORE), len(flight))
        client.shutdown_write()
        return client

    def test_the_handshake_byte_by_byte(self):
        relay = self.start()
        client = self.track(OpenSslClient(relay.access_port, handshake=False, timeout_s=WAIT_S))
        send = client.send_bytes

        def dribble(data):
            for i in range(len(data)):
                send(data[i:i + 1])
        client.send_bytes = dribble
        flight = client.handshake() + client.encrypt(request(relay))
        dribble(flight)
        self.answered(relay, client)

    def test_frames_in_the_segment_of_the_upgrade(self):
        relay = self.start()
        client = self.track(OpenSslClient(relay.relay_port, handshake=False, timeout_s=WAIT_S))
        flight = client.handshake()
        head = (f"GET {relay.target('t0')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n").encode()
        client.send_bytes(flight + client.encrypt(head + encode_frame(PING, b"early")))
        self.assertEqual(client.reply().status, 101)
        frame = client.frame()
        self.assertEqual((frame.opcode, frame.payload), (PONG, b"early"))


class Resumption(TlsTestCase):
    def session_of(self, relay):
        """A session with its ticket, which comes with the first application data."""
        client = relay.connect(port=relay.access_port)
        client.send(request(relay))
        self.assertEqual(client.reply().status, 200)
        session = client.sock.session
        client.kill()
        return session

    def test_tickets_resume_and_none_do_not(self):
        for tickets, resumes in (("0", False), ("1", True), ("2", True), ("8", True)):
            with self.subTest(tickets=tickets):
                relay = self.start(RELAY_TLS_TICKETS=tickets)
                session = self.session_of(relay)
                for _ in range(3):
                    client = self.track(relay.connect(port=relay.access_port, session=session))
                    client.send(request(relay))
                    self.assertEqual(client.reply().status, 200)
                    self.assertEqual(client.sock.session_reused, resumes)
                    client.kill()

    def test_tls_1_2_resumes_too(self):
        context = tls12_context()
        relay = self.start(context=context, transport="user")
        session = self.session_of(relay)
        client = self.track(relay.connect(port=relay.access_port, session=session))
        client.send(request(relay))
        self.assertEqual(client.reply().status, 200)
        self.assertTrue(client.sock.session_reused)


class Names(TlsTestCase):
    def test_the_certificate_is_chosen_by_name(self):
        pairs = [authority().pair("first", "DNS:one.example"),
                 authority().pair("second", "DNS:two.example,DNS:*.wild.example")]
        context = client_context()
        context.check_hostname = False
        relay = self.start(pairs=pairs, context=context)
        for name, expected in (("one.example", "first"), ("two.example", "second"),
                               ("a.wild.example", "second"), ("TWO.example", "second"),
                               ("three.example", "first"), ("localhost", "first"),
                               (None, "first")):
            with self.subTest(name=name):
                client = self.track(relay.connect(server_name=name))
                self.assertEqual(client.certificate_name(), expected)
                client.kill()

    def test_the_chosen_certificate_also_carries_data(self):
        pairs = [authority().pair("alpha", "DNS:one.example"),
                 authority().pair("beta", "DNS:localhost,IP:127.0.0.1")]
        self.round_trip(self.start(pairs=pairs))


class Offer(TlsTestCase):
    """What a scanner would look for: nothing weak is offered."""

    def refused(self, relay, context):
        """Whether the server was asked: this OpenSSL may refuse the context itself."""
        with self.assertRaises((ssl.SSLError, ConnectionResetError)) as caught:
            relay.connect(context)
        return getattr(caught.exception, "reason", None) != "NO_CIPHERS_AVAILABLE"

    def test_old_versions_are_refused(self):
        relay = self.start(transport=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with self.subTest(version=version.name):
                    self.refused(relay, client_context(version, version, "ALL:@SECLEVEL=0"))
        # SSL 3.0, written by hand: OpenSSL here no longer speaks it.
        with socket.create_connection(("127.0.0.1", relay.relay_port), WAIT_S) as sock:
            sock.sendall(b"\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00" + bytes(32)
                         + b"\x00\x00\x02\x00\x2f\x01\x00")
            self.assertIn(sock.recv(1)[:1], (b"", b"\x15"))
        relay.wait_counter("tls_failed", 3)

    def test_weak_ciphers_are_refused(self):
        relay = self.start(transport=None)
        tried = 0
        for ciphers in WEAK:
            with self.subTest(ciphers=ciphers):
                try:
                    context = tls12_context(ciphers)
                except ssl.SSLError:
                    continue  # this OpenSSL does not know any of them
                tried += self.refused(relay, context)
        self.assertGreaterEqual(tried, 4)
        relay.wait_counter("tls_failed", tried)  # it was the server that refused

    def test_every_offered_cipher_is_a_modern_one(self):
        """One by one, with all that OpenSSL knows: what works must be in the list."""
        relay = self.start(pairs=[authority().pair("scan-ec"),
                                  authority().pair("scan-rsa", "DNS:rsa.example", key="rsa")],
                           transport=None)
        names = subprocess.run(["openssl", "ciphers", "-s", "-tls1_2",
                                "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
                               stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        accepted = set()
        for name in names.split(":"):
            if name.startswith("TLS_"):
                continue
            for server_name in ("localhost", "rsa.example"):
                context = tls12_context(f"{name}:@SECLEVEL=0")
                try:
                    client = relay.connect(context, server_name=server_name)
                except (ssl.SSLError, ConnectionResetError):
                    continue
                accepted.add(client.sock.cipher()[0])
                client.kill()
        self.assertEqual(accepted, set(CIPHERS_12))

    def test_alpn_is_http_1_1_only(self):
        relay = self.start()
        for offered, chosen in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"),
                                ([], None)):
            with self.subTest(offered=offered):
                context = client_context()
                if offered:
                    context.set_alpn_protocols(offered)
                client = self.track(relay.connect(context))
                self.assertEqual(client.sock.selected_alpn_protocol(), chosen)
                client.kill()
        context = client_context()
        context.set_alpn_protocols(["h2"])
        self.refused(relay, context)

    def test_there_is_no_compression_and_no_early_data(self):
        relay = self.start(transport=None)
        for context in (client_context(), tls12_context()):
            client = self.track(relay.connect(context))
            self.assertIsNone(client.sock.compression())
            client.kill()
        report = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.access_port}", "-tls1_3",
             "-ign_eof"],
            input=request(relay).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_S, check=False).stdout
        self.assertIn(b"Max Early Data: 0", report)

    def test_renegotiation_is_refused(self):
        relay = self.start(transport="user", context=tls12_context())
        client = self.track(OpenSslClient(relay.relay_port, version=TLS_1_2, timeout_s=WAIT_S))
        client.upgrade(relay.target("t0"))
        client.send_bytes(client.renegotiate())
        with self.assertRaises(TlsBroken):  # OpenSSL gives up when it hears no_renegotiation
            client.frame()
        client.kill()
        self.assertEqual(relay.counters()["connections_accepted"], 2)
        self.round_trip(relay, tls12_context())


if __name__ == "__main__":
    tls_support.main()
