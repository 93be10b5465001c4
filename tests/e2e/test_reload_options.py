"""A configuration file beside environment and flags: checked before a start, read again on SIGHUP
without touching a connection; and a stop that takes its time.

Method: a file that the test rewrites; what is in effect is seen in answers, and in /config of the
admin listener.
"""

import os
import signal
import tempfile
import threading
import time

import relay_support
from relay_support import AUDIENCE, RelayTestCase, TIME_SCALE, relay_run, wait_until
from test_admin import ask
from ws_raw import BINARY, CLOSE, RawClient, close_payload

REQUIRED = f"RELAY_AUDIENCE={AUDIENCE}\nRELAY_URL=ws://127.0.0.1:1\nRELAY_SECRET=sesame\n"
DRAIN_S = 2.0


class ConfigurationFile(RelayTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "relay.conf")

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def check(self, text, **options):
        self.write(text)
        return relay_run("serve", "--check-config", RELAY_CONFIG=self.path, **options)

    def test_a_valid_one_is_said_to_be_valid_and_nothing_starts(self):
        done = self.check(REQUIRED)
        self.assertEqual((done.returncode, done.stdout), (0, "the configuration is valid\n"))

    def test_faults_are_told_with_their_place(self):
        for text, expected in ((REQUIRED + "RELAY_PORT_ACES=1\n", "relay.conf:4: RELAY_PORT_ACES"),
                               (REQUIRED + "what\n", "relay.conf:4: expected NAME=value"),
                               (REQUIRED + "RELAY_WORKERS=many\n", "RELAY_WORKERS must be"),
                               ("RELAY_SECRET=s\n", "You must set RELAY_AUDIENCE")):
            done = self.check(text)
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stdout)
        done = self.check(REQUIRED + "RELAY_PUBLIC_KEYS=/nowhere/key.pem\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/key.pem", done.stderr)

    def reloaded(self, relay, text):
        since = len(relay.lines)
        self.write(text)
        relay.process.send_signal(signal.SIGHUP)
        return relay.wait_line("log file opened again", since), relay.lines[since:]

    def test_a_changed_secret_is_used_and_never_told(self):
        secrets = ("the first hush", "the second hush")
        self.write(f"RELAY_SECRET={secrets[0]}\n")
        relay = self.start(launcher=("env", "-u", "RELAY_SECRET"), RELAY_CONFIG=self.path,
                           RELAY_SECRET=secrets[0])
        first = relay.token()
        self.assertEqual(relay.session("t0", first).status, 200)
        _, lines = self.reloaded(relay, f"RELAY_SECRET={secrets[1]}\n")
        said = {line["msg"]: line.get("options") for line in lines}
        self.assertEqual(said["options reloaded"], "RELAY_SECRET")
        self.assertIn("keys reloaded", said)
        self.assertNotIn("hush", str(relay.lines))
        self.assertEqual(relay.session("t0", first).status, 401)
        relay.secret = secrets[1]
        self.assertEqual(relay.session("t0", relay.token()).status, 200)

    def test_sighup_changes_what_can_change_and_names_the_rest(self):
        self.write("RELAY_CORS_ORIGINS=https://old.example\n")
        relay = self.start(RELAY_CONFIG=self.path, RELAY_ADMIN_LISTEN="127.0.0.1:0")
        client = self.track(relay.raw("lab"))
        _, lines = self.reloaded(relay, "RELAY_CORS_ORIGINS=https://new.example\n"
                                        "RELAY_QUEUE_BYTES=1000000\n")
        said = {line["msg"]: line.get("options") for line in lines}
        self.assertEqual(said["options reloaded"], "RELAY_CORS_ORIGINS")
        self.assertEqual(said["options that need a restart stay as they are"], "RELAY_QUEUE_BYTES")
        reply = relay.request("GET", "/docs", {"Origin": "https://new.example"})
        self.assertEqual(reply.headers["Access-Control-Allow-Origin"], "https://new.example")
        options = ask(relay, "/config").json()
        self.assertEqual(options["RELAY_CORS_ORIGINS"],
                         {"value": "https://new.example", "origin": "file"})
        self.assertEqual(options["RELAY_QUEUE_BYTES"], {"value": "16777216", "origin": "default"})
        _, lines = self.reloaded(relay, "RELAY_CORS_ORIGINS=*\nRELAY_CODE_TTL=soon\n")
        self.assertIn("options not reloaded, the old ones stay in effect",
                      [line["msg"] for line in lines])
        self.assertEqual(ask(relay, "/config").json()["RELAY_CORS_ORIGINS"]["value"],
                         "https://new.example")
        client.send_frame(BINARY, b"x")  # the connection was never touched


class Drain(RelayTestCase):
    def close_time(self, client, times, name):
        def listen():
            while (frame := client.frame()).opcode != CLOSE:
                pass
            times[name] = (time.monotonic(), frame.close()[0])
            client.send_frame(CLOSE, close_payload(1001))
            client.expect_end()
            client.kill()

        thread = threading.Thread(target=listen)
        thread.start()
        return thread

    def test_viewers_leave_over_the_time_and_publishers_last(self):
        relay = self.start(RELAY_DRAIN_TIME=f"{DRAIN_S}s", RELAY_ADMIN_LISTEN="127.0.0.1:0",
                           RELAY_WORKERS="1")
        times = {}
        clients = {name: self.track(relay.viewer("lab")) for name in range(10)}
        clients["publisher"] = self.track(relay.publisher("lab"))
        code = relay.target("lab")
        threads = [self.close_time(client, times, name) for name, client in clients.items()]
        begin = time.monotonic()
        relay.process.send_signal(signal.SIGTERM)
        ready = wait_until(lambda: (reply := ask(relay, "/readyz")).status == 503 and reply,
                           "readiness to end")
        self.assertEqual(ready.json()["state"], "draining")
        self.assertEqual(ask(relay, "/healthz").status, 200)
        refused = relay.session("lab", relay.token("lab"))
        self.assertEqual((refused.status, refused.headers["Retry-After"]), (503, "5"))
        self.assertIn(b" 503 ", self.upgrade_refused(relay, code))
        for thread in threads:
            thread.join()
        relay.process.wait(relay_support.WAIT_S)
        relay.kill()
        self.assertEqual({code for _, code in times.values()}, {1001})
        viewers = sorted(times[name][0] - begin for name in range(10))
        self.assertEqual(relay.process.returncode, 0)
        self.assertGreater(viewers[-1] - viewers[0], DRAIN_S / 2)
        self.assertGreaterEqual(times["publisher"][0] - begin, viewers[-1] - 0.1 * TIME_SCALE)

    def upgrade_refused(self, relay, target):
        client = self.track(RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S))
        try:
            client.upgrade(target)
        except AssertionError as fault:
            return f" {str(fault).rsplit('no upgrade: ', 1)[-1].split(' ')[0]} ".encode()
        return b"an upgrade"

    def test_a_second_signal_ends_the_wait(self):
        relay = self.start(RELAY_DRAIN_TIME="1h", RELAY_ADMIN_LISTEN="127.0.0.1:0")
        for _ in range(3):
            self.track(relay.viewer("lab"))
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_line("stopping")
        relay.stop()

    def test_without_viewers_there_is_nothing_to_wait_for(self):
        relay = self.start(RELAY_DRAIN_TIME="1h")
        relay.stop()


if __name__ == "__main__":
    relay_support.main()
