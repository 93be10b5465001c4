"""Faults of practable/relay that no other test here names: what must not happen any more.

Method: what makes practable/relay fail, as a client or an operator would do it.
"""

import os
import signal
import time

import relay_support
from bookings import Desk, session
from relay_support import RelayTestCase, forge_token, relay_run
from rows import row
from ws_raw import BINARY, CLOSE, PING, TEXT, RawClient, close_payload, encode_frame

CROWD = 1000


class Exposed(RelayTestCase):
    @row("Faults",
         "profiler on the public relay port",
         "`/debug/pprof/` answers everybody",
         "404",
         "F")
    def test_no_profiler_anywhere(self):
        relay = self.start()
        ports = {relay.access_port, relay.relay_port}
        for port in ports:
            for target in ("/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics"):
                self.assertEqual(relay.request("GET", target, port=port).status, 404, target)

    def listening(self, relay):
        inodes = set()
        for fd in os.listdir(f"/proc/{relay.process.pid}/fd"):
            try:
                link = os.readlink(f"/proc/{relay.process.pid}/fd/{fd}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
        ports = set()
        for name in ("tcp", "tcp6"):
            with open(f"/proc/net/{name}", encoding="ascii") as table:
                for line in table.readlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and fields[9] in inodes:
                        ports.add(int(fields[1].split(":")[1], 16))
        return ports

    def test_it_listens_where_it_is_told_and_nowhere_else(self):
        relay = self.start()
        self.assertEqual(self.listening(relay), {relay.access_port, relay.relay_port})

    @row("Faults", "a secret of less than four bytes", "crashes at the start", "works", "F")
    def test_a_short_secret(self):
        relay = self.start(RELAY_SECRET="abc")
        self.assertEqual(relay.session("t0", relay.token()).status, 200)


class Signals(RelayTestCase):
    @row("Faults", "SIGTERM", "stops the access port; connections live on until SIGKILL",
         "closes every connection with 1001 and ends with status 0, within 5 s", "F")
    def test_both_signals_end_it_in_order(self):
        for by in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(by=by.name):
                relay = self.start()
                clients = [self.track(relay.raw()) for _ in range(20)]
                relay.process.send_signal(by)
                for client in clients:
                    self.assertEqual(client.expect_close()[0], 1001)
                relay.stop()

    @row("Faults",
         "SIGHUP",
         "ends the process",
         "opens the log file and reads keys and certificates again",
         "F")
    def test_sighup_disturbs_nobody(self):
        relay = self.start()
        a, b = self.track(relay.raw()), self.track(relay.raw())
        for number in range(5):
            relay.process.send_signal(signal.SIGHUP)
            a.send_message(f"{number}")
            self.assertEqual(b.message(), (TEXT, str(number).encode()))
        self.assertEqual(relay.session("t0", relay.token()).status, 200)


class Log(RelayTestCase):
    def errors(self, relay):
        return [line for line in relay.lines if line.get("level") in ("error", "fatal", "panic")]

    @row("Faults",
         "ordinary disconnects",
         "an error line for each; `connection closed` only when the token expires",
         "one info line when it happens, with reason, duration and bytes",
         "F")
    def test_ordinary_ends_log_no_errors(self):
        relay = self.start()
        for number, end in enumerate(("close", "fin", "reset", "half")):
            booking = f"ends-{end}"
            client = self.track(relay.raw(booking_id=booking, exp=int(time.time()) + 1000))
            client.send_message(b"x" * 500)
            client.barrier()
            if end == "close":
                client.send_frame(CLOSE, close_payload(1000))
            elif end == "fin":
                client.kill()
            elif end == "reset":
                client.reset()
            else:
                client.shutdown_write()
            line = relay.wait_line("connection closed",
                                   where=lambda line: line["booking_id"] == booking)
            self.assertEqual(line["level"], "info")
            self.assertEqual(line["bytes_received"], 500)
            self.assertLess(line["duration_ms"], 60000)
            self.assertTrue(line["reason"])
        self.assertEqual(self.errors(relay), [])

    @row("Faults",
         "texts of strangers in the log",
         "tokens that cannot be believed are logged with their texts, as errors",
         "not logged",
         "F")
    def test_what_strangers_send_is_not_logged_as_an_error(self):
        relay = self.start(RELAY_LOG_LEVEL="debug")
        mark = "attacker-controlled"
        relay.session("t0", forge_token({"alg": "HS256", "kid": mark}, {"topic": mark}, "wrong"))
        relay.session("t0", mark)
        relay.request("GET", f"/{mark}")
        with RawClient(relay.relay_port) as client:
            client.ask_upgrade(f"/session/{mark}?code={mark}")
            client.reply()
        relay.stop()
        self.assertNotIn(mark, "\n".join(relay.output))
        self.assertEqual(self.errors(relay), [])

    @row("Log",
         "one line for each administrative act",
         "no",
         "`booking denied`, `booking allowed`",
         "F")
    def test_acts_are_logged(self):
        relay = self.start()
        admin = relay.token(scopes=["relay:admin"], booking_id="the clerk")
        for act, message in (("deny", "booking denied"), ("allow", "booking allowed")):
            relay.request("POST", f"/bids/{act}?bid=b&exp={int(time.time()) + 60}",
                          {"Authorization": admin, "User-Agent": "desk/1"})
            line = relay.wait_line(message)
            self.assertEqual([line[key] for key in ("booking_id", "status", "by", "remote_addr",
                                                    "user_agent")],
                             ["b", 204, "the clerk", "127.0.0.1", "desk/1"])

    def test_a_refused_connection_is_logged_with_its_reason_and_without_its_code(self):
        relay = self.start()
        code = "11111111-2222-4333-8444-555555555555"
        with RawClient(relay.relay_port) as client:
            client.ask_upgrade(f"/session/t0?code={code}")
            self.assertEqual(client.reply().status, 401)
        line = relay.wait_line("new connection rejected")
        self.assertEqual((line["reason"], line["status"]), ("invalid code", 401))
        self.assertNotIn(code[9:], "\n".join(relay.output))

    @row("Faults",
         "a viewer that stalls",
         "keeps the oldest messages and drops the newest; an error line for each",
         "keeps the newest; counted, not logged one by one",
         "K5")
    def test_a_stalled_viewer_does_not_fill_the_log(self):
        relay = self.start(RELAY_BUFFER_SIZE="64", RELAY_WRITE_TIMEOUT="30s", RELAY_WORKERS="1",
                           RELAY_QUEUE_AGE="0")
        viewer = self.track(relay.raw("t0", ("read",), rcvbuf=65536))
        publisher = self.track(relay.publisher())
        lines = len(relay.output)
        total = 1500
        for number in range(total):
            publisher.send_frame(BINARY, b"%06d" % number + b"x" * 15000, mask=b"\0\0\0\0")
        publisher.barrier()
        relay.wait_counter("messages_dropped_queue", 100)
        received = []
        while not received or received[-1] != total - 1:
            received.append(int(viewer.message()[1][:6]))
        self.assertEqual(received, sorted(set(received)))
        self.assertEqual(received[-16:], list(range(total - 16, total)))
        self.assertLess(len(self.errors(relay)), 3)
        said = [line for line in relay.output[lines:] if '"counters"' not in line]
        self.assertLess(len(said), 20)


class Crowd(RelayTestCase):
    @row("Faults",
         "1,000 sockets that may not connect, and 1,000 that say nothing",
         "101 for all; held for two minutes or for ever",
         "401, or closed at the handshake timeout; nothing is left",
         "F")
    def test_a_thousand_unauthorised_and_a_thousand_silent_sockets(self):
        count = 200 if relay_support.SANITIZED else CROWD
        relay = self.start(RELAY_HANDSHAKE_TIMEOUT="3s")
        viewer, publisher = self.track(relay.viewer("calm")), self.track(relay.publisher("calm"))
        for round_number in range(2):  # the first one warms the pools
            fds, rss, lines = relay.fds(), relay.rss_bytes(), len(relay.output)
            silent = [self.track(RawClient(relay.relay_port)) for _ in range(count)]
            refused = [self.track(RawClient(relay.relay_port)) for _ in range(count)]
            for number, client in enumerate(refused):
                client.ask_upgrade(f"/session/calm?code=nothing-{number}")
                if number % 50 == 0:
                    publisher.send_message(f"{number}")
                    start = time.monotonic()
                    self.assertEqual(viewer.message(), (TEXT, str(number).encode()))
                    self.assertLess(time.monotonic() - start, 1.0 * relay_support.TIME_SCALE)
            self.assertEqual({client.reply().status for client in refused}, {401})
            for client in refused:
                client.read_end()
                client.kill()
            for client in silent:
                self.assertEqual(client.read_end(), b"")
                client.kill()
            relay_support.wait_until(lambda: relay.fds() <= fds, "descriptors to come back")
            self.assertLess(len(relay.output) - lines, 250)
        self.assertLess(relay.rss_bytes() - rss, 8 << 20)
        publisher.send_message("after")
        self.assertEqual(viewer.message(), (TEXT, b"after"))


class Opening(RelayTestCase):
    @row("WebSocket", "frames in the segment of the upgrade request", "read behind the 101")
    def test_nothing_comes_before_the_101(self):
        """Also when those frames end the connection at once."""
        relay = self.start()
        for name, frame, answer in (
                ("a ping", encode_frame(PING, b"hi"), b"\x8a\x02hi"),
                ("a fault", encode_frame(3, b"x"), b"\x88\x0e\x03\xeabad opcode 3"),
                ("a close", encode_frame(CLOSE, close_payload(1000)), b"\x88\x02\x03\xe8")):
            with self.subTest(name):
                client = self.track(RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S))
                client.send(f"GET {relay.target('t0')} HTTP/1.1\r\nHost: x\r\n"
                            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
                            + frame)
                self.assertEqual(client.reply(head_only=True).status, 101)
                self.assertEqual(client.take(len(answer)), answer)


