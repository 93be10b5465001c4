"""Requests to the access API, and the answers of practable/relay and of this relay, byte for byte.

test_exchanges.py plays them to this relay, tests/interop/ to practable/relay where it can be built.
"""

import time
from typing import NamedTuple, Optional

from relay_support import forge_token

# In a body: any one-time code.
CODE = "00000000-0000-4000-8000-000000000000"
PAST, FUTURE = 1500000000, 4000000000


class Answer(NamedTuple):
    status: int
    body: str = ""
    content_type: Optional[str] = "application/json"
    allow: Optional[str] = None


class Exchange(NamedTuple):
    subject: str
    what: str
    method: str
    target: str
    token: object  # a function of the relay under test, or None
    practable: Answer
    ours: Optional[Answer] = None  # None: the same
    decision: str = ""
    headers: tuple = ()
    body: Optional[bytes] = None
    said: str = ""  # what the page says about practable/relay where the body is not enough

    def answer_of_ours(self):
        return self.ours or self.practable


def user(**changes):
    return lambda relay: relay.token(**changes)


def admin(relay):
    return relay.token(scopes=["relay:admin"])


def stats(relay):
    return relay.token(scopes=["relay:stats"])


def text(value):
    return lambda relay: value


def framework(status, message, code=None, **more):
    return Answer(status, f'{{"code":{code or status},"message":"{message}"}}', **more)


def handler(status, message):
    return Answer(status, f'{{"code":"{status}","message":"{message}"}}\n')


INVALID = framework(500, "token invalid")
INVALID_OURS = framework(401, "token invalid")
NO_TOKEN = framework(401, "unauthenticated for invalid credentials")
GRANTED = Answer(200, '{"uri":"{url}/session/t0?code=' + CODE + '"}\n')
SESSION = "/session/t0"
JSON = (("Content-Type", "application/json"),)
DENY_EXPIRED = "booking expiry time (exp) of [1500000000] missing or in the past"


def invalid(what, token, said=""):
    """A token that cannot be believed."""
    return Exchange("Tokens", what, "POST", SESSION, token, INVALID, INVALID_OURS, "K1", said=said)


def forged(algorithm):
    return lambda relay: forge_token({"alg": algorithm, "typ": "JWT"}, relay.claims(), relay.secret)


def without(name):
    return lambda relay: relay.token(**{name: None})


def later(name):
    return lambda relay: relay.token(**{name: int(time.time()) + 120})


def audience(value, shown):
    message = f"aud [{shown}] does not match this host {{audience}}"
    return Exchange("Tokens", f"`aud` is {value!r}", "POST", SESSION, user(aud=value),
                    framework(500, message), framework(401, message), "K1")


TOKENS = [
    Exchange("Tokens", "no Authorization", "POST", SESSION, None, NO_TOKEN),
    Exchange("Tokens", "an empty Authorization", "POST", SESSION, text(""), NO_TOKEN),
    invalid("not a token", text("x")),
    invalid("signed with another secret", lambda relay: relay.sign(relay.claims(), "other secret")),
    invalid("expired", user(lifetime_s=-1)),
    invalid("`nbf` two minutes ahead", later("nbf")),
    invalid("`iat` two minutes ahead", later("iat")),
    invalid("`alg` is `none`", forged("none")),
    invalid("`alg` is `RS256` over an HMAC", forged("RS256")),
    invalid("scopes that are no list",
            lambda relay: relay.sign({**relay.claims(), "scopes": "read"})),
    audience(["x", "y"], "x y"),
    audience("https://other.test", "https://other.test"),
    audience(None, ""),
    Exchange("Tokens", "`Bearer` in front of a good token", "POST", SESSION,
             lambda relay: "Bearer " + relay.token(), INVALID, GRANTED, "K1"),
    Exchange("Tokens", "HS512", "POST", SESSION,
             lambda relay: relay.sign(relay.claims(), algorithm="HS512"), GRANTED, INVALID_OURS,
             "K7"),
    Exchange("Tokens", "an audience as text", "POST", SESSION,
             lambda relay: relay.token(aud=relay.claims()["aud"][0]), GRANTED),
    Exchange("Tokens", "an expiry with a fraction", "POST", SESSION, user(exp=FUTURE + 0.25),
             GRANTED),
]

