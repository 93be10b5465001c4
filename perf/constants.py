#!/usr/bin/python3
"""Print what relay costs on this machine, and what a core of it can carry by that.

    perf/constants.py --tls cert.pem key.pem

Messages of several sizes go to many viewers through relay-bench, plain and over TLS; a line is laid
through the processor time of a message: roughly so much for each send, so much for each byte. Then
joins, handshakes and idle connections. What a core carries is interpolated between the sizes. Runs
whose rate was not kept count, and are said to be not valid. docs/scaling.md says how to read it.

Exit status: 0 printed; 1 a run failed, or messages were lost.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "perf" / "peers"))

import peers  # noqa: E402  # pylint: disable=wrong-import-position
import relay_bench  # noqa: E402  # pylint: disable=wrong-import-position

LOADS = ((300, 400), (1400, 300), (4096, 200), (16384, 60), (65536, 20))  # bytes, messages a second
SHAPES = (("MPEG-TS, 25 messages/s, 1 Mbit/s", 5000, 25),
          ("MPEG-TS, 30 messages/s, 4 Mbit/s", 16700, 30),
          ("JPEG of 30 KB, 10/s", 30000, 10),
          ("data of 300 bytes, 100/s", 300, 100))
LINE_BYTES_PER_S = 100e9 / 8
CONNECTS = 1000
IDLE_S = 5
RUN_EXTRA_S = 600


def arguments_parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0],
                                     epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    peers.add_programs(parser)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"),
                        help="over TLS too, with a certificate for 127.0.0.1")
    parser.add_argument("--viewers", type=int, default=100, help="of the topic (100)")
    parser.add_argument("--idle", type=int, default=2000, help="idle connections (2000)")
    parser.add_argument("--seconds", type=int, default=3, help="of each run (3)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(argv)


def bench(options, *arguments):
    command = [options.bench, "--spawn", options.relay, "--json", *map(str, arguments)]
    if options.tls:
        command += ["--plain", "--tls", "--insecure", "--tls-cert", options.tls[0],
                    "--tls-key", options.tls[1]]
    print(f"constants: {' '.join(map(str, arguments))}", file=sys.stderr, flush=True)
    return relay_bench.run(command, RUN_EXTRA_S * options.rounds)


def line_through(points):
    """(start, slope) with the least relative squares. points: [(bytes, µs)…] of two sizes at
    least."""
    weights = [(x, y, 1 / y ** 2) for x, y in points]
    total = sum(w for _, _, w in weights)
    x_mean = sum(w * x for x, _, w in weights) / total
    y_mean = sum(w * y for _, y, w in weights) / total
    slope = (sum(w * (x - x_mean) * (y - y_mean) for x, y, w in weights) /
             sum(w * (x - x_mean) ** 2 for x, _, w in weights))
    return y_mean - slope * x_mean, slope


def cost_between(points, size):
    """µs of a message of this size, on the straight line between the two measured sizes beside it;
    beyond the ends that of the last two goes on."""
    steps = list(zip(points, points[1:]))
    (x0, y0), (x1, y1) = next((step for step in steps if size <= step[1][0]), steps[-1])
    return y0 + (y1 - y0) * (size - x0) / (x1 - x0)


def message_costs(options):
    """{target: [(bytes, median µs of a message to one viewer)…]}, and {target: {bytes: runs that
    were not valid}}"""
    costs, not_valid = {}, {}
    for size, rate in LOADS:
        arguments = ["--viewers", options.viewers, "--bytes", size, "--rate", rate, "--seconds",
                     options.seconds, "--compare", options.rounds, "--allow-late"]
        by_target = {}
        for run in bench(options, *arguments)["runs"]:
            by_target.setdefault(run["target"], []).append(run)
        for target, runs in by_target.items():
            cost = statistics.median(run["server"]["cpu_us_per_message"] for run in runs)
            costs.setdefault(target, []).append((size, cost))
            not_valid.setdefault(target, {})[size] = relay_bench.not_valid(runs)
    return costs, not_valid


def connect_costs(options):
    """{(target, kind): median µs of the server}"""
    by_kind = {}
    for item in bench(options, "--connects", CONNECTS, "--compare", options.rounds)["connects"]:
        by_kind.setdefault((item["target"], item["kind"]), []).append(item["server_cpu_us_each"])
    return {kind: statistics.median(values) for kind, values in by_kind.items()}


def idle_costs(options):
    """{target: bytes of private memory for each connection}"""
    arguments = ["--idle", options.idle, "--seconds", IDLE_S, "--allow-late"]
    return {run["target"]: run["server"]["private_bytes_per_connection"]
            for run in bench(options, *arguments)["runs"]}


def derive(points):
    """For each shape: viewers of a core, and cores of a line of 100 Gbit/s, headers not counted."""
    rows = []
    for name, size, rate in SHAPES:
        core_share = cost_between(points, size) * rate / 1e6
        viewers_of_line = LINE_BYTES_PER_S / (size * rate)
        rows.append({"viewers_see": name, "viewers_per_core": 1 / core_share,
                     "gbit_per_core": size * rate * 8 / core_share / 1e9,
                     "viewers_of_100_gbit": viewers_of_line,
                     "cores_for_100_gbit": viewers_of_line * core_share})
    return rows


def measure(options):
    costs, not_valid = message_costs(options)
    connects, idle = connect_costs(options), idle_costs(options)
    report = {}
    for target, points in costs.items():
        start, slope = line_through(points)
        report[target] = {"us_per_message": dict(points), "us_per_send": start,
                          "ns_per_byte": slope * 1000,
                          "line_off_by_percent": {size: 100 * (start + slope * size) / cost - 100
                                                  for size, cost in points},
                          "runs_not_valid": not_valid[target], "runs_each": options.rounds}
        if target != "floor":
            report[target] |= {
                "us_per_join": connects.get((target, "join")),
                "us_per_handshake": connects.get((target, "handshake")),
                "private_bytes_per_idle_connection": idle[target],
                "by_this": derive(points)}
    return report


def print_report(report):
    for target, figures in report.items():
        off = figures["line_off_by_percent"].values()
        print(f"{target}: roughly {figures['us_per_send']:.1f} us a send + "
              f"{figures['ns_per_byte']:.2f} ns a byte, off by {min(off):+.0f} to "
              f"{max(off):+.0f} %")
        print("  measured: " + ", ".join(f"{size} bytes {cost:.1f} us" for size, cost in
                                         figures["us_per_message"].items()))
        late = [f"{count} of {figures['runs_each']} of {size} bytes"
                for size, count in figures["runs_not_valid"].items() if count]
        if late:
            print("  not valid, as the rate was not kept: " + ", ".join(late))
        if target == "floor":
            continue
        handshake = figures["us_per_handshake"]
        print(f"  {figures['us_per_join']:.0f} us a join" +
              (f", {handshake:.0f} us a TLS handshake" if handshake else "") +
              f"; {figures['private_bytes_per_idle_connection'] / 1024:.1f} KiB an idle connection")
        for row in figures["by_this"]:
            print(f"  {row['viewers_see']:<34} {row['viewers_per_core']:>8,.0f} viewers a core "
                  f"({row['gbit_per_core']:.1f} Gbit/s); 100 Gbit/s: "
                  f"{row['viewers_of_100_gbit']:,.0f} viewers on "
                  f"{row['cores_for_100_gbit']:.0f} cores")


def main(argv):
    options = arguments_parse(argv)
    try:
        relay_bench.rounds_check(options.rounds)
        if not os.access(options.bench, os.X_OK):
            raise relay_bench.Failed(f"{options.bench} is not there: build the release preset, or "
                                     "name --bench")
        report = measure(options)
    except (relay_bench.Failed, subprocess.TimeoutExpired) as error:
        print(f"constants: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print_report(report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
