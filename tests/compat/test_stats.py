"""Who is connected: the topic "stats" and GET /status, as practable's status service reads them.

Method: connections with known traffic on several workers, and the bytes of the reports.
"""

import json
import re
import threading
import time

import relay_support
from relay_support import RelayTestCase
from rows import row
from ws_raw import TEXT, RawClient

UPDATE = '{"cmd":"update"}'
TOPIC_KEYS = ["canRead", "canWrite", "connected", "expiresAt", "remoteAddr", "scopes", "stats",
              "topic", "userAgent"]
STATUS_KEYS = ["can_read", "can_write", "connected_at", "expires_at", "remote_addr", "scopes",
               "topic", "user_agent"]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
DURATION = re.compile(r"^(Never|\d+ms|\d+(\.\d+)?s|\d+m\d+(\.\d+)?s|\d+h\d+m\d+(\.\d+)?s)$")
LATE_S = 2.0


class StatsCase(RelayTestCase):
    def status(self, relay):
        reply = relay.request("GET", "/status",
                              {"Authorization": relay.token(scopes=["relay:stats"])})
        self.assertEqual((reply.status, reply.headers.get("Content-Type")),
                         (200, "application/json"))
        self.assertTrue(reply.body.endswith(b"]\n"))
        return reply.json()

    def report(self, client):
        """The next report; commands of others are passed over."""
        while True:
            opcode, payload = client.message(relay_support.WAIT_S)
            self.assertEqual(opcode, TEXT)
            parsed = json.loads(payload)
            if isinstance(parsed, list):
                return parsed

    def ask(self, client):
        client.send_message(UPDATE)
        return self.report(client)

    def of_topic(self, report, topic):
        return [each for each in report if each["topic"] == topic]


