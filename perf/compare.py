#!/usr/bin/python3
"""Compare relay with other servers: the same load, in turns, on the same CPU.

    perf/compare.py --peer ws --peer nginx --viewers 1,10,100
    perf/compare.py --peer practable=/path/to/relay --rounds 5 --seconds 5
    perf/compare.py --peer 'mine=./broadcast {port}' --url 'ws://127.0.0.1:{port}/{topic}?as={role}'
    perf/compare.py --peer uwebsockets --tls cert.pem key.pem

In each round every server gets the same scenario once, a different one first in each round.
Printed are the medians of the rounds and, of each round, relay's processor time divided by the
peer's: median, smallest and largest. Left in --out, written anew after each round: compare.json,
compare.svg. Runs whose rate was not kept count, and are said to be not valid.

Exit status: 0 compared; 1 a peer is missing, a run failed, or messages were lost.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "perf" / "peers"))

import chart  # noqa: E402  # pylint: disable=wrong-import-position
import peers  # noqa: E402  # pylint: disable=wrong-import-position
import relay_bench  # noqa: E402  # pylint: disable=wrong-import-position

RUN_EXTRA_S = 300  # beyond the window: connections, warm-up, drain


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def viewer_list(text):
    numbers = [int(number) for number in text.split(",")]
    if not all(0 < number <= 100000 for number in numbers):
        raise ValueError(text)
    return numbers


def arguments_parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0],
                                     epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", required=True, metavar="NAME[=VALUE]",
                        help="relay, practable, ws, uwebsockets, nginx, or a name and a command "
                             "with {port}; several times")
    parser.add_argument("--url", help="WebSocket address of a command of your own, with {port}, "
                                      "{topic} and {role}")
    peers.add_programs(parser)
    parser.add_argument("--viewers", type=viewer_list, default=[1, 10, 100], metavar="N,N…",
                        help="of each topic, one scenario each (1,10,100)")
    parser.add_argument("--topics", type=int, default=1, help="(1)")
    parser.add_argument("--bytes", type=int, default=4096, help="of each message (4096)")
    parser.add_argument("--rate", type=int, default=100, help="messages a second and topic (100)")
    parser.add_argument("--seconds", type=int, default=5, help="of each run (5)")
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="over TLS")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("compare"),
                        help="folder for results, made if need be (./compare)")
    return parser.parse_args(argv)


def sides_make(options):
    """relay first. All that is missing is said at once, before anything is started."""
    sides, missing = {}, []
    for text in [f"relay={options.relay}", *options.peer]:
        name = text.split("=", 1)[0]
        try:
            _, side = peers.make(text, options.relay, options.url, options.tls)
            while name in sides:
                name += "+"  # the same twice, which shows how far figures spread by themselves
            sides[name] = side
        except peers.Missing as error:
            missing.append(f"peer {name}: {error}")
    if not os.access(options.bench, os.X_OK):
        missing.append(f"{options.bench} is not there: build the release preset, or name --bench")
    return sides, missing


def run(options, side, viewers):
    """One run: relay-bench's JSON of it."""
    cpus = sorted(os.sched_getaffinity(0))
    cpu = cpus[0] if len(cpus) > 1 else None
    load = {"topics": options.topics, "viewers": viewers, "bytes": options.bytes,
            "rate": options.rate, "seconds": options.seconds}
    with side.running(cpu, options.tls) as arguments:
        command = [options.bench, "--json", *arguments]
        for name, value in load.items():
            command += [f"--{name}", str(value)]
        if options.tls:
            command += ["--tls", "--insecure"]
        report = relay_bench.run(command, options.seconds + RUN_EXTRA_S)
    return report["machine"], report["runs"][0]


