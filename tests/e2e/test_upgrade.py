"""From one-time code to WebSocket: who is let in, who is refused before the 101, and how.

Method: raw sockets against a started server, so that every field of the answer can be seen.
"""

import json
import os
import signal
import struct
import tempfile
import time
import unittest
from urllib.parse import urlsplit

import relay_support
import ws_peer
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import BINARY, TEXT, RawClient, encode_frame

UPGRADE = ["Host: relay.test", "Upgrade: websocket", "Connection: Upgrade",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]


class UpgradeCase(SharedRelayTestCase):
    def client(self):
        return self.track(RawClient(self.relay.relay_port, timeout_s=relay_support.WAIT_S))

    def ask(self, target, headers=(), relay=None):
        client = self.track(RawClient((relay or self.relay).relay_port,
                                      timeout_s=relay_support.WAIT_S))
        client.ask_upgrade(target, headers)
        return client.reply()

    def ask_exactly(self, target, lines, method="GET"):
        client = self.client()
        client.send("\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode())
        return client.reply()

    def check_refused(self, reply, status):
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(reply.headers.get("content-type"), "application/json")
        error = json.loads(reply.body)
        self.assertEqual(set(error), {"code", "message"})
        self.assertEqual(str(error["code"]), str(status))
        self.assertTrue(error["message"])


class Codes(UpgradeCase):
    def test_a_code_opens_one_websocket_once(self):
        target = self.relay.target("t0")
        self.assertEqual(self.ask(target).status, 101)
        self.check_refused(self.ask(target), 401)
        self.check_refused(self.ask(target), 401)

    def test_no_code(self):
        for target in ("/session/t0", "/session/t0?", "/session/t0?code", "/session/t0?code=",
                       "/session/t0?Code=x", "/session/t0?x=y"):
            with self.subTest(target=target):
                self.check_refused(self.ask(target), 401)

    def test_codes_that_were_never_given_out(self):
        for code in ("x", "00000000-0000-4000-8000-000000000000", "%00", "%zz", "a" * 1500,
                     "'; drop table codes", "../../etc/passwd"):
            with self.subTest(code=code[:40]):
                reply = self.ask(f"/session/t0?code={code.replace(' ', '%20')}")
                self.check_refused(reply, 401)

    def test_the_first_code_of_several_counts_and_other_parameters_are_ignored(self):
        target = self.relay.target("t0")
        path, code = target.split("?")
        self.check_refused(self.ask(f"{path}?code=x&{code}"), 401)
        self.assertEqual(self.ask(f"{path}?a=b&{code}&code=x&c").status, 101)

    def test_a_code_of_another_topic(self):
        target = self.relay.target("t0").replace("/session/t0", "/session/t1")
        reply = self.ask(target)
        self.assertIn(reply.status, (401, 403))
        self.check_refused(reply, reply.status)

    def test_a_token_without_read_and_write(self):
        for scopes in (["foo"], ["relay:admin"], ["relay:stats", "Read", "write "]):
            with self.subTest(scopes=scopes):
                reply = self.ask(self.relay.target("t0", scopes))
                self.assertIn(reply.status, (401, 403))
                self.check_refused(reply, reply.status)

    def test_a_token_of_another_connection_type(self):
        """Its address is 404, as with practable/relay; its code opens no session either."""
        target = self.relay.target(prefix="shell")
        self.assertTrue(target.startswith("/shell/t0?"), target)
        self.assertEqual(self.ask(target).status, 404)
        self.check_refused(self.ask(target.replace("/shell/", "/session/")), 403)

    def test_a_refusal_is_seen_as_http_by_an_independent_client(self):
        with self.assertRaises(ws_peer.Refused) as refused:
            ws_peer.Peer(self.relay.url + "/session/t0?code=x")
        self.assertEqual(refused.exception.status, 401)

    def test_a_code_survives_requests_that_are_no_upgrade(self):
        target = self.relay.target("t0")
        self.assertEqual(self.ask_exactly(target, UPGRADE[:1]).status, 400)
        self.assertEqual(self.ask_exactly(target, UPGRADE, method="POST").status, 405)
        self.assertEqual(self.ask(target).status, 101)

    def test_a_topic_with_a_slash(self):
        token = self.relay.token("a/b")
        reply = self.relay.request("POST", "/session/a%2Fb", {"Authorization": token})
        uri = reply.json()["uri"]
        self.assertEqual(self.ask(uri[len(self.relay.url):]).status, 101)

    def test_a_trailing_slash(self):
        path, code = self.relay.target("t0").split("?")
        self.assertEqual(self.ask(f"{path}/?{code}").status, 101)

    def test_refusals_are_counted(self):
        before = self.relay.counters()["websockets_refused"]
        self.ask("/session/t0?code=x")
        self.ask("/session/t0")
        self.assertEqual(self.relay.counters()["websockets_refused"], before + 2)


class CodeLife(RelayTestCase):
    LIFE_S = 1
    FILL_S = int(3 * relay_support.TIME_SCALE)  # filling the store takes less

    def test_a_code_is_refused_after_its_time(self):
        """TTL is judged when the code is used, not when somebody sweeps."""
        relay = self.start(RELAY_CODE_TTL=f"{self.LIFE_S}s")
        target = relay.target("t0")
        granted = time.monotonic()
        early = self.track(RawClient(relay.relay_port))
        early.upgrade(relay.target("t0"))
        relay_support.wait_until(lambda: time.monotonic() > granted + self.LIFE_S + 0.05,
                                 "the code to grow old")
        client = self.track(RawClient(relay.relay_port))
        client.ask_upgrade(target)
        self.assertEqual(client.reply().status, 401)

    def test_a_code_does_not_outlive_its_token(self):
        relay = self.start()
        expiry = int(time.time()) + 2  # of a whole second: at least one is left
        target = relay.target("t0", exp=expiry)
        relay_support.wait_until(lambda: time.time() > expiry + 0.05, "the token to expire")
        client = self.track(RawClient(relay.relay_port))
        client.ask_upgrade(target)
        self.assertEqual(client.reply().status, 401)

    def test_the_store_of_codes_is_bounded(self):
        """Unused codes fill the store; then requests get 503 until some have passed away, and
        nothing else stops working."""
        relay = self.start(RELAY_CODES_MAX="64", RELAY_CODE_TTL=f"{self.FILL_S}s",
                           RELAY_WORKERS="1")
        viewer = self.track(relay.viewer())
        publisher = self.track(relay.publisher())
        tokens = {topic: relay.token(topic) for topic in (f"t{n}" for n in range(80))}
        statuses = [relay.session(topic, token).status for topic, token in tokens.items()]
        self.assertEqual(set(statuses), {200, 503}, statuses)
        self.assertLessEqual(statuses.count(200), 64)
        self.assertGreaterEqual(relay.counters()["codes_refused_full"], statuses.count(503))
        alarm = relay.alarms("RELAY_CODES_MAX")[0]
        self.assertEqual((alarm["level"], alarm["suppressed"]), ("warning", 0))
        publisher.send_message("still here")
        self.assertEqual(viewer.message(), (TEXT, b"still here"))
        relay_support.wait_until(lambda: relay.session("t0", tokens["t0"]).status == 200,
                                 "room in the store", self.FILL_S + relay_support.WAIT_S)

    def test_one_token_cannot_use_up_the_codes_of_others(self):
        """One booking and topic may have a quarter of the unused codes; what it got stays good."""
        relay = self.start(RELAY_CODES_MAX="100", RELAY_WORKERS="1")
        token = relay.token("t0", booking_id="one")
        replies = [relay.session("t0", token) for _ in range(26)]
        self.assertEqual([reply.status for reply in replies], 25 * [200] + [503])
        self.assertTrue(1 <= int(replies[-1].headers["Retry-After"]) <= 30)
        self.assertEqual(len(relay.alarms("RELAY_CODES_MAX")), 1)
        self.assertEqual(relay.session("t1", relay.token("t1")).status, 200)
        for reply in replies[:-1]:
            parts = urlsplit(reply.json()["uri"])
            self.track(RawClient(relay.relay_port)).upgrade(f"{parts.path}?{parts.query}")


class Handshake(UpgradeCase):
    def test_the_answer_has_the_fields_of_the_standard_and_no_others(self):
        client = self.client()
        reply = client.upgrade(self.relay.target(), [
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            "Origin: https://elsewhere.test"])
        self.assertEqual((reply.version, reply.reason), ("HTTP/1.1", "Switching Protocols"))
        self.assertEqual(set(reply.headers), {"upgrade", "connection", "sec-websocket-accept"})
        self.assertEqual(reply.headers["upgrade"].lower(), "websocket")
        self.assertEqual(reply.headers["connection"].lower(), "upgrade")

    def test_the_accept_value_of_the_rfc_example(self):
        reply = self.ask_exactly(self.relay.target(), UPGRADE)
        self.assertEqual(reply.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_the_subprotocol_null_is_echoed_where_offered(self):
        for fields, echoed in (((), None), (("Sec-WebSocket-Protocol: null",), "null"),
                               (("Sec-WebSocket-Protocol: mqtt, null, x",), "null"),
                               (("Sec-WebSocket-Protocol: mqtt", "Sec-WebSocket-Protocol: null"),
                                "null"),
                               (("Sec-WebSocket-Protocol: mqtt, nullx",), None)):
            with self.subTest(fields=fields):
                reply = self.ask(self.relay.target(), fields)
                self.assertEqual(reply.status, 101)
                self.assertEqual(reply.headers.get("sec-websocket-protocol"), echoed)

    def test_field_names_and_values_are_compared_without_case(self):
        lines = ["HOST: relay.test", "uPGRADE: WebSocket", "connection: keep-alive, UPGRADE",
                 "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version: 13"]
        self.assertEqual(self.ask_exactly(self.relay.target(), lines).status, 101)

    def test_requests_that_are_no_proper_upgrade(self):
        target = self.relay.target()
        for name, lines in (
                ("an ordinary request", UPGRADE[:1]),
                ("no version", UPGRADE[:4]),
                ("version 8", [*UPGRADE[:4], "Sec-WebSocket-Version: 8"]),
                ("no key", [*UPGRADE[:3], UPGRADE[4]]),
                ("a short key", [*UPGRADE[:3], "Sec-WebSocket-Key: AAAA", UPGRADE[4]]),
                ("an empty key", [*UPGRADE[:3], "Sec-WebSocket-Key:", UPGRADE[4]]),
                ("no Upgrade", [UPGRADE[0], *UPGRADE[2:]]),
                ("another protocol", [UPGRADE[0], "Upgrade: h2c", *UPGRADE[2:]]),
                ("no Connection", [*UPGRADE[:2], *UPGRADE[3:]])):
            with self.subTest(name):
                reply = self.ask_exactly(target, lines)
                self.assertEqual((reply.status, reply.body), (400, b"Bad Request\n"))
                self.assertEqual(reply.headers.get("sec-websocket-version"), "13")
        self.assertEqual(self.ask(target).status, 101)

    def test_only_get_upgrades(self):
        for method in ("POST", "PUT", "DELETE"):
            with self.subTest(method=method):
                reply = self.ask_exactly(self.relay.target(), UPGRADE, method=method)
                self.assertEqual((reply.status, reply.body), (405, b"Method Not Allowed\n"))

    def test_other_paths(self):
        for target in ("/", "/shell/t0", "/nope/t0", "/sessions/t0", "/session%2Ft0",
                       "/favicon.ico"):
            with self.subTest(target=target):
                reply = self.ask(target + "?code=x")
                self.assertEqual((reply.status, reply.body), (404, b"Not Found\n"))
                self.assertTrue(reply.headers.get("content-type").startswith("text/plain"))
                self.assertEqual(reply.headers.get("x-content-type-options"), "nosniff")

    def test_a_path_with_doubled_slashes_is_redirected_to_the_clean_one(self):
        reply = self.ask("//session/t0?code=x")
        self.assertEqual(reply.status, 301)
        self.assertEqual(reply.headers.get("location"), "/session/t0?code=x")

    def test_each_port_serves_its_own_purpose_only(self):
        reply = self.relay.request("POST", "/session/t0", {"Authorization": self.relay.token()},
                                   port=self.relay.relay_port)
        self.assertNotEqual(reply.status, 200)
        self.assertNotIn(b"code=", reply.body)
        client = self.track(RawClient(self.relay.access_port))
        client.ask_upgrade(self.relay.target())
        self.assertNotEqual(client.reply().status, 101)

    def test_frames_in_the_segment_of_the_request_are_not_lost(self):
        viewer = self.track(self.relay.viewer("early"))
        client = self.client()
        request = "\r\n".join([f"GET {self.relay.target('early', ('write',))} HTTP/1.1", *UPGRADE,
                               "", ""]).encode()
        client.send(request + encode_frame(TEXT, b"first") + encode_frame(BINARY, b"second"))
        self.assertEqual(client.reply().status, 101)
        self.assertEqual(viewer.message(), (TEXT, b"first"))
        self.assertEqual(viewer.message(), (BINARY, b"second"))

    def test_a_request_that_arrives_byte_by_byte(self):
        client = self.client()
        request = "\r\n".join([f"GET {self.relay.target()} HTTP/1.1", *UPGRADE, "", ""]).encode()
        for position in range(len(request)):
            client.send(request[position:position + 1])
        self.assertEqual(client.reply().status, 101)

    @relay_support.needs_ipv6
    def test_ipv6(self):
        client = self.track(RawClient(self.relay.relay_port, host="::1"))
        client.upgrade(self.relay.target())


class Subprotocols(RelayTestCase):
    """RELAY_SUBPROTOCOLS. A client that offered some closes the WebSocket if it gets another (RFC
    6455 §4.1), and some close it as well if they get none."""

    OFFERS = ((), ("null",), ("mqtt",), ("mqtt, null",), ("v1.x, v2.x", "v3.x"), ("a b, c",))

    def chosen(self, relay, *offers):
        client = self.track(RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S))
        reply = client.upgrade(relay.target(),
                               [f"Sec-WebSocket-Protocol: {offer}" for offer in offers])
        return reply.headers.get("sec-websocket-protocol")

    def test_which_subprotocol_is_chosen(self):
        for setting, expected in ((None, [None, "null", None, "null", None, None]),
                                  ("null", [None, "null", None, "null", None, None]),
                                  ("none", [None] * 6),
                                  ("first", [None, "null", "mqtt", "mqtt", "v1.x", None])):
            with self.subTest(setting=setting):
                relay = self.start(RELAY_SUBPROTOCOLS=setting)
                self.assertEqual([self.chosen(relay, *offers) for offers in self.OFFERS], expected)

    def test_one_that_is_too_long_to_be_echoed_is_refused(self):
        relay = self.start(RELAY_SUBPROTOCOLS="first")
        target = relay.target()
        before = relay.counters()["websockets_refused"]
        client = self.track(RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S))
        client.ask_upgrade(target, [f"Sec-WebSocket-Protocol: {'x' * 257}"])
        self.assertEqual(client.reply().status, 400)
        self.assertEqual(relay.wait_line("new connection rejected")["reason"],
                         "subprotocol too long")
        self.assertEqual(relay.counters()["websockets_refused"], before + 1)
        client = self.track(RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S))
        reply = client.upgrade(target, [f"Sec-WebSocket-Protocol: {'x' * 256}"])
        self.assertEqual(reply.headers["sec-websocket-protocol"], "x" * 256)


