"""Autobahn|Testsuite itself, its 301 cases without compression, against the server (with an echo
peer on the same topic, see echo_door.py) and against the client library.

The cases of groups 12 and 13 are of permessage-deflate, which neither offers, by design. What may
come out otherwise than OK is listed here with its reason. cases.py has the same cases for machines
on which the suite cannot run.
"""

import json
import os
import pathlib
import selectors
import subprocess
import tempfile
import unittest

import relay_support
import ws_peer
from echo_door import EchoDoor
from relay_support import ReservedPort, SANITIZED, TIME_SCALE, WAIT_S, wait_until

HERE = pathlib.Path(__file__).resolve().parent
DRIVER = os.path.join(relay_support.BUILD, "tests", "client", "client_driver")
QUIET_S = 60 * TIME_SCALE  # no case takes longer
AGENT = "relay"

# Their outcome is for information only, whatever it is.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
# 16 MiB, above the 10 MiB of a message (docs/protocol.md): closed with 1009.
TOO_BIG = {"9.1.6", "9.2.6"}
# A message, then a fault in the same segment. Strict is to echo the message first; behind a relay
# the echo comes from another client, when the connection at fault has failed already.
ECHO_TOO_LATE = {"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"}
CASES_COUNT = 301
# Sanitized, megabytes in small frames take minutes and find nothing more.
EXCLUDED = ["12.*", "13.*"] + (["9.3.*", "9.4.*", "9.5.*", "9.6.*"] if SANITIZED else [])
SANITIZED_COUNT = CASES_COUNT - 30


def fetch():
    """The folder of the suite; SkipTest with the reason where it cannot be had."""
    done = subprocess.run([HERE / "fetch_autobahn.sh"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise unittest.SkipTest(f"no Autobahn|Testsuite: {reason}")
    return pathlib.Path(done.stdout.strip())


def read_until_quiet(process, last=None):
    """What it says until its end, or until `last`; TimeoutError when it says nothing for long."""
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while last is None or last not in said:
            if not selector.select(QUIET_S):
                raise TimeoutError("nothing more was said after "
                                   + said.decode("utf-8", "replace")[-3000:])
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            said += data
    return said


class Suite:
    """One run of wstest; .outcomes() when it is over."""

    def __init__(self, wstest, mode, *arguments, **specification):
        self.folder = tempfile.TemporaryDirectory()
        self.reports = pathlib.Path(self.folder.name, "reports")
        path = pathlib.Path(self.folder.name, "spec.json")
        path.write_text(json.dumps({
            "outdir": str(self.reports), "cases": ["*"], "exclude-cases": EXCLUDED,
            "exclude-agent-cases": {}, **specification}), encoding="utf-8")
        self.process = subprocess.Popen(
            [wstest, "--mode", mode, "--spec", path, *arguments], stdin=subprocess.DEVNULL,
            # As a server it runs to the end of the test, which reads nothing of it.
            stdout=subprocess.PIPE if mode == "fuzzingclient" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT, cwd=self.folder.name,
            preexec_fn=relay_support.die_with_parent)

    def wait(self):
        """To its end, as long as it goes on with cases."""
        said = read_until_quiet(self.process)
        assert self.process.wait(WAIT_S) == 0, said.decode("utf-8", "replace")[-3000:]

    def outcomes(self):
        index = json.loads((self.reports / "index.json").read_text(encoding="utf-8"))
        return index[AGENT]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.folder.cleanup()


class AutobahnCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.wstest = fetch() / "wstest"

    def start(self, *arguments, **specification):
        suite = Suite(self.wstest, *arguments, **specification)
        self.addCleanup(suite.close)
        return suite

    def judge(self, outcomes, not_strict=frozenset()):
        self.assertEqual(len(outcomes), SANITIZED_COUNT if SANITIZED else CASES_COUNT)
        bad = {}
        for number, outcome in outcomes.items():
            result = outcome["behavior"], outcome["behaviorClose"]
            if number in TOO_BIG:
                good = outcome["remoteCloseCode"] == 1009
            elif number in INFORMATIONAL:
                good = result == ("INFORMATIONAL", "INFORMATIONAL")
            else:
                good = result == ("OK", "OK") or number in not_strict and \
                    result == ("NON-STRICT", "OK")
            if not good:
                bad[number] = result, outcome["remoteCloseCode"]
        self.assertEqual(bad, {})
        print(f"{len(outcomes)} cases")


class Server(AutobahnCase):
    def test_all_cases(self):
        with relay_support.Relay() as relay:
            door = EchoDoor(relay)
            try:
                suite = self.start("fuzzingclient", servers=[{"agent": AGENT, "url": door.url}])
                suite.wait()
            finally:
                door.close()
        self.judge(suite.outcomes(), not_strict=ECHO_TOO_LATE)


class Client(AutobahnCase):
    def setUp(self):
        self.port = ReservedPort()
        self.addCleanup(self.port.release)
        self.url = f"ws://127.0.0.1:{self.port.number}"

    def count_cases(self):
        try:
            with ws_peer.Peer(f"{self.url}/getCaseCount", timeout_s=WAIT_S) as peer:
                return int(peer.recv())
        except OSError:
            return 0  # it does not listen yet

    def drive(self, target):
        """The library as an echo, until the suite ends the connection."""
        process = subprocess.Popen(
            [DRIVER, f"location={self.url}/{target}", "token=none", "echo=1", "no_reconnect=1",
             "no_pings=1", "queue_bytes_max=16777216"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=relay_support.die_with_parent)
        try:
            process.stdin.write(b"start\n")
            process.stdin.flush()
            said = read_until_quiet(process, b'{"event":"failed"')
            self.assertIn(b'"fault":"closed"', said, target)
            _, errors = process.communicate(b"destroy\n", timeout=WAIT_S)
            self.assertEqual((process.returncode, errors), (0, b""), target)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def test_all_cases(self):
        suite = self.start("fuzzingserver", "--webport", "0", url=self.url)
        count = wait_until(self.count_cases, "the suite's server", QUIET_S)
        for number in range(1, count + 1):
            self.drive(f"runCase?case={number}&agent={AGENT}")
        self.drive(f"updateReports?agent={AGENT}")
        wait_until(lambda: (suite.reports / "index.json").exists(), "the report", QUIET_S)
        self.judge(suite.outcomes())


if __name__ == "__main__":
    relay_support.main()
