"""The page that is compiled into relay serve: its policy allows what is in it, and it is what its
sources make. The first needs no Node."""

import base64
import hashlib
import re
import tempfile
import unittest
from pathlib import Path

import relay_support
import web_support
from web_support import WEB, node

BUILT = WEB / "watch/built"


def read(name):
    return (BUILT / name).read_text(encoding="utf-8")


class Built(unittest.TestCase):
    def test_the_policy_has_the_hashes_of_script_and_style(self):
        page, policy = read("watch.html"), read("policy.txt")
        for name in ("script", "style"):
            texts = re.findall(rf"<{name}[^>]*>(.*?)</{name}>", page, re.DOTALL)
            self.assertEqual(len(texts), 1, f"one {name}")
            digest = base64.b64encode(hashlib.sha256(texts[0].encode()).digest()).decode()
            self.assertIn(f"{name}-src 'sha256-{digest}'", policy)

    def test_the_page_loads_nothing_from_elsewhere(self):
        markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", read("watch.html"), flags=re.DOTALL)
        self.assertEqual(re.findall(r"(?:src|href)=\"(?!data:,)[^\"]*", markup), [])
        self.assertNotRegex(markup, r"\son\w+=|\sstyle=")

    def test_the_page_is_up_to_date(self):
        if reason := web_support.why_no_node():
            self.skipTest(reason)
        if relay_support.SANITIZED:
            self.skipTest("the same in each build: the one without sanitizers has it")
        with tempfile.TemporaryDirectory() as folder:
            script = f"import('./build.js').then(({{buildWatch}}) => buildWatch('{folder}'))"
            done = node("--eval", script)
            self.assertEqual(done.returncode, 0, done.stderr)
            for name in ("watch.html", "policy.txt"):
                self.assertEqual((Path(folder) / name).read_text(encoding="utf-8"), read(name),
                                 "cure: `npm run build` in web/, and commit web/watch/built/")


if __name__ == "__main__":
    relay_support.main()