SESSIONS = [
    Exchange("/session", "a good token", "POST", SESSION, user(), GRANTED),
    Exchange("/session", "a trailing slash", "POST", "/session/t0/", user(), GRANTED),
    Exchange("/session", "doubled slashes", "POST", "//session/t0", user(), GRANTED),
    Exchange("/session", "an escaped slash", "POST", "/session/a%2Fb", user(topic="a/b"),
             Answer(200, '{"uri":"{url}/session/a/b?code=' + CODE + '"}\n')),
    Exchange("/session", "a space in the topic is not escaped", "POST", "/session/a%20b",
             user(topic="a b"), Answer(200, '{"uri":"{url}/session/a b?code=' + CODE + '"}\n')),
    Exchange("/session", "another prefix", "POST", SESSION, user(prefix="shell"),
             Answer(200, '{"uri":"{url}/shell/t0?code=' + CODE + '"}\n')),
    Exchange("/session", "scopes without `read` and `write`", "POST", SESSION,
             user(scopes=["foo"]), GRANTED),
    Exchange("/session", "a body `{}`, as axios sends it", "POST", SESSION, user(), GRANTED,
             headers=JSON, body=b"{}"),
    Exchange("/session", "another topic", "POST", SESSION, user(topic="t1"),
             Answer(401, '"Token Wrong Topic"\n')),
    Exchange("/session", "no scopes", "POST", SESSION, user(scopes=[]),
             Answer(401, '"Token Missing Required Claims"\n')),
    Exchange("/session", "no prefix", "POST", SESSION, user(prefix=""),
             Answer(401, '"Token Missing Required Claims"\n')),
    Exchange("/session", "no booking", "POST", SESSION, user(booking_id=""),
             handler(400, "empty bookingID field is not permitted")),
]

GENERAL = [
    Exchange("HTTP", "an unknown path", "GET", "/nope?a=b", None,
             framework(404, "path /nope was not found")),
    Exchange("HTTP", "`<`, `>` and `&` in a message", "GET", "/a&b", None,
             framework(404, "path /a\\u0026b was not found")),
    Exchange("HTTP", "two segments behind /session", "POST", "/session/a/b", user(),
             framework(404, "path /session/a/b was not found")),
    Exchange("HTTP", "no health page on the public port", "GET", "/healthz", None,
             framework(404, "path /healthz was not found")),
    Exchange("HTTP", "another method", "GET", SESSION, None,
             framework(405, "method GET is not allowed, but [POST] are", allow="POST")),
    Exchange("HTTP", "OPTIONS, with CORS off", "OPTIONS", SESSION, None,
             framework(405, "method OPTIONS is not allowed, but [POST] are", allow="POST")),
    Exchange("HTTP", "HEAD", "HEAD", SESSION, None, Answer(405, "", allow="POST")),
    Exchange("HTTP", "a body that is no JSON", "POST", SESSION, user(),
             framework(415, 'unsupported media type \\"text/plain\\", only [application/json] are '
                       'allowed'), headers=(("Content-Type", "text/plain"),), body=b"x"),
    Exchange("HTTP", "a body of no type", "POST", SESSION, user(),
             framework(415, 'unsupported media type \\"application/octet-stream\\", only '
                       '[application/json] are allowed'), body=b"x"),
    Exchange("HTTP", "Accept without JSON", "POST", SESSION, user(),
             framework(406, "unsupported media type requested, only [application/json] are "
                       "available"), headers=(("Accept", "text/html"),)),
    Exchange("HTTP", "the token is judged before the body", "POST", SESSION, None, NO_TOKEN,
             headers=(("Content-Type", "text/plain"),), body=b"x"),
]


def bids(what, method, target, token, practable):
    return Exchange("/bids", what, method, target, token, practable)


def both_lists(make):
    return [make("deny"), make("allow")]


