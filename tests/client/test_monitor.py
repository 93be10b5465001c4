"""`relay monitor`: what it sends, what counts as a miss, what it does then.

Method: the tool against python3-websockets that echoes soon, late or never, and against our
server. What kills relays runs in a name space of its own, or not at all.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import jwt
import websockets

import client_support
import relay_support
from client_support import Certificates, ClientTestCase, http_answer, uri_answer, wait_until
from relay_support import WAIT_S

SECRET = "somesecret-of-the-relay"
RELAYED_MS = 50  # half the time between two messages


class Echo(client_support.WsServer):
    """What one connection says, all others hear, after .delay_s; nothing while .mute."""

    def __init__(self, **options):
        self.delay_s = 0
        self.mute = False
        self.received = []  # (wall clock in ns, message)
        super().__init__(**options)

    async def _handle(self, connection, _path=None):
        self.connections.append(connection)
        try:
            async for message in connection:
                self.received.append((time.time_ns(), message))
                self.messages.append(message)
                if self.mute:
                    continue
                if self.delay_s > 0:
                    await asyncio.sleep(self.delay_s)
                for other in list(self.connections):
                    if other is not connection:
                        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                            await other.send(message)
        except websockets.exceptions.ConnectionClosed:
            pass
        self.connections.remove(connection)
        self.closed.append((connection.close_code, connection.close_reason))


class Monitor:
    """A started monitor. Log lines are in .lines, what it printed in .printed."""

    def __init__(self, audience, launcher=(), **options):
        environment = {"AUDIENCE": audience, "SECRET": SECRET, "INTERVAL": f"{RELAYED_MS}ms",
                       "LOG_LEVEL": "debug", "COMMAND": "true", **options}
        self.lines = []
        self.printed = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [*launcher, relay_support.relay_binary(), "monitor"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=relay_support.die_with_parent,
            env=relay_support.relay_environment(
                **{f"RELAY_MONITOR_{name}": value for name, value in environment.items()}))
        self.readers = [threading.Thread(target=self._read, daemon=True, args=arguments)
                        for arguments in ((self.process.stderr, self.lines),
                                          (self.process.stdout, self.printed))]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait(self, lines, condition, what, timeout_s=WAIT_S):
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while True:
                for line in lines:
                    if condition(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"waited for {what}: {self.lines[-20:]} {self.printed}")
                self.changed.wait(left)

    def logged(self, message, count=1):
        """The count-th log line with that message."""
        wait_until(lambda: len(self.all_logged(message)) >= count, f"{count} × {message}")
        return self.all_logged(message)[count - 1]

    def all_logged(self, message):
        with self.changed:
            return [parsed for parsed in map(json.loads, self.lines)
                    if parsed["msg"] == message]

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(WAIT_S)
        for reader in self.readers:
            reader.join(WAIT_S)
        self.process.stdout.close()
        self.process.stderr.close()
        errors = "\n".join(self.lines)
        assert relay_support.SANITIZER_REPORT.search(errors) is None, errors
        assert SECRET not in errors, errors
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def counts(self):
        """Of the last report that was printed."""
        line = [line for line in self.printed if line.startswith("sent ")][-1]
        return {part.rsplit(" ", 1)[0]: int(part.rsplit(" ", 1)[1])
                for part in line.split(", ")}


class MonitorTestCase(ClientTestCase):
    def monitor(self, audience, **options):
        monitor = Monitor(audience, **options)
        self.addCleanup(monitor.kill)
        return monitor

    def echo(self, **options):
        """A relay by python3-websockets; .audience is its access URL, .heads what it was asked."""
        server = Echo(**options)
        self.addCleanup(server.close)
        server.heads = []

        def script(connection, _):
            server.heads.append(connection.read_head())
            connection.send(uri_answer(server.url))
        access = self.server(script)
        server.audience = f"http://127.0.0.1:{access.port}/ed0/access"
        return server

    def path(self, name="fired"):
        return os.path.join(self.folder, name)

    def ends_well(self, monitor, number=signal.SIGTERM):
        self.assertEqual(monitor.stop(number), 0, monitor.lines[-5:])
        return monitor.counts()


class Watching(MonitorTestCase):
    def test_a_healthy_relay_is_left_alone(self):
        server = self.echo()
        monitor = self.monitor(server.audience, THRESHOLD="2s", COMMAND=f"touch {self.path()}")
        wait_until(lambda: len(server.messages) >= 10, "ten messages")
        counts = self.ends_well(monitor)
        self.assertFalse(os.path.exists(self.path()))
        self.assertEqual((counts["late"], counts["triggered"], counts["strange"]), (0, 0, 0))
        self.assertGreaterEqual(counts["in time"], 8)
        # The server's side of the end runs on another thread, and may see it a little later.
        wait_until(lambda: len(server.closed) == 2, "the end of both")
        self.assertEqual([code for code, _ in server.closed], [1000, 1000])

    def test_asks_and_sends_as_clients_of_today_do(self):
        server = self.echo()
        monitor = self.monitor(server.audience, RECONNECT_EVERY="24h")
        wait_until(lambda: len(server.received) >= 6, "six messages")
        self.ends_well(monitor)
        self.assertEqual(len(server.heads), 2)
        for first, fields in server.heads:
            self.assertEqual(first, "POST /ed0/access/session/canary-st-data HTTP/1.1")
            claims = jwt.decode(fields["authorization"], SECRET, algorithms=["HS256"],
                                audience=server.audience)
            self.assertEqual(claims["booking_id"], "relay-monitor")
            self.assertEqual(claims["topic"], "canary-st-data")
            self.assertEqual(claims["prefix"], "session")
            self.assertEqual(claims["scopes"], ["read", "write"])
            self.assertEqual(claims["aud"], [server.audience])
            self.assertLessEqual(abs(claims["exp"] - time.time() - 86400), WAIT_S + 2)
        for arrived_ns, message in server.received:
            self.assertEqual(len(message), 8)
            self.assertLess(abs(arrived_ns - int.from_bytes(message, "big")), WAIT_S * 1e9)
        stamps = [int.from_bytes(message, "big") for _, message in server.received]
        # On the whole: one that a busy machine sent late may be close before the next.
        self.assertGreater(stamps[-1] - stamps[0], RELAYED_MS * 1e6 * (len(stamps) - 1))

    def test_messages_of_others_do_not_count(self):
        server = self.echo()
        monitor = self.monitor(server.audience, THRESHOLD="5s", TRIGGER_AFTER_MISSES="1")
        monitor.logged("in time")
        for message in ("text", b"", b"\x01", (time.time_ns() - 10 ** 12).to_bytes(8, "big"),
                        server.messages[0], b"x" * 100000):
            for index in range(2):
                server.send(message, index)
        server.messages.clear()
        wait_until(lambda: len(server.messages) >= 3, "more messages")
        counts = self.ends_well(monitor)
        self.assertEqual((counts["late"], counts["triggered"]), (0, 0))
        self.assertGreaterEqual(counts["strange"], 6)

    def test_histogram_on_request_and_at_the_end(self):
        server = self.echo()
        server.delay_s = 0.02
        monitor = self.monitor(server.audience, THRESHOLD="5s")
        monitor.logged("in time", 5)
        monitor.process.send_signal(signal.SIGUSR1)
        line = monitor.wait(monitor.printed, lambda line: line.startswith("messages "),
                            "the histogram")
        self.assertRegex(line, r"messages \d+, latency in ms: min \d+\.\d{3} mean \d+\.\d{3} max")
        self.assertGreaterEqual(float(line.split("min ")[1].split()[0]), 20)
        monitor.wait(monitor.printed, lambda line: "% within" in line, "percentiles")
        monitor.wait(monitor.printed, lambda line: "#" in line, "bars")
        self.ends_well(monitor, signal.SIGINT)
        self.assertEqual(len([line for line in monitor.printed if line.startswith("sent ")]), 2)

    def test_connections_are_made_anew_before_their_tokens_end(self):
        server = self.echo()
        monitor = self.monitor(server.audience, RECONNECT_EVERY="5s", THRESHOLD="5s",
                               NO_RETRIGGER_WITHIN="60s", LOG_LEVEL="info")
        wait_until(lambda: len(server.heads) >= 4, "new connections", 8 + WAIT_S)
        monitor.logged("reconnecting with new tokens")
        server.messages.clear()
        wait_until(lambda: len(server.messages) >= 2, "messages on them")
        counts = self.ends_well(monitor)
        tokens = [jwt.decode(fields["authorization"], SECRET, algorithms=["HS256"],
                             audience=server.audience) for _, fields in server.heads]
        self.assertGreaterEqual(tokens[3]["exp"], tokens[0]["exp"] + 2)
        self.assertEqual(counts["triggered"], 0)
        self.assertEqual(monitor.all_logged("silence: a miss"), [])

    def test_a_refused_token_is_replaced(self):
        server = self.echo()
        heads = []

        def script(connection, number):
            heads.append(connection.read_head())
            connection.send(http_answer(401, b'"Token expired"') if number < 2
                            else uri_answer(server.url))
        access = self.server(script)
        monitor = self.monitor(f"http://127.0.0.1:{access.port}", THRESHOLD="5s")
        monitor.logged("in time")
        self.ends_well(monitor)
        self.assertEqual(len(heads), 4)
        refused = [line for line in map(json.loads, monitor.lines) if line["level"] == "error"]
        self.assertEqual({(line["http_status"], line["connection"]) for line in refused},
                         {(401, "rx"), (401, "tx")})

    def test_over_tls(self):
        certificates = Certificates(self.folder)
        server = Echo(tls=certificates.context("relay"))
        self.addCleanup(server.close)

        def script(connection, _):
            connection.read_head()
            connection.send(uri_answer(server.url))
        access = self.server(script, tls=certificates.context("access"))
        monitor = self.monitor(f"https://127.0.0.1:{access.port}", THRESHOLD="5s",
                               CA_FILE=certificates.path("ca.pem"))
        monitor.logged("in time")
        self.ends_well(monitor)
        monitor = self.monitor(f"https://127.0.0.1:{access.port}", INSECURE="true",
                               THRESHOLD="5s")
        monitor.logged("in time")
        self.ends_well(monitor)

    def test_a_reader_of_its_output_that_stalls_does_not_stop_it(self):
        server = self.echo()
        monitor = Monitor.__new__(Monitor)
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        os.set_blocking(write_fd, False)
        try:
            while os.write(write_fd, b"x" * 65536):
                pass
        except BlockingIOError:
            os.set_blocking(write_fd, True)
        monitor.process = subprocess.Popen(
            [relay_support.relay_binary(), "monitor"], stdin=subprocess.DEVNULL,
            stdout=write_fd, stderr=subprocess.DEVNULL,
            env=relay_support.relay_environment(RELAY_MONITOR_AUDIENCE=server.audience,
                                                RELAY_MONITOR_SECRET=SECRET,
                                                RELAY_MONITOR_COMMAND="true",
                                                RELAY_MONITOR_INTERVAL="10ms"))
        os.close(write_fd)
        self.addCleanup(monitor.kill)
        wait_until(lambda: server.messages, "a message")
        monitor.process.send_signal(signal.SIGUSR1)
        server.messages.clear()
        wait_until(lambda: len(server.messages) >= 5, "more messages")
        monitor.process.terminate()
        self.assertEqual(monitor.process.wait(WAIT_S), 0)


class Triggering(MonitorTestCase):
    def fired(self, monitor, count=1):
        return monitor.logged("the relay is considered down", count)

    def test_late_messages_in_a_row_run_the_command_without_a_shell(self):
        server = self.echo()
        server.delay_s = 0.03
        script = self.path("script")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"#!{sys.executable}\nimport json, os, sys\n"
                       "links = [os.readlink(f'/proc/self/fd/{fd}')\n"
                       "         for fd in os.listdir('/proc/self/fd')\n"
                       "         if os.path.islink(f'/proc/self/fd/{fd}')]\n"
                       f"with open('{self.path()}.part', 'w') as out:\n"
                       "    json.dump({'argv': sys.argv[1:], 'links': links}, out)\n"
                       f"os.rename('{self.path()}.part', '{self.path()}')\n")
        os.chmod(script, 0o755)
        os.environ["MONITORED_UNIT"] = "relay one"
        self.addCleanup(os.environ.pop, "MONITORED_UNIT")
        monitor = self.monitor(server.audience, THRESHOLD="1ms", NO_RETRIGGER_WITHIN="60s",
                               COMMAND=f"{script}  $MONITORED_UNIT ${{MONITORED_UNIT}} 'a b';c >x")
        self.assertEqual(self.fired(monitor)["misses"], 3)
        self.assertEqual(monitor.logged("the command ended")["exit_status"], 0)
        with open(self.path(), encoding="utf-8") as file:
            ran = json.load(file)
        self.assertEqual(ran["argv"], ["relay", "one", "relay", "one", "'a", "b';c", ">x"])
        self.assertEqual([link for link in ran["links"] if "socket" in link], [])
        counts = self.ends_well(monitor)
        self.assertEqual(counts["triggered"], 1)
        self.assertGreaterEqual(counts["late"], 3)
        self.assertEqual([line["misses"] for line in monitor.all_logged("late: a miss")][:3],
                         [1, 2, 3])

    def test_a_threshold_below_a_millisecond_makes_every_message_late(self):
        monitor = self.monitor(self.echo().audience, THRESHOLD="1us", TRIGGER_AFTER_MISSES="1")
        self.assertEqual(self.fired(monitor)["misses"], 1)
        self.ends_well(monitor)

    def test_one_good_message_begins_the_count_anew(self):
        server = self.echo()
        server.delay_s = 0.3
        monitor = self.monitor(server.audience, THRESHOLD="150ms", TRIGGER_AFTER_MISSES="1000",
                               INTERVAL="200ms")
        monitor.logged("late: a miss", 2)
        server.delay_s = 0
        monitor.logged("in time")
        since = len(monitor.all_logged("late: a miss"))
        server.delay_s = 0.3
        self.assertEqual(monitor.logged("late: a miss", since + 1)["misses"], 1)
        self.ends_well(monitor)

    def test_not_again_for_a_while_and_then_again(self):
        server = self.echo()
        monitor = self.monitor(server.audience, THRESHOLD="0s", NO_RETRIGGER_WITHIN="700ms",
                               COMMAND="false")
        self.fired(monitor)
        first = time.monotonic()
        self.assertEqual(monitor.logged("the command ended")["exit_status"], 1)
        self.fired(monitor, 2)
        self.assertGreater(time.monotonic() - first, 0.6)
        self.ends_well(monitor)

    def test_silence_triggers(self):
        server = self.echo()
        monitor = self.monitor(server.audience, THRESHOLD="5s", NO_RETRIGGER_WITHIN="5200ms",
                               TRIGGER_AFTER_MISSES="1")
        monitor.logged("in time")
        server.mute = True
        self.assertEqual(monitor.logged("silence: a miss")["misses"], 1)
        self.fired(monitor)
        self.ends_well(monitor)

    def test_a_relay_that_went_away_triggers(self):
        server = self.echo()
        monitor = self.monitor(server.audience, THRESHOLD="100ms", NO_RETRIGGER_WITHIN="300ms")
        monitor.logged("in time")
        server.close()
        self.fired(monitor)
        self.ends_well(monitor)

    def test_a_relay_that_never_was_there_triggers(self):
        nobody = self.server(lambda *_: None, listen=False)
        monitor = self.monitor(f"http://127.0.0.1:{nobody.port}", THRESHOLD="0s",
                               NO_RETRIGGER_WITHIN="200ms", COMMAND=f"touch {self.path()}")
        self.fired(monitor)
        wait_until(lambda: os.path.exists(self.path()), "the command")
        counts = self.ends_well(monitor)
        self.assertEqual(counts["in time"], 0)
        self.assertIn("messages 0", monitor.printed)

    def test_a_relay_that_refuses_is_not_killed_for_it(self):
        """A wrong secret here must not restart a healthy relay for ever."""
        def script(connection, _):
            connection.read_head()
            connection.send(http_answer(401, b'"Signature is invalid"'))
        monitor = self.monitor(f"http://127.0.0.1:{self.server(script).port}", THRESHOLD="0s",
                               TRIGGER_AFTER_MISSES="1", NO_RETRIGGER_WITHIN="1s")
        monitor.logged("the relay refuses this monitor, which is not a miss; check secret "
                       "and audience", 3)
        self.assertEqual(self.ends_well(monitor)["triggered"], 0)

    def test_a_relay_that_is_full_is_not_killed_for_it(self):
        """503 with Retry-After is the relay's own answer; a proxy's 503 for a dead one has none."""
        for field, triggers in (("Retry-After: 1\r\n", False), ("", True)):
            with self.subTest(field=field):
                def script(connection, _, field=field):
                    connection.read_head()
                    connection.send(f"HTTP/1.1 503 Service Unavailable\r\n{field}"
                                    "Content-Length: 0\r\n\r\n".encode())
                monitor = self.monitor(f"http://127.0.0.1:{self.server(script).port}",
                                       THRESHOLD="0s", TRIGGER_AFTER_MISSES="1",
                                       NO_RETRIGGER_WITHIN="1s", COMMAND="true")
                if triggers:
                    self.fired(monitor)
                else:
                    monitor.logged("the relay refuses this monitor, which is not a miss; check "
                                   "secret and audience", 2)
                self.assertEqual(self.ends_well(monitor)["triggered"] > 0, triggers)

    def test_its_own_freeze_is_no_miss(self):
        server = self.echo()
        server.delay_s = 0.2  # so that a message is always on its way
        monitor = self.monitor(server.audience, THRESHOLD="600ms", TRIGGER_AFTER_MISSES="1",
                               NO_RETRIGGER_WITHIN="2s")
        monitor.logged("in time", 3)
        monitor.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        monitor.process.send_signal(signal.SIGCONT)
        line = monitor.logged("this monitor could not run: messages missed meanwhile do not count")
        self.assertGreater(line["frozen_ms"], 2000)
        seen = len(monitor.all_logged("in time"))
        monitor.logged("in time", seen + 3)
        self.assertEqual(self.ends_well(monitor)["triggered"], 0)

    def test_an_audience_that_is_not_encrypted_excuses_no_certificate(self):
        server = Echo(tls=Certificates(self.folder).context("self", signed=False))
        self.addCleanup(server.close)
        access = self.access_to(server.url)
        # No loopback address by its looks, but one by where it leads.
        monitor = self.monitor(f"http://0.0.0.0:{access.port}")
        wait_until(lambda: any("self-signed" in line for line in monitor.lines), "the refusal")
        self.assertEqual(server.connections, [])
        self.ends_well(monitor)

    def test_recovers_with_the_relay(self):
        """The command of this test starts the relay that was missing."""
        server = self.echo()

        def script(connection, _):
            connection.read_head()
            connection.send(uri_answer(server.url))
        access = self.server(script, listen=False)
        monitor = self.monitor(f"http://127.0.0.1:{access.port}", THRESHOLD="2s",
                               NO_RETRIGGER_WITHIN="2200ms", TRIGGER_AFTER_MISSES="1",
                               COMMAND=f"touch {self.path()}")
        wait_until(lambda: os.path.exists(self.path()), "the command")
        access.start()
        monitor.logged("watching again")
        monitor.logged("in time", 3)
        counts = self.ends_well(monitor)
        self.assertGreaterEqual(counts["in time"], 3)

    def test_a_command_that_never_ends_is_not_run_twice_at_a_time(self):
        pids = self.path("pids")
        script = self.path("script")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 60\n")
        os.chmod(script, 0o755)
        monitor = self.monitor(self.echo().audience, THRESHOLD="0s", TRIGGER_AFTER_MISSES="1",
                               NO_RETRIGGER_WITHIN="200ms", COMMAND=script)
        monitor.logged("the command is still running; it is not started a second time", 2)
        with open(pids, encoding="utf-8") as file:
            started = [int(line) for line in file]
        self.assertEqual(len(started), 1)
        monitor.process.terminate()
        self.assertEqual(monitor.process.wait(WAIT_S), 0)
        # Still there: a restart under way is not broken off.
        os.kill(started[0], signal.SIGKILL)
        self.assertEqual(self.ends_well(monitor)["triggered"], 1)

    def test_a_command_that_does_not_exist_is_told(self):
        monitor = self.monitor(self.echo().audience, THRESHOLD="0s", COMMAND="no-such-program x")
        line = monitor.logged("cannot run the command")
        self.assertEqual((line["level"], line["command"]), ("error", "no-such-program"))
        self.ends_well(monitor)

    def test_a_command_that_a_signal_ends_is_told(self):
        script = self.path("script")
        with open(script, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nkill -TERM $$\n")
        os.chmod(script, 0o755)
        monitor = self.monitor(self.echo().audience, THRESHOLD="0s", COMMAND=script)
        self.assertEqual(monitor.logged("the command ended")["signal"], signal.SIGTERM)
        self.ends_well(monitor)


class Options(MonitorTestCase):
    def run_tool(self, **options):
        result = relay_support.relay_run("monitor", **{
            f"RELAY_MONITOR_{name}": value for name, value in options.items()})
        self.assertEqual(result.returncode, 1, result)
        return result

    def test_everything_missing_is_told_in_known_words(self):
        self.assertEqual(self.run_tool().stdout, "You must set RELAY_MONITOR_AUDIENCE\n"
                         "You must set RELAY_MONITOR_SECRET\n")
        self.assertEqual(self.run_tool(SECRET="x").stdout,
                         "You must set RELAY_MONITOR_AUDIENCE\n")

    def test_wrong_values(self):
        good = {"AUDIENCE": "http://127.0.0.1:9", "SECRET": SECRET}
        for options, expected in (
                ({"INTERVAL": "soon"}, "cannot parse duration in RELAY_MONITOR_INTERVAL=soon"),
                ({"THRESHOLD": "5"}, "cannot parse duration in RELAY_MONITOR_THRESHOLD=5"),
                ({"TRIGGER_AFTER_MISSES": "0"}, "RELAY_MONITOR_TRIGGER_AFTER_MISSES"),
                ({"RECONNECT_EVERY": "1s"}, "RELAY_MONITOR_RECONNECT_EVERY"),
                ({"LOG_LEVEL": "loud"}, "RELAY_MONITOR_LOG_LEVEL can be trace, debug, info, warn, "
                                        "error, fatal or panic but not loud"),
                ({"LOG_FORMAT": "xml"}, "RELAY_MONITOR_LOG_FORMAT can be json or text but not xml"),
                ({"TOPIC": "t" * 300}, "topic or audience is too long"),
                ({"AUDIENCE": "ftp://x"}, "must start with https://"),
                ({"COMMAND": "x" * 70000}, "RELAY_MONITOR_COMMAND cannot be used"),
                ({"SECRET": "", "SECRET_FILE": self.path("missing")},
                 "cannot read RELAY_MONITOR_SECRET_FILE=")):
            with self.subTest(expected=expected):
                result = self.run_tool(**{**good, **options})
                self.assertIn(expected, result.stdout + result.stderr)
                self.assertEqual(len((result.stdout + result.stderr).splitlines()), 1)
                self.assertNotIn(SECRET, result.stdout + result.stderr)

    def test_an_audience_that_is_not_encrypted_is_used_with_a_warning(self):
        monitor = self.monitor("http://relay.invalid")
        line = monitor.logged("the connection is not encrypted: others can read and change the "
                              "token and the messages; use https://")
        self.assertEqual(line["level"], "warning")
        self.ends_well(monitor)

    def test_secret_and_log_from_and_to_files(self):
        with open(self.path("secret"), "w", encoding="utf-8") as file:
            file.write(SECRET + "\n")
        server = self.echo()
        log = self.path("monitor.log")
        monitor = self.monitor(server.audience, SECRET="", SECRET_FILE=self.path("secret"),
                               LOG_FILE=log, LOG_FORMAT="text", LOG_LEVEL="info")
        wait_until(lambda: len(server.messages) > 2, "messages")
        jwt.decode(server.heads[0][1]["authorization"], SECRET, algorithms=["HS256"],
                   audience=server.audience)
        os.rename(log, log + ".1")
        monitor.process.send_signal(signal.SIGHUP)
        wait_until(lambda: os.path.exists(log), "the new log file")
        self.ends_well(monitor)
        self.assertEqual(monitor.lines, [])
        with open(log + ".1", encoding="utf-8") as file:
            self.assertIn("watching", file.read())


class OurRelay(MonitorTestCase, relay_support.RelayTestCase):
    """The same against `relay serve`."""

    def test_watches_relay_serve_and_triggers_when_it_stops(self):
        port = relay_support.ReservedPort()
        self.addCleanup(port.release)
        audience = f"http://127.0.0.1:{port.number}"
        relay = self.start(RELAY_AUDIENCE=audience, RELAY_PORT_ACCESS=str(port.number),
                           RELAY_SECRET=SECRET)
        monitor = Monitor(audience, THRESHOLD="2s", NO_RETRIGGER_WITHIN="2200ms",
                          TRIGGER_AFTER_MISSES="1")
        self.addCleanup(monitor.kill)
        monitor.logged("in time", 5)
        self.assertEqual(monitor.all_logged("the relay is considered down"), [])
        relay.stop()
        monitor.logged("the relay is considered down")
        self.assertEqual(monitor.stop(), 0)
        self.assertEqual(monitor.counts()["triggered"], 1)

    SERVE = (
        "import os, signal, subprocess, sys\n"
        "relay = sys.argv[1]\n"
        "environment = {**os.environ, 'RELAY_AUDIENCE': 'http://127.0.0.1:1',\n"
        "    'RELAY_URL': 'ws://127.0.0.1:1', 'RELAY_SECRET': 'x', 'RELAY_PORT_ACCESS': '0',\n"
        "    'RELAY_PORT_RELAY': '0', 'RELAY_STORE': 'memory', 'RELAY_LOG_FILE': 'stdout'}\n"
        "serve = subprocess.Popen([relay, 'serve'], env=environment, text=True,\n"
        "                         stdout=subprocess.PIPE)\n"
        "while 'listening' not in serve.stdout.readline():\n"
        "    assert serve.poll() is None\n"
        "other = subprocess.Popen(['sleep', '1000'])\n"
        "monitor = subprocess.Popen([relay, 'monitor'], text=True, stderr=subprocess.PIPE)\n")

    def in_a_name_space(self, script, audience, **options):
        """A relay and a monitor by themselves: other relays of this machine live on."""
        unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc",
                   "--kill-child"]
        try:
            possible = subprocess.run([*unshare, "true"], capture_output=True, timeout=WAIT_S,
                                      check=False).returncode == 0
        except FileNotFoundError:
            possible = False
        if not possible:
            self.skipTest("no process name spaces here (unshare)")
        result = subprocess.run(
            [*unshare, sys.executable, "-c", self.SERVE + script, relay_support.relay_binary()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=6 * WAIT_S,
            check=False, env=relay_support.relay_environment(
                RELAY_MONITOR_AUDIENCE=audience, RELAY_MONITOR_SECRET=SECRET,
                RELAY_MONITOR_INTERVAL="50ms", **options))
        self.assertEqual(result.returncode, 0, result)
        return result

    def test_an_empty_command_kills_relay_serve(self):
        result = self.in_a_name_space(
            "print('serve', serve.wait(60), flush=True)\n"
            "assert other.poll() is None and monitor.poll() is None\n"
            "monitor.terminate()\n"
            "print(monitor.communicate(timeout=60)[1])\n"
            "print('monitor', monitor.wait(60), flush=True)\n", "http://127.0.0.1:1",
            RELAY_MONITOR_THRESHOLD="0s", RELAY_MONITOR_NO_RETRIGGER_WITHIN="300ms")
        self.assertIn(f"serve -{int(signal.SIGKILL)}\n", result.stdout)
        self.assertIn("monitor 0\n", result.stdout)
        self.assertIn("the relay may be down: checking on new connections", result.stdout)
        self.assertIn("relay serve was killed", result.stdout)

    def test_a_relay_that_answers_on_new_connections_is_left_alone(self):
        server = self.enterContext(contextlib.closing(Echo()))
        server.delay_s = 0.5
        heads = []

        def script(connection, _):
            heads.append(connection.read_head())
            if len(heads) == 3:  # the first of the new connections
                server.delay_s = 0
            connection.send(uri_answer(server.url))
        access = self.server(script)
        result = self.in_a_name_space(
            "for line in monitor.stderr:\n"
            "    if 'and is left alone' in line:\n"
            "        break\n"
            "print('alive', serve.poll() is None, monitor.poll() is None)\n"
            "monitor.terminate()\n"
            "monitor.stderr.read()\n"
            "print('monitor', monitor.wait(60), flush=True)\n",
            f"http://127.0.0.1:{access.port}", RELAY_MONITOR_THRESHOLD="300ms")
        self.assertIn("alive True True\n", result.stdout)
        self.assertIn("monitor 0\n", result.stdout)
        self.assertIn("triggered 0,", result.stdout)


if __name__ == "__main__":
    relay_support.main()
