#!/usr/bin/env python3
"""Measures how the production C code is built: functions, folders, circles of calls, exports.

    scripts/house.py           a table of the folders, and what the measures found
    scripts/house.py --check   exit status 1 if a number is above its line in tests/tidy/house.json
    scripts/house.py --write   lowers the lines of tests/tidy/house.json to today's numbers
    scripts/house.py --json    the numbers as JSON

The lines may only fall. A line is raised by hand, with the reason in the commit. Sources that
cannot have a unit test of their own are in the same file, each with its reason.

Definitions are found by the form that clang-format gives them, calls by name: `name(`, so that a
function that is handed down as a pointer is no call.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "tidy"))
from repository import PRODUCTION, ROOT, c_files, code, functions, read  # noqa: E402

LINES_FILE = ROOT / "tests" / "tidy" / "house.json"
LONG_FUNCTION = 50
FULL_FOLDER = 12
# Lines of docs/style.md, which do not fall.
RULES = {"lines of a function, median": 15, "lines of a function, p90": 25}
# What a number is no fault of: a bound of its own, or a seam that tests need.
TOLD_ONLY = ("lines of the longest function", "exports used by tests only")
# "Who sees the one sees the other": a subject hidden in its verb (docs/style.md, Comments).
FUSED_OPENING = re.compile(
    r"/\*+[\s*]*((?:What|Who|Whom|Whose|Whoever|Nobody|Somebody|Of|By)\b.*)")
# Their users are other programs.
PUBLIC_HEADERS = ("client/relay_client.h", "client/relay_status.h")
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
WORD = re.compile(r"[A-Za-z_]\w*")


class Source:
    """One .c file: its functions, and the words and calls of its text."""

    def __init__(self, path):
        self.path = path
        self.folder = str(path.parent)
        self.lines = read(path).count("\n")
        self.functions = {name: count for name, _, count, _ in functions(path)}
        self.bodies = {name: self._body(line, count) for name, line, count, _ in functions(path)}
        text = code(path)
        self.calls = set(CALL.findall(text))
        self.words = set(WORD.findall(text))

    def _body(self, line, count):
        """Without comments, layout and texts; line is that of the brace."""
        return " ".join(" ".join(code(self.path).splitlines()[line:line + count]).split())


def exports_of(header):
    """Names of the functions that a header declares (not those that it defines)."""
    text = re.sub(r"(?m)^\s*#(?:.*\\\n)*.*$", "", code(header))
    return {match[1] for match in
            re.finditer(r"(?m)^[A-Za-z_][^;:{}()=]*?\b([A-Za-z_]\w*)\((?:[^;{}]|\n)*?\)[^;{}()]*"
                        r"(?:\([^;{}]*\)[^;{}()]*)*;", text)}


def uses_itself(header, name):
    """In a macro or an inline function, beside the declaration."""
    return len(re.findall(rf"\b{name}\b", code(header))) > 1


def circles(arrows):
    """The circles of a graph (node: set of nodes), each a sorted list of more than one node."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(arrows.get(node, ())):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            circle = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in sorted(arrows):
        if node not in order:
            visit(node)
    return found


def call_arrows(sources, exported):
    """Which of these sources calls exported functions of which others."""
    homes = {name: str(source.path) for source in sources for name in source.functions
             if name in exported}
    arrows = collections.defaultdict(set)
    for source in sources:
        for name in source.calls & homes.keys():
            # A static function of the same name is the one that is meant.
            if name not in source.functions:
                arrows[str(source.path)].add(homes[name])
    return arrows


