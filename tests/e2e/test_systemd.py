"""The server as a service of systemd: what it tells systemd, sockets and secrets that it gets.

Method: the test's own socket in place of systemd's; a launcher that passes sockets as a socket unit
does, and systemd's own one where it is installed; a worker that hangs because a debugger holds it.
"""

import os
import shutil
import signal
import sys
import tempfile
import time

import relay_support
from fake_systemd import Systemd
from held_thread import HeldThread
from relay_support import AUDIENCE, RelayTestCase, relay_run, wait_until
from ws_raw import TEXT

PASS_SOCKETS = os.path.join(os.path.dirname(relay_support.__file__), "pass_sockets.py")
WATCHDOG_S = 2.0 * relay_support.TIME_SCALE


class Service(RelayTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.systemd = Systemd(self.folder)
        self.addCleanup(self.systemd.socket.close)

    def test_systemd_hears_of_start_reload_and_stop(self):
        relay = self.start(NOTIFY_SOCKET=self.systemd.path)
        ready = self.systemd.hear(lambda message: message.startswith("READY=1"))
        self.assertIn("STATUS=connections: 0", ready)
        viewer = self.track(relay.viewer())
        relay.process.send_signal(signal.SIGHUP)
        begun = self.systemd.hear(lambda message: message.startswith("RELOADING=1"))
        usec = int(begun.split("MONOTONIC_USEC=")[1].split("\n")[0])
        self.assertLessEqual(usec, time.monotonic_ns() // 1000)
        self.systemd.hear(lambda message: message.startswith("READY=1") and "topics: 1" in message)
        viewer.kill()
        relay.stop()
        self.systemd.hear(lambda message: message.startswith("STOPPING=1"))
        self.assertFalse([each for each in self.systemd.heard if "WATCHDOG" in each])

    def test_without_a_usable_socket_the_service_runs_and_says_so(self):
        relay = self.start(NOTIFY_SOCKET="relative")
        relay.wait_line("NOTIFY_SOCKET cannot be used: systemd does not hear that the service is "
                        "ready")
        self.assertEqual(relay.session("t0", relay.token()).status, 200)

    def test_a_worker_that_hangs_is_noticed(self):
        relay = self.start(NOTIFY_SOCKET=self.systemd.path,
                           WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6)))

        def is_alive(message):
            return message == "WATCHDOG=1"

        for _ in range(4):
            self.systemd.hear(is_alive)
        try:
            held = HeldThread(relay.process.pid, "worker 1").__enter__()
        except PermissionError:
            self.skipTest("no thread can be held here: ptrace is refused")
        try:
            hangs = relay.wait_line("a worker hangs; systemd starts the service again after "
                                    "WatchdogSec")
            self.assertEqual(hangs["worker"], 1)
            self.systemd.forget()
            self.systemd.hear(lambda message: message.startswith("STATUS="))
            self.assertEqual(len(self.systemd.heard), 1, "alive only while every worker is")
        finally:
            held.__exit__()
        relay.wait_line("all workers turn again")
        self.systemd.hear(is_alive)

    def test_secrets_are_credentials(self):
        secret = "a secret of the credentials folder"
        with open(os.path.join(self.folder, "secret"), "w", encoding="ascii") as file:
            file.write(secret + "\n")
        relay = self.start(launcher=("env", "-u", "RELAY_SECRET"), RELAY_SECRET=secret,
                           RELAY_SECRET_FILE="secret", CREDENTIALS_DIRECTORY=self.folder)
        self.assertEqual(relay.session("t0", relay.token()).status, 200)

    def test_a_missing_credential_is_named(self):
        done = relay_run("serve", RELAY_SECRET_FILE="other", CREDENTIALS_DIRECTORY=self.folder,
                         RELAY_AUDIENCE=AUDIENCE, RELAY_URL="ws://relay.test")
        self.assertEqual((done.returncode, done.stdout),
                         (1, "cannot read RELAY_SECRET_FILE=other: No such file or directory\n"))


