"""How `relay serve` starts, and how it declines to: one line that says what is wrong, status 1.

Method: the program is run with wrong, missing or impossible settings; io_uring is taken away with
a seccomp filter, as containers do it.
"""

import errno
import os
import socket
import sys
import tempfile
import time
import unittest

import relay_support
from relay_support import AUDIENCE, RelayTestCase, relay_run

SECRET = "a secret that must not be seen"
REQUIRED = ("RELAY_AUDIENCE", "RELAY_SECRET", "RELAY_URL")


class Startup(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.ports = [relay_support.ReservedPort(), relay_support.ReservedPort()]
        for port in self.ports:
            self.addCleanup(port.release)

    def environment(self, **changes):
        return {"RELAY_AUDIENCE": AUDIENCE, "RELAY_URL": "ws://relay.test", "RELAY_SECRET": SECRET,
                "RELAY_PORT_ACCESS": str(self.ports[0].number),
                "RELAY_PORT_RELAY": str(self.ports[1].number), "RELAY_STORE": "memory",
                "RELAY_LOG_FILE": "stdout",
                "RELAY_WORKERS": "1", **changes}

    def check_declined(self, done, *words):
        """Status 1 and exactly one line, which names what is wrong."""
        self.assertEqual(done.returncode, 1, done)
        lines = [line for line in (done.stdout + done.stderr).split("\n") if line]
        self.assertEqual(len(lines), 1, done)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertNotIn(SECRET, lines[0])
        return lines[0]

    def test_each_missing_required_option_is_named_on_stdout(self):
        for name in REQUIRED:
            for value in (None, ""):
                with self.subTest(name=name, value=value):
                    done = relay_run("serve", **self.environment(**{name: value}))
                    self.assertEqual((done.returncode, done.stdout), (1, f"You must set {name}\n"))

    def test_all_missing_options_are_named(self):
        done = relay_run("serve", RELAY_LOG_FILE="stdout")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(sorted(done.stdout.splitlines()),
                         sorted(f"You must set {name}" for name in REQUIRED))

    def test_bad_values(self):
        for name, value in (
                ("RELAY_PORT_ACCESS", "x"), ("RELAY_PORT_ACCESS", "-1"),
                ("RELAY_PORT_ACCESS", "65536"), ("RELAY_PORT_RELAY", "3001x"),
                ("RELAY_PORT_RELAY", "1e3"), ("RELAY_WORKERS", "-1"), ("RELAY_WORKERS", "many"),
                ("RELAY_WORKERS", "1000000"), ("RELAY_LOG_LEVEL", "loud"),
                ("RELAY_LOG_FORMAT", "xml"), ("RELAY_PRIVACY", "maybe"),
                ("RELAY_QUEUE_BYTES", "lots"), ("RELAY_QUEUE_BYTES", "-5"),
                ("RELAY_CONNECTIONS_MAX", "0"), ("RELAY_CONNECTIONS_MAX", "x"),
                ("RELAY_HANDSHAKE_TIMEOUT", "soon"), ("RELAY_HANDSHAKE_TIMEOUT", "-1s"),
                ("RELAY_CODE_TTL", "30"), ("RELAY_CODE_TTL", "1x"),
                ("RELAY_BUFFER_SIZE", "x"), ("RELAY_URL", "https://relay.test"),
                ("RELAY_URL", "relay.test"), ("RELAY_URL", "wss://relay.test/"),
                ("RELAY_URL", "wss://"), ("RELAY_URL", "wss://relay.test "),
                ("RELAY_AUDIENCE", "relay.test"), ("RELAY_AUDIENCE", "wss://relay.test"),
                ("RELAY_AUDIENCE", "https://relay.test\n"), ("RELAY_PUBLISH_RATE", "4MB"),
                ("RELAY_PUBLISH_RATE", "4M;200"), ("RELAY_TOPIC_POLICY", "t0=newest")):
            with self.subTest(name=name, value=value):
                done = relay_run("serve", **self.environment(**{name: value}))
                self.check_declined(done, name)

    def test_the_wording_for_a_url_that_clients_could_not_use(self):
        done = relay_run("serve", **self.environment(RELAY_URL="wss://relay.test/ed0/"))
        self.assertEqual((done.stdout, done.stderr),
                         ("RELAY_URL=wss://relay.test/ed0/ ends with a slash: remove it, as the "
                          "path is continued with one\n", ""))

    def test_an_audience_with_a_slash_is_the_audience_of_tokens_with_one(self):
        audience = "https://relay.test/"
        with relay_support.Relay(RELAY_AUDIENCE=audience) as relay:
            relay.wait_line("RELAY_AUDIENCE ends with a slash: only tokens with the slash are "
                            "accepted")
            self.assertEqual(relay.session("t0", relay.token(aud=[audience])).status, 200)

    def test_the_wording_for_a_bad_log_level(self):
        done = relay_run("serve", **self.environment(RELAY_LOG_LEVEL="loud"))
        self.assertEqual((done.stdout, done.stderr),
                         ("RELAY_LOG_LEVEL can be trace, debug, info, warn, error, fatal or panic "
                          "but not loud\n", ""))

    def test_the_wording_for_a_bad_duration(self):
        done = relay_run("serve", **self.environment(RELAY_STATS_EVERY="soon"))
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (1, "cannot parse duration in RELAY_STATS_EVERY=soon\n", ""))

    def test_empty_variables_are_as_if_they_were_not_set(self):
        names = ("RELAY_LOG_LEVEL", "RELAY_LOG_FORMAT", "RELAY_BUFFER_SIZE", "RELAY_STATS_EVERY",
                 "RELAY_KTLS", "RELAY_TLS_MIN", "RELAY_SECRETS_FILE", "RELAY_PUBLIC_KEYS",
                 "RELAY_HMAC_ALGORITHMS", "RELAY_ALLOW_NO_BOOKING_ID", "RELAY_TRUSTED_PROXIES")
        with relay_support.Relay(**dict.fromkeys(names, "")) as relay:
            self.assertEqual(relay.session("t0", relay.token()).status, 200)
        for name in ("RELAY_AUDIENCE", "RELAY_URL", "RELAY_SECRET"):
            self.check_declined(relay_run("serve", **self.environment(**{name: ""})), name)

    def test_unknown_flags_and_arguments(self):
        for arguments in (("--no-such-flag",), ("--no-such-flag=1",), ("-x",), ("argument",),
                          ("--port-access",)):
            with self.subTest(arguments=arguments):
                self.check_declined(relay_run("serve", *arguments, **self.environment()))

    def test_flags_win_over_the_environment(self):
        done = relay_run("serve", "--log-level", "loud", **self.environment())
        self.check_declined(done, "loud")

    def test_a_busy_port(self):
        for option in ("RELAY_PORT_ACCESS", "RELAY_PORT_RELAY"):
            addresses = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")]
            if relay_support.has_ipv6():
                addresses.append((socket.AF_INET6, "::"))
            for family, address in addresses:
                with self.subTest(option=option, address=address), \
                        socket.socket(family, socket.SOCK_STREAM) as busy:
                    busy.bind((address, 0))
                    busy.listen()
                    port = str(busy.getsockname()[1])
                    done = relay_run("serve", **self.environment(**{option: port}))
                    self.check_declined(done, port)

    def test_another_relay_on_the_port_is_noticed(self):
        """SO_REUSEPORT alone would let two servers share the port and halve the audience."""
        with relay_support.Relay() as relay:
            done = relay_run("serve", **self.environment(
                RELAY_PORT_ACCESS=str(relay.access_port)))
            self.check_declined(done, str(relay.access_port))

    def test_a_secret_from_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "secret")
            with open(path, "w", encoding="utf-8") as file:
                file.write(SECRET + "\n")
            with relay_support.Relay(RELAY_SECRET=None, RELAY_SECRET_FILE=path) as relay:
                relay.secret = SECRET
                self.assertEqual(relay.session("t0", relay.token()).status, 200)

    def test_secret_files_that_cannot_be_used(self):
        with tempfile.TemporaryDirectory() as folder:
            empty, huge = os.path.join(folder, "empty"), os.path.join(folder, "huge")
            for path, size in ((empty, 0), (huge, 1_000_000)):
                with open(path, "wb") as file:
                    file.write(b"x" * size)
            for path in (os.path.join(folder, "absent"), folder, empty, huge):
                with self.subTest(path=os.path.basename(path)):
                    done = relay_run("serve", **self.environment(RELAY_SECRET=None,
                                                                 RELAY_SECRET_FILE=path))
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(done.stdout + done.stderr, "RELAY_SECRET")

    def test_secret_files_with_what_cannot_be_seen_are_refused_with_the_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "secret")
            for data, reason in ((b"\xef\xbb\xbf" + SECRET.encode(), "a byte order mark"),
                                 (SECRET.encode() + b" \n", "ends with a blank"),
                                 (SECRET.encode("utf-16"), "not UTF-16")):
                with self.subTest(reason=reason):
                    with open(path, "wb") as file:
                        file.write(data)
                    done = relay_run("serve", **self.environment(RELAY_SECRET=None,
                                                                 RELAY_SECRET_FILE=path))
                    self.assertIn(reason, self.check_declined(done, "RELAY_SECRET_FILE"))
                    done = relay_run("token", RELAY_TOKEN_SECRET_FILE=path,
                                     RELAY_TOKEN_LIFETIME="9", RELAY_TOKEN_TOPIC="t0",
                                     RELAY_TOKEN_AUDIENCE=AUDIENCE)
                    self.assertEqual((done.returncode, done.stdout), (1, ""))
                    self.assertIn(reason, done.stderr)

    def test_help_lists_every_option(self):
        done = relay_run("serve", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for name in (*REQUIRED, "RELAY_SECRET_FILE", "RELAY_PORT_ACCESS", "RELAY_PORT_RELAY",
                     "RELAY_LOG_FILE", "RELAY_LOG_LEVEL", "RELAY_LOG_FORMAT", "RELAY_WORKERS",
                     "RELAY_BUFFER_SIZE", "RELAY_ALLOW_NO_BOOKING_ID"):
            self.assertIn(name, done.stdout)

    def test_io_uring_refused(self):
        launcher = os.path.join(relay_support.SOURCE, "tests", "support", "uring_refused.py")
        for name, cause in (("EPERM", "seccomp"), ("ENOSYS", "kernel")):
            with self.subTest(name):
                done = relay_run("serve", launcher=(sys.executable, launcher, name),
                                 **self.environment())
                line = self.check_declined(done, "io_uring")
                self.assertRegex(line, f"(?i){cause}|{os.strerror(getattr(errno, name))}")

    @unittest.skipUnless(os.path.exists("/proc/sys/kernel/io_uring_disabled"),
                         "this kernel has no io_uring_disabled")
    def test_io_uring_is_not_called_disabled_where_it_is_not(self):
        with open("/proc/sys/kernel/io_uring_disabled", encoding="ascii") as setting:
            if setting.read().strip() != "0":
                self.skipTest("io_uring is disabled on this machine")
        with relay_support.Relay() as relay:
            self.assertTrue(relay.listening)


class Started(RelayTestCase):
    def test_it_says_where_it_listens(self):
        relay = self.start(RELAY_WORKERS="3")
        self.assertEqual((relay.listening["access_port"], relay.listening["relay_port"],
                          relay.listening["workers"]),
                         (relay.access_port, relay.relay_port, 3))
        self.assertEqual(len(relay.lines_of("listening")), 1)

    def test_it_listens_by_the_time_it_says_so(self):
        for _ in range(5):
            relay = self.start()
            self.assertEqual(relay.session("t0", relay.token()).status, 200)
            relay.stop()

    def test_it_starts_quickly(self):
        start = time.monotonic()
        self.start()
        self.assertLess(time.monotonic() - start, 2.0 * relay_support.TIME_SCALE)

    @unittest.skipIf(relay_support.SANITIZED, "sanitizers have memory of their own")
    def test_its_tables_take_memory_when_they_are_used(self):
        """65,536 connections and codes, and twice as many bookings, have their places."""
        relay = self.start(RELAY_WORKERS="2")
        print(f"{relay.rss_bytes()} bytes are resident")
        self.assertLess(relay.rss_bytes(), 12 << 20)

    def test_a_buffer_size_out_of_range_is_replaced_with_a_warning(self):
        for value in ("0", "513", "-1"):
            relay = self.start(RELAY_BUFFER_SIZE=value)
            self.assertTrue([line for line in relay.lines if line.get("level") == "warning"
                             and "RELAY_BUFFER_SIZE" in str(line)], relay.tail())
            relay.stop()

    def test_a_log_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "relay.log")
            relay = self.start(RELAY_LOG_FILE=path, wait=False)
            relay_support.wait_until(lambda: self.content(path).count("listening") == 1,
                                     "the line in the file")
            relay.process.terminate()
            relay.process.wait(relay_support.WAIT_S)
            self.assertEqual(relay.process.returncode, 0)
            self.assertIn("stopped", self.content(path))
            self.assertEqual(relay.output, [])

    def content(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    def test_text_logs(self):
        relay = self.start(RELAY_LOG_FORMAT="text", wait=False)
        relay_support.wait_until(lambda: any("listening" in line for line in relay.output),
                                 "the line")
        self.assertRegex(relay.output[0], r"^\d{4}-\d\d-\d\dT")
        relay.process.terminate()
        relay.process.wait(relay_support.WAIT_S)
        self.assertEqual(relay.process.returncode, 0)

    def test_levels_hide_what_is_below_them(self):
        relay = self.start(RELAY_LOG_LEVEL="error", wait=False)
        relay_support.wait_until(lambda: self.accepts(relay), "the server to listen")
        relay.session("t0", relay.token())
        relay.process.terminate()
        relay.process.wait(relay_support.WAIT_S)
        self.assertEqual((relay.process.returncode, relay.output), (0, []))

    def accepts(self, relay):
        try:
            relay_support.RawClient(relay.access_port).kill()
            return True
        except ConnectionRefusedError:
            return False


class Version(unittest.TestCase):
    def test_version(self):
        done = relay_run("version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^\d+\.\d+\.\d+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$")

    def test_unknown_commands(self):
        done = relay_run("no-such-command")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-command", done.stdout + done.stderr)


if __name__ == "__main__":
    relay_support.main()
