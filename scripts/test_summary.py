#!/usr/bin/env python3
"""Closing summary of a ctest run: skips with their reasons, failures with the end of what they
printed, and the count.

usage: test_summary.py RESULTS.xml CTEST_STATUS

Reads what `ctest --output-junit` wrote. The last line is "N passed, N failed, N skipped", where
parts that a passed test skipped count as well. Exits 0 only if tests passed, none failed, and ctest
itself was content.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

FAILURE_LINES_MAX = 60
SKIPPED_BY_THE_TEST = ("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION")


def output_lines(case):
    """What the test printed, without blank lines."""
    text = case.findtext("system-out") or ""
    return [line.strip() for line in text.splitlines() if line.strip()]


def skip_reason(case):
    """The line that says why: one that speaks of skipping, else the last one printed."""
    lines = output_lines(case)
    for line in reversed(lines):
        if re.search(r"\bskip", line, re.IGNORECASE):
            return line
    return lines[-1] if lines else "the test printed no reason"


def parts_skipped(case):
    """Lines of a passed test that say a part of it was skipped (unittest, Criterion; ours print
    "skipped: REASON", because Criterion keeps its skips to itself)."""
    lines = output_lines(case)
    told = r"\.\.\. skipped |^\[SKIP\]|^SKIP:|^skipped: "
    return [line for line in lines if re.search(told, line)] or \
        [line for line in lines if re.search(r"\(.*\bskipped=\d", line)]


def sort_case(case):
    """passed, failed or skipped. A test that could not be started is a failure, not a skip."""
    status = case.get("status")
    if status == "run":
        return "passed"
    if status == "disabled":
        return "skipped"
    skipped = case.find("skipped")
    message = skipped.get("message", "") if skipped is not None else ""
    if status == "notrun" and message.startswith(SKIPPED_BY_THE_TEST):
        return "skipped"
    return "failed"


def main():
    path, ctest_status = sys.argv[1], int(sys.argv[2])
    sorted_cases = {"passed": [], "failed": [], "skipped": []}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        sorted_cases[sort_case(case)].append(case)

    parts = 0
    print()
    for case in sorted_cases["passed"]:
        for line in parts_skipped(case):
            print(f"passed, with a part skipped: {case.get('name')}: {line}")
            parts += 1
    for case in sorted_cases["skipped"]:
        print(f"skipped: {case.get('name')}: {skip_reason(case)}")
    for case in sorted_cases["failed"]:
        print(f"FAILED: {case.get('name')} ({float(case.get('time', 0)):.1f} s)")
        printed = (case.findtext("system-out") or "").rstrip().splitlines()
        for line in printed[-FAILURE_LINES_MAX:]:
            print(f"    {line}")

    counts = {kind: len(cases) for kind, cases in sorted_cases.items()}
    counts["skipped"] += parts
    if ctest_status != 0 and counts["failed"] == 0:
        print(f"FAILED: ctest ended with status {ctest_status} though no test failed")
        counts["failed"] = 1
    if counts["passed"] + counts["failed"] == 0:
        print("FAILED: no test ran")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 0 if counts["passed"] > 0 and counts["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