class Activation(RelayTestCase):
    def activated(self, *names, **options):
        """A server that gets a socket for each port that has a name."""
        ports = [relay_support.ReservedPort(), relay_support.ReservedPort()]
        for port in ports:
            self.addCleanup(port.release)
        pairs = [f"{name}={port.number}" for name, port in zip(names, ports) if name is not None]
        relay = self.start(launcher=(sys.executable, PASS_SOCKETS, *pairs, "--"),
                           RELAY_PORT_ACCESS=ports[0].number, RELAY_PORT_RELAY=ports[1].number,
                           RELAY_URL=f"ws://127.0.0.1:{ports[1].number}", **options)
        relay.access_port, relay.relay_port = (port.number for port in ports)
        return relay

    def check(self, relay):
        self.assertEqual(relay.listening["access_port"], relay.access_port)
        self.assertEqual(relay.listening["relay_port"], relay.relay_port)
        viewer = self.track(relay.viewer())
        publisher = self.track(relay.publisher())
        publisher.send_frame(TEXT, b"hello")
        self.assertEqual(viewer.frame().payload, b"hello")

    def test_sockets_are_found_by_name_and_by_port(self):
        for names in (("access", "relay"), ("relay.socket", "relay.socket"), ("", "relay")):
            with self.subTest(names=names):
                self.check(self.activated(*names))

    def test_all_workers_accept_on_a_shared_socket(self):
        relay = self.activated("access", "relay", RELAY_WORKERS="3", RELAY_PLACEMENT="accept")
        for client in relay.raw_on_workers(3):
            self.track(client)

    def test_a_port_that_the_unit_forgot_is_opened_and_named(self):
        relay = self.activated("access", None)
        line = relay.wait_line("systemd passed a socket for one port only, the other was opened "
                               "here; cure: a ListenStream= for it in the socket unit")
        self.assertEqual(line["opened_here"], relay.relay_port)
        self.check(relay)

    def test_a_socket_of_no_port_ends_the_start(self):
        port = relay_support.ReservedPort()
        self.addCleanup(port.release)
        done = relay_run("serve", launcher=(sys.executable, PASS_SOCKETS, f"web={port.number}",
                                            "--"),
                         RELAY_AUDIENCE=AUDIENCE, RELAY_URL="ws://relay.test", RELAY_SECRET="s",
                         RELAY_STORE="memory", RELAY_LOG_FILE="stdout", RELAY_PORT_ACCESS="0",
                         RELAY_PORT_RELAY="0")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done)
        self.assertIn(f'("web", port {port.number})', done.stderr)
        self.assertIn("ListenStream=", done.stderr)

    def test_by_systemds_own_launcher(self):
        launcher = shutil.which("systemd-socket-activate")
        if launcher is None:
            self.skipTest("no systemd-socket-activate here (package systemd)")
        ports = [relay_support.ReservedPort(), relay_support.ReservedPort()]
        numbers = [port.number for port in ports]
        for port in ports:
            port.release()  # systemd opens it without SO_REUSEPORT
        passed = [f"-ERELAY_{name}" for name in (
            "AUDIENCE", "URL", "SECRET", "PORT_ACCESS", "PORT_RELAY", "LOG_FILE", "STORE",
            "LOG_LEVEL", "LOG_FORMAT", "WORKERS", "PING_INTERVAL")]
        relay = self.start(
            wait=False, launcher=(launcher, *(f"-l127.0.0.1:{number}" for number in numbers),
                                  "--fdname=relay.socket", *passed),
            RELAY_PORT_ACCESS=numbers[0], RELAY_PORT_RELAY=numbers[1],
            RELAY_URL=f"ws://127.0.0.1:{numbers[1]}")
        relay.access_port, relay.relay_port = numbers

        def first_answer():
            try:
                return relay.session("t0", relay.token())
            except ConnectionRefusedError:
                return None

        self.assertEqual(wait_until(first_answer, "systemd to listen").status, 200)
        relay.listening = relay.wait_line("listening")
        self.check(relay)


if __name__ == "__main__":
    relay_support.main()
