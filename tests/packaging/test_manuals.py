"""Manual pages and completion, as they are installed: they load without a complaint and know each
command and flag of --help.

Method: the files of the build, read by man and by the shells themselves.
"""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["RELAY_BUILD"])
RELAY = BUILD / "relay"
DOCS = BUILD / "docs"


def run(*arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=300, check=False, **options)


def needs(program, package):
    return unittest.skipUnless(shutil.which(program), f"no {program} here (package {package})")


def commands():
    """Each command with options of its own, as --help knows it."""
    names = re.findall(r"^### (relay .*)$", run(RELAY, "help", "--markdown").stdout, re.MULTILINE)
    assert len(names) > 5, names
    return names


def flags(command):
    return re.findall(r"^  (--[a-z0-9-]+) ", run(RELAY, *command.split()[1:], "--help").stdout,
                      re.MULTILINE)


class Manuals(unittest.TestCase):
    def pages(self):
        return sorted([*DOCS.glob("*.1"), *BUILD.glob("host-gst/*.7")])

    def test_there_is_a_page_for_each_command_and_one_for_all(self):
        names = {page.stem for page in self.pages()}
        self.assertLessEqual({"relay", *(name.replace(" ", "-") for name in commands())}, names)
        overview = (DOCS / "relay.1").read_text(encoding="utf-8").replace("\\-", "-")
        for name in commands():
            self.assertIn(f".BR {name.replace(' ', '-')} (1)", overview)

    def test_each_page_has_each_flag(self):
        for name in commands():
            page = (DOCS / f"{name.replace(' ', '-')}.1").read_text(encoding="utf-8")
            for flag in flags(name):
                self.assertIn(f"\\fB{flag.replace('--', chr(92) + '-' + chr(92) + '-', 1)}\\fR",
                              page)

    def test_elements_have_pages_with_their_properties(self):
        if not (BUILD / "gst").is_dir():
            self.skipTest("the GStreamer plugin is not built here")
        for name, properties in (("relaysink", ("location", "drop-policy", "status")),
                                 ("relaysrc", ("location", "max-age", "status"))):
            page = (BUILD / "host-gst" / f"{name}.7").read_text(encoding="utf-8")
            for each in properties:
                self.assertIn(f".B {each}".replace("-", "\\-"), page)

    @needs("man", "man-db")
    def test_man_reads_them_without_a_warning(self):
        for page in self.pages():
            shown = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page),
                        env={**os.environ, "MANROFFSEQ": "", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
            if "No such file" in shown.stderr or "groff" in shown.stderr and "not" in shown.stderr:
                self.skipTest("man cannot format here: " + shown.stderr.splitlines()[0])
            self.assertEqual((shown.returncode, shown.stderr), (0, ""), page)

    @needs("lexgrog", "man-db")
    def test_each_page_can_be_found_by_its_name(self):
        for page in self.pages():
            found = run("lexgrog", str(page))
            self.assertEqual(found.returncode, 0, found)
            self.assertIn(f'"{page.stem} - ', found.stdout)


# Prints what a line is completed to, one word in each line.
BASH_DRIVER = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_relay
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(unittest.TestCase):
    def bash(self, *words):
        done = run("bash", "-uc", BASH_DRIVER.replace("set -u", ""), "bash",
                   str(DOCS / "relay.bash"), *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return [word for word in done.stdout.split("\n") if word]

    def test_bash_completes_commands(self):
        self.assertIn("serve", self.bash("relay", ""))
        self.assertEqual(self.bash("relay", "se"), ["serve"])
        self.assertEqual(self.bash("relay", "client", "pi"), ["pipe"])
        self.assertIn("inspect", self.bash("relay", "token", ""))

    def test_bash_completes_each_flag_of_each_command(self):
        for name in commands():
            self.assertLessEqual(set(flags(name)), set(self.bash(*name.split(), "--")), name)

    def test_bash_completes_choices(self):
        self.assertEqual(self.bash("relay", "serve", "--ktls", ""), ["auto", "off", "require"])
        # bash itself divides --ktls=au into three words.
        self.assertEqual(self.bash("relay", "serve", "--ktls", "=", "au"), ["auto"])
        self.assertEqual(self.bash("relay", "serve", "--ktls", "="), ["auto", "off", "require"])
        self.assertEqual(self.bash("relay", "serve", "--privacy", "=", "t"), ["true"])
        self.assertEqual(self.bash("relay", "serve", "--audience", ""), [], "files, by default")

    @needs("zsh", "zsh")
    def test_zsh_reads_it(self):
        done = run("zsh", "-n", str(DOCS / "_relay"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    @needs("fish", "fish")
    def test_fish_completes(self):
        done = run("fish", "--no-config", "-c",
                   f"source {DOCS / 'relay.fish'}; complete -C 'relay serve --ktls '; "
                   "complete -C 'relay client pi'; complete -C 'relay token --lif'")
        words = [line.split("\t")[0] for line in done.stdout.splitlines()]
        self.assertEqual(words, ["auto", "off", "require", "pipe", "--lifetime"], done)


if __name__ == "__main__":
    unittest.main(verbosity=2)
