"""What a booking system does (deny, allow, look at the lists), and people with a booking."""

import time
from urllib.parse import quote, urlsplit

from ws_raw import RawClient

import relay_support


class Desk:
    """The administrator's side of one relay."""

    def __init__(self, relay):
        self.relay = relay
        self.token = relay.token(scopes=["relay:admin"])

    def act(self, verb, booking, exp=None, lifetime_s=300):
        exp = int(time.time()) + lifetime_s if exp is None else exp
        return self.relay.request("POST", f"/bids/{verb}?bid={quote(booking, safe='')}&exp={exp}",
                                  {"Authorization": self.token})

    def deny(self, booking, **options):
        reply = self.act("deny", booking, **options)
        assert (reply.status, reply.body) == (204, b""), reply

    def allow(self, booking, **options):
        reply = self.act("allow", booking, **options)
        assert (reply.status, reply.body) == (204, b""), reply

    def listed(self, verb):
        reply = self.relay.request("GET", f"/bids/{verb}", {"Authorization": self.token})
        assert reply.status == 200, reply
        booking_ids = reply.json()["booking_ids"]
        assert len(booking_ids) == len(set(booking_ids)), "a booking stands there twice"
        return set(booking_ids)


def session(relay, booking, topic="t0"):
    return relay.session(topic, relay.token(topic, booking_id=booking))


def target_of(reply):
    parts = urlsplit(reply.json()["uri"])
    return f"{parts.path}?{parts.query}"


def ask_upgrade(relay, target):
    """The answer to an upgrade; the connection is closed."""
    with RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S) as client:
        client.ask_upgrade(target)
        return client.reply()
