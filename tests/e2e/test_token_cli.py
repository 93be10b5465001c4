"""`relay token` as users call it, judged by PyJWT, which shares no code with ours.

Method: the program runs with an environment of its own; PyJWT verifies what it prints and makes a
token of the same claims, whose payload must be the same bytes. Keys are made by the openssl tool;
`relay token inspect` must agree with PyJWT about tokens of either.
"""

import importlib.util
import json
import os
import shutil
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
        self.assertEqual(list(claims)[:4], ["booking_id", "topic", "prefix", "scopes"])
        self.assertEqual((claims["topic"], claims["prefix"]), ("", "session"))

    def test_booleans_of_practable_relay_are_those_of_go(self):
        """strconv.ParseBool, and false for what it refuses (viper's GetBool)."""
        for value in ("1", "t", "T", "TRUE", "true", "True"):
            with self.subTest(value=value):
                self.assertIn("relay:admin", self.claims(RELAY_TOKEN_SCOPE_ADMIN=value)["scopes"])
        for value in ("0", "f", "False", "yes", "on", "tRUE", "y", "maybe", " true", "2"):
            with self.subTest(value=value):
                claims = self.claims(RELAY_TOKEN_SCOPE_ADMIN=value, RELAY_TOKEN_SCOPE_READ=value)
                self.assertEqual(claims["scopes"], ["write"])

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
                            ("RELAY_TOKEN_TOPIC", "t" * 256),
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


