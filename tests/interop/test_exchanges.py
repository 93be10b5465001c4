"""practable/relay answers as tests/compat/exchanges.py says: the second column of
docs/compatibility.md, measured."""

import os
import pathlib
import sys
import unittest

import practable
from practable import PractableRelay

sys.path.insert(0, str(pathlib.Path(os.environ["RELAY_SOURCE"]) / "tests" / "compat"))
from exchanges import EXCHANGES, WITHOUT_TIMES  # noqa: E402
from play import play  # noqa: E402


class Exchanges(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.relay = PractableRelay()
        cls.addClassCleanup(cls.relay.kill)

    def test_every_exchange(self):
        for exchange in EXCHANGES:
            with self.subTest(f"{exchange.subject}: {exchange.what}"):
                play(self, self.relay, exchange, exchange.practable)

    def test_tokens_without_times_get_no_answer(self):
        for exchange in WITHOUT_TIMES:
            with self.subTest(exchange.what), self.assertRaises(OSError):
                play(self, self.relay, exchange, exchange.practable)


if __name__ == "__main__":
    practable.main()