class Expiry(RelayTestCase):
    def test_a_connection_is_closed_with_4401_when_its_token_expires(self):
        relay = self.start()
        expiry = int(time.time()) + 2
        short = self.track(relay.raw("t0", exp=expiry))
        stays = self.track(relay.raw("t0"))
        code, _ = short.expect_close()
        now = time.time()
        self.assertEqual(code, 4401)
        self.assertGreaterEqual(now, expiry - 0.02)
        self.assertLess(now, expiry + 1.0 * relay_support.TIME_SCALE)
        self.assertEqual(relay.wait_line("connection closed")["topic"], "t0")
        stays.barrier()
        self.assertEqual(relay.wait_counter("closed_expired", 1)["closed_expired"], 1)

    @unittest.skipIf(relay_support.SANITIZED, "a sanitizer wants to be loaded first")
    def test_a_step_of_the_wall_clock_ends_what_it_ends_within_a_second(self):
        with tempfile.NamedTemporaryFile() as step:
            step.write(struct.pack("q", 0))
            step.flush()
            relay = self.start(LD_PRELOAD=os.path.join(relay_support.BUILD, "tests/wall_step.so"),
                               RELAY_TEST_WALL_STEP=step.name)
            ends = self.track(relay.raw("t0", lifetime_s=3600))
            stays = self.track(relay.raw("t0", lifetime_s=7300))
            for step_s, client in ((3610, ends), (7310, stays)):
                stays.barrier()
                os.pwrite(step.fileno(), struct.pack("q", step_s * 10**9), 0)
                start = time.monotonic()
                self.assertEqual(client.expect_close()[0], 4401)
                took_s = time.monotonic() - start
                self.assertLess(took_s, 1.2 * relay_support.TIME_SCALE)  # and a tick of its timers

    def test_a_token_ends_in_time_also_when_the_process_stood_still(self):
        relay = self.start(RELAY_LOG_LEVEL="warn")
        expiry = int(time.time()) + 2
        client = self.track(relay.raw("t0", exp=expiry))
        relay.process.send_signal(signal.SIGSTOP)
        try:
            relay_support.wait_until(lambda: time.time() > expiry + 2, "the token to be over")
        finally:
            relay.process.send_signal(signal.SIGCONT)
        start = time.monotonic()
        self.assertEqual(client.expect_close()[0], 4401)
        self.assertLess(time.monotonic() - start, 1.2 * relay_support.TIME_SCALE)

    def test_expiry_reaches_a_connection_that_is_busy(self):
        relay = self.start()
        expiry = int(time.time()) + 2
        viewer = self.track(relay.viewer(exp=expiry))
        publisher = self.track(relay.publisher())
        while True:
            publisher.send_message(b"x" * 1000)
            frame = viewer.frame()
            if frame.opcode == 8:
                break
            self.assertLess(time.time(), expiry + 1.0 * relay_support.TIME_SCALE)
        self.assertEqual(frame.close()[0], 4401)
        publisher.barrier()


if __name__ == "__main__":
    relay_support.main()
