"""perf/constants.py prints what relay costs here, and what follows from it.

Method: a short run with a relay, of which no figure is asserted; arithmetic on known figures.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
BUILD = pathlib.Path(os.environ.get("RELAY_BUILD") or SOURCE / "build" / "dev").resolve()
PROGRAM = SOURCE / "perf" / "constants.py"
HANGS_S = 1200

specification = importlib.util.spec_from_file_location("constants", PROGRAM)
constants = importlib.util.module_from_spec(specification)
specification.loader.exec_module(constants)


class Constants(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run(
            [sys.executable, PROGRAM, "--bench", BUILD / "perf" / "relay-bench", "--viewers", "2",
             "--idle", "20", "--seconds", "1", "--rounds", "1", "--json", *arguments],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=HANGS_S)

    def test_a_relay_has_all_constants(self):
        done = self.run_it("--relay", BUILD / "relay")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(set(report), {"floor", "server"})
        self.assertEqual(len(report["floor"]["us_per_message"]), len(constants.LOADS))
        self.assertGreater(report["server"]["us_per_join"], 0)
        self.assertIsNone(report["server"]["us_per_handshake"], "it has no TLS")
        self.assertEqual(len(report["server"]["by_this"]), len(constants.SHAPES))

    def test_a_run_that_fails_is_said_with_its_reason(self):
        done = self.run_it("--relay", "/bin/false")
        self.assertEqual(done.returncode, 1)
        self.assertIn("constants: relay-bench failed: ", done.stderr)
        self.assertEqual(done.stdout, "")
        done = subprocess.run([sys.executable, PROGRAM, "--bench", "/nowhere/relay-bench"],
                              capture_output=True, text=True, check=False, timeout=HANGS_S)
        self.assertEqual((done.returncode, done.stderr.splitlines()),
                         (1, ["constants: /nowhere/relay-bench is not there: build the release "
                              "preset, or name --bench"]))

    def test_less_than_one_round_is_refused_in_one_line(self):
        done = self.run_it("--relay", "/bin/false", "--rounds", "0")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "constants: --rounds 0: at least one is needed\n"))

    def test_a_run_with_losses_makes_no_constants(self):
        with tempfile.TemporaryDirectory() as folder:
            bench = pathlib.Path(folder) / "relay-bench"
            whole = {"lost": 3, "out_of_order": 0, "misdelivered": 0, "damaged": 0,
                     "connections_cut": 1, "probes": 0, "probes_answered": 0}
            bench.write_text(f"#!/bin/sh\necho '{json.dumps({'runs': [{'whole_run': whole}]})}'\n"
                             "exit 3\n", encoding="ascii")
            bench.chmod(0o755)
            done = self.run_it("--relay", "/bin/false", "--bench", bench)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.splitlines()[1:],
                         ["constants: messages or connections were lost: 3 messages lost, "
                          "1 connections cut"])

    def test_a_line_goes_through_points_that_lie_on_one(self):
        start, slope = constants.line_through([(x, 3 + 0.001 * x) for x in (300, 4096, 65536)])
        self.assertAlmostEqual(start, 3, places=6)
        self.assertAlmostEqual(slope, 0.001, places=9)

    def test_what_a_core_carries_follows(self):
        points = [(4000, 4.5), (6000, 5.5), (65536, 30)]  # 5 us for 5000 bytes, 25 times a second
        row = constants.derive(points)[0]
        self.assertAlmostEqual(row["viewers_per_core"], 8000)
        self.assertAlmostEqual(row["gbit_per_core"], 8)
        self.assertAlmostEqual(row["viewers_of_100_gbit"], 100000)
        self.assertAlmostEqual(row["cores_for_100_gbit"], 12.5)


    def test_between_sizes_the_measured_ones_count(self):
        points = [(1000, 2), (2000, 4), (4000, 5)]
        for size, cost in ((1000, 2), (1500, 3), (2000, 4), (3000, 4.5), (500, 1), (6000, 6)):
            self.assertAlmostEqual(constants.cost_between(points, size), cost, msg=size)


if __name__ == "__main__":
    unittest.main(verbosity=2)