class House:
    def __init__(self, lines):
        self.excused = lines.get("untested", {})
        self.sources = [Source(path) for path in c_files(*PRODUCTION, suffixes=(".c",))
                        if "tests" not in path.parts]
        self.headers = [path for path in c_files(*PRODUCTION, suffixes=(".h",))
                        if "tests" not in path.parts]
        self.exported = set().union(*map(exports_of, self.headers))
        self.folders = collections.defaultdict(list)
        for source in self.sources:
            self.folders[source.folder].append(source)
        self.lengths = sorted(count for source in self.sources
                              for count in source.functions.values())

    def circles(self):
        """folder: its circles, where it has any; those through several folders are below "all" """
        found = {folder: circles(call_arrows(sources, self.exported))
                 for folder, sources in sorted(self.folders.items())}
        found["all"] = circles(call_arrows(self.sources, self.exported))
        return {folder: each for folder, each in found.items() if each}

    def long_functions(self):
        return [f"{source.path} {name}: {count} lines" for source in self.sources
                for name, count in source.functions.items() if count > LONG_FUNCTION]

    def users(self):
        """word: the production files, and the others, that contain it"""
        ours, others = collections.defaultdict(set), collections.defaultdict(set)
        for path in c_files():
            production = path.parts[0] in PRODUCTION and "tests" not in path.parts
            for word in set(WORD.findall(code(path))):
                (ours if production else others)[word].add(path)
        return ours, others

    def idle_exports(self):
        """(used nowhere outside their file, used outside it by tests only)"""
        ours, others = self.users()
        homes = {name: source.path for source in self.sources for name in source.functions}
        nowhere, by_tests = [], []
        for header in self.headers:
            if str(header) in PUBLIC_HEADERS:
                continue
            for name in sorted(exports_of(header) & homes.keys()):
                outside = {path for path in ours[name] - {homes[name]}
                           if name not in exports_of(path) or uses_itself(path, name)}
                if not outside:
                    (by_tests if others[name] else nowhere).append(f"{header} {name}")
        return nowhere, by_tests

    def strange_names(self):
        """Exports that do not begin with the noun of their file, or with folder and noun."""
        return [f"{header} {name}" for header in self.headers if str(header) not in PUBLIC_HEADERS
                for name in sorted(exports_of(header))
                if not any(f"{name}_".startswith(f"{noun}_")
                           for noun in (header.stem, f"{header.parent.name}_{header.stem}"))]

    def bare_headers(self):
        return [str(header) for header in self.headers
                if not read(header).lstrip().startswith("/*")]

    def fused_openings(self):
        """Comments without a subject of their own in front."""
        return [f"{path}:{text.count(chr(10), 0, match.start()) + 1} {match[1]}"
                for path in [*(source.path for source in self.sources), *self.headers]
                for text in [read(path)] for match in FUSED_OPENING.finditer(text)]

    def untested(self):
        tests = {str(path) for path in c_files("tests", suffixes=(".c",))}

        def has_test(path):
            return (f"tests/unit/{path.with_suffix('')}_test.c" in tests
                    or (path.parts[0] == "host-gst"
                        and f"tests/host-gst/{path.stem}_test.c" in tests))

        return [str(source.path) for source in self.sources
                if str(source.path) not in self.excused and not has_test(source.path)]

    def copies(self):
        """Functions of several files with the same body of more than one line."""
        bodies = collections.defaultdict(list)
        for source in self.sources:
            for name, body in source.bodies.items():
                if source.functions[name] > 1:
                    bodies[body].append(f"{source.path} {name}")
        return [" = ".join(each) for each in bodies.values()
                if len({name.split()[0] for name in each}) > 1]

    def found(self):
        """What stands behind each number: measure: list of texts"""
        nowhere, by_tests = self.idle_exports()
        return {
            "functions over 50 lines": self.long_functions(),
            "exports used nowhere": nowhere,
            "exports used by tests only": by_tests,
            "exports without their file's noun": self.strange_names(),
            "headers without a comment": self.bare_headers(),
            "comments with a fused opening": self.fused_openings(),
            "sources without a unit test": self.untested(),
            "functions that are copies": self.copies(),
            **{f"files in circles, {folder}": [" ".join(circle) for circle in each]
               for folder, each in self.circles().items()},
            **{f"sources, {folder}": [str(len(sources))]
               for folder, sources in sorted(self.folders.items()) if len(sources) > FULL_FOLDER},
        }

    def numbers(self, found):
        numbers = {"lines of the longest function": max(self.lengths, default=0),
                   "lines of a function, median": int(statistics.median(self.lengths or [0])),
                   "lines of a function, p90": percentile(self.lengths, 90)}
        for measure, texts in found.items():
            numbers[measure] = (int(texts[0]) if measure.startswith("sources, ")
                                else sum(len(text.split()) for text in texts)
                                if measure.startswith("files in circles") else len(texts))
        conn_h = pathlib.PurePosixPath("server/conn/conn.h")
        if conn_h in self.headers:
            numbers["lines of server/conn/conn.h"] = read(conn_h).count("\n")
        return numbers

    def table(self):
        rows = [("folder", "sources", "lines", "functions", "median", "p90", "longest", "arrows",
                 "in circles", "untested")]
        in_circles = self.circles()
        untested = self.untested()
        for folder, sources in sorted(self.folders.items()):
            lengths = sorted(count for source in sources for count in source.functions.values())
            rows.append((folder, len(sources), sum(source.lines for source in sources),
                         len(lengths), int(statistics.median(lengths or [0])),
                         percentile(lengths, 90), max(lengths, default=0),
                         sum(map(len, call_arrows(sources, self.exported).values())),
                         sum(map(len, in_circles.get(folder, []))),
                         sum(str(source.path) in untested for source in sources)))
        rows.append(("all", len(self.sources), sum(source.lines for source in self.sources),
                     len(self.lengths), int(statistics.median(self.lengths or [0])),
                     percentile(self.lengths, 90), max(self.lengths, default=0),
                     sum(map(len, call_arrows(self.sources, self.exported).values())),
                     sum(map(len, in_circles.get("all", []))),
                     len(untested)))
        widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
        return "\n".join("  ".join(str(cell).rjust(width) if column else str(cell).ljust(width)
                                   for column, (cell, width) in enumerate(zip(row, widths)))
                         for row in rows)


