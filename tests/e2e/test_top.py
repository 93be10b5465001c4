"""relay top on a terminal, and for scripts: figures of a running relay, keys, sizes of the window,
and a relay that goes and comes back.

Method: the program on a pseudo terminal whose last picture the test reads, with its colours taken
out; a relay with an admin listener on a socket of its own.
"""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import tempfile
import termios
import threading

import relay_support
from relay_support import RelayTestCase, relay_binary, relay_run, wait_until
from ws_raw import BINARY

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
INTERVAL = "300ms"


class Screen:
    """relay top on a terminal of so many columns and lines."""

    def __init__(self, path, *flags, columns=100, lines=20):
        self.near, far = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(far)
        self.far, self.shown, self.lock = far, b"", threading.Lock()
        self.process = subprocess.Popen(
            [relay_binary(), "top", f"--admin-listen={path}", f"--interval={INTERVAL}", *flags],
            stdin=far, stdout=far, stderr=far, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while data := os.read(self.near, 65536):
                with self.lock:
                    self.shown += data
        except OSError:
            pass  # the terminal was closed

    def resize(self, columns, lines):
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, keys):
        os.write(self.near, keys.encode())

    def picture(self):
        """The lines of the last whole picture."""
        with self.lock:
            drawn = self.shown.split(b"\x1b[H")
        whole = drawn[-2 if len(drawn) > 2 else -1].decode()
        return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", whole).split("\n")

    def see(self, part):
        return wait_until(lambda: (lines := self.picture()) and part in "\n".join(lines) and lines,
                          f"{part!r} on the screen, which has {self.picture()}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self.near, self.far):
            os.close(descriptor)
        self.reader.join()


class Top(RelayTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "admin.sock")

    def start(self, **options):
        return super().start(**{"RELAY_ADMIN_LISTEN": self.path, **options})

    def screen(self, *flags, **size):
        screen = Screen(self.path, *flags, **size)
        self.addCleanup(screen.close)
        return screen

    def stream(self, relay, topic, size=1000):
        """A publisher that sends until the test ends, and a viewer that takes it."""
        publisher, viewer = self.track(relay.publisher(topic)), self.track(relay.viewer(topic))
        ended = threading.Event()

        def send():
            while not ended.wait(0.02):
                publisher.send_frame(BINARY, b"x" * size)
                viewer.frame()

        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)

    def test_topics_and_connections_of_a_running_relay(self):
        relay = self.start()
        self.stream(relay, "busy")
        self.track(relay.viewer("calm"))
        screen = self.screen()
        lines = screen.see("bit/s  out ")
        self.assertRegex(lines[0], r"^relay \S+  ready  up \S+  3 WebSockets  4 connections")
        lines = wait_until(
            lambda: (seen := screen.picture()) and seen[4].startswith("busy ")
            and not seen[4].split()[5].startswith(("-", "0")) and seen, "the busy topic on top")
        self.assertEqual(lines[4].split()[:3], ["busy", "1", "1"])
        self.assertEqual([len(each) <= 100 for each in lines], [True] * len(lines))
        self.assertEqual(len(lines), 20)
        screen.type("n")
        screen.see("by name")
        screen.type("r")
        wait_until(lambda: screen.picture()[4].startswith("stats "), "the order to be reversed")
        screen.type("c")
        lines = screen.see("ADDRESS")
        lines = screen.see("busy ")
        self.assertTrue(any(re.match(r"busy +-w ", line) for line in lines), lines)
        screen.type("q")
        self.assertEqual(screen.process.wait(relay_support.WAIT_S), 0)
        self.assertEqual(termios.tcgetattr(screen.far), screen.before)
        wait_until(lambda: screen.shown.rstrip().endswith(LEAVE), "the screen to be left")

    def test_a_window_of_any_size(self):
        self.start()
        screen = self.screen("--sort=name", columns=120, lines=10)
        screen.see("MSG/S")
        for columns, expected, missing in ((66, "LOST", "LOST/S"), (40, "VIEW", "PUB"),
                                           (24, "VIEW", "OUT")):
            screen.resize(columns, 10)
            lines = wait_until(
                lambda: (seen := screen.picture()) and len(seen) == 10 and expected in seen[3]
                and missing not in seen[3] and seen, f"the columns of {columns}")
            self.assertLessEqual(max(map(len, lines)), columns)
        screen.resize(20, 3)
        screen.see("window too small")
        screen.resize(80, 24)
        screen.see("1 connections")
        screen.type("\x03")
        self.assertEqual(screen.process.wait(relay_support.WAIT_S), 0)

    def test_a_relay_that_goes_and_comes_back(self):
        screen = self.screen()
        screen.see("nothing seen yet")
        screen.see("No such file or directory")
        relay = self.start()
        screen.see("ready  up")
        relay.kill()
        relay.process.wait()
        screen.see("no answer for")
        self.start()
        wait_until(lambda: screen.picture()[2] == "", "the relay to be back")
        screen.type("q")
        self.assertEqual(screen.process.wait(relay_support.WAIT_S), 0)

    def test_stopped_and_continued(self):
        self.start()
        screen = self.screen()
        screen.see("ready  up")
        screen.type("\x1a")
        pid, status = os.waitpid(screen.process.pid, os.WUNTRACED)
        self.assertTrue(pid and os.WIFSTOPPED(status))
        self.assertEqual(termios.tcgetattr(screen.far), screen.before)
        screen.process.send_signal(signal.SIGCONT)
        wait_until(lambda: screen.shown.count(ENTER) == 2, "the screen to be entered again")
        screen.type("q")
        self.assertEqual(screen.process.wait(relay_support.WAIT_S), 0)

    def top(self, *flags):
        return relay_run("top", f"--admin-listen={self.path}", f"--interval={INTERVAL}", *flags)

    def test_for_scripts(self):
        done = self.top("--once")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"relay top: no answer of {self.path}: No such file or directory",
                      done.stderr)
        relay = self.start()
        self.stream(relay, "busy")
        done = self.top("--once")
        self.assertEqual(done.returncode, 0)
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()[:2]],
                         ["TOPIC", "busy"])
        topic = json.loads(self.top("--once", "--json").stdout)["topics"][0]
        self.assertEqual((topic["topic"], topic["publishers"], topic["viewers"]), ("busy", 1, 1))
        self.assertGreater(topic["bits_received_per_s"], 0)
        listed = json.loads(self.top("--once", "--json", "--connections").stdout)
        self.assertEqual({each["topic"] for each in listed["connection_list"]}, {"busy", "stats"})
        done = self.top()
        self.assertEqual(done.returncode, 1)
        self.assertIn("no terminal; use --once or --json", done.stderr)


if __name__ == "__main__":
    relay_support.main()
