"""web/ in Chromium, on live pipelines: players, what goes wrong, hand-overs, the page of /watch,
that of the admin listener, pages that know nothing of relay.js, the packed package. Screenshots and
figures are left in the folder browser/ of the build."""

import os
import unittest

import relay_support
import web_support
from web_support import run_tests


class InChromium(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if relay_support.SANITIZED:
            raise unittest.SkipTest("a browser is tested with the build without sanitizers")
        if reason := web_support.why_no_node():
            raise unittest.SkipTest(reason)
        if web_support.browser() is None:
            raise unittest.SkipTest("Chromium is not installed")
        os.environ["RELAY_TEST_BROWSER"] = web_support.browser()

    def test_players(self):
        run_tests(self, "test/players.test.js")

    def test_faults(self):
        run_tests(self, "test/faults.test.js")

    def test_handovers(self):
        run_tests(self, "test/handover.test.js")

    def test_circumstances(self):
        run_tests(self, "test/element.test.js")

    def test_sound(self):
        run_tests(self, "test/sound.test.js")

    def test_pages_of_others(self):
        run_tests(self, "test/unchanged.test.js")

    def test_packed(self):
        run_tests(self, "test/packed.test.js")

    def test_watch_page(self):
        run_tests(self, "test/watch.test.js")

    def test_admin_page(self):
        run_tests(self, "test/admin.test.js")


if __name__ == "__main__":
    relay_support.main()