def percentile(sorted_values, percent):
    return sorted_values[(len(sorted_values) - 1) * percent // 100] if sorted_values else 0


def load_lines():
    return json.loads(LINES_FILE.read_text(encoding="utf-8")) if LINES_FILE.is_file() else {}


def check(lines, numbers, found):
    """Prints what is above its line, with what stands behind it. Returns whether there is any."""
    at_most = {**lines.get("at most", {}), **RULES}
    above = [measure for measure, number in numbers.items()
             if measure not in TOLD_ONLY and number > at_most.get(measure, 0)]
    for measure in above:
        print(f"{measure}: {numbers[measure]}, at most {at_most.get(measure, 0)}")
        for text in found.get(measure, []):
            print(f"    {text}")
    for path in lines.get("untested", {}):
        if not (ROOT / path).is_file():
            print(f"{path}: excused from a unit test, and not there")
            above.append(path)
    if not above:
        lower = [measure for measure, line in lines.get("at most", {}).items()
                 if numbers.get(measure, 0) < line]
        print("house: nothing is above its line"
              + (f"; --write lowers: {', '.join(lower)}" if lower else ""))
    return bool(above)


def write(lines, numbers):
    """Lowers lines; one that there was not yet begins at today's number."""
    old = lines.get("at most", {})
    lines["at most"] = {measure: min(number, old.get(measure, number))
                        for measure, number in sorted(numbers.items())
                        if measure not in (*TOLD_ONLY, *RULES)
                        and (number or "," not in measure)}
    LINES_FILE.write_text(json.dumps(lines, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group()
    for option in ("--check", "--write", "--json"):
        group.add_argument(option, action="store_true")
    arguments = parser.parse_args()
    lines = load_lines()
    house = House(lines)
    found = house.found()
    numbers = house.numbers(found)
    if arguments.check:
        sys.exit(check(lines, numbers, found))
    if arguments.write:
        write(lines, numbers)
        return
    if arguments.json:
        print(json.dumps(numbers, indent=2))
        return
    print(house.table())
    for measure, number in numbers.items():
        print(f"\n{measure}: {number}")
        for text in found.get(measure, []):
            print(f"    {text}")


if __name__ == "__main__":
    main()
