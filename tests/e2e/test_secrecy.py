"""Secrets, tokens and codes appear in no log line, no help text and no error, at any level.

Method: everything a server hears and says in a busy little life is searched for every secret.
"""

import os
import tempfile
import unittest
from urllib.parse import parse_qs, urlsplit

import relay_support
from relay_support import AUDIENCE, RelayTestCase, relay_run
from ws_raw import RawClient

SECRET = "correct-horse-battery-staple"


def code_of(uri):
    return parse_qs(urlsplit(uri).query)["code"][0]


class Secrecy(RelayTestCase):
    def life(self, relay):
        """What can happen to tokens and codes. Returns every secret that was used."""
        good, expired = relay.token(), relay.token(lifetime_s=-5)
        wrong = relay.sign(relay.claims(), secret="another-secret-altogether")
        other = relay.token(aud=["https://other.test"])
        for token in (good, "Bearer " + good, expired, wrong, other, relay.token("t1")):
            relay.session("t0", token)
        used, unused, misused = (relay.session("t0", good).json()["uri"] for _ in range(3))
        viewer = self.track(relay.viewer())
        for uri in (used, used, misused.replace("/session/t0", "/session/t9")):
            parts = urlsplit(uri)
            with RawClient(relay.relay_port) as client:
                client.ask_upgrade(f"{parts.path}?{parts.query}")
                client.reply()
        for request in (f"GET /session/t0?code={code_of(unused)}\r\n\r\n",
                        f"GET /session/t0?code={code_of(unused)} HTTP/1.1\r\nHost: a\r\n\r\n",
                        f"POST /session/t0 HTTP/1.1\r\nAuthorization: {good}\r\nX\r\n\r\n",
                        f"GET //session/t0?code={code_of(unused)} HTTP/1.1\r\nHost: a\r\n\r\n"):
            for port in (relay.access_port, relay.relay_port):
                with RawClient(port) as client:
                    client.send(request.encode())
                    client.reply()
        viewer.barrier()
        viewer.kill()
        return [relay.secret, "another-secret-altogether",
                *(part for token in (good, expired, wrong, other) for part in
                  (token, token.split(".")[2])),
                *(code_of(uri) for uri in (used, unused, misused))]

    def check_absent(self, secrets, text):
        for secret in secrets:
            self.assertNotIn(secret, text)

    def test_logs_at_every_level(self):
        for level in ("info", "debug", "trace"):
            for log_format in ("json", "text"):
                with self.subTest(level=level, format=log_format):
                    relay = self.start(RELAY_SECRET=SECRET, RELAY_LOG_LEVEL=level,
                                       RELAY_LOG_FORMAT=log_format, wait=log_format == "json")
                    if log_format == "text":
                        relay_support.wait_until(
                            lambda: any("listening" in line for line in relay.output), "listening")
                    secrets = self.life(relay)
                    relay.process.terminate()
                    relay.process.wait(relay_support.WAIT_S)
                    relay.kill()
                    log = "\n".join(relay.output)
                    self.assertEqual(relay.process.returncode, 0, relay.tail())
                    self.assertIn("new connection", log)
                    self.check_absent(secrets, log + relay.errors)

    def test_help(self):
        done = relay_run("serve", "--help", RELAY_SECRET=SECRET)
        self.assertEqual(done.returncode, 0)
        self.assertNotIn(SECRET, done.stdout + done.stderr)

    def test_errors_beside_a_good_secret(self):
        for arguments, environment in ((("--bogus",), {}), ((), {"RELAY_PORT_ACCESS": "x"}),
                                       (("--secret", SECRET, "--bogus"), {}),
                                       ((f"--secret={SECRET}",), {"RELAY_LOG_LEVEL": "x"})):
            with self.subTest(arguments=arguments, environment=environment):
                done = relay_run("serve", *arguments, **{
                    "RELAY_SECRET": SECRET, "RELAY_AUDIENCE": AUDIENCE, "RELAY_URL": "ws://x",
                    "RELAY_LOG_FILE": "stdout", **environment})
                self.assertEqual(done.returncode, 1, done)
                self.assertNotIn(SECRET, done.stdout + done.stderr)

    def test_a_secret_file_that_is_refused(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(SECRET * 10000)
            file.flush()
            done = relay_run("serve", RELAY_SECRET_FILE=file.name, RELAY_AUDIENCE=AUDIENCE,
                             RELAY_URL="ws://x", RELAY_LOG_FILE="stdout")
            self.assertEqual(done.returncode, 1)
            self.assertNotIn(SECRET, done.stdout + done.stderr)

    def test_the_secret_file_keeps_the_secret_out_of_the_environment(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(SECRET)
            file.flush()
            relay = self.start(RELAY_SECRET=None, RELAY_SECRET_FILE=file.name)
            for name in ("environ", "cmdline"):
                with open(os.path.join("/proc", str(relay.process.pid), name), "rb") as shown:
                    self.assertNotIn(SECRET.encode(), shown.read())


class Memory(RelayTestCase):
    """Tokens and codes are gone from the memory of the process when they were used."""

    def memory_of(self, relay):
        """Everything that the process may write to and that holds anything."""
        pieces = []
        with open(f"/proc/{relay.process.pid}/maps", encoding="ascii") as maps, \
                open(f"/proc/{relay.process.pid}/mem", "rb") as memory:
            for line in maps:
                span, rights, *_ = line.split()
                start, end = (int(address, 16) for address in span.split("-"))
                if not rights.startswith("rw") or "[v" in line:
                    continue
                try:
                    memory.seek(start)
                    pieces.append(memory.read(end - start))
                except OSError:
                    pass  # a guard page, or not memory
        return b"".join(pieces)

    def token(self, relay):
        """Not of the type JWT, so that libjwt, which wipes nothing, does not see it."""
        return relay_support.forge_token({"alg": "HS256", "typ": "at+jwt"}, relay.claims(),
                                         relay.secret)

    @unittest.skipIf(relay_support.SANITIZED, "the sanitizer keeps freed memory as it was")
    def test_used_tokens_and_codes_are_wiped(self):
        relay = self.start(RELAY_WORKERS="1")
        tokens = [self.token(relay) for _ in range(4)]
        targets = []
        for token in tokens:
            parts = urlsplit(relay.session("t0", token).json()["uri"])
            targets.append(f"{parts.path}?{parts.query}")
        held = self.memory_of(relay)
        self.assertIn(code_of(targets[0]).encode(), held, "an unused code is kept")
        with RawClient(relay.relay_port) as client:  # first, a redirect that repeats the code
            client.send(f"GET /{targets[0]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            self.assertEqual(client.reply().status, 301)
        for target in targets:
            self.track(RawClient(relay.relay_port)).upgrade(target)
        with RawClient(relay.relay_port) as client:  # used up
            client.ask_upgrade(targets[1])
            self.assertEqual(client.reply().status, 401)
        with RawClient(relay.access_port) as client:  # malformed behind the token
            client.send(f"POST /session/t0 HTTP/1.1\r\nHost: a\r\nAuthorization: {tokens[0]}\r\n"
                        "X\r\n\r\n".encode())
            self.assertEqual(client.reply().status, 400)
            client.expect_end()
        relay.wait_counter("connections_closed", 7)
        held = self.memory_of(relay)
        self.assertIn(relay.secret.encode(), held, "the search would find a text")
        for secret in [token.split(".")[2] for token in tokens] + \
                [code_of(target) for target in targets]:
            place = held.find(secret.encode())
            self.assertEqual(place, -1, held[max(0, place - 300):place + 100])


if __name__ == "__main__":
    relay_support.main()
