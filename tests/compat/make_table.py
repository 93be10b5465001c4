"""Writes docs/compatibility.md from the rows of the tests: make_table.py [--check].

Needs RELAY_SOURCE and PYTHONPATH as the tests have them. --check: says whether the page is current.
"""

import importlib
import inspect
import os
import pathlib
import sys
import unittest

import elsewhere
import exchanges
from rows import DECISIONS, SAME, Row

HERE = pathlib.Path(__file__).resolve().parent
PAGE = pathlib.Path(os.environ.get("RELAY_SOURCE") or HERE.parent.parent) / "docs/compatibility.md"
SUBJECTS = ["Tokens", "/session", "/bids", "/status", "Statistics", "HTTP", "Documentation",
            "WebSocket", "Browsers", "Ports", "Log", "Command line", "Faults"]
BODY_LENGTH_MAX = 90

HEAD = """# Compatibility with practable/relay

Written by `tests/compat/make_table.py` from the tests; do not edit. Each row names the test that
shows what this relay does. What practable/relay does was read from its code and seen on the running
program (main of January 2026, after v0.9.3). Rows of `exchanges.py` are requests whose answers are
compared byte for byte; where a Go toolchain is present and can fetch practable/relay, the label
`interop` compares them with practable/relay too.

The last column: **same**, or the reason why it differs.

| reason | |
| --- | --- |
"""


def answer_text(answer):
    if answer.status == 0:
        return ""
    body = answer.body.rstrip("\n").replace(exchanges.CODE, "…").replace("{audience}", "…")
    body = body.replace("{url}", "…")
    if len(body) > BODY_LENGTH_MAX:
        body = body[:BODY_LENGTH_MAX - 1] + "…"
    return f"{answer.status} `{body}`" if body else str(answer.status)


def row_of_exchange(exchange):
    return Row(exchange.subject, f"{exchange.method} {exchange.target.split('?')[0]}: "
               f"{exchange.what}", exchange.said or answer_text(exchange.practable),
               SAME if exchange.ours is None else answer_text(exchange.ours), exchange.decision,
               "tests/compat/test_exchanges.py: exchanges.py")


def rows_of_module(path):
    module = importlib.import_module(path.stem)
    for _, case in inspect.getmembers(module, inspect.isclass):
        if not issubclass(case, unittest.TestCase) or case.__module__ != module.__name__:
            continue
        for name, function in vars(case).items():
            for row in getattr(function, "compatibility_rows", []):
                yield row._replace(test=f"tests/compat/{path.name}: {name}")


def all_rows():
    rows = [row_of_exchange(exchange)
            for exchange in exchanges.EXCHANGES + exchanges.WITHOUT_TIMES]
    for path in sorted(HERE.glob("test_*.py")):
        rows += rows_of_module(path)
    return rows + elsewhere.ROWS


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def page():
    rows = all_rows()
    lines = [HEAD.rstrip("\n")]
    lines += [f"| {name} | {cell(text)} |" for name, text in DECISIONS.items()]
    differing = sum(1 for row in rows if row.decision)
    lines += ["", f"{len(rows)} behaviours: {len(rows) - differing} the same, {differing} differ."]
    for subject in SUBJECTS:
        lines += ["", f"## {subject}", "",
                  "| behaviour | practable/relay | this relay | | test |",
                  "| --- | --- | --- | --- | --- |"]
        for row in rows:
            if row.subject == subject:
                file, _, name = row.test.partition(": ")
                verdict = f"differs: {row.decision}" if row.decision else "same"
                lines.append(f"| {cell(row.behaviour)} | {cell(row.practable)} | "
                             f"{cell(row.ours) or 'the same'} | {verdict} | "
                             f"`{file.removeprefix('tests/')}` {name.replace('_', ' ')} |")
    return "\n".join(lines) + "\n"


def main():
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    is_current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    print("current" if is_current else f"{PAGE} is not current: run tests/compat/make_table.py")
    return 0 if is_current else 1


if __name__ == "__main__":
    sys.exit(main())