def measure(options, sides):
    """After each round: machine, {side: {viewers: [run…]}} of all rounds until then."""
    runs = {name: {viewers: [] for viewers in options.viewers} for name in sides}
    names, machine, done = list(sides), None, 0
    total = options.rounds * len(options.viewers) * len(sides)
    for turn in range(options.rounds):
        for viewers in options.viewers:
            for index in range(len(names)):
                name = names[(index + turn) % len(names)]
                done += 1
                say(f"run {done} of {total}: {name}, {viewers} viewers")
                try:
                    machine, one = run(options, sides[name], viewers)
                except (peers.Failed, relay_bench.Failed) as error:
                    raise peers.Failed(f"{name}, {viewers} viewers: {error}") from None
                runs[name][viewers].append(one)
        yield machine, runs


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(runs):
    """{side: {viewers: figures}}, with relay's ratio to each peer, round by round."""
    base = next(iter(runs))
    summary = {}
    for name, scenarios in runs.items():
        summary[name] = {}
        for viewers, items in scenarios.items():
            figures = {
                "cpu_s_per_gb": spread([one["server"]["cpu_s_per_gb"] for one in items]),
                "p50_us": spread([one["latency_us"]["p50"] for one in items]),
                "p99_us": spread([one["latency_us"]["p99"] for one in items]),
                "rss_mb": spread([one["server"]["rss_connected_bytes"] / 1e6 for one in items]),
                "runs": len(items),
                "not_valid": relay_bench.not_valid(items),
            }
            ratios = [ours["server"]["cpu_s_per_gb"] / theirs["server"]["cpu_s_per_gb"]
                      for ours, theirs in zip(runs[base][viewers], items)
                      if theirs["server"]["cpu_s_per_gb"] > 0]
            figures["relay_divided_by_it"] = spread(ratios) if ratios and name != base else None
            summary[name][viewers] = figures
    return summary


def print_summary(summary):
    print(f"{'viewers':>7} {'server':<14} {'CPU s/GB':>9} {'p50 us':>8} {'p99 us':>8} {'MB':>6}  "
          "relay's CPU ÷ its")
    for viewers in next(iter(summary.values())):
        for name, scenarios in summary.items():
            figures = scenarios[viewers]
            ratio = figures["relay_divided_by_it"]
            line = (f"{viewers:>7} {name:<14} {figures['cpu_s_per_gb']['median']:>9.3f} "
                    f"{figures['p50_us']['median']:>8.0f} {figures['p99_us']['median']:>8.0f} "
                    f"{figures['rss_mb']['median']:>6.1f}")
            if ratio is not None:
                line += f"  {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
            if figures["not_valid"]:
                line += f"  {figures['not_valid']} of {figures['runs']} runs not valid"
            print(line)


def chart_of(summary):
    def series(figure):
        return {name: [(viewers, figures[figure]["median"])
                       for viewers, figures in sorted(scenarios.items())]
                for name, scenarios in summary.items()}
    return chart.draw([("CPU s per GB", series("cpu_s_per_gb")),
                       ("latency p50, µs", series("p50_us")),
                       ("latency p99, µs", series("p99_us"))])


def replace(path, text):
    """The file is whole at any moment, even if the program is killed."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def folder_make(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # a refusal comes before all runs, not after them
            pass
    except OSError as error:
        raise peers.Failed(f"nothing can be left in {folder}: {error.strerror}") from None


def rounds_run(options, sides):
    """Returns the last summary; each round's is left in --out."""
    summary = None
    for machine, runs in measure(options, sides):
        summary = summarise(runs)
        report = {"machine": machine, "tls": bool(options.tls), "topics": options.topics,
                  "bytes": options.bytes, "rate": options.rate, "seconds": options.seconds,
                  "rounds": len(runs["relay"][options.viewers[0]]), "summary": summary,
                  "runs": runs}
        try:
            replace(options.out / "compare.json", json.dumps(report, indent=1) + "\n")
            replace(options.out / "compare.svg", chart_of(summary))
        except OSError as error:
            raise peers.Failed(f"cannot write to {options.out}: {error.strerror}") from None
    return summary


def main(argv):
    options = arguments_parse(argv)
    try:
        relay_bench.rounds_check(options.rounds)
        sides, missing = sides_make(options)
        for line in missing:
            say(line)
        if missing:
            return 1
        folder_make(options.out)
        summary = rounds_run(options, sides)
    except (peers.Failed, relay_bench.Failed, subprocess.TimeoutExpired) as error:
        say(error)
        return 1
    print_summary(summary)
    say(f"left in {options.out}: compare.json, compare.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
