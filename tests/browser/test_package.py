"""web/relay, the npm package: its tests in Node against a started relay, its types and style, and
what is packed."""

import json
import re
import unittest

import relay_support
import web_support
from web_support import WEB, node, run_tests

GZIP_BYTES_MAX = 16750  # all entry points together: docs/decisions/0017
TS_LINES_MAX = 300


class PackageTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := web_support.why_no_node():
            raise unittest.SkipTest(reason)


class InNode(PackageTestCase):
    def test_the_parts(self):
        run_tests(self, "relay/test/parts.test.js", "relay/test/ts.test.js")

    def test_connections_to_a_relay(self):
        run_tests(self, "relay/test/connection.test.js")


@unittest.skipIf(relay_support.SANITIZED, "the build without sanitizers has it")
class Sources(PackageTestCase):
    def test_types_are_right(self):
        done = node("node_modules/typescript/bin/tsc", "--project", "tsconfig.json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_style_is_kept(self):
        done = node("node_modules/eslint/bin/eslint.js", ".")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_demuxer_stays_small(self):
        lines = (WEB / "relay/src/ts.js").read_text(encoding="utf-8").count("\n")
        self.assertLessEqual(lines, TS_LINES_MAX)


@unittest.skipIf(relay_support.SANITIZED, "the build without sanitizers has it")
class Packed(PackageTestCase):
    def test_sizes_are_those_of_the_readme_and_small(self):
        done = node("sizes.js")
        self.assertEqual(done.returncode, 0, done.stderr)
        readme = (WEB / "relay/README.md").read_text(encoding="utf-8")
        stale = [line for line in done.stdout.splitlines() if line not in readme]
        self.assertEqual(stale, [], "cure: `node sizes.js` in web/ prints the table for README.md")
        together = re.search(r"^\| all together \|.* (\d+) \|$", done.stdout, re.MULTILINE)
        self.assertLessEqual(int(together[1]), GZIP_BYTES_MAX)

    def test_the_version_is_the_projects(self):
        cmake = (WEB.parent / "CMakeLists.txt").read_text(encoding="utf-8")
        version = re.search(r"project\(\s*relay[^)]*VERSION\s+([0-9.]+)", cmake)[1]
        package = json.loads((WEB / "relay/package.json").read_text(encoding="utf-8"))
        self.assertEqual(package["version"], version)


if __name__ == "__main__":
    relay_support.main()
