"""The admin listener of a running relay: metrics that promtool accepts, health, options, topics,
denials, and that none of it is on a public port or costs the service anything.

Method: a relay with an admin listener on a port or a socket of its own; promtool, where it is
installed, as the independent judge.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import tempfile
import time
import unittest

import relay_support
from admin_support import admin_address, ask, check_by_promtool, metrics
from relay_support import AUDIENCE, WAIT_S, RelayTestCase, relay_run, wait_until
from ws_raw import BINARY, CLOSE

TOPICS_NAMED = 5
CHANGE = {"Relay-Admin": "1"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=WAIT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(self.path)


class Admin(RelayTestCase):
    def start(self, **options):
        return super().start(**{"RELAY_ADMIN_LISTEN": "127.0.0.1:0", **options})

    def test_counts_what_happens_on_topics(self):
        relay = self.start()
        publisher = self.track(relay.publisher("lab"))
        viewer = self.track(relay.viewer("lab"))
        for _ in range(3):
            publisher.send_frame(BINARY, b"abcd")
        for _ in range(3):
            self.assertEqual(viewer.frame().payload, b"abcd")
        seen = wait_until(
            lambda: (now := metrics(relay)).get('relay_topic_messages_sent_total{topic="lab"}') == 3
            and now, "the messages to be counted")
        self.assertEqual(seen['relay_topic_messages_received_total{topic="lab"}'], 3)
        self.assertEqual(seen['relay_topic_received_bytes_total{topic="lab"}'], 12)
        self.assertEqual(seen['relay_topic_viewers{topic="lab"}'], 1)
        self.assertEqual(seen['relay_topic_publishers{topic="lab"}'], 1)
        self.assertEqual(seen["relay_websockets"], 2)
        self.assertEqual(seen["relay_delivery_seconds_count"], 3)
        self.assertGreater(seen["relay_turn_seconds_count"], 0)
        topics = {each["topic"]: each for each in ask(relay, "/topics").json()["topics"]}
        self.assertEqual(topics["lab"]["messages_received"], 3)
        self.assertLess(topics["lab"]["age_ms"], 1000 * WAIT_S)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
    def test_promtool_has_no_complaint(self):
        relay = self.start(RELAY_METRICS_TOPICS=TOPICS_NAMED)
        for topic in ("plain", "a-b_c.d", "stats", "other", "a" * 200):
            self.track(relay.raw(topic))
        plain = ask(relay, "/metrics").body
        result = check_by_promtool(plain)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))

    def test_openmetrics_parses_with_another_program(self):
        try:
            from prometheus_client.openmetrics import parser
        except ImportError:
            self.skipTest("python3-prometheus-client is not installed")
        relay = self.start()
        self.track(relay.raw("lab"))
        reply = ask(relay, "/metrics", headers={"Accept": "application/openmetrics-text"})
        families = {each.name: each
                    for each in parser.text_string_to_metric_families(reply.body.decode())}
        self.assertEqual(families["relay_turns"].type, "counter")
        self.assertEqual(families["relay_turn_seconds"].type, "histogram")

    def test_series_do_not_grow_with_topics_or_connections(self):
        relay = self.start(RELAY_METRICS_TOPICS=TOPICS_NAMED)
        for number in range(TOPICS_NAMED):
            self.track(relay.raw(f"t{number}"))
        few = set(metrics(relay))
        for number in range(3 * TOPICS_NAMED):
            self.track(relay.raw(f"more{number}"))
        self.assertEqual(set(metrics(relay)), few)
        self.assertEqual(metrics(relay)['relay_topic_viewers{topic="other"}'], 3 * TOPICS_NAMED)

    def test_health_and_readiness(self):
        relay = self.start()
        self.assertEqual(ask(relay, "/healthz").json(), {"status": "ok"})
        ready = ask(relay, "/readyz")
        self.assertEqual(ready.status, 200)
        self.assertEqual(ready.json(), {"ready": True, "state": "ready", "store": "memory",
                                        "certificate": None, "keys": 1})

    def test_options_have_their_origin_and_no_secret(self):
        relay = self.start(RELAY_SECRET="a secret that nobody may see")
        reply = ask(relay, "/config")
        self.assertNotIn(b"nobody may see", reply.body)
        options = reply.json()
        self.assertEqual(options["RELAY_SECRET"], {"value": "(secret)", "origin": "environment"})
        self.assertEqual(options["RELAY_AUDIENCE"], {"value": AUDIENCE, "origin": "environment"})
        self.assertEqual(options["RELAY_QUEUE_AGE"], {"value": "5000ms", "origin": "default"})

    def test_a_booking_is_denied_and_allowed_again(self):
        relay = self.start()
        viewer = self.track(relay.raw("lab", booking_id="b1"))
        target = f"/bids/deny?bid=b1&exp={int(time.time()) + 300}"
        self.assertEqual(ask(relay, target, "POST").status, 403)
        self.assertEqual(ask(relay, target, "POST", {**CHANGE, "Origin": "http://evil.example"})
                         .status, 403)
        self.assertEqual(ask(relay, target, "POST", CHANGE).status, 204)
        while (frame := viewer.frame()).opcode != CLOSE:
            pass
        self.assertEqual(frame.close()[0], 4403)
        self.assertEqual(ask(relay, "/bids/deny").json(), {"booking_ids": ["b1"]})
        line = relay.wait_line("booking denied")
        self.assertEqual((line["by"], line["booking_id"]), ("admin listener", "b1"))
        self.assertEqual(relay.session("lab", relay.token("lab", booking_id="b1")).status, 400)
        target = target.replace("deny", "allow")
        self.assertEqual(ask(relay, target, "POST", CHANGE).status, 204)
        self.assertEqual(relay.session("lab", relay.token("lab", booking_id="b1")).status, 200)

    def test_nothing_of_it_is_on_the_public_ports(self):
        relay = self.start()
        for port in (relay.access_port, relay.relay_port):
            for target in ("/metrics", "/healthz", "/readyz", "/config", "/topics", "/"):
                self.assertEqual(relay.request("GET", target, port=port).status, 404, target)

    def test_rebound_names_are_refused(self):
        relay = self.start()
        for target in ("/", "/metrics", "/status", "/config"):
            self.assertEqual(ask(relay, target, headers={"Host": "evil.example"}).status, 421)
        self.assertEqual(ask(relay, "/metrics", headers={"Host": "localhost:3002"}).status, 200)

    def test_a_reader_that_stalls_costs_a_bounded_time_and_none_of_the_service(self):
        relay = self.start(RELAY_WRITE_TIMEOUT="300ms", RELAY_HANDSHAKE_TIMEOUT="500ms",
                           RELAY_WORKERS="1")
        address = admin_address(relay)
        sockets = []
        for _ in range(20):
            stalled = socket.create_connection(address, timeout=WAIT_S)
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stalled.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
            sockets.append(stalled)
            self.addCleanup(stalled.close)
        self.assertEqual(ask(relay, "/healthz").status, 200)
        client = self.track(relay.raw("lab"))
        client.send_frame(BINARY, b"x")
        wait_until(lambda: metrics(relay)["relay_connections"] <= 2, "stalled readers to be closed")

    def test_a_unix_socket_serves_and_goes_with_the_relay(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "admin.sock")
            relay = self.start(RELAY_ADMIN_LISTEN=path)
            self.assertEqual(relay.listening["admin"], path)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o660)
            connection = UnixConnection(path)
            connection.request("GET", "/metrics")
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
            relay.stop()
            self.assertFalse(os.path.exists(path))

    def test_an_address_that_is_taken_ends_the_start_unless_it_is_the_default(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = relay_run("serve", RELAY_AUDIENCE=AUDIENCE, RELAY_URL="ws://127.0.0.1:1",
                             RELAY_SECRET="s", RELAY_PORT_ACCESS="0", RELAY_PORT_RELAY="0",
                             RELAY_STORE="memory", RELAY_LOG_FILE="stdout",
                             RELAY_ADMIN_LISTEN=address)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"RELAY_ADMIN_LISTEN={address}: ", done.stderr)
        self.assertIn("another program listens there", done.stderr)
        # The default may be free here, or another relay's: both serve.
        first = self.start(RELAY_ADMIN_LISTEN=None)
        second = self.start(RELAY_ADMIN_LISTEN=None)
        self.assertEqual(second.listening["admin"], "off")
        self.assertIn("RELAY_ADMIN_LISTEN", json.dumps(second.lines))
        self.assertIn(first.listening["admin"], ("127.0.0.1:3002", "off"))

    def test_a_hanging_machine_is_not_taken_for_hanging_workers(self):
        relay = self.start()
        relay.process.send_signal(signal.SIGSTOP)
        time.sleep(0.7)  # a pause that the relay notices; nothing to wait for exists
        relay.process.send_signal(signal.SIGCONT)
        self.assertEqual(ask(relay, "/healthz").status, 200)


if __name__ == "__main__":
    relay_support.main()
