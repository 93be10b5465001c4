"""The log tells who connected, who was refused and why, and who left: one JSON line for each.

Method: each kind of request on a started server; then its lines, and what may not be in them.
"""

import json
import time

import relay_support
from bookings import session
from relay_support import RelayTestCase, forge_token
from rows import row
from ws_raw import RawClient

AGENT = "camera/7"
SHOWN = "203.0.113.9"
FLOOD = 160


class Refusals(RelayTestCase):
    def ask(self, relay, target, token=None, method="POST"):
        headers = {"User-Agent": AGENT, "X-Forwarded-For": SHOWN}
        if token is not None:
            headers["Authorization"] = token
        return relay.request(method, target, headers)

    def refused(self, relay, target, token=None, method="POST"):
        """The line of one refused request to the access API."""
        since = len(relay.lines)
        status = self.ask(relay, target, token, method).status
        self.assertGreaterEqual(status, 400)
        line = relay.wait_line("request refused", since)
        self.assertEqual(line["status"], status)
        self.assertEqual(line["level"], "info")
        return line

    @row("Log",
         "a refused request of the access API",
         "an error for some, without an address",
         "one info line `request refused`: request, status, reason, address, user agent; of a "
         "genuine token also topic and booking",
         "F")
    def test_each_refused_request_has_its_line(self):
        relay = self.start()
        good = {"topic": "t0", "booking_id": "b"}
        end = int(time.time()) + 60
        for target, token, method, status, reason, verified in (
                ("/session/t0", None, "POST", 401, "no token", False),
                ("/session/t0", "x", "POST", 401, "token malformed", False),
                ("/session/t0", relay.sign(relay.claims(), "wrong"), "POST", 401,
                 "token signature wrong", False),
                ("/session/t0", relay.token(**good, lifetime_s=-1), "POST", 401,
                 "token expired", True),
                ("/session/t0", relay.token(**good, nbf=end + 60), "POST", 401,
                 "token not valid yet", True),
                ("/session/t0", relay.token(**good, aud="https://x"), "POST", 401,
                 "token for another audience", True),
                ("/session/t1", relay.token(**good), "POST", 401, "Token Wrong Topic", True),
                ("/bids/deny", relay.token(**good), "GET", 401,
                 "token missing relay:admin scope", True),
                (f"/bids/allow?bid=x&exp={end}", relay.token(**good), "POST", 401,
                 "token missing relay:admin scope", True),
                ("/bids/deny?bid=", relay.token(**good), "POST", 422,
                 "bid or exp is missing or malformed", True),
                ("/status", relay.token(**good), "GET", 401,
                 "token missing relay:stats scope", True),
                ("/nope", None, "GET", 404, "unknown path", False),
                ("/status", None, "PUT", 405, "method not allowed", False)):
            with self.subTest(target=target, reason=reason):
                line = self.refused(relay, target, token, method)
                self.assertEqual((line["status"], line["reason"]), (status, reason))
                self.assertEqual((line["remote_addr"], line["user_agent"]), (SHOWN, AGENT))
                self.assertEqual((line["topic"], line["booking_id"]),
                                 ("t0", "b") if verified else ("", ""))
        self.assertEqual(self.refused(relay, "/session/t1", relay.token())["request"],
                         "POST /session/*")

    def test_a_booking_that_is_refused_is_named(self):
        relay = self.start()
        line = self.refused(relay, "/session/t0", relay.token(booking_id=""))
        self.assertEqual((line["status"], line["reason"]),
                         (400, "empty bookingID field is not permitted"))

    def test_a_request_that_cannot_be_read(self):
        relay = self.start()
        for port in (relay.access_port, relay.relay_port):
            since = len(relay.lines)
            with RawClient(port) as client:
                client.send(b"NO SENSE\r\n\r\n")
                self.assertEqual(client.reply().status, 400)
            line = relay.wait_line("request refused", since)
            self.assertEqual((line["status"], line["remote_addr"]), (400, "127.0.0.1"))

    def upgrade(self, relay, target, status):
        since = len(relay.lines)
        with RawClient(relay.relay_port) as client:
            client.ask_upgrade(target, [f"User-Agent: {AGENT}", f"X-Forwarded-For: {SHOWN}"])
            self.assertEqual(client.reply().status, status)
        return relay.wait_line("new connection rejected", since)

    @row("Log",
         "a refused WebSocket",
         "an error line for some",
         "one info line `new connection rejected`: status, reason, address, user agent; of a "
         "known code also topic, booking and scopes",
         "F")
    def test_each_refused_connection_has_its_line(self):
        relay = self.start()
        code = relay.target("t0", booking_id="b").split("?")[1]
        for target, status, reason, topic, booking, scopes in (
                ("/session/t0", 401, "no code", "", "", []),
                ("/session/t0?code=x", 401, "invalid code", "", "", []),
                (f"/session/t1?{code}", 403, "code is for another topic", "t0", "b",
                 ["read", "write"]),
                (f"/session/t0?{code}", 401, "invalid code", "", "", []),
                ("/shell/t0", 404, "unknown path", "", "", [])):
            with self.subTest(target=target.split("=")[0], reason=reason):
                line = self.upgrade(relay, target, status)
                self.assertEqual(
                    (line["status"], line["reason"], line["topic"], line["booking_id"],
                     line["scopes"], line["remote_addr"], line["user_agent"]),
                    (status, reason, topic, booking, scopes, SHOWN, AGENT))

    def test_a_flood_is_bounded_and_counted(self):
        relay = self.start(RELAY_WORKERS="1")
        for _ in range(FLOOD):
            self.ask(relay, "/session/t0", "x")
        counters = relay.counters()
        written = len(relay.lines_of("request refused"))
        self.assertGreaterEqual(written, 100)
        self.assertLess(written, FLOOD)
        self.assertEqual(counters["refusals_unlogged"], FLOOD - written)

        def told():
            self.ask(relay, "/session/t0", "x")
            return any(line["suppressed"] for line in relay.lines_of("request refused"))

        relay_support.wait_until(told, "a line that says how many were left out", 30)
        suppressed = sum(line["suppressed"] for line in relay.lines_of("request refused"))
        self.assertEqual(suppressed, relay.counters()["refusals_unlogged"])

    def test_privacy_leaves_addresses_out(self):
        relay = self.start(RELAY_PRIVACY="true")
        self.refused(relay, "/session/t0", "x")
        self.upgrade(relay, "/session/t0?code=x", 401)
        self.track(relay.raw(headers=[f"X-Forwarded-For: {SHOWN}"])).kill()
        relay.wait_line("connection closed")
        log = "\n".join(relay.output)
        self.assertNotIn(SHOWN, log)
        self.assertNotIn("127.0.0.1", log)

    def test_nothing_of_a_stranger_but_the_user_agent(self):
        relay = self.start(RELAY_LOG_LEVEL="trace")
        mark = "not-to-be-logged"
        forged = forge_token({"alg": "HS256"}, {**relay.claims(mark, booking_id=mark)}, "wrong")
        self.refused(relay, f"/session/{mark}?{mark}", forged)
        self.refused(relay, f"/{mark}", method="GET")
        self.upgrade(relay, f"/session/{mark}?code={mark}", 401)
        self.assertNotIn(mark, "\n".join(relay.output))


