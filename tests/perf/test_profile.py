"""perf/profile.py leaves a flame graph, or says in one line why it cannot and what helps.

Method: the program with the perf of this machine, where that may record; otherwise, and for each
refusal, with a perf of the test's own.
"""

import argparse
import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree as xml

import relay_support

SOURCE = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
BUILD = pathlib.Path(os.environ.get("RELAY_BUILD") or SOURCE / "build" / "dev").resolve()
SVG = "{http://www.w3.org/2000/svg}"
HANGS_S = 1200

sys.path.insert(0, str(SOURCE / "perf" / "peers"))

import flame  # noqa: E402  # pylint: disable=wrong-import-position

specification = importlib.util.spec_from_file_location("relay_profile",
                                                       SOURCE / "perf" / "profile.py")
profile = importlib.util.module_from_spec(specification)
specification.loader.exec_module(profile)


def can_record(folder):
    """None, or why this machine's perf records nothing."""
    if shutil.which("perf") is None:
        return "perf is not installed"
    trial = subprocess.run(["perf", "record", "-e", "cpu-clock", "-g", "-o", f"{folder}/trial",
                            "--", "true"], capture_output=True, text=True, check=False, timeout=60)
    return None if trial.returncode == 0 else f"perf may not record here: {trial.stderr.strip()}"


class Profile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "picture.svg"

    def profile(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, SOURCE / "perf" / "profile.py", "--relay", BUILD / "relay", "--bench",
             BUILD / "perf" / "relay-bench", "--out", self.out, *arguments], capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL, timeout=HANGS_S,
            env={**os.environ, **environment})

    def test_a_flame_graph_of_a_load(self):
        reason = can_record(self.folder)
        if reason is not None:
            self.skipTest(reason)
        done = self.profile("--seconds", "2", "--call-graph", "fp", "--", "--viewers", "20",
                            "--rate", "200")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        titles = [each.text for each in xml.parse(self.out).getroot().iter(f"{SVG}title")]
        self.assertTrue(any(title.startswith("worker 0: ") for title in titles), titles)
        folded = self.out.with_suffix(".folded").read_text(encoding="utf-8").splitlines()
        samples = sum(int(line.rsplit(" ", 1)[1]) for line in folded)
        self.assertIn(f"{samples} samples", done.stdout)
        self.assertIn(f"all: {samples} samples, 100.0 %", titles)

    def expect_refusal(self, line, *arguments, **environment):
        done = self.profile(*arguments, **environment)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith(f"profile: {line}"), done.stderr)
        self.assertFalse(self.out.exists())

    def perf(self, script):
        """A folder with a perf that is this shell script."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "perf"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        path.chmod(0o755)
        return str(folder)

    def test_refusals_have_one_line_with_the_cure(self):
        self.expect_refusal("perf is not installed: apt install linux-perf",
                            PATH=str(self.folder / "nothing"))
        self.expect_refusal("the kernel forbids perf (kernel.perf_event_paranoid is ",
                            PATH=self.perf("echo Permission error mapping pages. >&2; exit 255"))
        self.expect_refusal("perf cannot record lbr-of-mars here: event syntax error; try another",
                            "--event", "lbr-of-mars",
                            PATH=self.perf("echo event syntax error >&2; exit 129"))
        self.expect_refusal("nothing can be left in /proc/nowhere: No such file",
                            "--out", "/proc/nowhere/picture.svg")
        self.expect_refusal(f"{self.folder} is a folder: name a file by --out",
                            "--out", self.folder)
        self.expect_refusal("/nowhere/relay is not there: build the release preset",
                            "--relay", "/nowhere/relay")

    def test_a_perf_that_records_nothing_is_said(self):
        here = self.perf("for last; do :; done; [ \"$last\" = true ]")
        done = self.profile("--seconds", "1", PATH=here + os.pathsep + os.environ["PATH"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("profile: perf recorded nothing: no reason given", done.stderr)


    def use(self, script):
        path = self.perf(script) + os.pathsep + os.environ["PATH"]
        environment = unittest.mock.patch.dict(os.environ, PATH=path)
        environment.start()
        self.addCleanup(environment.stop)

    def test_a_perf_script_that_fails_is_said(self):
        self.use("echo 'failed to open' >&2; exit 3")
        with self.assertRaisesRegex(profile.Refused,
                                    "^perf script failed with status 3: failed to open$"):
            profile.stacks_of(f"{self.folder}/perf.data")

    def test_a_perf_that_does_not_end_is_killed(self):
        is_deaf = self.folder / "deaf"
        self.use(f"trap '' INT; : >{is_deaf}; exec sleep 1000")
        options = argparse.Namespace(event="cpu-clock", frequency=9, call_graph="fp")
        with unittest.mock.patch.multiple(profile, PERF_BEGIN_S=0.1, PERF_END_S=0.1):
            recorder = profile.Recorder(options, os.getpid(), f"{self.folder}/perf.data")
            relay_support.wait_until(is_deaf.exists, "a shell that ignores SIGINT")
            self.assertFalse(recorder.begin())
            self.assertEqual(recorder.end(), (False, "no reason given"))
        self.assertEqual(recorder.process.returncode, -signal.SIGKILL)


SAMPLES = """worker 0
\t7f01 tcp_sendmsg+0x4 ([kernel.kallsyms])
\t7f02 conn_send (/usr/bin/relay)
\t7f03 main (/usr/bin/relay)

worker 0
\t7f02 conn_send (/usr/bin/relay)
\t7f03 main (/usr/bin/relay)

worker 0
\t7f02 conn_send (/usr/bin/relay)
\t7f03 main (/usr/bin/relay)

store
\t7f04 [unknown] (/usr/lib/libcrypto.so.3)
"""


class Flame(unittest.TestCase):
    def test_stacks_are_folded_caller_first(self):
        self.assertEqual(dict(flame.fold(SAMPLES.splitlines(True))),
                         {("worker 0", "main", "conn_send", "tcp_sendmsg_[k]"): 1,
                          ("worker 0", "main", "conn_send"): 2,
                          ("store", "[libcrypto.so.3]"): 1})

    def test_widths_are_shares_and_callees_lie_above(self):
        picture = xml.fromstring(flame.draw(flame.fold(SAMPLES.splitlines(True)), "a < b"))
        frames = {}
        for group in picture.iter(f"{SVG}g"):
            rect = group.find(f"{SVG}rect")
            name = group.find(f"{SVG}title").text.split(":")[0]
            frames[name] = (float(rect.get("width")), float(rect.get("y")), rect.get("fill"))
        whole = frames["all"][0]
        self.assertAlmostEqual(frames["conn_send"][0], whole * 3 / 4, delta=0.2)
        self.assertAlmostEqual(frames["tcp_sendmsg_[k]"][0], whole / 4, delta=0.2)
        self.assertLess(frames["conn_send"][1], frames["main"][1])
        self.assertLess(frames["main"][1], frames["all"][1])
        self.assertEqual(len({frames[name][2] for name in ("main", "tcp_sendmsg_[k]",
                                                           "[libcrypto.so.3]")}), 3)
        self.assertIn("a < b", [each.text for each in picture.iter(f"{SVG}text")])

    def test_nothing_recorded_is_an_empty_picture(self):
        self.assertIsNone(xml.fromstring(flame.draw({}, "t")).find(f"{SVG}g"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
