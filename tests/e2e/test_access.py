"""POST /session/{id}: statuses and bodies byte for byte, as clients of practable/relay know them.

Method: a started server, requests by Python's http.client, tokens by python3-jwt or by hand.
"""

import base64
import hashlib
import json
import re
import time

import relay_support
from relay_support import AUDIENCE, RelayTestCase, SharedRelayTestCase, forge_token

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
INVALID = b'{"code":401,"message":"token invalid"}'


class AccessCase(SharedRelayTestCase):
    def post(self, token=None, target="/session/t0", headers=None, body=None, method="POST"):
        fields = dict(headers or {})
        if token is not None:
            fields["Authorization"] = token
        return self.relay.request(method, target, fields, body)

    def check(self, reply, status, body, content_type="application/json"):
        self.assertEqual((reply.status, reply.body), (status, body))
        self.assertEqual(reply.headers.get("Content-Type"), content_type)

    def check_uri(self, reply, path="/session/t0"):
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.headers.get("Content-Type"), "application/json")
        pattern = r'\{"uri":"' + re.escape(self.relay.url + path) + r"\?code=" + UUID4 + r'"\}\n'
        self.assertRegex(reply.body.decode(), "^" + pattern + "$")


class Granted(AccessCase):
    def test_a_good_token_gets_an_address_with_a_one_time_code(self):
        self.check_uri(self.post(self.relay.token()))

    def test_each_request_gets_another_code(self):
        token = self.relay.token()
        uris = {self.post(token).json()["uri"] for _ in range(20)}
        self.assertEqual(len(uris), 20)

    def test_bearer_in_front_of_the_token_is_accepted(self):
        self.check_uri(self.post("Bearer " + self.relay.token()))

    def test_a_trailing_slash_is_accepted(self):
        self.check_uri(self.post(self.relay.token(), "/session/t0/"))

    def test_doubled_slashes_are_accepted(self):
        self.check_uri(self.post(self.relay.token(), "//session//t0"))

    def test_an_escaped_slash_belongs_to_the_topic(self):
        self.check_uri(self.post(self.relay.token("a/b"), "/session/a%2Fb"), "/session/a/b")

    def test_the_topic_goes_into_the_address_as_it_is(self):
        self.check_uri(self.post(self.relay.token("a b"), "/session/a%20b"), "/session/a b")

    def test_the_prefix_claim_goes_into_the_address(self):
        self.check_uri(self.post(self.relay.token(prefix="shell")), "/shell/t0")

    def test_an_audience_as_a_string_is_accepted(self):
        self.check_uri(self.post(self.relay.token(aud=AUDIENCE)))

    def test_one_audience_of_several_suffices(self):
        self.check_uri(self.post(self.relay.token(aud=["https://other.test", AUDIENCE])))

    def test_an_expiry_with_a_fraction_is_accepted(self):
        self.check_uri(self.post(self.relay.token(exp=time.time() + 60.25)))

    def test_unknown_scopes_are_carried_and_ignored(self):
        self.check_uri(self.post(self.relay.token(scopes=["foo"])))

    def test_unknown_claims_are_ignored(self):
        self.check_uri(self.post(self.relay.token(colour="blue", nested={"a": [1, None]})))

    def test_a_query_is_ignored(self):
        self.check_uri(self.post(self.relay.token(), "/session/t0?code=x&y"))

    def test_a_json_body_is_read_and_ignored(self):
        for body in (b"{}", b'{"a":1}', b"{not json", b"x" * 60000):
            with self.subTest(body=body[:20]):
                self.check_uri(self.post(self.relay.token(), body=body,
                                         headers={"Content-Type": "application/json"}))

    def test_a_json_body_with_a_charset_is_accepted(self):
        self.check_uri(self.post(self.relay.token(), body=b"{}",
                                 headers={"Content-Type": "application/json; charset=utf-8"}))

    def test_accept_fields_that_include_json_are_served(self):
        for accept in ("application/json", "*/*", "application/*",
                       "application/json, text/plain, */*",
                       "text/html;q=0.9, application/json;q=0.1"):
            with self.subTest(accept=accept):
                self.check_uri(self.post(self.relay.token(), headers={"Accept": accept}))