class Topic(StatsCase):
    @row("Statistics", '`{"cmd":"update"}` from a writer on the topic `stats`',
         "a JSON array about 1 s later; others on the topic see the command",
         "the same, without the second when the last report is older", "F")
    def test_an_update_lists_everybody(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        a = self.track(relay.raw("t0"))
        self.track(relay.raw("t0"))
        stats = self.track(relay.raw("stats"))
        other = self.track(relay.viewer("stats"))
        report = self.ask(stats)
        self.assertEqual(len(self.of_topic(report, "t0")), 2)
        self.assertEqual(len(self.of_topic(report, "stats")), 3)
        self.assertEqual(other.message(), (TEXT, UPDATE.encode()))
        self.report(other)
        a.kill()
        relay.wait_line("connection closed")
        self.assertEqual(len(self.of_topic(self.ask(stats), "t0")), 1)

    @row("Statistics",
         "the relay's own entry in every report",
         'topic `stats`, userAgent `crossbar`, remoteAddr `internal`, scopes '
         '`["read","stats","write"]`')
    def test_the_relay_itself_is_in_the_report(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        stats = self.track(relay.raw("stats"))
        own = [each for each in self.ask(stats) if each["userAgent"] == "crossbar"]
        self.assertEqual(len(own), 1)
        self.assertEqual(list(own[0]), TOPIC_KEYS)
        self.assertEqual({key: own[0][key] for key in ("canRead", "canWrite", "expiresAt",
                                                       "remoteAddr", "scopes", "topic")},
                         {"canRead": True, "canWrite": True, "expiresAt": "1970-01-01T00:00:00Z",
                          "remoteAddr": "internal", "scopes": ["read", "stats", "write"],
                          "topic": "stats"})

    @row("Statistics",
         "keys of an element, in order",
         "canRead, canWrite, connected, expiresAt, remoteAddr, scopes, topic, "
         "userAgent; up to 0.7 also stats",
         "the same with `stats` between scopes and topic, which practable's status "
         "service wants; over TLS also tls, of a slow viewer dropped, and with relay.v1 "
         "latency, as the last",
         "F")
    def test_keys_order_and_shapes(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        expiry = int(time.time()) + 300
        self.track(relay.raw("t0", ("read",), exp=expiry, headers=["User-Agent: ua/1"]))
        stats = self.track(relay.raw("stats"))
        report = self.ask(stats)
        for each in report:
            self.assertEqual(list(each), TOPIC_KEYS)
            self.assertRegex(each["connected"], TIME)
            self.assertEqual(list(each["stats"]), ["tx", "rx"])
            for way in each["stats"].values():
                self.assertEqual(list(way), ["last", "size", "fps"])
                self.assertRegex(way["last"], DURATION)
                self.assertIsInstance(way["size"], int)
        viewer, = self.of_topic(report, "t0")
        self.assertEqual((viewer["canRead"], viewer["canWrite"], viewer["scopes"],
                          viewer["userAgent"]), (True, False, ["read"], "ua/1"))
        self.assertEqual(viewer["expiresAt"],
                         time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiry)))
        self.assertLess(abs(time.time() - time.mktime(time.strptime(
            viewer["connected"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone), 30)

    @row("Statistics",
         "`stats.tx` and `stats.rx`: last, size, fps",
         "removed in 0.8; before, the mean since connecting",
         "the mean since connecting",
         "F")
    def test_figures_follow_the_traffic(self):
        relay = self.start(RELAY_STATS_EVERY="1h", RELAY_WORKERS="2")
        publisher = self.track(relay.publisher())
        viewer = self.track(relay.viewer())
        quiet = self.track(relay.raw("t1"))
        start = time.monotonic()
        sizes = [1000, 2000, 3001]
        for size in sizes * 4:
            publisher.send_message(b"x" * size)
            viewer.message()
            deadline = time.monotonic() + 0.05
            quiet.barrier()
            time.sleep(max(0, deadline - time.monotonic()))  # the interval that is measured
        took_s = time.monotonic() - start
        stats = self.track(relay.raw("stats"))
        report = self.ask(stats)
        sent = self.figures(report, "t0", "canWrite")
        received = self.figures(report, "t0", "canRead")
        for way in (sent["tx"], received["rx"]):
            self.assertEqual(way["size"], 2000)
            self.assertGreater(way["fps"], 0.5 * 12 / took_s)
            self.assertLess(way["fps"], 2.0 * 12 / took_s)
            self.assertNotEqual(way["last"], "Never")
        for way in (sent["rx"], received["tx"], *self.of_topic(report, "t1")[0]["stats"].values()):
            self.assertEqual(way, {"last": "Never", "size": 0, "fps": 0})

    def figures(self, report, topic, right):
        each, = [each for each in self.of_topic(report, topic) if each[right]]
        return each["stats"]

    def test_the_time_since_the_last_message_grows(self):
        relay = self.start(RELAY_STATS_EVERY="1s")
        publisher = self.track(relay.publisher())
        publisher.send_message("once")
        publisher.barrier()
        stats = self.track(relay.viewer("stats"))
        lasts = [self.figures(self.report(stats), "t0", "canWrite")["tx"]["last"]
                 for _ in range(3)]
        seconds = [float(last[:-2]) / 1000 if last.endswith("ms") else float(last[:-1])
                   for last in lasts]
        self.assertEqual(seconds, sorted(seconds))
        self.assertGreater(seconds[2] - seconds[0], 1.5)

    @row("Statistics",
         "reports come every RELAY_STATS_EVERY",
         "1 s later than asked (5 s: 6.0 s)",
         "on time",
         "F")
    def test_the_period(self):
        relay = self.start(RELAY_STATS_EVERY="1s")
        stats = self.track(relay.viewer("stats"))
        self.report(stats)
        start = time.monotonic()
        for _ in range(3):
            self.report(stats)
        took_s = time.monotonic() - start
        self.assertGreater(took_s, 2.5)
        self.assertLess(took_s, 3 + LATE_S * relay_support.TIME_SCALE)

    @row("Statistics", "many commands at once", "at most one report a second")
    def test_a_flood_of_commands_gives_a_report_a_second(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        stats = self.track(relay.raw("stats"))
        start = time.monotonic()
        for _ in range(500):
            stats.send_message(UPDATE)
        reports = []
        while time.monotonic() - start < 2.5:
            try:
                frame = stats.message(0.2)
                reports.append(frame)
            except TimeoutError:
                pass
        # One answers all that came before it was made.
        self.assertIn(len(reports), (1, 2, 3, 4))

    def test_only_a_writer_can_ask_and_only_with_the_command(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        stats = self.track(relay.raw("stats"))
        reader = self.track(relay.viewer("stats"))
        reader.send_message(UPDATE)
        self.assertEqual(reader.barrier(), [])
        for text in ("", "{", "[]", '{"cmd":"other"}', '{"cmd":7}', '{"Cmd":"update"}', "null",
                     '"update"', '{"cmd":"update"', "x" * 2000, '{"a":' * 500):
            stats.send_message(text)
        self.assertEqual(stats.barrier(), [])
        self.assertEqual(len(self.of_topic(self.ask(stats), "stats")), 3)
        self.assertEqual(stats.barrier(), [], "a second report: one of the others counted too")

    def test_a_binary_command_counts_too(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        stats = self.track(relay.raw("stats"))
        stats.send_message(UPDATE.encode())
        self.report(stats)

    def test_without_a_listener_no_report_is_made(self):
        relay = self.start(RELAY_STATS_EVERY="1s")
        writer = self.track(relay.publisher("stats"))
        before = relay.counters()["messages_sent"]
        writer.send_message(UPDATE)
        writer.barrier()
        self.assertEqual(relay.counters()["messages_sent"], before)

    def test_a_report_over_all_workers_is_whole(self):
        relay = self.start(RELAY_STATS_EVERY="1h", RELAY_WORKERS="4")
        clients = [self.track(relay.raw(f"t{number % 7}", headers=[f"User-Agent: client/{number}"]))
                   for number in range(60)]
        self.assertGreater(len({line["worker"] for line in relay.lines_of("new connection")}), 1)
        stats = self.track(relay.raw("stats"))
        wanted = {f"client/{number}" for number in range(60)} | {"crossbar", ""}
        for _ in range(3):
            report = self.ask(stats)
            agents = [each["userAgent"] for each in report]
            self.assertEqual(set(agents), wanted)
            self.assertEqual(len(agents), len(clients) + 2)
        self.assertEqual({each.get("user_agent", "") for each in self.status(relay)}, wanted)

    def test_agents_and_addresses_that_are_hard_to_write(self):
        relay = self.start(RELAY_STATS_EVERY="1h")
        agents = ['say "hi"\\', "<b>&amp;</b>", "\u00dcbung".encode().decode("latin-1"),
                  "x" * 3000, "tab\there"]
        for number, agent in enumerate(agents):
            self.track(relay.raw(f"odd{number}", headers=[f"User-Agent: {agent}",
                                                          f"X-Forwarded-For: {agent}"]))
        stats = self.track(relay.raw("stats"))
        report = self.ask(stats)
        for number, agent in enumerate(agents[:2]):
            each, = self.of_topic(report, f"odd{number}")
            self.assertEqual((each["userAgent"], each["remoteAddr"]), (agent, agent))
        self.assertEqual(len(report), len(agents) + 2)
        self.assertEqual(len(self.status(relay)), len(agents) + 2)


class Status(StatsCase):
    @row("/status", "keys of an element; those without a value are left out",
         "can_read, can_write, connected_at, expires_at, remote_addr, scopes, topic, user_agent",
         "the same; over TLS also tls", "F")
    def test_the_bytes_of_an_element(self):
        relay = self.start()
        expiry = int(time.time()) + 300
        self.track(relay.raw("t0", ("read",), exp=expiry,
                             headers=["User-Agent: ua/1", "X-Forwarded-For: 1.2.3.4"]))
        reply = relay.request("GET", "/status",
                              {"Authorization": relay.token(scopes=["relay:stats"])})
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiry))
        text = re.sub(r'"connected_at":"[^"]*"', '"connected_at":"T"', reply.body.decode())
        self.assertEqual(
            text, '[{"can_read":true,"connected_at":"T","expires_at":"' + expires
            + '","remote_addr":"1.2.3.4","scopes":["read"],"topic":"t0","user_agent":"ua/1"},'
            '{"can_read":true,"can_write":true,"connected_at":"T","expires_at":'
            '"1970-01-01T00:00:00Z","remote_addr":"internal","scopes":["read","stats","write"],'
            '"topic":"stats","user_agent":"crossbar"}]\n')

    def test_what_is_empty_is_left_out(self):
        relay = self.start()
        self.track(relay.raw("t0", ("write",)))
        each, = [each for each in self.status(relay) if each["topic"] == "t0"]
        self.assertEqual(list(each), ["can_write", "connected_at", "expires_at", "scopes",
                                      "topic"])

    @row("/status", "without connections", "the relay's own subscription of `stats` is listed")
    def test_an_empty_relay_lists_itself(self):
        report = self.status(self.start())
        self.assertEqual([(each["topic"], each["user_agent"]) for each in report],
                         [("stats", "crossbar")])
        self.assertEqual(list(report[0]), STATUS_KEYS)

    def test_scopes_are_those_of_the_token_in_its_order(self):
        relay = self.start()
        self.track(relay.raw("t0", ("expt", "write", "read", "write")))
        each, = [each for each in self.status(relay) if each["topic"] == "t0"]
        self.assertEqual(each["scopes"], ["expt", "write", "read", "write"])

    def test_many_requests_while_connections_come_and_go(self):
        relay = self.start(RELAY_WORKERS="3")
        stays = [self.track(relay.raw("stays")) for _ in range(5)]
        for _ in range(20):
            passing = relay.raw("passing")
            report = self.status(relay)
            self.assertEqual(len([each for each in report if each["topic"] == "stays"]),
                             len(stays))
            passing.reset()

    def test_a_crowd_that_asks_while_connections_come_and_go(self):
        relay = self.start(RELAY_WORKERS="3", RELAY_STATS_EVERY="1s", RELAY_LOG_LEVEL="warn")
        stays = [self.track(relay.raw("stays")) for _ in range(200)]
        stats = self.track(relay.viewer("stats"))
        token = relay.token(scopes=["relay:stats"])
        ending = threading.Event()
        found, failures = [], []

        def ask():
            try:
                while not ending.is_set():
                    reply = relay.request("GET", "/status", {"Authorization": token})
                    assert reply.status == 200, reply
                    found.append(sum(each["topic"] == "stays" for each in reply.json()))
                    with RawClient(relay.access_port) as impatient:
                        impatient.send(f"GET /status HTTP/1.1\r\nHost: a\r\nAuthorization: {token}"
                                       "\r\n\r\n".encode())
            except BaseException as failure:  # judged below
                failures.append(failure)

        askers = [threading.Thread(target=ask) for _ in range(12)]
        for asker in askers:
            asker.start()
        for _ in range(3):
            self.assertEqual(len(self.of_topic(self.report(stats), "stays")), len(stays))
            for _ in range(10):
                relay.raw("passing").reset()
        ending.set()
        for asker in askers:
            asker.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(found), {len(stays)})
        print(f"{len(found)} answers")

    def test_a_stop_while_many_ask(self):
        relay = self.start(RELAY_WORKERS="3", RELAY_LOG_LEVEL="warn")
        for _ in range(300):
            self.track(relay.raw("crowd"))
        token = relay.token(scopes=["relay:stats"])
        askers = [self.track(RawClient(relay.access_port)) for _ in range(100)]
        for asker in askers:
            asker.send(f"GET /status HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n"
                       .encode())
        relay.stop()

    def test_a_status_of_a_thousand_connections(self):
        relay = self.start(RELAY_CODES_MAX="4096", RELAY_LOG_LEVEL="warn")
        count = 200 if relay_support.SANITIZED else 1000
        for _ in range(count):
            self.track(relay.raw("crowd"))
        self.assertEqual(len(self.status(relay)), count + 1)


if __name__ == "__main__":
    relay_support.main()
