"""One row of docs/compatibility.md: a behaviour, what practable/relay does, what this relay does.

Rows are data beside the test that proves them, so that the page cannot say what no test checks:
`@row(...)` on a test here, an entry of exchanges.py, or an entry of elsewhere.py, which names the
test of another folder.
"""

from typing import NamedTuple

SAME = ""  # for `ours`: the same

DECISIONS = {
    "K1": "The bodies of refusals stay, but a token that is refused gets 401 where practable/relay "
          "says 500 or drops the connection. Its clients look at the body, or at 2xx alone.",
    "K2": "HTTP connections are kept alive; nothing on the public ports is loaded from elsewhere.",
    "K3": "Who may not connect is refused with an HTTP status before the WebSocket opens. Who is "
          "cut off later is told by a close code: 4401 expired, 4403 cancelled, 1001 shutting "
          "down.",
    "K4": "The lifetime of a code is checked when it is used.",
    "K5": "One message sent is one message received, in one frame. For a slow viewer the oldest "
          "messages are dropped, not the newest.",
    "K7": "Of the HMAC algorithms HS256 alone is accepted, unless `RELAY_HMAC_ALGORITHMS` lists "
          "others; public keys may verify tokens "
          "beside it. Clocks may differ by 30 s in `nbf` and `iat`, by nothing in `exp`.",
    "F": "practable/relay has a fault or a gap here; this relay does not.",
}


class Row(NamedTuple):
    subject: str  # one of the sections of the page
    behaviour: str
    practable: str
    ours: str  # SAME, or what differs
    decision: str  # a key of DECISIONS; "" exactly when ours is SAME
    test: str = ""  # tests/<folder>/<file>.py: <name>


def row(subject, behaviour, practable, ours=SAME, decision=""):
    """On a test method: what it shows."""
    def mark(test):
        marks = getattr(test, "compatibility_rows", [])
        test.compatibility_rows = [Row(subject, behaviour, practable, ours, decision)] + marks
        return test

    return mark
