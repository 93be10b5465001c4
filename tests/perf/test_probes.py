"""The probes that docs/tuning.md lists are in the program, with their arguments, and cost a nop.

Method: readelf reads the notes that sys/sdt.h leaves; skipped in a build without that header. The
lines for bpftrace are read, not run: that takes root and a kernel with BPF.
"""

import os
import pathlib
import re
import subprocess
import unittest

SOURCE = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
BUILD = pathlib.Path(os.environ.get("RELAY_BUILD") or SOURCE / "build" / "dev").resolve()
NOTE = re.compile(r"Provider: relay\s+Name: (\w+)\s+Location: (0x[0-9a-f]+), Base: \S+, "
                  r"Semaphore: (0x[0-9a-f]+)\s+Arguments: ([^\n]*)")
USE = re.compile(r"usdt:\$R:relay:(\w+)(.*?)(?=usdt:|$)", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def page():
    """What docs/tuning.md says about them."""
    text = (SOURCE / "docs" / "tuning.md").read_text(encoding="utf-8")
    return text.split("\n## Probes\n", 1)[1].split("\n## ", 1)[0]


def documented():
    """{probe: number of its arguments}."""
    return {name: arguments.count(",") + 1 for name, arguments in ROW.findall(page())}


def has_probes():
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    return re.search(r"^RELAY_HAVE_SDT:\w+=1$", cache, re.MULTILINE) is not None


class Probes(unittest.TestCase):
    def notes(self):
        done = subprocess.run(["readelf", "-n", BUILD / "relay"], capture_output=True, text=True,
                              check=True, timeout=120)
        return NOTE.findall(done.stdout)

    def test_all_seven_are_documented(self):
        self.assertEqual(set(documented()), {"accept", "authorise", "message_in", "fanout",
                                             "send_done", "drop", "close"})

    def test_the_lines_for_bpftrace_use_what_there_is(self):
        used = USE.findall(page())
        self.assertEqual({name for name, _ in used}, set(documented()))
        for name, program in used:
            for argument in re.findall(r"\barg(\d+)", program):
                self.assertLess(int(argument), documented()[name], name)

    def test_a_build_with_the_header_has_them(self):
        if not has_probes():
            self.assertEqual(self.notes(), [])
            self.skipTest("this build found no sys/sdt.h (systemtap-sdt-dev)")
        found = {}
        for name, location, semaphore, arguments in self.notes():
            self.assertEqual(int(semaphore, 16), 0, f"{name} is always a nop, never a test")
            self.assertGreater(int(location, 16), 0)
            # Each is SIZE@OPERAND, and an operand may have spaces: 8@[x29, 24].
            found[name] = arguments.count("@")
        self.assertEqual(found, documented())


if __name__ == "__main__":
    unittest.main(verbosity=2)