class Connections(RelayTestCase):
    @row("Log",
         "a connection: `new connection`, `connection closed`",
         "fields audience, buffer_size, name, stats; times as Go prints them",
         "not these; `expires_at` in seconds since 1970; the end has duration and bytes of both "
         "directions",
         "F")
    def test_both_lines_say_who_it_is(self):
        relay = self.start()
        exp = int(time.time()) + 300
        client = self.track(relay.raw("t0", ("write", "expt", "read"), booking_id="b", exp=exp,
                                      headers=[f"User-Agent: {AGENT}"]))
        client.send_message(b"x" * 100)
        client.barrier()
        client.kill()
        closed = relay.wait_line("connection closed")
        opened = relay.wait_line("new connection")
        for line in (opened, closed):
            self.assertEqual(line["scopes"], ["write", "expt", "read"])
            self.assertEqual(
                (line["topic"], line["booking_id"], line["remote_addr"], line["user_agent"]),
                ("t0", "b", "127.0.0.1", AGENT))
        self.assertEqual((opened["can_read"], opened["can_write"], opened["expires_at"]),
                         (True, True, exp))
        self.assertEqual(closed["bytes_received"], 100)
        for field in ("reason", "duration_ms", "bytes_sent"):
            self.assertIn(field, closed)
        json.dumps(closed)

    def test_a_session_leaves_no_line_of_refusal(self):
        relay = self.start()
        self.assertEqual(session(relay, "b").status, 200)
        relay.stop()
        self.assertEqual(relay.lines_of("request refused"), [])


if __name__ == "__main__":
    relay_support.main()