class Refused(AccessCase):
    def test_no_token(self):
        body = b'{"code":401,"message":"unauthenticated for invalid credentials"}'
        self.check(self.post(), 401, body)
        self.check(self.post(""), 401, body)

    def test_tokens_that_make_no_sense(self):
        good = self.relay.token()
        head, claims, signature = good.split(".")
        for token in ("x", "Bearer", "Bearer x", "a.b.c", "...", f"{head}.{claims}",
                      f"{head}.{claims}.", f"{head}.{claims}.{signature}.x",
                      f"{head}.{claims}.{'A' * len(signature)}", good[:-6] + "AAAAAA",
                      f"{head}x.{claims}.{signature}", f"{head}.{claims}!.{signature}",
                      f"Basic {good}", "x" * 4000):
            with self.subTest(token=token[:30]):
                self.check(self.post(token), 401, INVALID)

    def test_a_token_of_another_secret(self):
        self.check(self.post(self.relay.sign(self.relay.claims(), secret="not the secret")), 401,
                   INVALID)

    def test_an_expired_token(self):
        self.check(self.post(self.relay.token(lifetime_s=-1)), 401, INVALID)

    def test_a_token_that_is_not_valid_yet(self):
        later = int(time.time()) + 120
        self.check(self.post(self.relay.token(nbf=later)), 401, INVALID)
        self.check(self.post(self.relay.token(iat=later)), 401, INVALID)

    def test_clocks_may_differ_a_little(self):
        soon = int(time.time()) + 5
        self.check_uri(self.post(self.relay.token(nbf=soon, iat=soon)))

    def test_a_token_without_times(self):
        """practable/relay crashes its handler on these."""
        for name in ("exp", "nbf", "iat"):
            with self.subTest(without=name):
                reply = self.post(self.relay.token(**{name: None}))
                self.assertEqual(reply.status, 401, reply.body)
                json.loads(reply.body)

    def test_scopes_that_are_no_list(self):
        for scopes in ("read", {"read": True}, 7, [1], [["read"]]):
            with self.subTest(scopes=scopes):
                claims = {**self.relay.claims(), "scopes": scopes}
                self.check(self.post(self.relay.sign(claims)), 401, INVALID)

    def test_claims_that_are_no_object(self):
        header = {"alg": "HS256", "typ": "JWT"}
        for claims in (b"[]", b'"text"', b"17", b"null", b"{", b""):
            with self.subTest(claims=claims):
                self.check(self.post(forge_token(header, claims, self.relay.secret)), 401, INVALID)

    def test_algorithms_other_than_the_keys(self):
        claims = self.relay.claims()
        forged = [forge_token({"alg": name, "typ": "JWT"}, claims, self.relay.secret)
                  for name in ("none", "None", "NONE", "RS256", "ES256", "PS256", "EdDSA", "HS255",
                               "HS384", "")]
        for header in (b'{"typ":"JWT"}', b'{"alg":null}', b'{"alg":["HS256"]}', b"{}", b"[]"):
            forged.append(forge_token(header, claims, self.relay.secret))
        forged.append(self.relay.sign(claims, algorithm="HS384"))
        forged.append(self.relay.sign(claims, algorithm="HS512"))
        forged.append(forge_token({"alg": "HS384"}, claims, self.relay.secret, hashlib.sha384))
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        forged.append(f"{unsigned}.{self.relay.token().split('.')[1]}.")
        for token in forged:
            with self.subTest(token=token[:40]):
                self.check(self.post(token), 401, INVALID)

    def test_a_forged_copy_with_the_right_algorithm_is_accepted(self):
        """What the test above varies is what decides."""
        token = forge_token({"alg": "HS256", "typ": "JWT"}, self.relay.claims(), self.relay.secret)
        self.check_uri(self.post(token))

    def test_another_audience(self):
        def body(text):
            return (f'{{"code":401,"message":"aud [{text}] does not match this host '
                    f'{AUDIENCE}"}}').encode()

        for audience, shown in (("https://other.test", "https://other.test"),
                                (["x", "y"], "x y"),
                                ([AUDIENCE + "/"], AUDIENCE + "/"), ([], ""), (None, "")):
            with self.subTest(audience=audience):
                self.check(self.post(self.relay.token(aud=audience)), 401, body(shown))

    def test_another_topic(self):
        self.check(self.post(self.relay.token("t1")), 401, b'"Token Wrong Topic"\n')
        self.check(self.post(self.relay.token("t0"), "/session/t0x"), 401,
                   b'"Token Wrong Topic"\n')
        self.check(self.post(self.relay.token("t0"), "/session/T0"), 401,
                   b'"Token Wrong Topic"\n')

    def test_missing_claims(self):
        for changes in ({"topic": None}, {"topic": ""}, {"prefix": None}, {"prefix": ""},
                        {"scopes": None}, {"scopes": []}):
            with self.subTest(changes=changes):
                token = self.relay.sign({name: value for name, value in
                                         {**self.relay.claims(), **changes}.items()
                                         if value is not None})
                self.check(self.post(token), 401, b'"Token Missing Required Claims"\n')

    def test_an_empty_booking(self):
        body = b'{"code":"400","message":"empty bookingID field is not permitted"}\n'
        self.check(self.post(self.relay.token(booking_id="")), 400, body)
        self.check(self.post(self.relay.token(booking_id=None)), 400, body)

    def test_bodies_of_other_types(self):
        for content_type, shown in (("text/plain", "text/plain"),
                                    ("application/x-www-form-urlencoded",
                                     "application/x-www-form-urlencoded"),
                                    (None, "application/octet-stream")):
            with self.subTest(content_type=content_type):
                headers = {"Content-Type": content_type} if content_type else {}
                body = (f'{{"code":415,"message":"unsupported media type \\"{shown}\\", only '
                        '[application/json] are allowed"}').encode()
                self.check(self.post(self.relay.token(), headers=headers, body=b"x"), 415, body)

    def test_a_content_type_without_a_body_is_ignored(self):
        self.check_uri(self.post(self.relay.token(), headers={"Content-Type": "text/plain"}))

    def test_accept_without_json(self):
        body = (b'{"code":406,"message":"unsupported media type requested, only [application/json] '
                b'are available"}')
        for accept in ("text/html", "image/*", "application/xml"):
            with self.subTest(accept=accept):
                self.check(self.post(self.relay.token(), headers={"Accept": accept}), 406, body)

    def test_the_token_is_judged_before_the_body_and_the_body_before_accept(self):
        headers = {"Content-Type": "text/plain", "Accept": "text/html"}
        self.assertEqual(self.post("x", headers=headers, body=b"x").status, 401)
        self.assertEqual(self.post(self.relay.token(), headers=headers, body=b"x").status, 415)

    def test_unknown_paths(self):
        for target, shown in (("/nope", "/nope"), ("/nope?a=b", "/nope"),
                              ("/session/a/b", "/session/a/b"), ("/a&b", "/a\\u0026b"),
                              ("/a%20b", "/a%20b"), ("/healthz", "/healthz")):
            with self.subTest(target=target):
                body = f'{{"code":404,"message":"path {shown} was not found"}}'.encode()
                self.check(self.post(self.relay.token(), target), 404, body)
                self.check(self.post(None, target), 404, body)

    def test_a_session_without_a_name(self):
        self.assertEqual(self.post(self.relay.token(), "/session/").status, 404)
        self.assertEqual(self.post(self.relay.token(), "/session").status, 404)

    def test_other_methods(self):
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            with self.subTest(method=method):
                reply = self.post(self.relay.token(), method=method)
                body = (f'{{"code":405,"message":"method {method} is not allowed, but [POST] '
                        'are"}').encode()
                self.check(reply, 405, body)
                self.assertEqual(reply.headers.get("Allow"), "POST")

    def test_head_is_refused_without_a_body(self):
        reply = self.post(self.relay.token(), method="HEAD")
        self.assertEqual((reply.status, reply.body), (405, b""))

    def test_no_cors_and_no_server_fields(self):
        reply = self.post(self.relay.token(), headers={"Origin": "https://ui.test"})
        names = {name.lower() for name in reply.headers}
        self.assertFalse({name for name in names if name.startswith("access-control-")}, names)
        self.assertNotIn("server", names)


class WithoutBooking(AccessCase):
    options = {"RELAY_ALLOW_NO_BOOKING_ID": "true"}

    def test_an_empty_booking_is_accepted_where_the_operator_allows_it(self):
        self.check_uri(self.post(self.relay.token(booking_id="")))
        self.check_uri(self.post(self.relay.token(booking_id=None)))


class Counted(RelayTestCase):
    def test_grants_and_refusals_are_counted(self):
        relay = self.start()
        for _ in range(3):
            relay.session("t0", relay.token())
        relay.session("t0", "x")
        relay.session("t1", relay.token())
        counters = relay.stop()
        self.assertEqual(counters["sessions_granted"], 3)
        self.assertEqual(counters["sessions_refused"], 2)


if __name__ == "__main__":
    relay_support.main()
