"""Plays an exchange to a relay and compares the answer with what is expected."""

import relay_support
from exchanges import CODE

CODE_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def play(case, relay, exchange, answer):
    """Sends the request and compares the reply."""
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
