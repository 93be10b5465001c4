"""The access API byte for byte: every exchange of exchanges.py, against this relay."""

import time
import unittest

import relay_support
from exchanges import EXCHANGES, WITHOUT_TIMES
from play import play
from relay_support import SharedRelayTestCase


class Exchanges(SharedRelayTestCase):
    def test_every_exchange(self):
        for exchange in EXCHANGES + WITHOUT_TIMES:
            with self.subTest(f"{exchange.subject}: {exchange.what}"):
                play(self, self.relay, exchange, exchange.answer_of_ours())

    def test_the_time_of_expiry_is_taken_up_to_the_second(self):
        """exp now is not in the past; the clock may turn between the two sides, so twice."""
        token = self.relay.token(scopes=["relay:admin"])
        statuses = set()
        for _ in range(3):
            second = int(time.time())
            statuses.add(self.relay.request("POST", f"/bids/deny?bid=now&exp={second}",
                                            {"Authorization": token}).status)
        self.assertIn(204, statuses)

    def test_no_fields_that_practable_does_not_send(self):
        reply = self.relay.request("POST", "/session/t0", {"Authorization": self.relay.token(),
                                                           "Origin": "https://ui.test"})
        self.assertEqual({name.lower() for name in reply.headers},
                         {"content-type", "content-length", "date"})


class Shape(unittest.TestCase):
    def test_a_difference_names_its_decision(self):
        for exchange in EXCHANGES + WITHOUT_TIMES:
            with self.subTest(exchange.what):
                self.assertEqual(exchange.ours is None, exchange.decision == "")
                self.assertNotEqual(exchange.ours, exchange.practable)


if __name__ == "__main__":
    relay_support.main()