class Browser(RelayTestCase):
    @row("Browsers",
         "an old JSMpeg player tries a used code again every 5 s, from many tabs "
         "behind one address",
         "101 each time, then silence",
         "401 each time; the address is never shut out",
         "K3")
    def test_dead_codes_again_and_again(self):
        relay = self.start()
        target = relay.target()
        with RawClient(relay.relay_port) as client:
            client.upgrade(target)
        for _ in range(300):
            with RawClient(relay.relay_port) as client:
                client.ask_upgrade(target)
                self.assertEqual(client.reply().status, 401)
        self.assertEqual(session(relay, "b").status, 200)
        self.track(relay.raw()).barrier()
        self.assertLess(len(relay.output), 250)

    @row("Browsers", "a page asks for both its streams again, and again", "works")
    def test_both_streams_are_asked_for_again(self):
        relay = self.start()
        token = {topic: relay.token(topic, booking_id="b") for topic in ("data", "video")}
        for _ in range(20):
            for topic in ("data", "video"):
                reply = relay.request("POST", f"/session/{topic}",
                                      {"Authorization": token[topic],
                                       "Content-Type": "application/json",
                                       "Accept": "application/json, text/plain, */*"}, b"{}")
                uri = reply.json()["uri"]
                client = RawClient(relay.relay_port)
                client.upgrade(uri[uri.index("/session"):])
                client.kill()


