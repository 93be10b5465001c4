"""perf/shares.py compares workers and placements with the same share of a CPU for each worker.

Method: a short run with two sides, of which no figure is asserted; arithmetic on known figures.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
BUILD = pathlib.Path(os.environ.get("RELAY_BUILD") or SOURCE / "build" / "dev").resolve()
PROGRAM = SOURCE / "perf" / "shares.py"
GROUPS = pathlib.Path("/sys/fs/cgroup")
HANGS_S = 600

specification = importlib.util.spec_from_file_location("shares", PROGRAM)
shares = importlib.util.module_from_spec(specification)
specification.loader.exec_module(shares)


def run_it(*arguments):
    return subprocess.run(
        [sys.executable, PROGRAM, "--relay", BUILD / "relay", "--bench",
         BUILD / "perf" / "relay-bench", "--seconds", "1", "--rounds", "1", *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=HANGS_S)


def may_make_groups():
    try:
        shares.cpu_share.check()
        return True
    except shares.cpu_share.Missing:
        return False


class Shares(unittest.TestCase):
    @staticmethod
    def groups():
        return {path for base in (GROUPS, GROUPS / "cpu") for path in base.glob("relay-share*")}

    @unittest.skipUnless(may_make_groups(), "no control groups of the cpu controller may be made")
    def test_two_sides_are_compared_and_no_group_is_left(self):
        before = self.groups()
        done = run_it("--side", "1:accept", "--side", "2:topic", "--topics", "2", "--viewers", "2",
                      "--rate", "20", "--share", "0.5", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report, = json.loads(done.stdout)
        self.assertEqual(report["rate"], 20)
        self.assertEqual({name: len(runs) for name, runs in report["sides"].items()},
                         {"1:accept": 1, "2:topic": 1})
        self.assertEqual(set(report["ratios"]), {"2:topic"})
        self.assertEqual(self.groups() - before, set())

    def test_what_cannot_be_compared_is_refused_in_one_line(self):
        done = run_it("--side", "2:nearest")
        self.assertEqual(done.returncode, 2)
        self.assertIn("argument --side: invalid side_of value: '2:nearest'", done.stderr)
        done = run_it("--side", "1:accept", "--rounds", "0")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "shares: --rounds 0: at least one is needed\n"))
        for sides in (["1:accept"], ["1:accept", "1:accept"]):
            done = run_it(*(word for side in sides for word in ("--side", side)))
            self.assertEqual((done.returncode, done.stderr),
                             (1, "shares: --side: two or more different ones are compared\n"))

    def test_ratios_are_those_of_each_round(self):
        sides = {"1:accept": [{"p50_us": 10, "p99_us": 100, "busy": 0.5},
                              {"p50_us": 20, "p99_us": 100, "busy": 0.5},
                              {"p50_us": 40, "p99_us": 100, "busy": 0.5}],
                 "2:topic": [{"p50_us": 10, "p99_us": 50, "busy": 0.25},
                             {"p50_us": 10, "p99_us": 200, "busy": 0.25},
                             {"p50_us": 10, "p99_us": 100, "busy": 0.25}]}
        self.assertEqual(shares.ratios(sides), {"2:topic": {"p50_us": [0.5, 0.25, 1],
                                                            "p99_us": [1, 0.5, 2],
                                                            "busy": [0.5, 0.5, 0.5]}})


if __name__ == "__main__":
    unittest.main(verbosity=2)
