"""scripts/house.py: what it counts, and that no number of this repository is above its line.

Method: small trees with one fault of each kind; then the repository itself.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()


def house(root, *options):
    return subprocess.run([sys.executable, ROOT / "scripts" / "house.py", *options], text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
                          env={**os.environ, "RELAY_SOURCE": str(root)})


def function(name, *calls, lines=0):
    body = [f"    {call}();" for call in calls] + ["    count++;"] * lines
    return "\n".join([f"void {name}(void)", "{", *body, "}", ""])


class Tree:
    def __init__(self, **files):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        for name, text in files.items():
            self.write(name.replace("__", "/").replace("_c", ".c").replace("_h", ".h"), text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def numbers(self):
        result = house(self.root, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


class Measures(unittest.TestCase):
    def tree(self, **files):
        tree = Tree(**files)
        self.addCleanup(tree.folder.cleanup)
        return tree

    def test_circles_are_those_of_calls_inside_a_folder(self):
        tree = self.tree(base__a_c=function("a", "b"), base__b_c=function("b", "c"),
                         base__c_c=function("c", "a"), base__d_c=function("d", "a", "e", "idle"),
                         base__f_c=function("f", "d") + "static " + function("idle"),
                         base__a_h="".join(f"void {name}(void);\n" for name in "abcdf"),
                         wire__e_c=function("e", "d"), wire__e_h="void e(void);\n")
        numbers = tree.numbers()
        self.assertEqual((numbers["files in circles, base"], numbers["files in circles, all"]),
                         (3, 5))
        tree.write("base/c.c", function("c").replace("{", "{\n    take(a); /* a() */"))
        self.assertNotIn("files in circles, base", tree.numbers())
        tree.write("base/c.c", "static " + function("a") + function("c", "a"))
        self.assertNotIn("files in circles, base", tree.numbers())

    def test_lengths_of_functions(self):
        tree = self.tree(base__a_c="".join(function(f"f{lines}", lines=lines)
                                           for lines in (1, 2, 3, 50, 51)))
        numbers = tree.numbers()
        self.assertEqual([numbers[name] for name in (
            "functions over 50 lines", "lines of the longest function",
            "lines of a function, median", "lines of a function, p90")], [1, 51, 3, 50])

    def test_comments_open_with_their_subject(self):
        tree = self.tree(
            base__a_h="/* What it is. */\n#pragma once\nint a; /* of b */\nint b; /* whole */\n",
            base__a_c="/* Who asks. */\n/*\n * By hand. */\n/* Offset: who asks. What else. */\n"
                      + function("a", "b /* Nobody */"))
        self.assertEqual(tree.numbers()["comments with a fused opening"], 4)

    def test_exports(self):
        header = ('/* Says what it is. */\n#pragma once\nint used(int a,\n         int b);\n'
                  "MUST_USE int idle(void (*call)(int));\nint seam(void);\nint by_macro(void);\n"
                  "#define MACRO() by_macro()\n"
                  "static inline int inside(void)\n{\n    return 1;\n}\n")
        tree = self.tree(
            base__a_h=header, base__b_c=function("other", "used"),
            base__a_c="".join(map(function, ("used", "idle", "seam", "by_macro"))),
            tests__unit__base__b_test_c=function("test", "seam"))
        numbers = tree.numbers()
        self.assertEqual((numbers["exports used nowhere"], numbers["exports used by tests only"]),
                         (1, 1))
        tree.write("base/c.c", "void last(void)\n{\n    goto end;\nend:\n    idle();\n}\n")
        self.assertEqual(tree.numbers()["exports used nowhere"], 0, "a call after a label")

    def test_headers_and_unit_tests(self):
        tree = self.tree(base__a_h="#pragma once\n", base__a_c=function("a"),
                         base__b_c=function("b"), perf__c_c=function("c"),
                         perf__d__e_c=function("e"))
        tree.write("tests/unit/base/b_test.c", "")
        tree.write("tests/unit/perf/c_test.c", "")
        tree.write("tests/unit/perf/d/e_test.c", "")
        numbers = tree.numbers()
        self.assertEqual((numbers["headers without a comment"],
                          numbers["sources without a unit test"]), (1, 1))
        tree.write("tests/tidy/house.json", '{"untested": {"base/a.c": "only starts a thread"}}')
        self.assertEqual(tree.numbers()["sources without a unit test"], 0)

    def test_copies_are_the_same_body_in_two_files(self):
        tree = self.tree(base__a_c=function("a", "x", "y"), base__b_c=function("b", "x", "y"),
                         base__c_c=function("c", "x", "z"))
        self.assertEqual(tree.numbers()["functions that are copies"], 1)

    def test_sources_of_a_folder(self):
        tree = self.tree(**{f"base__f{number}_c": "" for number in range(13)})
        self.assertEqual(tree.numbers()["sources, base"], 13)

    def test_lines_may_only_fall(self):
        tree = self.tree(base__a_c=function("a", lines=60),
                         base__c_c="".join(function(f"short{number}") for number in range(20)))
        lines = tree.root / "tests/tidy/house.json"
        tree.write("tests/tidy/house.json", "{}")
        self.assertEqual(house(tree.root, "--write").returncode, 0)
        self.assertEqual(house(tree.root, "--check").returncode, 0)
        tree.write("base/b.c", function("b", lines=51))
        result = house(tree.root, "--check")
        self.assertEqual(result.returncode, 1)
        self.assertIn("functions over 50 lines: 2, at most 1", result.stdout)
        self.assertIn("base/b.c b: 51 lines", result.stdout)
        house(tree.root, "--write")
        self.assertEqual(json.loads(lines.read_text())["at most"]["functions over 50 lines"], 1)
        for name in ("a", "b"):
            tree.write(f"base/{name}.c", function(name))
        house(tree.root, "--write")
        self.assertEqual(json.loads(lines.read_text())["at most"]["functions over 50 lines"], 0)

    def test_an_excuse_for_a_source_that_is_gone_is_a_fault(self):
        tree = self.tree(base__a_c=function("a"))
        tree.write("tests/tidy/house.json", '{"at most": {"sources without a unit test": 9},'
                   '"untested": {"base/z.c": "hard"}}')
        result = house(tree.root, "--check")
        self.assertEqual((result.returncode, result.stdout.count("base/z.c")), (1, 1))


class House(unittest.TestCase):
    def test_no_number_is_above_its_line(self):
        result = house(ROOT, "--check")
        self.assertEqual(result.returncode, 0, "\n" + result.stdout + result.stderr
                         + "cure: untie what is new, or raise a line of tests/tidy/house.json by "
                         "hand and say why in the commit (scripts/house.py --help)")


if __name__ == "__main__":
    unittest.main(verbosity=2)
