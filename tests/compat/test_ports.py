"""Where the relay stands: one port or two, path prefixes of a proxy, addresses behind a proxy.

Method: requests as nginx passes them on, with and without the prefix stripped.
"""

import relay_support
from bookings import ask_upgrade, session, target_of
from relay_support import AUDIENCE, Relay, RelayTestCase
from rows import row
from ws_raw import RawClient

PREFIX_AUDIENCE = "https://app.relay.test/ed0/access"


class OnePort(RelayTestCase):
    def start_on_one_port(self, **options):
        port = relay_support.ReservedPort()
        self.addCleanup(port.release)
        number = str(port.number)
        relay = self.start(RELAY_PORT_ACCESS=number, RELAY_PORT_RELAY=number,
                           RELAY_URL=f"ws://127.0.0.1:{number}", **options)
        relay.access_port = relay.relay_port = port.number
        relay.url = f"ws://127.0.0.1:{number}"
        return relay

    @row("Ports",
         "RELAY_PORT_ACCESS equal to RELAY_PORT_RELAY",
         "two ports",
         "one port serves both",
         "F")
    def test_one_port_serves_both(self):
        relay = self.start_on_one_port()
        a, b = self.track(relay.raw()), self.track(relay.raw())
        a.send_message("hello")
        self.assertEqual(b.message()[1], b"hello")
        peer = relay.peer("t1")
        self.addCleanup(peer.close)
        reply = relay.request("GET", "/status",
                              {"Authorization": relay.token(scopes=["relay:stats"])})
        self.assertEqual(len(reply.json()), 4)
        self.assertEqual(relay.request("GET", "/nope").status, 404)

    def test_the_same_path_by_post_and_by_upgrade(self):
        relay = self.start_on_one_port()
        for _ in range(3):
            self.assertEqual(ask_upgrade(relay, target_of(session(relay, "b"))).status, 101)

    def test_a_request_and_then_an_upgrade_on_one_connection(self):
        relay = self.start_on_one_port()
        with RawClient(relay.access_port, timeout_s=relay_support.WAIT_S) as client:
            client.send(f"POST /session/t0 HTTP/1.1\r\nHost: x\r\nAuthorization: {relay.token()}"
                        "\r\n\r\n".encode())
            reply = client.reply()
            self.assertEqual(reply.status, 200)
            code = reply.body.decode().split("code=")[1].split('"')[0]
            client.upgrade(f"/session/t0?code={code}")
            client.barrier()


class Prefixes(RelayTestCase):
    """https://app.relay.test/ed0/access and wss://app.relay.test/ed0/relay, as in production."""

    def start_behind_a_prefix(self):
        relay = self.start(RELAY_AUDIENCE=PREFIX_AUDIENCE,
                           RELAY_URL="wss://app.relay.test/ed0/relay")
        return relay, relay.token(aud=[PREFIX_AUDIENCE])

    @row("Ports",
         "behind nginx, which strips the prefix",
         "the URI has the prefix, requests come without it",
         "the same; requests that still have the prefix work too",
         "F")
    def test_with_and_without_the_prefix(self):
        relay, token = self.start_behind_a_prefix()
        for prefix in ("", "/ed0/access"):
            for target in ("/session/t0", "/session/t0/", "//session/t0"):
                with self.subTest(prefix=prefix, target=target):
                    reply = relay.request("POST", prefix + target, {"Authorization": token})
                    self.assertEqual(reply.status, 200, reply.body)
                    uri = reply.json()["uri"]
                    self.assertTrue(uri.startswith(
                        "wss://app.relay.test/ed0/relay/session/t0?code="), uri)
                    for stripped in ("/ed0/relay", ""):
                        code = uri.split("code=")[1]
                        if stripped:
                            ask = f"/ed0/relay/session/t0?code={code}"
                        else:
                            ask = target_of(relay.request("POST", "/session/t0",
                                                          {"Authorization": token}))
                            ask = ask.replace("/ed0/relay", "", 1)
                        self.assertEqual(ask_upgrade(relay, ask).status, 101)

    def test_other_prefixes_are_unknown_paths(self):
        relay, token = self.start_behind_a_prefix()
        for prefix in ("/ed1/access", "/ed0", "/ed0/accessx", "/ed0/relay"):
            reply = relay.request("POST", prefix + "/session/t0", {"Authorization": token})
            self.assertEqual(reply.status, 404, prefix)

    def test_the_audience_is_compared_to_the_letter(self):
        relay, _ = self.start_behind_a_prefix()
        reply = relay.session("t0", relay.token(aud=[PREFIX_AUDIENCE + "/"]))
        self.assertEqual(reply.json(), {
            "code": 401, "message": f"aud [{PREFIX_AUDIENCE}/] does not match this host "
                                    f"{PREFIX_AUDIENCE}"})


