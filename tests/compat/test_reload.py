"""Keys, algorithms and the log file: what SIGHUP reads again, and what a bad file does not break.

Method: a started server, tokens of old and new keys, files that are changed under it.
"""

import json
import os
import signal
import subprocess
import tempfile

import jwt

import relay_support
from relay_support import RelayTestCase
from rows import row

RELOADED = "keys reloaded"
NOT_RELOADED = "keys not reloaded, the old ones stay in use"


class Reload(RelayTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def reload(self, relay, message):
        since = len(relay.lines)
        relay.process.send_signal(signal.SIGHUP)
        return relay.wait_line(message, since)

    def status(self, relay, secret, **header):
        token = jwt.encode(relay.claims(), secret, algorithm=header.pop("alg", "HS256"),
                           headers=header)
        return relay.session("t0", token).status

    @row("Tokens",
         "changing the secret",
         "a restart; every token of the old one is refused from then on",
         "`RELAY_SECRETS_FILE` holds old and new ones; SIGHUP reads it again; a bad file changes "
         "nothing",
         "F")
    def test_secrets_are_changed_without_a_break(self):
        file = self.write("secrets", "spring first-secret\n")
        relay = self.start(RELAY_SECRET=None, RELAY_SECRETS_FILE=file)
        self.assertEqual(self.status(relay, "first-secret"), 200)
        self.assertEqual(self.status(relay, "second-secret"), 401)
        self.write("secrets", "summer second-secret\nspring first-secret\n")
        self.assertEqual(self.reload(relay, RELOADED)["keys"], 2)
        for secret in ("first-secret", "second-secret"):
            self.assertEqual(self.status(relay, secret), 200)
        self.assertEqual(self.status(relay, "second-secret", kid="spring"), 401)
        for broken in ("one two three\n", "summer a\nsummer b\n", ""):
            self.write("secrets", broken)
            self.assertEqual(self.reload(relay, NOT_RELOADED)["level"], "error")
            for secret in ("first-secret", "second-secret"):
                self.assertEqual(self.status(relay, secret), 200)
        os.unlink(file)
        self.reload(relay, NOT_RELOADED)
        self.assertEqual(self.status(relay, "first-secret"), 200)
        self.write("secrets", "summer second-secret\n")
        self.reload(relay, RELOADED)
        self.assertEqual(self.status(relay, "first-secret"), 401)
        self.assertEqual(self.status(relay, "second-secret"), 200)

    def key_pair(self, name):
        """The private half; the public one lies in the folder of the relay's keys."""
        private = self.path(f"{name}.key")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-out", private], check=True,
                       capture_output=True)
        os.makedirs(self.path("keys"), exist_ok=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out",
                        self.path(f"keys/{name}.pem")], check=True, capture_output=True)
        with open(private, encoding="ascii") as file:
            return file.read()

    def test_public_keys_are_changed_without_a_break(self):
        first = self.key_pair("first")
        relay = self.start(RELAY_SECRET=None, RELAY_PUBLIC_KEYS=self.path("keys"))
        self.assertEqual(self.status(relay, first, alg="ES256"), 200)
        second = self.key_pair("second")
        self.assertEqual(self.status(relay, second, alg="ES256"), 401)
        self.reload(relay, RELOADED)
        for private in (first, second):
            self.assertEqual(self.status(relay, private, alg="ES256"), 200)
        self.write("keys/third.pem", "no key")
        self.assertIn("third.pem", self.reload(relay, NOT_RELOADED)["error"])
        for private in (first, second):
            self.assertEqual(self.status(relay, private, alg="ES256"), 200)
        for name in ("third", "first"):
            os.unlink(self.path(f"keys/{name}.pem"))
        self.reload(relay, RELOADED)
        self.assertEqual(self.status(relay, first, alg="ES256"), 401)
        self.assertEqual(self.status(relay, second, alg="ES256"), 200)

    def test_who_is_connected_stays(self):
        file = self.write("secrets", "first-secret\n")
        relay = self.start(RELAY_SECRET="first-secret", RELAY_SECRETS_FILE=file)
        a, b = self.track(relay.raw()), self.track(relay.raw())
        self.write("secrets", "second-secret\n")
        self.reload(relay, RELOADED)
        a.send_message("still here")
        self.assertEqual(b.message()[1], b"still here")

    @row("Log", "SIGHUP after the file was renamed (logrotate)", "ends the process",
         "a new file of that name is written", "F")
    def test_the_log_file_is_opened_again(self):
        log = self.path("relay.log")
        relay = self.start(RELAY_LOG_FILE=log, wait=False)
        relay_support.wait_until(lambda: os.path.exists(log) and "listening" in self.read(log),
                                 "the start")
        os.rename(log, log + ".1")
        self.assertEqual(relay.session("t0", "x").status, 401)
        relay_support.wait_until(lambda: "token malformed" in self.read(log + ".1"),
                                 "its line, which a thread of its own writes")
        relay.process.send_signal(signal.SIGHUP)
        relay_support.wait_until(lambda: os.path.exists(log) and "SIGHUP" in self.read(log),
                                 "the new file")
        self.assertEqual(relay.session("t1", relay.token("t0")).status, 401)
        relay_support.wait_until(lambda: "Token Wrong Topic" in self.read(log), "a line in it")
        self.assertNotIn("Token Wrong Topic", self.read(log + ".1"))
        self.assertEqual(relay.output, [])
        relay.process.terminate()
        self.assertEqual(relay.process.wait(relay_support.WAIT_S), 0)

    def test_a_log_file_that_cannot_be_opened_again_is_told_of_in_the_old_one(self):
        log = self.path("folder/relay.log")
        os.mkdir(os.path.dirname(log))
        relay = self.start(RELAY_LOG_FILE=log, wait=False)
        relay_support.wait_until(lambda: os.path.exists(log) and "listening" in self.read(log),
                                 "the start")
        moved = self.path("moved")
        os.rename(os.path.dirname(log), moved)
        relay.process.send_signal(signal.SIGHUP)
        old = os.path.join(moved, "relay.log")
        relay_support.wait_until(lambda: "cannot open the log file again" in self.read(old),
                                 "the reason")
        line = next(line for line in map(json.loads, self.read(old).splitlines())
                    if line["msg"].startswith("cannot open the log file again"))
        self.assertEqual((line["level"], line["file"], line["error"]),
                         ("error", log, "No such file or directory"))
        relay.process.terminate()
        self.assertEqual(relay.process.wait(relay_support.WAIT_S), 0)
        self.assertIn("stopped", self.read(old))

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()


