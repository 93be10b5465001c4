"""The server against the Go libraries on which practable/relay's clients and hosts stand.

Method: a small Go program (gopeer/main.go) asks, dials and talks as they do; ours is at the other
end. Whole processes over loopback.
"""

import json
import os
import sys
import time
import unittest

import go_peer
import relay_support
from go_peer import GoPeer
from relay_support import AUDIENCE, RelayTestCase

for _folder in ("tls", "host"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", _folder))
from host_support import HostTestCase  # noqa: E402
from tls_support import TlsTestCase, authority  # noqa: E402

MESSAGE_BYTES_MAX = 10 * 1024 * 1024
OUR_TOKEN_OPTIONS = {"RELAY_TOKEN_AUDIENCE": AUDIENCE, "RELAY_TOKEN_LIFETIME": "300",
                     "RELAY_TOKEN_TOPIC": "t0"}


class Tokens(RelayTestCase):
    """By golang-jwt, in the version that practable/relay uses."""

    def test_a_token_of_golang_jwt_opens_a_session(self):
        relay = self.start()
        minted = go_peer.run("mint", relay.secret, json.dumps(relay.claims("t0")))
        self.assertEqual(minted.returncode, 0, minted.stderr)
        reply = relay.session("t0", minted.stdout.strip())
        self.assertEqual(reply.status, 200, reply.body)
        refused = go_peer.run("mint", "another secret", json.dumps(relay.claims("t0")))
        reply = relay.session("t0", refused.stdout.strip())
        self.assertEqual((reply.status, reply.json()["message"]), (401, "token invalid"))

    def test_golang_jwt_accepts_our_tokens_and_would_write_the_same_bytes(self):
        secret = "the secret of both"
        for options in ({}, {"RELAY_TOKEN_SCOPE_WRITE": "false"},
                        {"RELAY_TOKEN_SCOPE_OTHER": "relay:stats"},
                        {"RELAY_TOKEN_SCOPE_ADMIN": "true"}, {"RELAY_TOKEN_BOOKING_ID": "<b&ü>"}):
            with self.subTest(options):
                ours = relay_support.relay_run("token", RELAY_TOKEN_SECRET=secret,
                                               **OUR_TOKEN_OPTIONS, **options)
                self.assertEqual(ours.returncode, 0, ours.stderr)
                token = ours.stdout.strip()
                verified = go_peer.run("verify", secret, token)
                self.assertEqual(verified.returncode, 0, verified.stderr)
                self.assertEqual(go_peer.run("mint", secret, verified.stdout).stdout.strip(), token)
                self.assertNotEqual(go_peer.run("verify", "another secret", token).returncode, 0)


class Session(RelayTestCase):
    def go_peer(self, *arguments):
        peer = GoPeer(*arguments)
        self.addCleanup(peer.close)
        return peer

    def connect(self, relay, *arguments, **changes):
        peer = self.go_peer("connect", f"http://127.0.0.1:{relay.access_port}/session/t0",
                            relay.token("t0", *arguments, **changes))
        self.assertEqual(peer.next(), {"open": True, "tls": ""})
        return peer

    def test_messages_keep_type_boundary_and_order_both_ways(self):
        relay = self.start()
        theirs, ours = self.connect(relay), self.track(relay.peer("t0"))
        messages = ["grüße", b"", "", b"\x00\xff", "x" * 70000, os.urandom(MESSAGE_BYTES_MAX),
                    *(f"burst {number}" for number in range(40))]
        for message in messages:
            theirs.send(message)
        self.assertEqual(ours.recv_many(len(messages)), messages)
        for message in messages:
            ours.send(message)
        for message in messages:
            self.assertEqual(theirs.message(), message)
        theirs.goodbye()
        self.assertEqual(theirs.next(), {"close": 1000, "text": ""})

    def test_one_byte_too_many_is_told_as_1009(self):
        theirs = self.connect(self.start())
        theirs.send(os.urandom(MESSAGE_BYTES_MAX + 1))
        self.assertEqual(theirs.next()["close"], 1009)

    def test_refusals_come_before_the_upgrade(self):
        relay = self.start()
        session = f"http://127.0.0.1:{relay.access_port}/session/t0"
        refused = self.go_peer("connect", session, relay.token("other")).next()
        self.assertEqual((refused["status"], refused["body"]), (401, '"Token Wrong Topic"\n'))
        uri = relay.uri("t0")
        self.assertTrue(self.go_peer("dial", uri).next()["open"])
        refused = self.go_peer("dial", uri).next()
        self.assertEqual(refused["status"], 401, "a code opens one connection")
        self.assertIn("code", json.loads(refused["body"]))

    def test_ends_are_told_by_their_close_codes(self):
        relay = self.start()
        stays = self.connect(relay)
        expires = self.connect(relay, lifetime_s=2)
        denied = self.connect(relay, booking_id="cancelled")
        admin = relay.token(scopes=["relay:admin"])
        reply = relay.request("POST", f"/bids/deny?bid=cancelled&exp={int(time.time()) + 300}",
                              {"Authorization": admin})
        self.assertEqual(reply.status, 204, reply.body)
        self.assertEqual(denied.next()["close"], 4403)
        self.assertEqual(expires.next()["close"], 4401)
        relay.stop()
        self.assertEqual(stays.next()["close"], 1001)

    def test_pings_are_answered_and_keep_it_alive(self):
        relay = self.start(RELAY_PING_INTERVAL="1s")
        theirs = self.connect(relay)
        silent = self.track(relay.raw("elsewhere"))  # reads nothing, so answers no ping
        relay.wait_counter("closed_no_pong", 1)
        silent.kill()
        theirs.send("still here")
        theirs.goodbye()
        self.assertEqual(theirs.next()["close"], 1000)


class Secure(TlsTestCase):
    """By crypto/tls, which shares no code with OpenSSL."""

    def connect(self, relay, *options):
        peer = GoPeer("connect", *options, f"https://localhost:{relay.access_port}/session/t0",
                      relay.token("t0"))
        self.addCleanup(peer.close)
        return peer

    def test_messages_over_tls_1_3_and_1_2(self):
        relay = self.start(transport=None)
        for options, version in (((), "0x0304"), (("-tls12",), "0x0303")):
            with self.subTest(version):
                theirs = self.connect(relay, "-ca", authority().ca_file, *options)
                self.assertEqual(theirs.next(), {"open": True, "tls": version})
                ours = self.track(relay.raw("t0"))
                for message in ("grüße", b"", os.urandom(3_000_000)):
                    theirs.send(message)
                    data = message.encode() if isinstance(message, str) else message
                    self.assertEqual(ours.message()[1], data)
                    ours.send_message(message)
                    self.assertEqual(theirs.message(), message)
                theirs.goodbye()
                self.assertEqual(theirs.next(), {"close": 1000, "text": ""})
                ours.kill()

    def test_it_refuses_a_certificate_that_it_does_not_know(self):
        theirs = self.connect(self.start(transport=None))
        with self.assertRaisesRegex(AssertionError, "certificate signed by unknown authority"):
            theirs.next()


class LocalClient(HostTestCase):
    """A program of the laboratory in Go, on /ws of `relay host`."""

    def dial(self, host):
        peer = GoPeer("dial", f"ws://localhost:{host.port}/ws/data")
        self.addCleanup(peer.close)
        self.assertEqual(peer.next(), {"open": True, "tls": ""})
        return peer

    def test_lines_and_binary_messages_go_both_ways(self):
        host = self.start()
        server = self.connected(host, "0", "data")
        theirs = self.dial(host)
        lines = [f"line {number} größe" for number in range(1000)]
        for line in lines:
            theirs.send(line)
        self.assertEqual(self.heard(server, len(lines)), lines)
        answers = ["an answer", b"\x00\xff", "x" * 70000, os.urandom(1_000_000),
                   *(f"command {number}" for number in range(1000))]
        for answer in answers:
            server.send(answer)
        for answer in answers:
            self.assertEqual(theirs.message(), answer)
        theirs.goodbye()
        self.assertEqual(theirs.next()["close"], 1000)

    def test_programs_of_a_feed_hear_the_relay_and_each_other(self):
        host = self.start()
        server = self.connected(host, "0", "data")
        one, other = self.dial(host), self.dial(host)
        one.send("from one")
        self.assertEqual(self.heard(server, 1), ["from one"])
        self.assertEqual(other.message(), "from one")
        server.send("to both")
        self.assertEqual([one.message(), other.message()], ["to both", "to both"])

    def test_it_is_told_when_the_host_stops(self):
        host = self.start()
        theirs = self.dial(host)
        host.stop()
        self.assertIn(theirs.next()["close"], (1000, 1001))


if __name__ == "__main__":
    go_peer.main()