KINDS = {"EdDSA": ["ed25519"], "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]}


@unittest.skipUnless(shutil.which("openssl"), "the openssl tool is not installed")
@unittest.skipUnless(importlib.util.find_spec("cryptography"),
                     "python3-cryptography is not installed, without which PyJWT knows HMAC only")
class KeysCli(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="relay-keys-")
        cls.addClassCleanup(cls.folder.cleanup)
        os.mkdir(cls.path("public"))
        for name, kind in KINDS.items():
            cls.openssl("genpkey", "-algorithm", *kind, "-out", cls.path(name))
            cls.openssl("pkey", "-in", cls.path(name), "-pubout", "-out",
                        cls.path(f"public/{name}.pem"))

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def openssl(cls, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def read(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def make(self, name, **changes):
        result = run(RELAY_TOKEN_SECRET=None, RELAY_TOKEN_KEY_FILE=self.path(name), **changes)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.strip()

    def inspect(self, token, *words, **options):
        """`relay token inspect` with the token on standard input; its exit status and lines."""
        result = subprocess.run(
            [relay_support.relay_binary(), "token", "inspect", *words], input=token, text=True,
            capture_output=True, env=relay_support.relay_environment(TZ="UTC", **options),
            timeout=relay_support.WAIT_S, check=False)
        self.assertNotIn(SECRET, result.stdout + result.stderr)
        return result.returncode, result.stdout.splitlines(), result.stderr

    def check_verdict(self, status, verdict, token, **options):
        returned, lines, errors = self.inspect(token, **options)
        self.assertEqual((returned, lines[-1:], errors), (status, ["  " + verdict], ""))
        return lines

    def test_another_library_verifies_what_private_keys_sign(self):
        for name in KINDS:
            with self.subTest(name=name):
                token = self.make(name, RELAY_TOKEN_KID="2024")
                self.assertEqual(jwt.get_unverified_header(token),
                                 {"alg": name, "kid": "2024", "typ": "JWT"})
                claims = jwt.decode(token, self.read(f"public/{name}.pem"), algorithms=[name],
                                    audience=AUDIENCE)
                self.assertEqual(claims["topic"], "pend13-st-video")

    def test_inspect_verifies_what_another_library_signs(self):
        now = int(time.time())
        for name in KINDS:
            for headers in (None, {"kid": name}):
                with self.subTest(name=name, headers=headers):
                    token = jwt.encode({"exp": now + 60, "nbf": now, "iat": now},
                                       self.read(name), algorithm=name, headers=headers)
                    lines = self.check_verdict(0, "valid", token,
                                               RELAY_PUBLIC_KEYS=self.path("public"))
                    self.assertIn(f"  {name} {name} from {self.path('public')}/{name}.pem: "
                                  "signed this token", lines)

    def test_a_key_is_not_another(self):
        for name in KINDS:
            for other in KINDS:
                if other != name:
                    with self.subTest(name=name, other=other):
                        returned, lines, _ = self.inspect(
                            self.make(name),
                            RELAY_PUBLIC_KEYS=self.path(f"public/{other}.pem"))
                        self.assertEqual(returned, 1)
                        self.assertIn("algorithm not accepted", lines[-1])

    def test_a_public_key_is_no_secret(self):
        for name in KINDS:
            pem = self.read(f"public/{name}.pem")
            for alg in ("HS256", name):
                with self.subTest(name=name, alg=alg):
                    now = int(time.time())
                    token = relay_support.forge_token(
                        {"alg": alg}, {"exp": now + 60, "nbf": now, "iat": now}, pem)
                    returned, _, _ = self.inspect(token, RELAY_PUBLIC_KEYS=self.path("public"),
                                                  RELAY_SECRET="other")
                    self.assertEqual(returned, 1)

    def test_secrets_rotate(self):
        secrets = self.write("secrets", f"# since May\nnew {SECRET}\nold former\nnameless\n")
        for secret, kid, status in ((SECRET, None, 0), (SECRET, "new", 0), ("former", "old", 0),
                                    ("former", None, 0), ("nameless", "any", 0),
                                    ("former", "new", 1), ("former", "any", 1),
                                    ("retired", None, 1)):
            with self.subTest(secret=secret, kid=kid):
                token = run(RELAY_TOKEN_SECRET=secret, RELAY_TOKEN_KID=kid).stdout
                self.assertEqual(self.inspect(token, RELAY_SECRETS_FILE=secrets)[0], status)

    def test_inspect_explains(self):
        token = jwt.encode({"topic": "t\x1b", "exp": 1658306108, "nbf": 1658306107,
                            "iat": 1658306108}, SECRET, algorithm="HS256")
        returned, lines, errors = self.inspect(f" Bearer {token}\n", RELAY_SECRET=SECRET)
        self.assertEqual((returned, errors), (1, ""))
        self.assertEqual(lines[:2], ["Header", '  alg: "HS256"'])
        self.assertIn('  topic: "t\\u001b"', [line.replace("B\"", "b\"") for line in lines])
        self.assertRegex("\n".join(lines), r"  exp: 1658306108 \(2022-07-20 08:35:08 \+0000, "
                                           r"expired \d+ years ago\)\n")
        self.assertEqual(lines[-4:], ["Keys", "  HS256 from the secret: signed this token",
                                      "Verdict", "  refused: token expired (exp)"])
        self.assertNotIn(token.split(".")[2], "\n".join(lines))

    def test_inspect_takes_the_token_in_every_way(self):
        token = run().stdout.strip()
        for words, text in (([], token), (["-"], token), (["--secret", SECRET, "-"], token),
                            ([token], ""), ([token, "--secret", SECRET], "")):
            with self.subTest(words=words):
                self.assertEqual(self.inspect(text, *words, RELAY_SECRET=SECRET)[0], 0)
        self.assertEqual(self.inspect("", RELAY_SECRET=SECRET)[0], 1)
        self.assertEqual(self.inspect(token * 100, RELAY_SECRET=SECRET)[0], 1)

    def test_inspect_judges_the_audience(self):
        token = run().stdout
        self.check_verdict(0, "valid", token, RELAY_SECRET=SECRET, RELAY_AUDIENCE=AUDIENCE)
        self.check_verdict(1, "refused: aud does not name https://other", token,
                           RELAY_SECRET=SECRET, RELAY_AUDIENCE="https://other")

    def test_inspect_without_keys(self):
        self.check_verdict(1, "refused: no key is configured to check it with", run().stdout)

    def test_bad_key_files_are_one_line(self):
        self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out",
                     self.path("weak"))
        self.openssl("pkey", "-in", self.path("weak"), "-pubout", "-out", self.path("weak.pem"))
        for options, reason in (
                ({"RELAY_PUBLIC_KEYS": self.path("weak.pem")},
                 f"{self.path('weak.pem')}: RSA key of 1024 bits, only 2048 to 8192 are taken"),
                ({"RELAY_PUBLIC_KEYS": self.path("EdDSA")},
                 f"{self.path('EdDSA')}: private key, keep it with the issuer and give the relay "
                 "the public one"),
                ({"RELAY_SECRETS_FILE": self.write("bad", "a\nb c d\n")},
                 f"{self.path('bad')}:2: more than a kid and a secret, neither may hold blanks"),
                ({"RELAY_SECRET_FILE": "/nonexistent"},
                 "/nonexistent: No such file or directory")):
            with self.subTest(options=options):
                self.assertEqual(self.inspect("x", **options),
                                 (1, [], f"relay token inspect: {reason}\n"))

    def test_signing_keys_that_do_not_do(self):
        for changes, reason in (
                ({"RELAY_TOKEN_KEY_FILE": self.path("public/EdDSA.pem"),
                  "RELAY_TOKEN_SECRET": None}, "no private key in PEM form"),
                ({"RELAY_TOKEN_KEY_FILE": "/nonexistent", "RELAY_TOKEN_SECRET": None},
                 "No such file or directory"),
                ({"RELAY_TOKEN_KEY_FILE": self.path("EdDSA")},
                 "RELAY_TOKEN_KEY_FILE and a secret are both given"),
                ({"RELAY_TOKEN_KID": "a b"}, "kid must be")):
            with self.subTest(reason=reason):
                result = run(**changes)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertRegex(result.stderr, rf"\Arelay token: .*{reason}.*\n\Z")


if __name__ == "__main__":
    relay_support.main()