class Algorithms(RelayTestCase):
    @row("Tokens", "HS384 and HS512 with `RELAY_HMAC_ALGORITHMS=HS256,HS384,HS512`", "accepted")
    def test_other_digests_where_they_are_asked_for(self):
        relay = self.start(RELAY_HMAC_ALGORITHMS="HS256, HS384,HS512")
        for algorithm in ("HS256", "HS384", "HS512"):
            token = relay.sign(relay.claims(), algorithm=algorithm)
            self.assertEqual(relay.session("t0", token).status, 200, algorithm)
            token = relay.sign(relay.claims(), "another", algorithm=algorithm)
            self.assertEqual(relay.session("t0", token).status, 401, algorithm)

    def test_only_those(self):
        relay = self.start(RELAY_HMAC_ALGORITHMS="HS512")
        for algorithm, status in (("HS256", 401), ("HS384", 401), ("HS512", 200)):
            token = relay.sign(relay.claims(), algorithm=algorithm)
            self.assertEqual(relay.session("t0", token).status, status, algorithm)

    def test_others_are_a_refusal_to_start(self):
        done = relay_support.relay_run(
            "serve", RELAY_AUDIENCE="https://a", RELAY_URL="ws://b", RELAY_SECRET="c",
            RELAY_HMAC_ALGORITHMS="none", RELAY_STORE="memory", RELAY_LOG_FILE="stdout")
        self.assertEqual(done.returncode, 1)
        self.assertIn("RELAY_HMAC_ALGORITHMS can have HS256, HS384 and HS512", done.stderr)


if __name__ == "__main__":
    relay_support.main()
