"""`relay token` as users call it, judged by PyJWT, which shares no code with ours.

Method: the program runs with an environment of its own; PyJWT verifies what it prints and makes a
token of the same claims, whose payload must be the same bytes.
"""

import json
import subprocess
import tempfile
import time
import unittest
from base64 import urlsafe_b64decode

import jwt

import relay_support
from relay_support import relay_run

AUDIENCE = "https://app.practable.io/ed0/access"
SECRET = "somesecret-of-a-useful-length-really"
REQUIRED = {"RELAY_TOKEN_LIFETIME": "3600", "RELAY_TOKEN_SECRET": SECRET,
            "RELAY_TOKEN_TOPIC": "pend13-st-video", "RELAY_TOKEN_AUDIENCE": AUDIENCE}
NO_SCOPES = ("No scopes requested. Set one or more of RELAY_TOKEN_SCOPE_ADMIN, "
             "RELAY_TOKEN_SCOPE_READ, or RELAY_TOKEN_SCOPE_WRITE to be true\n")


def run(*flags, **changes):
    """`relay token` with the required options; a change to None leaves one out."""
    return relay_run("token", *flags, **{**REQUIRED, **changes})


def part(token, index):
    text = token.split(".")[index]
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TokenCli(unittest.TestCase):
    maxDiff = None

    def token(self, *flags, **changes):
        result = run(*flags, **changes)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.endswith("\n"))
        self.assertEqual(result.stdout.count("\n"), 1)
        return result.stdout[:-1]

    def claims(self, *flags, secret=SECRET, **changes):
        return jwt.decode(self.token(*flags, **changes), secret, algorithms=["HS256"],
                          audience=AUDIENCE, options={"require": ["exp", "nbf", "iat", "aud"]})

    def check_refused(self, stdout, stderr, *flags, **changes):
        result = run(*flags, **changes)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (1, stdout, stderr))

    def test_defaults(self):
        before = int(time.time())
        claims = self.claims()
        after = int(time.time())
        issued = claims["iat"]
        self.assertTrue(before - 1 <= issued <= after - 1)
        self.assertEqual(list(claims.items()), [
            ("booking_id", "relay-token-cli"), ("topic", "pend13-st-video"), ("prefix", "session"),
            ("scopes", ["write", "read"]), ("aud", [AUDIENCE]),
            ("exp", issued + 3600), ("nbf", issued), ("iat", issued)])

    def test_bytes_are_those_of_another_library(self):
        token = self.token(RELAY_TOKEN_SCOPE_ADMIN="true", RELAY_TOKEN_SCOPE_OTHER="relay:stats")
        self.assertEqual(part(token, 0), b'{"alg":"HS256","typ":"JWT"}')
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience=AUDIENCE)
        self.assertEqual(part(token, 1).decode(), json.dumps(claims, separators=(",", ":")))
        other = jwt.encode(claims, SECRET, algorithm="HS256")
        self.assertEqual(token.split(".")[1], other.split(".")[1])

    def test_another_secret_does_not_verify(self):
        with self.assertRaises(jwt.InvalidSignatureError):
            jwt.decode(self.token(), SECRET + "x", algorithms=["HS256"], audience=AUDIENCE)

    def test_scopes_in_order(self):
        for admin, write, read, other, expected in (
                ("true", "true", "true", "relay:stats",
                 ["relay:admin", "write", "read", "relay:stats"]),
                ("false", "false", "true", None, ["read"]),
                ("false", "true", "false", "", ["write"]),
                ("1", "0", "0", "expt", ["relay:admin", "expt"])):
            with self.subTest(expected=expected):
                claims = self.claims(RELAY_TOKEN_SCOPE_ADMIN=admin, RELAY_TOKEN_SCOPE_WRITE=write,
                                     RELAY_TOKEN_SCOPE_READ=read, RELAY_TOKEN_SCOPE_OTHER=other)
                self.assertEqual(claims["scopes"], expected)

    def test_every_claim_can_be_chosen(self):
        claims = self.claims(RELAY_TOKEN_BOOKING_ID="b\"\\é", RELAY_TOKEN_TOPIC="a/b c",
                             RELAY_TOKEN_CONNECTION_TYPE="shell", RELAY_TOKEN_LIFETIME="157680000")
        self.assertEqual((claims["booking_id"], claims["topic"], claims["prefix"]),
                         ("b\"\\é", "a/b c", "shell"))
        self.assertEqual(claims["exp"] - claims["iat"], 157680000)

    def test_flags_win(self):
        claims = self.claims("--topic", "other", "--scope-write=false")
        self.assertEqual((claims["topic"], claims["scopes"]), ("other", ["read"]))

    def test_admin_needs_no_topic(self):
        claims = self.claims(RELAY_TOKEN_TOPIC=None, RELAY_TOKEN_SCOPE_ADMIN="true")
        self.assertNotIn("topic", claims)

    def test_secret_from_a_file(self):
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write("another secret that lies in a file\n")
            secret.flush()
            self.claims(RELAY_TOKEN_SECRET=None, RELAY_TOKEN_SECRET_FILE=secret.name,
                        secret="another secret that lies in a file")
            self.claims(RELAY_TOKEN_SECRET_FILE=secret.name)
        self.check_refused("", "relay token: cannot read RELAY_TOKEN_SECRET_FILE="
                           f"{secret.name}: No such file or directory\n",
                           RELAY_TOKEN_SECRET=None, RELAY_TOKEN_SECRET_FILE=secret.name)

    def test_each_missing_option_is_told_on_stdout(self):
        for name in REQUIRED:
            for value in (None, ""):
                with self.subTest(name=name, value=value):
                    self.check_refused(f"{name} not set\n", "", **{name: value})

    def test_all_missing_options_are_told_at_once(self):
        self.check_refused("RELAY_TOKEN_LIFETIME not set\nRELAY_TOKEN_SECRET not set\n"
                           "RELAY_TOKEN_TOPIC not set\nRELAY_TOKEN_AUDIENCE not set\n" + NO_SCOPES,
                           "", **dict.fromkeys(REQUIRED), RELAY_TOKEN_SCOPE_READ="false",
                           RELAY_TOKEN_SCOPE_WRITE="false")

    def test_no_scopes(self):
        self.check_refused(NO_SCOPES, "", RELAY_TOKEN_SCOPE_READ="false",
                           RELAY_TOKEN_SCOPE_WRITE="false", RELAY_TOKEN_SCOPE_OTHER="relay:stats")

    def test_wrong_values_are_one_line_on_stderr(self):
        for name, value in (("RELAY_TOKEN_LIFETIME", "1h"), ("RELAY_TOKEN_LIFETIME", "-1"),
                            ("RELAY_TOKEN_LIFETIME", "99999999999999999999"),
                            ("RELAY_TOKEN_SCOPE_READ", "maybe"), ("RELAY_TOKEN_TOPIC", "t" * 256),
                            ("RELAY_TOKEN_SCOPE_OTHER", "s" * 64)):
            with self.subTest(name=name, value=value):
                result = run(**{name: value})
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertRegex(result.stderr, rf"\Arelay token: {name} .*\n\Z")

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            result = subprocess.run(
                [relay_support.relay_binary(), "token"], stdout=full,
                stderr=subprocess.PIPE, text=True,
                env=relay_support.relay_environment(**REQUIRED), timeout=relay_support.WAIT_S,
                check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left on device", result.stderr)

    def test_no_secret_in_help(self):
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("RELAY_TOKEN_SECRET_FILE", result.stdout)
        self.assertNotIn(SECRET, result.stdout + result.stderr)


if __name__ == "__main__":
    relay_support.main()