BIDS = [
    bids("deny", "POST", f"/bids/deny?bid=gone&exp={FUTURE}", admin, Answer(204, "", None)),
    bids("allow", "POST", f"/bids/allow?bid=gone&exp={FUTURE}", admin, Answer(204, "", None)),
    bids("deny: without the scope", "POST", f"/bids/deny?bid=b&exp={FUTURE}", user(),
         handler(401, "is token missing relay:admin scope? missing relay:admin Scope")),
    bids("allow: without the scope", "POST", f"/bids/allow?bid=b&exp={FUTURE}", user(),
         handler(401, "token missing relay:admin scope")),
    bids("deny: `relay:stats` is not `relay:admin`", "POST", f"/bids/deny?bid=b&exp={FUTURE}",
         stats, handler(401, "is token missing relay:admin scope? missing relay:admin Scope")),
    bids("deny: expired", "POST", f"/bids/deny?bid=b&exp={PAST}", admin,
         handler(400, DENY_EXPIRED)),
    bids("allow: expired", "POST", f"/bids/allow?bid=b&exp={PAST}", admin,
         handler(400, "exp (booking expiry time) missing or in the past")),
    bids("deny: a negative expiry", "POST", "/bids/deny?bid=b&exp=-5", admin,
         handler(400, "booking expiry time (exp) of [-5] missing or in the past")),
    *both_lists(lambda verb: bids(f"{verb}: no token", "POST", f"/bids/{verb}?bid=b&exp={FUTURE}",
                                  None, NO_TOKEN)),
    *both_lists(lambda verb: bids(f"{verb}: no parameters", "POST", f"/bids/{verb}", admin,
                                  framework(422, "bid in query is required", code=602))),
    *both_lists(lambda verb: bids(f"{verb}: an empty booking", "POST",
                                  f"/bids/{verb}?bid=&exp={FUTURE}", admin,
                                  framework(422, "bid in query is required", code=602))),
    *both_lists(lambda verb: bids(f"{verb}: no expiry", "POST", f"/bids/{verb}?bid=b", admin,
                                  framework(422, "exp in query is required", code=602))),
    *both_lists(lambda verb: bids(f"{verb}: an expiry that is no number", "POST",
                                  f"/bids/{verb}?bid=b&exp=abc", admin,
                                  framework(422, 'exp in query must be of type int64: \\"abc\\"',
                                            code=601))),
    bids("deny: an expiry beyond 64 bits", "POST", "/bids/deny?bid=b&exp=99999999999999999999",
         admin, framework(422, 'exp in query must be of type int64: \\"99999999999999999999\\"',
                          code=601)),
    bids("a key given twice: the last counts", "POST",
         f"/bids/deny?bid=b&exp={FUTURE}&exp={PAST}", admin, handler(400, DENY_EXPIRED)),
    bids("parameters are not read from a JSON body", "POST", "/bids/deny", admin,
         framework(422, "bid in query is required", code=602))._replace(
             headers=JSON, body=b'{"bid":"b","exp":4000000000}'),
    *both_lists(lambda verb: bids(f"{verb}: the list without the scope", "GET", f"/bids/{verb}",
                                  stats, handler(401, "token missing relay:admin scope"))),
    bids("parameters are judged before the scope", "POST", "/bids/deny", user(),
         framework(422, "bid in query is required", code=602)),
]

STATUS = [
    Exchange("/status", "without the scope", "GET", "/status", user(),
             handler(401, "token missing relay:stats scope")),
    Exchange("/status", "`relay:admin` does not include it", "GET", "/status", admin,
             handler(401, "token missing relay:stats scope")),
    Exchange("/status", "another method", "POST", "/status", stats,
             framework(405, "method POST is not allowed, but [GET] are", allow="GET"),
             framework(405, "method POST is not allowed, but [GET] are", allow="GET,HEAD"), "F",
             said="405, `Allow` without the HEAD that RFC 9110 §9.1 asks for"),
]

EXCHANGES = TOKENS + SESSIONS + GENERAL + BIDS + STATUS

# practable/relay crashes the handler and resets the connection: no answer to compare with.
WITHOUT_TIMES = [
    Exchange("Tokens", f"no `{name}`", "POST", SESSION, without(name), Answer(0), INVALID_OURS, "F",
             said="handler crashes, connection reset")
    for name in ("nbf", "iat")
]
