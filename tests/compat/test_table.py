"""docs/compatibility.md says what the tests say, and nothing else."""

import os
import pathlib
import re
import unittest

import make_table
import relay_support
from rows import DECISIONS

SOURCE = pathlib.Path(os.environ["RELAY_SOURCE"])


class Table(unittest.TestCase):
    def test_the_page_is_current(self):
        self.assertTrue(make_table.PAGE.is_file(), "run tests/compat/make_table.py")
        self.assertEqual(make_table.PAGE.read_text(encoding="utf-8").splitlines(),
                         make_table.page().splitlines(),
                         "run tests/compat/make_table.py and commit the page")

    def test_every_row_is_whole(self):
        for row in make_table.all_rows():
            with self.subTest(row.behaviour):
                self.assertIn(row.subject, make_table.SUBJECTS)
                self.assertTrue(row.behaviour and row.practable)
                self.assertEqual(row.ours == "", row.decision == "",
                                 "a difference and its reason belong together")
                self.assertIn(row.decision, ["", *DECISIONS])

    def test_every_decision_decides_something(self):
        used = {row.decision for row in make_table.all_rows()}
        self.assertLessEqual(set(DECISIONS), used)

    def test_every_test_that_is_named_is_there(self):
        for row in make_table.all_rows():
            file, _, name = row.test.partition(": ")
            with self.subTest(row.test):
                text = (SOURCE / file).read_text(encoding="utf-8")
                self.assertTrue(name.endswith(".py") or re.search(rf"\bdef {name}\(", text),
                                f"{file} has no {name}")

    def test_no_behaviour_is_told_twice(self):
        seen = set()
        for row in make_table.all_rows():
            key = (row.subject, row.behaviour)
            self.assertNotIn(key, seen)
            seen.add(key)


if __name__ == "__main__":
    relay_support.main()
