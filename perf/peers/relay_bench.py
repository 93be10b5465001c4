"""One call of relay-bench with --json: its report, or in one line why its figures say nothing."""

import collections
import json
import subprocess

import peers

MEASURED, NOT_VALID, WRONG = 0, 2, 3  # exit statuses; 1 is a failure
FAULTS = {"lost": "messages lost", "out_of_order": "out of order", "misdelivered": "misdelivered",
          "damaged": "damaged", "connections_cut": "connections cut"}


class Failed(Exception):
    """One line."""


def _reason(text):
    """Its own word, where there is one: tables may follow."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no output"]
    said = [line for line in lines if line.startswith("relay-bench: ")] or lines
    return said[-1].removeprefix("relay-bench: ")


def _faults(report):
    for item in report.get("connects", []):
        if item["failed"]:
            return (f"{item['failed']} of {item['done'] + item['failed']} {item['kind']}s failed: "
                    f"{item['first_failure']}")
    counts = collections.Counter()
    for run in report.get("runs", []):
        whole = run["whole_run"]
        counts.update({text: whole[name] for name, text in FAULTS.items()})
        counts["pings without a pong"] += whole["probes"] - whole["probes_answered"]
    return ", ".join(f"{count} {text}" for text, count in counts.items() if count) or "status 3"


def run(command, timeout_s):
    """Late runs are returned, as their verdicts tell them; those with losses are none."""
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=timeout_s,
                          preexec_fn=peers.die_with_parent)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = {}
    if done.returncode == WRONG and report:
        raise Failed(f"messages or connections were lost: {_faults(report)}")
    if done.returncode not in (MEASURED, NOT_VALID) or not report.get("runs",
                                                                      report.get("connects")):
        raise Failed(f"relay-bench failed: {_reason(done.stderr)}")
    return report


def not_valid(runs):
    """How many of them the generator or the server did not keep up with."""
    return sum(one["verdict"] != "valid" for one in runs)


def rounds_check(rounds):
    if rounds < 1:
        raise Failed(f"--rounds {rounds}: at least one is needed")
