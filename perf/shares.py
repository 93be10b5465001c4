#!/usr/bin/python3
"""Compare ways to use several workers on a machine without a core for each of them.

    perf/shares.py --side 4:accept --side 4:topic --topics 160 --viewers 4 --rate 50,100
    perf/shares.py --side 1:accept --side 2:topic --topics 1 --viewers 400 --rate 90

Each worker is held to the same share of a CPU (by control groups: root is needed), so that the
load generator has cores of its own, and a worker with too much to do shows in the latency of its
viewers. A side is a number of workers and a placement (RELAY_PLACEMENT). In each round each side
has the same load once, in another order. For each rate medians of the rounds are printed: latency,
and how much of the shares was used by all workers and by the busiest; then the ratios of each side
to the first one, round by round: median, smallest and largest.

Exit status: 0 compared; 1 no shares, a run failed, or messages were lost.
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

import cpu_share  # noqa: E402  # pylint: disable=wrong-import-position
import peers  # noqa: E402  # pylint: disable=wrong-import-position
import relay_bench  # noqa: E402  # pylint: disable=wrong-import-position

RUN_EXTRA_S = 300
PLACEMENTS = ("accept", "topic")
RATIOS = ("p50_us", "p99_us", "busy")


def say(text):
    print(f"shares: {text}", file=sys.stderr, flush=True)


def side_of(text):
    workers, _, placement = text.partition(":")
    if placement not in PLACEMENTS or not 0 < int(workers) <= 64:
        raise ValueError(text)
    return int(workers), placement


def rates_of(text):
    rates = [int(rate) for rate in text.split(",")]
    if min(rates) < 1:
        raise ValueError(text)
    return rates


def arguments_parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0],
                                     epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=side_of, action="append", required=True,
                        metavar="WORKERS:PLACEMENT", help="accept or topic; several times")
    peers.add_programs(parser)
    parser.add_argument("--share", type=float, default=0.2, help="of a CPU for each worker (0.2)")
    parser.add_argument("--topics", type=int, default=160, help="(160)")
    parser.add_argument("--viewers", type=int, default=4, help="of each topic (4)")
    parser.add_argument("--bytes", type=int, default=4096, help="of each message (4096)")
    parser.add_argument("--rate", type=rates_of, default=[50], metavar="N,N…",
                        help="messages a second and topic (50)")
    parser.add_argument("--seconds", type=int, default=5, help="of each run (5)")
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(argv)


def cpu_s(pid, thread):
    stat = pathlib.Path(f"/proc/{pid}/task/{thread}/stat").read_text(encoding="ascii")
    return sum(map(int, stat.rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def bench_command(options, ports, pid, rate):
    return [options.bench, "--access", f"http://127.0.0.1:{ports[0]}", "--server-pid", str(pid),
            "--topics", str(options.topics), "--viewers", str(options.viewers), "--bytes",
            str(options.bytes), "--rate", str(rate), "--seconds", str(options.seconds),
            "--server-cpu", "-1", "--client-cpu", "-1", "--json", "--allow-late"]


def measure(options, command, pid, threads):
    before = [cpu_s(pid, thread) for thread in threads]
    run = relay_bench.run(command, options.seconds + RUN_EXTRA_S)["runs"][0]
    used = [cpu_s(pid, thread) - then for thread, then in zip(threads, before)]
    seconds = run["seconds"] * options.share
    return {"p50_us": run["latency_us"]["p50"], "p99_us": run["latency_us"]["p99"],
            "busy": run["server"]["cpu_s"] / (seconds * len(threads)),
            "busiest_of_mean": max(used) * len(used) / max(sum(used), 0.01),
            "us_per_message": run["server"]["cpu_us_per_message"], "verdict": run["verdict"]}


def run_side(options, side, rate):
    workers, placement = side
    with peers.free_ports(2) as ports:
        environment = {"RELAY_SECRET": os.environ["RELAY_SECRET"], "RELAY_WORKERS": str(workers),
                       "RELAY_PLACEMENT": placement, "RELAY_ADMIN_LISTEN": "off",
                       "RELAY_LOG": "stderr", "RELAY_STORE": "memory",
                       "RELAY_AUDIENCE": f"http://127.0.0.1:{ports[0]}",
                       "RELAY_URL": f"ws://127.0.0.1:{ports[1]}",
                       "RELAY_PORT_ACCESS": str(ports[0]), "RELAY_PORT_RELAY": str(ports[1])}
        process = peers.Process([options.relay, "serve"], None, environment)
        try:
            process.await_port(ports[1])
            pid = process.process.pid
            threads = peers.await_workers(pid, workers)
            with cpu_share.held(pid, threads, options.share, process.end):
                return measure(options, bench_command(options, ports, pid, rate), pid, threads)
        finally:
            process.end()


def compare(options, rate):
    sides = {f"{workers}:{placement}": [] for workers, placement in options.side}
    for number in range(options.rounds):
        first = number % len(options.side)
        for side in [*options.side[first:], *options.side[:first]]:
            run = run_side(options, side, rate)
            sides[f"{side[0]}:{side[1]}"].append(run)
            say(f"rate {rate}, round {number + 1} of {options.rounds}, {side[0]}:{side[1]}: p99 "
                f"{run['p99_us'] / 1000:.2f} ms, {100 * run['busy']:.0f} % busy, {run['verdict']}")
    return sides


def ratios(sides):
    base, *others = sides
    found = {}
    for name in others:
        found[name] = {}
        for key in RATIOS:
            each = [one[key] / max(first[key], 1e-9)
                    for one, first in zip(sides[name], sides[base])]
            found[name][key] = [statistics.median(each), min(each), max(each)]
    return found


def show(rate, sides, found):
    for name, runs in sides.items():
        middle = {key: statistics.median(run[key] for run in runs)
                  for key in (*RATIOS, "busiest_of_mean", "us_per_message")}
        late = relay_bench.not_valid(runs)
        print(f"rate {rate:5} {name:9} p50 {middle['p50_us'] / 1000:8.2f} ms  "
              f"p99 {middle['p99_us'] / 1000:8.2f} ms  {100 * middle['busy']:4.0f} % busy  "
              f"busiest worker {middle['busiest_of_mean']:.2f} of the mean  "
              f"{middle['us_per_message']:7.2f} us a message"
              + (f"  {late} of {len(runs)} not valid" if late else ""))
    for name, values in found.items():
        print(f"rate {rate:5} {name} to {next(iter(sides))}: "
              + ", ".join(f"{key} {middle:.2f} ({low:.2f} to {high:.2f})"
                          for key, (middle, low, high) in values.items()), flush=True)


def run_all(options):
    relay_bench.rounds_check(options.rounds)
    if len(set(options.side)) != len(options.side) or len(options.side) < 2:
        raise relay_bench.Failed("--side: two or more different ones are compared")
    cpu_share.check()
    report = []
    for rate in options.rate:
        sides = compare(options, rate)
        report.append({"rate": rate, "sides": sides, "ratios": ratios(sides)})
        if not options.json:
            show(rate, sides, report[-1]["ratios"])
    if options.json:
        json.dump(report, sys.stdout, indent=1)
        print()


def main(argv):
    options = arguments_parse(argv)
    os.environ.setdefault("RELAY_SECRET", os.urandom(20).hex())
    try:
        run_all(options)
    except (cpu_share.Missing, peers.Failed, relay_bench.Failed) as error:
        say(error)
        return 1
    except (OSError, subprocess.TimeoutExpired) as error:
        say(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
