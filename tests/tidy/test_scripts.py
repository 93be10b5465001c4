"""scripts/ as users call them: help, faults in options, and the closing line of a test run.

Method: the closing summary gets results as ctest writes them, one of each kind.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
SHELL_SCRIPTS = ("scripts/setup.sh", "scripts/test.sh", "scripts/demo.sh", ".ci/run",
                 "scripts/cross.sh")

PASSED = '<testcase name="unit/a" time="0.1" status="run"><system-out>fine</system-out></testcase>'
PARTLY = ('<testcase name="e2e/b" time="0.1" status="run"><system-out>test_x (Test.test_x) ... '
          "skipped 'no tls module'\nOK (skipped=1)</system-out></testcase>")
SKIPPED = ('<testcase name="e2e/c" time="0.1" status="notrun">'
           '<skipped message="SKIP_RETURN_CODE=77"/>'
           "<system-out>starting\nSKIP: no io_uring here\n</system-out></testcase>")
SILENT = ('<testcase name="e2e/d" time="0.1" status="notrun">'
          '<skipped message="SKIP_RETURN_CODE=77"/><system-out/></testcase>')
FAILED = ('<testcase name="unit/e" time="2.5" status="fail"><failure message=""/>'
          "<system-out>boom</system-out></testcase>")
NOT_BUILT = ('<testcase name="unit/f" time="0" status="notrun">'
             '<skipped message="Unable to find executable"/>'
             "<system-out>Unable to find executable: x</system-out></testcase>")


def run(*command):
    """In an environment without what the run around this test was told by its own flags."""
    environment = {name: value for name, value in os.environ.items() if name != "RELAY_TEST_VM"}
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=300, cwd=ROOT,
                          env=environment)


def summarise(*cases, ctest_status=0):
    """Exit status and output lines of the closing summary."""
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(f'<?xml version="1.0"?><testsuite>{"".join(cases)}</testsuite>')
        file.flush()
        result = run(sys.executable, "scripts/test_summary.py", file.name, ctest_status)
    return result.returncode, result.stdout.splitlines()


class Scripts(unittest.TestCase):
    def test_shell_scripts_parse(self):
        for script in SHELL_SCRIPTS:
            result = run("bash", "-n", script)
            self.assertEqual((result.returncode, result.stderr), (0, ""), script)

    def test_help_names_every_option_and_succeeds(self):
        for script in SHELL_SCRIPTS[:3]:
            text = (ROOT / script).read_text(encoding="utf-8")
            result = run(f"./{script}", "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""), script)
            for word in ("--seconds", "--preset", "--label", "--no-vm", "--server-only"):
                if f"{word} |" in text or f"{word})" in text:
                    self.assertIn(word, result.stdout, script)

    def test_faulty_options_get_one_line_and_status_1(self):
        for command in (["scripts/test.sh", "--colour"], ["scripts/test.sh", "--preset"],
                        ["scripts/test.sh", "--jobs", "many"], ["scripts/demo.sh", "--colour"],
                        ["scripts/demo.sh", "--seconds"], ["scripts/demo.sh", "--seconds", "0"],
                        ["scripts/demo.sh", "--seconds", "ten"], ["scripts/setup.sh", "-x"]):
            result = run(f"./{command[0]}", *command[1:])
            self.assertEqual((result.returncode, result.stdout), (1, ""), command)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_a_run_says_first_how_long_it_takes_and_what_it_leaves_out(self):
        told = {words: run("scripts/test.sh", "--plan", *words.split()).stdout
                for words in ("", "--all", "--label unit", "--preset asan")}
        self.assertRegex(told[""], r"preset release: about \d+ minutes on two processors")
        self.assertRegex(told[""], "left out: sanitizers and fuzzing.*--preset asan.*.ci/run")
        self.assertIn("left out: tests without these labels: unit", told["--label unit"])
        self.assertRegex(told["--preset asan"], r"preset asan: about \d+ minutes")
        if not pathlib.Path("/proc/net/tls_stat").exists():
            self.assertIn("--all has them", told[""])
            self.assertNotIn("--all has them", told["--all"])

    def test_summary_counts_each_kind_and_gives_reasons(self):
        status, lines = summarise(PASSED, PARTLY, SKIPPED, SILENT, FAILED, ctest_status=8)
        self.assertEqual((status, lines[-1]), (1, "2 passed, 1 failed, 3 skipped"))
        text = "\n".join(lines)
        self.assertIn("skipped: e2e/c: SKIP: no io_uring here", text)
        self.assertIn("skipped: e2e/d: the test printed no reason", text)
        self.assertIn("part skipped: e2e/b: test_x (Test.test_x) ... skipped 'no tls module'", text)
        self.assertIn("FAILED: unit/e (2.5 s)\n    boom", text)

    def test_summary_succeeds_when_all_pass_or_skip(self):
        self.assertEqual(summarise(PASSED, SKIPPED)[0], 0)

    def test_summary_takes_a_test_that_was_not_built_for_a_failure(self):
        status, lines = summarise(PASSED, NOT_BUILT, ctest_status=8)
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_summary_fails_when_nothing_ran(self):
        for cases in ((), (SKIPPED,)):
            status, lines = summarise(*cases)
            self.assertEqual(status, 1)
            self.assertEqual(lines[-1], f"0 passed, 0 failed, {len(cases)} skipped")

    def test_summary_hides_no_failure_of_ctest_itself(self):
        status, lines = summarise(PASSED, ctest_status=1)
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))


GUEST = """#!/bin/bash
# In place of QEMU: a guest that prints, and maybe hangs.
for word in "$@"; do
    case $word in local,path=*,mount_tag=out,*) out=${word#local,path=} out=${out%%,*} ;; esac
done
for ((second = 0; second < $GUEST_PRINTS_S; second++)); do
    echo "$second" >>"$out/log"
    sleep 1
done
[[ -z $GUEST_HANGS ]] || exec sleep 600
echo 3 >"$out/rc"
"""


@unittest.skipUnless(all(map(shutil.which, ("busybox", "cpio"))), "no busybox or cpio here")
class Guests(unittest.TestCase):
    """tests/vm/boot.sh"""

    def boot(self, quiet_max_s, prints_s, hangs):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "version").write_text("0\n")
            (folder / "qemu-system-x86_64").write_text(GUEST)
            (folder / "qemu-system-x86_64").chmod(0o755)
            return subprocess.run(
                [ROOT / "tests/vm/boot.sh", folder, str(quiet_max_s), "true"], text=True,
                capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
                env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                     "GUEST_PRINTS_S": str(prints_s), "GUEST_HANGS": "yes" if hangs else ""})

    def test_a_guest_that_makes_progress_may_take_as_long_as_it_needs(self):
        result = self.boot(quiet_max_s=4, prints_s=9, hangs=False)
        self.assertEqual((result.returncode, result.stdout.split()),
                         (3, [str(second) for second in range(9)]), result.stderr)

    def test_a_guest_that_hangs_is_ended(self):
        result = self.boot(quiet_max_s=4, prints_s=1, hangs=True)
        self.assertEqual((result.returncode, result.stdout), (125, "0\n"), result.stderr)
        self.assertIn("printed nothing for 4 s", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
