"""perf/compare.py measures servers in turns and reports them, or says what is missing.

Method: relay against itself, and against recipes whose programs are installed here; a second each.
No figure is asserted, only that each is there and of the right run.
"""

import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

SOURCE = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
BUILD = pathlib.Path(os.environ.get("RELAY_BUILD") or SOURCE / "build" / "dev").resolve()
RELAY, BENCH = BUILD / "relay", BUILD / "perf" / "relay-bench"
SVG = "{http://www.w3.org/2000/svg}"
HANGS_S = 1200
FAULTS = ("lost", "out_of_order", "misdelivered", "damaged", "connections_cut", "probes",
          "probes_answered")

sys.path.insert(0, str(SOURCE / "perf" / "peers"))

import chart  # noqa: E402  # pylint: disable=wrong-import-position
import peers  # noqa: E402  # pylint: disable=wrong-import-position


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name) / "results"

    def compare(self, *arguments):
        return subprocess.run(
            [SOURCE / "perf" / "compare.py", "--relay", RELAY, "--bench", BENCH, "--seconds", "1",
             "--rounds", "1", "--viewers", "1,3", "--rate", "20", "--out", self.out, *arguments],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=HANGS_S)

    def expect_report(self, done, names):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads((self.out / "compare.json").read_text(encoding="utf-8"))
        self.assertEqual(list(report["summary"]), names)
        for name in names:
            for viewers in ("1", "3"):
                run, = report["runs"][name][viewers]
                self.assertEqual(run["scenario"]["viewers"], int(viewers))
                self.assertGreater(run["delivered_messages"], 0)
                self.assertGreater(run["server"]["cpu_s"], 0, "its process is known")
                self.assertEqual(run["whole_run"]["lost"], 0)
                figures = report["summary"][name][viewers]
                self.assertEqual(figures["p50_us"]["median"], run["latency_us"]["p50"])
                if name == "relay":
                    self.assertIsNone(figures["relay_divided_by_it"])
                else:
                    self.assertGreater(figures["relay_divided_by_it"]["median"], 0)
        return report

    def test_relay_against_itself(self):
        done = self.compare("--peer", "relay")
        report = self.expect_report(done, ["relay", "relay+"])
        self.assertIn("cpus", report["machine"])
        lines = done.stdout.splitlines()
        self.assertEqual([line.split()[:2] for line in lines[1:]],
                         [["1", "relay"], ["1", "relay+"], ["3", "relay"], ["3", "relay+"]])
        self.assertIn("run 4 of 4", done.stderr)
        picture = xml.parse(self.out / "compare.svg").getroot()
        self.assertEqual(len(picture.findall(f"{SVG}polyline")), 3 * 2)

    def test_node_ws(self):
        try:
            peers.make("ws", str(RELAY), None)
        except peers.Missing as error:
            self.skipTest(str(error))
        self.expect_report(self.compare("--peer", "ws"), ["relay", "ws"])

    def test_nginx_in_front(self):
        if shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") is None:
            self.skipTest("nginx is not installed")
        self.expect_report(self.compare("--peer", "nginx"), ["relay", "nginx"])

    def expect_refusal(self, text, *arguments):
        done = self.compare(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(text, done.stderr)
        self.assertNotIn("run 1 of", done.stderr, "nothing was started")
        self.assertFalse(self.out.exists())

    def test_what_is_missing_is_said_before_anything_starts(self):
        for peer, text in (
                ("practable=/nowhere/relay", "peer practable: /nowhere/relay is not there"),
                ("moq", "compare: peer moq: moq-relay speaks no WebSocket"),
                ("other", "compare: peer other: there is no recipe of this name"),
                ("mine=broadcast {port}", "compare: peer mine: a command of your own needs --url")):
            self.expect_refusal(text, "--peer", "relay", "--peer", peer)
        self.expect_refusal("compare: peer mine: broadcast-x is not installed",
                            "--peer", "mine=broadcast-x {port}", "--url", "ws://h:{port}/{topic}")

    def test_refusals_before_anything_starts(self):
        self.expect_refusal("compare: --rounds 0: at least one is needed", "--peer", "relay",
                            "--rounds", "0")
        self.expect_refusal("compare: peer practable: practable/relay has no TLS", "--peer",
                            f"practable={RELAY}", "--tls", "cert.pem", "key.pem")
        self.out.parent.joinpath("file").touch()
        self.expect_refusal(f"compare: nothing can be left in {self.out.parent}/file/x: Not a dir",
                            "--peer", "relay", "--out", self.out.parent / "file" / "x")

    def bench(self, *runs):
        """A relay-bench that runs nothing: each call has the next exit status and verdict."""
        folder = self.out.parent
        for index, (status, verdict) in enumerate(runs):
            report = {"machine": {"cpus": 1}, "runs": [{
                "verdict": verdict, "latency_us": {"p50": 1, "p99": 2}, "server": {
                    "cpu_s_per_gb": 1, "rss_connected_bytes": 1},
                "whole_run": dict.fromkeys(FAULTS, 0) | {"lost": 7 if status == 3 else 0}}]}
            (folder / f"{index}").write_text(json.dumps(report), encoding="ascii")
            (folder / f"{index}.status").write_text(f"{status}\n", encoding="ascii")
        path = folder / "bench"
        path.write_text(f"#!/bin/sh\ncd {folder}; n=$(ls | grep -c done)\ntouch done.$n\ncat $n\n"
                        "exit $(cat $n.status)\n", encoding="ascii")
        path.chmod(0o755)
        return path

    def test_losses_end_it_and_leave_the_rounds_before(self):
        valid, lost = (0, "valid"), (3, "messages lost or wrong")
        done = self.compare("--relay", "/bin/true", "--peer", "relay", "--rounds", "2", "--viewers",
                            "1", "--bench", self.bench(valid, valid, lost))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.splitlines()[-1], "compare: relay+, 1 viewers: messages or "
                         "connections were lost: 7 messages lost")
        report = json.loads((self.out / "compare.json").read_text(encoding="utf-8"))
        self.assertEqual(report["rounds"], 1)
        self.assertEqual(sorted(each.name for each in self.out.iterdir()),
                         ["compare.json", "compare.svg"])

    def test_late_runs_count_and_are_said(self):
        valid, late = (0, "valid"), (2, "generator late: not valid")
        done = self.compare("--relay", "/bin/true", "--peer", "relay", "--rounds", "2", "--viewers",
                            "1", "--bench", self.bench(valid, late, valid, valid))
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertNotIn("not valid", lines[1])
        self.assertTrue(lines[2].endswith("1 of 2 runs not valid"), lines[2])

    def test_recipes_for_node_need_it(self):
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = str(self.out)  # nothing is installed there
        for peer in ("ws", "uwebsockets"):
            with self.assertRaisesRegex(peers.Missing, "node is not installed: apt install nodejs"):
                peers.make(peer, str(RELAY), None)

    def test_a_peer_that_does_not_start_ends_it(self):
        done = self.compare("--peer", "mine=/bin/false {port}", "--url", "ws://127.0.0.1:{port}/x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("compare: mine, 1 viewers: it ended with status 1", done.stderr)


class Processes(unittest.TestCase):
    def test_a_server_ends_with_a_comparison_that_is_killed(self):
        program = (f"import sys; sys.path.insert(0, {str(SOURCE / 'perf' / 'peers')!r}); "
                   "import peers, time; print(peers.Process(['sleep', '1000'], None).process.pid, "
                   "flush=True); time.sleep(1000)")
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                              text=True) as parent:
            child = os.pidfd_open(int(parent.stdout.readline()))
            self.addCleanup(os.close, child)
            parent.kill()
        is_ended, _, _ = select.select([child], [], [], HANGS_S)
        self.assertTrue(is_ended)


class Chart(unittest.TestCase):
    def test_points_lie_where_their_logarithms_are(self):
        text = chart.draw([("t", {"a": [(1, 0.1), (10, 1), (100, 10)]})])
        points = xml.fromstring(text).find(f"{SVG}polyline").get("points").split()
        (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, point.split(","))) for point in points]
        self.assertAlmostEqual(x1 - x0, x2 - x1, delta=0.3)
        self.assertAlmostEqual(y1 - y0, y2 - y1, delta=0.3)
        self.assertLess(y2, y0, "upwards")

    def test_names_are_text(self):
        text = chart.draw([("<t>", {"a&b": [(1, 1)]})])
        self.assertIn("a&b", [each.text for each in xml.fromstring(text).iter(f"{SVG}text")])

    def test_nothing_measured_has_no_lines(self):
        picture = xml.fromstring(chart.draw([("t", {"a": [(1, 0)]})]))
        self.assertIsNone(picture.find(f"{SVG}polyline"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
