"""docs/architecture.md says what is so: each name exists, each arrow is a call.

Method: its code spans are looked up in the production code, and its arrows in the calls that
calls.py finds there. A small tree with known calls shows that both can fail.
"""

import functools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from calls import Calls
from repository import PRODUCTION, ROOT, c_files, code, files, read

PAGE = "docs/architecture.md"
ELEMENT = re.compile(r"`([^`]+)`(?:\s+\(([\w/-]+\.[ch])\))?")
ARROW = re.compile(r"\s*→\s*")
# Files that stand for any of their kind.
ANY_FILE = re.compile(r"(?:^|/)x(?:[_.]|/$)")
ROWS_OF_NEWCOMERS = 12


def prose(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def chains(text):
    """Lists of (name, path or None) that arrows connect, each of two or more."""
    found, position = [], 0
    while element := ELEMENT.search(text, position):
        chain = []
        while element:
            chain.append((element[1], element[2]))
            position = element.end()
            arrow = ARROW.match(text, position)
            element = arrow and ELEMENT.match(text, arrow.end())
        if len(chain) > 1:
            found.append(chain)
    return found


def wrong_arrows(calls, chain):
    """What is not so along one chain."""
    nodes, last, pointer, wrong = None, "", None, []
    for name, path in chain:
        if name.startswith("."):
            pointer = name[1:]
            continue
        targets = calls.nodes(name, path and pathlib.PurePosixPath(path))
        if not targets:
            wrong.append(f"{name} is no function" + (f" of {path}" if path else ""))
        elif nodes is not None:
            reached = calls.within_two_hops(nodes, targets, pointer)
            if not reached:
                wrong.append(f"{last} → {'.' + pointer + ' → ' if pointer else ''}{name}")
            targets = reached or targets
        nodes, last, pointer = targets, name, None
    return wrong


@functools.lru_cache(maxsize=None)
def words():
    return set(re.findall(r"\w+", "\n".join(read(path) for path in c_files(*PRODUCTION))))


def is_known(span):
    """True for a file, a folder or a word of the code; and for what names neither."""
    if re.fullmatch(r"[\w./-]+/[\w./-]*|[\w-]+\.(?:c|h|md|py|json)", span) and span[0] != "/":
        if ANY_FILE.search(span):
            return True
        names = {str(path) for path in files()}
        folders = {str(parent) + "/" for path in files() for parent in path.parents}
        return any(each in names or each in folders for each in (span, f"server/{span}"))
    name = re.fullmatch(r"(?:struct |enum |worker->|\.)?(\w+)(?: \{)?", span)
    return name is None or "_" not in name[1] or name[1] in words()


class Architecture(unittest.TestCase):
    def setUp(self):
        self.text = prose(read(PAGE))

    def test_each_name_exists(self):
        missing = sorted({span for span in re.findall(r"`([^`]+)`", self.text)
                          if not is_known(span)})
        self.assertEqual(missing, [], f"cure: name in {PAGE} what is there now")

    def test_each_arrow_is_a_call(self):
        found = chains(self.text)
        self.assertGreater(len(found), 50, "the lists were not found")
        calls = Calls()
        wrong = [each for chain in found for each in wrong_arrows(calls, chain)]
        self.assertEqual(wrong, [], f"cure: {PAGE} must follow the code, a call and at most one "
                         "function in between for each arrow")

    def test_each_list_goes_on_from_an_earlier_one(self):
        seen, strays = {"main", "thread_main"}, []
        for chain in chains(self.text):
            if chain[0][0] not in seen:
                strays.append(chain[0][0])
            seen |= {name for name, _ in chain}
        self.assertEqual(strays, [], "cure: say by which arrow they are reached, before")

    def test_newcomers_find_twelve_things(self):
        table = self.text.split("## To change X, open Y")[1]
        rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
        self.assertEqual(len(rows), ROWS_OF_NEWCOMERS)
        for row in rows:
            what, where = row.strip("| ").split(" | ")
            paths = [span for span in re.findall(r"`([^`]+)`", where) if "/" in span]
            self.assertTrue(paths, f"{what}: no file")
            for path in paths:
                self.assertTrue(ANY_FILE.search(path) or (ROOT / path).exists(),
                                f"{what}: {path} is not there, from the root")

    def test_names_stand_in_the_file_that_the_row_names_with_them(self):
        """`name` in `file`, `name` (`file`), `name` of `file`"""
        pattern = re.compile(r"`(?:struct |enum )?(\w+)`(?: in | of | \()`([\w/.-]+\.[ch])`")
        found = pattern.findall(self.text)
        self.assertGreater(len(found), 10)
        wrong = [f"{name} is not in {path}" for name, path in found
                 if not re.search(rf"\b{name}\b", self.source(path))]
        self.assertEqual(wrong, [], "cure: name the file where it is now")

    @staticmethod
    def source(path):
        return code(path if (ROOT / path).is_file() else f"server/{path}")


class Rules(unittest.TestCase):
    """The rules themselves, on a tree of two files."""

    SOURCES = {
        "base/a.h": "/* A. */\n#pragma once\nvoid far(void);\nvoid set(void (*on_end)(void));\n"
                    "void near(void);\n",
        "base/a.c": "void far(void)\n{\n    x = 1;\n}\n\nvoid near(void)\n{\n    far();\n}\n\n"
                    "void set(void (*on_end)(void))\n{\n    ops->on_end = on_end;\n}\n",
        "base/b.c": "static void ended(void)\n{\n    far();\n}\n\nstatic void idle(void)\n{\n}\n\n"
                    "void begin(void)\n{\n    set(ended);\n    near();\n}\n\n"
                    "void end(void)\n{\n    begin();\n    ops->on_end();\n}\n\n"
                    "static const struct ops table = {.on_begin = idle};\n",
    }

    def judge(self, text):
        """The wrong arrows of text, by a process of its own that sees the tree."""
        with tempfile.TemporaryDirectory() as folder:
            for name, source in self.SOURCES.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(source, encoding="utf-8")
            result = subprocess.run(
                [sys.executable, __file__, "--judge", text], text=True, capture_output=True,
                check=True, timeout=60, env={**os.environ, "RELAY_SOURCE": folder})
        return result.stdout.splitlines()

    def test_calls_and_pointers_are_followed(self):
        self.assertEqual(self.judge("`begin` → `near` → `far`; `begin` → `far`; `end` → `near`; "
                                    "`end` → `.on_end` → `ended` (base/b.c) → `far`"), [])

    def test_false_arrows_are_found(self):
        self.assertEqual(
            self.judge("`far` → `near`; `end` → `far`; `end` → `.on_end` → `idle`; "
                       "`end` →\n`gone`; `end` → `begin` (base/a.c)"),
            ["far → near", "end → far", "end → .on_end → idle", "gone is no function",
             "begin is no function of base/a.c"])

    def test_false_names_are_found(self):
        for span in ("conn/no.c", "server/no/", "no_such_name", "struct no_such_name", "no.c"):
            self.assertFalse(is_known(span), span)
        for span in ("conn/close.c", "server/conn/", "conn_open", "struct conn_table", "/status",
                     "fuzz/x_fuzz.c", "relay help --markdown"):
            self.assertTrue(is_known(span), span)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--judge"]:
        graph = Calls()
        for each in chains(sys.argv[2]):
            print("".join(f"{wrong}\n" for wrong in wrong_arrows(graph, each)), end="")
        sys.exit(0)
    unittest.main(verbosity=2)
