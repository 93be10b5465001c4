"""A relay that is followed by new programs: hand-overs, and the processes that they leave.

A test program becomes the reaper of what its children leave behind, so that it learns how each
process ended, and nothing outlives it.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import relay_support
from relay_support import Relay, RelayTestCase, TIME_SCALE, WAIT_S, wait_until

_PR_SET_CHILD_SUBREAPER = 36
# A file that is open for writing in a process cannot be run (ETXTBSY): one that is started while
# another thread writes a program has its descriptor for a moment.
FILES = threading.Lock()
TRIES = 3 if TIME_SCALE == 1.0 else 12  # emulated ones share a real processor
STARVED = ("it took too long", "its disk does not answer", "did not get it in time",
           "a worker hangs since the last try")
HANDED_OVER, REFUSED = "handed over", "not handed over, this program goes on"


def read_word(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def become_reaper():
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


class Follower:
    """The process of a program that took over, as subprocess.Popen would have it."""

    def __init__(self, pid, stdout, stderr):
        self.pid, self.stdout, self.stderr, self.returncode = pid, stdout, stderr, None

    def poll(self):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return None  # of the program before it, which still is there
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("relay serve", timeout)
            time.sleep(0.005)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Succession(Relay):
    """A relay that is started from a file of its own, which a test may replace."""

    def __init__(self, **options):
        become_reaper()
        self.folder = tempfile.TemporaryDirectory()
        self.program = os.path.join(self.folder.name, "relay")
        self.before = []  # processes that handed over
        os.link(relay_support.relay_binary(), self.program)
        with FILES:
            super().__init__(binary=self.program, **options)

    def replace(self, text=None):
        """Another program stands in the file: a script, or the relay again as another file."""
        other = self.program + ".new"
        with FILES:
            if text is None:
                shutil.copy2(relay_support.relay_binary(), other)
            else:
                with open(other, "w", encoding="utf-8") as file:
                    file.write(text)
                os.chmod(other, 0o755)
        os.rename(other, self.program)

    def hand_over(self, by=signal.SIGUSR2):
        """Returns the line of the program that handed over; `process` is the new one. A machine
        that starves the programs may make them miss a deadline: then it is tried again."""
        for _ in range(TRIES):
            since = len(self.lines)
            self.process.send_signal(by)
            line = wait_until(lambda: self.outcome(since), "the end of a hand-over", 3 * WAIT_S)
            if not any(reason in line.get("reason", "") for reason in STARVED):
                break
        return self.follow(line, since)

    def follow(self, line, since):
        """The program that takes over, by that line, becomes `process`."""
        assert line["msg"] == HANDED_OVER, line["reason"]
        self.wait_line("listening", since)
        self.before.append(self.process)
        self.process = Follower(line["pid"], self.process.stdout, self.process.stderr)
        return line

    def outcome(self, since):
        lines = self.lines_of(HANDED_OVER, since) + self.lines_of(REFUSED, since)
        return lines[0] if lines else None

    def refused(self, by=signal.SIGUSR2, timeout_s=WAIT_S):
        """The reason why it did not hand over."""
        since = len(self.lines)
        self.process.send_signal(by)
        return self.wait_line(REFUSED, since, timeout_s=timeout_s)["reason"]

    def deny(self, booking):
        return self.request("POST", f"/bids/deny?bid={booking}&exp={int(time.time()) + 300}",
                            {"Authorization": self.token(scopes=("relay:admin",))})

    def denied(self):
        reply = self.request("GET", "/bids/deny",
                             {"Authorization": self.token(scopes=("relay:admin",))})
        return sorted(reply.json()["booking_ids"])

    def wait_before(self, timeout_s=WAIT_S, status=0):
        """All programs before this one have ended, in order."""
        for process in self.before:
            ended = process.wait(timeout_s)
            assert ended == status, f"exit status {ended}: " + self.tail()
        self.before.clear()
        wait_until(self.has_no_errands, "the end of the thread that passed denials on")

    def has_no_errands(self):
        """Nothing is passed on to a program before this one any more."""
        try:
            tasks = [f"/proc/{self.process.pid}/task/{each}/comm"
                     for each in os.listdir(f"/proc/{self.process.pid}/task")]
            return "errands" not in [read_word(task) for task in tasks]
        except (FileNotFoundError, ProcessLookupError):
            return self.process.poll() is not None

    def stop(self, by=signal.SIGTERM):
        for process in self.before:
            process.send_signal(signal.SIGTERM)
        self.wait_before()
        return super().stop(by)

    def kill(self):
        for process in self.before:
            process.kill()
            process.wait()
        self.before.clear()
        super().kill()
        self.folder.cleanup()


class SuccessionTestCase(RelayTestCase):
    def start(self, **options):
        relay = Succession(**options)
        self.addCleanup(self._stop, relay)
        return relay