class CommandLine(RelayTestCase):
    @row("Command line",
         "a required variable is missing",
         "`You must set RELAY_X` on stdout, status 1")
    def test_missing_variables(self):
        result = relay_run("serve")
        self.assertEqual(result.returncode, 1)
        for name in ("RELAY_AUDIENCE", "RELAY_URL", "RELAY_SECRET"):
            self.assertIn(f"You must set {name}\n", result.stdout)

    @row("Command line", "`relay` alone", "prints help, status 0")
    def test_help(self):
        result = relay_run()
        self.assertEqual(result.returncode, 0)
        self.assertIn("serve", result.stdout)

    @row("Command line", "`relay client` without an interface",
         "`error: you must specify an interface e.g. file, or -h (help)`, status 0")
    def test_client_without_an_interface(self):
        result = relay_run("client")
        self.assertEqual(result.returncode, 0)
        self.assertIn("error: you must specify an interface e.g. file, or -h (help)",
                      result.stdout + result.stderr)

    @row("Command line",
         "RELAY_LOG_LEVEL=x",
         "`RELAY_LOG_LEVEL can be trace, debug, info, warn, error, fatal or panic but "
         "not x`, status 1")
    def test_a_bad_level(self):
        result = relay_run("serve", RELAY_AUDIENCE="https://a", RELAY_URL="ws://b",
                           RELAY_SECRET="c", RELAY_LOG_LEVEL="x", RELAY_STORE="memory")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "RELAY_LOG_LEVEL can be trace, debug, info, warn, error, "
                         "fatal or panic but not x\n")

    def test_variables_of_production_are_accepted(self):
        relay = self.start(RELAY_BUFFER_SIZE="256", RELAY_STATS_EVERY="1m", RELAY_TIDY_EVERY="5m",
                           RELAY_LOG_LEVEL="info", RELAY_PROFILE="false", RELAY_PORT_PROFILE="6061")
        self.assertEqual(relay.session("t0", relay.token()).status, 200)
        self.assertEqual([line for line in relay.lines if line["level"] == "error"], [])


if __name__ == "__main__":
    relay_support.main()
