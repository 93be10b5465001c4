"""docs/tuning.md says something of each setting of relay serve, and of no other.

Method: its table beside that of docs/operations.md.
"""

import os
import pathlib
import re
import unittest

FIGURE = r"\d ?(?:µs|ms|s|s/GB|%|MB|MiB|KiB|GB|bytes)(?![\w/])"
DECISION = r"\]\(decisions/\d{4}-"
SAID = re.compile(rf"^none\b|; none\b|\bnot measured|\bno difference|{FIGURE}|{DECISION}",
                  re.IGNORECASE)

SOURCE = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()


def of_the_page():
    text = (SOURCE / "docs" / "tuning.md").read_text(encoding="utf-8")
    table = text.split("\n## Settings of relay serve\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`RELAY_[^|]*) \| ([^|]*) \|$", table, re.MULTILINE)
    return [(name, effect) for names, effect in rows for name in re.findall(r"`(\w+)`", names)]


def of_the_program():
    """docs/operations.md has the table that the program prints, which another test compares."""
    text = (SOURCE / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.split("\n### relay serve\n", 1)[1].split("\n### ", 1)[0]
    return re.findall(r"^\| `(RELAY_\w+)`", table, re.MULTILINE)


class Tuning(unittest.TestCase):
    def test_each_setting_has_one_row(self):
        self.assertEqual(sorted(name for name, _ in of_the_page()), sorted(of_the_program()))

    def test_each_effect_is_none_measured_or_said_not_to_be(self):
        for name, effect in of_the_page():
            self.assertRegex(effect, SAID, name)

    def test_a_number_alone_says_nothing(self):
        for effect in ("faster with 2", "relay-bench measures it", "see TLS 1.3", "costs 3 slices",
                       "14.6 s/day", "of none of these", "[page](scaling.md#2-what)"):
            self.assertNotRegex(effect, SAID)
        for effect in ("none", "a look; none after that", "2.2 % with 1 s", "Not measured here",
                       "17 s/GB", "no difference beyond the noise", "[x](decisions/0020-p.md)"):
            self.assertRegex(effect, SAID)


if __name__ == "__main__":
    unittest.main(verbosity=2)