class Addresses(RelayTestCase):
    FORWARDED = "203.0.113.7, 10.1.2.3"

    def reported(self, relay, headers, host="127.0.0.1"):
        client = self.track(RawClient(relay.relay_port, host=host, timeout_s=relay_support.WAIT_S))
        since = len(relay.lines)
        booking = f"address-{since}"
        client.upgrade(relay.target("t0", booking_id=booking), headers)
        report = relay.request("GET", "/status",
                               {"Authorization": relay.token(scopes=["relay:stats"])}).json()
        line = relay.wait_line("new connection", since,
                               where=lambda line: line["booking_id"] == booking)
        client.kill()
        relay.wait_line("connection closed", since,
                        where=lambda line: line["booking_id"] == booking)
        each, = [each for each in report if each["topic"] == "t0"]
        return each.get("remote_addr", ""), line["remote_addr"]

    @row("Ports",
         "remote_addr in reports",
         "X-Forwarded-For as sent, whoever sends it; empty without it",
         "the same from a trusted proxy (RELAY_TRUSTED_PROXIES, default loopback); "
         "else the peer's address",
         "F")
    def test_a_trusted_proxy_is_believed(self):
        relay = self.start()
        forwarded = [f"X-Forwarded-For: {self.FORWARDED}"]
        self.assertEqual(self.reported(relay, forwarded), (self.FORWARDED, self.FORWARDED))
        self.assertEqual(self.reported(relay, forwarded, host="::1"),
                         (self.FORWARDED, self.FORWARDED))
        self.assertEqual(self.reported(relay, [])[0], "")

    def test_others_are_not_believed(self):
        relay = self.start(RELAY_TRUSTED_PROXIES="192.0.2.0/24, 2001:db8::/32")
        forwarded = [f"X-Forwarded-For: {self.FORWARDED}"]
        self.assertEqual(self.reported(relay, forwarded), ("127.0.0.1", "127.0.0.1"))
        self.assertEqual(self.reported(relay, forwarded, host="::1"), ("::1", "::1"))
        self.assertEqual(self.reported(relay, []), ("127.0.0.1", "127.0.0.1"))

    def test_a_network_of_proxies(self):
        relay = self.start(RELAY_TRUSTED_PROXIES="127.0.0.0/8")
        forwarded = [f"X-Forwarded-For: {self.FORWARDED}"]
        self.assertEqual(self.reported(relay, forwarded)[0], self.FORWARDED)
        self.assertEqual(self.reported(relay, forwarded, host="::1")[0], "::1")

    def test_nobody_is_believed_where_nobody_is_named(self):
        relay = self.start(RELAY_TRUSTED_PROXIES="none")
        self.assertEqual(self.reported(relay, [f"X-Forwarded-For: {self.FORWARDED}"])[0],
                         "127.0.0.1")

    def test_a_list_that_makes_no_sense_is_a_refusal_to_start(self):
        for text in ("nonsense", "10.0.0.0/33", "10.0.0.1/8/8", "2001:db8::/129"):
            with self.subTest(text):
                relay = Relay(wait=False, RELAY_TRUSTED_PROXIES=text)
                try:
                    self.assertEqual(relay.process.wait(relay_support.WAIT_S), 1)
                    relay.readers[0].join()
                    relay.readers[1].join()
                    self.assertIn("RELAY_TRUSTED_PROXIES", relay.tail())
                finally:
                    relay.kill()

    @row("Log",
         "addresses of clients",
         "always logged, as X-Forwarded-For says",
         "left out of the log and of reports with RELAY_PRIVACY=1",
         "F")
    def test_privacy_keeps_addresses_out_of_the_log_and_of_reports(self):
        relay = self.start(RELAY_PRIVACY="1")
        self.assertEqual(self.reported(relay, [f"X-Forwarded-For: {self.FORWARDED}"]), ("", ""))
        relay.stop()
        self.assertNotIn("203.0.113.7", "\n".join(relay.output))


class Unspoiled(RelayTestCase):
    def test_two_relays_share_nothing(self):
        """A token of one is none for the other, whatever the audience says."""
        one, other = self.start(), self.start()
        reply = other.session("t0", one.token(aud=[AUDIENCE]))
        self.assertEqual(reply.body, b'{"code":401,"message":"token invalid"}')


if __name__ == "__main__":
    relay_support.main()
