"""The access API byte for byte: every exchange of exchanges.py, against this relay."""

import time
import unittest

import relay_support
from exchanges import CODE, EXCHANGES, WITHOUT_TIMES
from relay_support import SharedRelayTestCase

CODE_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def play(case, relay, exchange, answer):
    """Sends the request and compares the reply; tests/interop does the same to practable/relay."""
    headers = dict(exchange.headers)
    if exchange.token is not None:
        headers["Authorization"] = exchange.token(relay)
    reply = relay.request(exchange.method, exchange.target, headers, exchange.body)
    expected = answer.body.replace("{audience}", relay_support.AUDIENCE).replace("{url}", relay.url)
    case.assertEqual(reply.status, answer.status, reply.body)
    body = reply.body.decode()
    if CODE in expected:
        before, after = expected.split(CODE)
        case.assertRegex(body[len(before):len(body) - len(after)], f"^{CODE_PATTERN}$")
        body = before + CODE + after if body.startswith(before) and body.endswith(after) else body
    case.assertEqual(body, expected)
    case.assertEqual(reply.headers.get("Content-Type"), answer.content_type)
    if answer.allow is not None:
        case.assertEqual(reply.headers.get("Allow"), answer.allow)


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
                         {"content-type", "content-length"})


class Shape(unittest.TestCase):
    def test_a_difference_names_its_decision(self):
        for exchange in EXCHANGES + WITHOUT_TIMES:
            with self.subTest(exchange.what):
                self.assertEqual(exchange.ours is None, exchange.decision == "")
                self.assertNotEqual(exchange.ours, exchange.practable)


if __name__ == "__main__":
    relay_support.main()
