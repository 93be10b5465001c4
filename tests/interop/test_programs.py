"""The programs of practable/relay against our server, ours against its server.

Method: whole programs over loopback, as hosts and operators start them.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

import jwt

import practable
import relay_support
import ws_peer
from practable import PractableRelay, Program, free_port, listens
from relay_support import AUDIENCE, RelayTestCase, wait_until
from ws_raw import BINARY

LINE = re.compile(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\] (.*)$")
TS_PACKET = 188
PLUGINS = os.path.join(relay_support.BUILD, "gst")


class InteropCase(RelayTestCase):
    @classmethod
    def setUpClass(cls):
        cls.theirs = practable.binary()
        cls.ours = relay_support.relay_binary()

    def run_program(self, program, *arguments, **options):
        running = Program(program, *arguments, **options)
        self.addCleanup(running.close)
        return running

    def start_theirs(self):
        relay = PractableRelay()
        self.addCleanup(relay.kill)
        return relay

    def both_relays(self):
        """(relay, the programs that are to work with it)"""
        return ((self.start(), self.theirs), (self.start_theirs(), self.ours))


class Tokens(InteropCase):
    def mint(self, program, relay, **options):
        result = subprocess.run(
            [program, "token"], capture_output=True, text=True, check=True,
            timeout=relay_support.WAIT_S, env=relay_support.relay_environment(**{
                "RELAY_TOKEN_AUDIENCE": AUDIENCE, "RELAY_TOKEN_LIFETIME": "300",
                "RELAY_TOKEN_SECRET": relay.secret, "RELAY_TOKEN_TOPIC": "t0", **options}))
        self.assertEqual(result.stdout.count("\n"), 1)
        return result.stdout.strip()

    def test_tokens_of_each_are_accepted_by_both(self):
        for relay, _ in self.both_relays():
            for program in (self.theirs, self.ours):
                with self.subTest(program=program, relay=type(relay).__name__):
                    reply = relay.session("t0", self.mint(program, relay))
                    self.assertEqual(reply.status, 200, reply.body)
                    admin = self.mint(program, relay, RELAY_TOKEN_SCOPE_ADMIN="true")
                    reply = relay.request("GET", "/bids/deny", {"Authorization": admin})
                    self.assertEqual(reply.status, 200, reply.body)

    def test_both_mint_the_same_bytes(self):
        relay = self.start()
        for options in ({}, {"RELAY_TOKEN_SCOPE_WRITE": "false"},
                        {"RELAY_TOKEN_SCOPE_OTHER": "relay:stats"},
                        {"RELAY_TOKEN_SCOPE_ADMIN": "true"},
                        {"RELAY_TOKEN_BOOKING_ID": "<b&b>"}):
            with self.subTest(options):
                def same_second():
                    # The claims hold the second: two that were made in one are the same.
                    return (self.mint(self.theirs, relay, **options)
                            == self.mint(self.ours, relay, **options))

                wait_until(same_second, "two tokens of one second to be equal")

    def test_the_claims_are_in_the_same_order(self):
        relay = self.start()
        texts = [self.mint(program, relay) for program in (self.theirs, self.ours)]
        claims = [jwt.decode(text, options={"verify_signature": False}) for text in texts]
        self.assertEqual(list(claims[0]), list(claims[1]))


class ClientFile(InteropCase):
    def test_lines_of_messages(self):
        for relay, program in self.both_relays():
            with self.subTest(program=program), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "log")
                self.run_program(
                    program, "client", "file", RELAY_CLIENT_FILE=path,
                    RELAY_CLIENT_SESSION=f"http://127.0.0.1:{relay.access_port}/session/t0",
                    RELAY_CLIENT_TOKEN=relay.token("t0", ("read",)))
                publisher = self.track(relay.publisher("t0"))
                texts = self.publish_until_logged(publisher, path)
                self.assertGreater(len(texts), 0)

    def publish_until_logged(self, publisher, path):
        probes = []

        def logged():
            probes.append(f"probe {len(probes)}.")
            publisher.send_message(probes[-1])
            return os.path.exists(path) and os.path.getsize(path) > 0

        wait_until(logged, "a first line")
        wait_until(lambda: probes[-1] in open_text(path), probes[-1])
        # One at a time: practable/relay joins messages that wait for the same reader into one.
        for number in range(4):
            line = f'line {number} with a "bright" spark'
            publisher.send_message(line)
            wait_until(lambda line=line: line in open_text(path), line)
        publisher.send_message(b"\x00\x01binary")
        wait_until(lambda: "AAFiaW5hcnk=" in open_text(path), "the last line")
        texts = [LINE.match(line).group(3) for line in open_text(path).splitlines()]
        texts = [text for text in texts if not text.startswith("probe")]
        self.assertEqual(texts, [f'line {number} with a "bright" spark' for number in range(4)]
                         + ["AAFiaW5hcnk="])
        return texts


def open_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def is_of_a_host(line):
    """Of the log: a connection that our test client did not make."""
    return "Python" not in line["user_agent"] and line["topic"] == "data"


class Host(InteropCase):
    """`relay host` of practable/relay with our server."""

    def start_host(self):
        port = free_port()
        host = self.run_program(self.theirs, "host", VW_PORT=str(port))
        wait_until(lambda: listens(port) or host.process.poll() is not None, "the host")
        if not listens(port):
            if os.environ.get("RELAY_INTEROP_BINARY"):
                self.skipTest("this program has no host")
            self.fail("relay host did not start: " + host.tail())
        return port

    def add_destination(self, port, relay, feed):
        rule = {"id": feed, "stream": f"/{feed}", "file": "",
                "destination": f"http://127.0.0.1:{relay.access_port}/session/{feed}",
                "token": relay.token(feed)}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/destinations",
                                         json.dumps(rule).encode(),
                                         {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=relay_support.WAIT_S) as reply:
            self.assertEqual(json.load(reply)["stream"], feed)

    def test_video_from_ffmpeg(self):
        if shutil.which("ffmpeg") is None:
            self.skipTest("there is no ffmpeg")
        relay, port = self.start(), self.start_host()
        self.add_destination(port, relay, "video")
        viewer = self.track(relay.viewer("video"))
        self.run_program("ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i",
                         "testsrc=size=320x240:rate=25", "-f", "mpegts", "-codec:v", "mpeg1video",
                         "-b:v", "500k", "-bf", "0", f"http://127.0.0.1:{port}/ts/video")
        received = b""
        while len(received) < 100 * TS_PACKET:
            opcode, payload = viewer.message()
            self.assertEqual(opcode, BINARY)
            received += payload
        self.assertEqual({received[at] for at in range(0, 100 * TS_PACKET, TS_PACKET)}, {0x47})

    def test_data_both_ways(self):
        relay, port = self.start(), self.start_host()
        self.add_destination(port, relay, "data")
        local = ws_peer.Peer(f"ws://127.0.0.1:{port}/ws/data", timeout_s=relay_support.WAIT_S)
        self.addCleanup(local.close)
        remote = relay.peer("data")
        self.addCleanup(remote.close)
        relay.wait_line("new connection", where=is_of_a_host)
        local.send('{"position":1.5}')
        self.assertIn(remote.recv(), ('{"position":1.5}', b'{"position":1.5}'))
        remote.send('{"set":"speed"}')
        self.assertIn(local.recv(), ('{"set":"speed"}', b'{"set":"speed"}'))

    def test_it_comes_back_when_the_server_does(self):
        relay, port = self.start(), self.start_host()
        self.add_destination(port, relay, "data")
        relay.wait_line("new connection", where=is_of_a_host)
        ports = {"RELAY_PORT_ACCESS": str(relay.access_port),
                 "RELAY_PORT_RELAY": str(relay.relay_port), "RELAY_URL": relay.url}
        secret = relay.secret
        relay.stop()
        again = self.start(RELAY_SECRET=secret, **ports)
        again.wait_line("new connection", where=is_of_a_host,
                        timeout_s=30)


class Sink(InteropCase):
    def test_relaysink_with_their_server(self):
        if shutil.which("gst-launch-1.0") is None or not os.path.isdir(PLUGINS):
            self.skipTest("the GStreamer plugin is not built")
        relay = self.start_theirs()
        viewer = self.track(relay.viewer("t0"))
        with tempfile.TemporaryDirectory() as folder:
            token = os.path.join(folder, "token")
            with open(token, "w", encoding="ascii") as file:
                file.write(relay.token("t0", ("write",)))
            self.run_program(
                "gst-launch-1.0", "-q", "videotestsrc", "is-live=true", "!",
                "video/x-raw,width=160,height=120,framerate=25/1",
                "!", "jpegenc", "!", "relaysink", f"token-file={token}",
                f"location=http://127.0.0.1:{relay.access_port}/session/t0",
                GST_PLUGIN_PATH=PLUGINS, GST_REGISTRY=os.path.join(folder, "registry"))
            for _ in range(10):
                opcode, payload = viewer.assembled(relay_support.WAIT_S * 2)
                self.assertEqual((opcode, payload[:2], payload[-2:]),
                                 (BINARY, b"\xff\xd8", b"\xff\xd9"))


class Monitor(InteropCase):
    """COMMAND is always set: the default kills every relay of the machine."""

    def start_monitor(self, program, relay, threshold, mark):
        return self.run_program(
            program, "monitor", RELAY_MONITOR_SECRET=relay.secret,
            RELAY_MONITOR_AUDIENCE=f"http://127.0.0.1:{relay.access_port}",
            RELAY_MONITOR_INTERVAL="50ms", RELAY_MONITOR_THRESHOLD=threshold,
            RELAY_MONITOR_TRIGGER_AFTER_MISSES="3", RELAY_MONITOR_NO_RETRIGGER_WITHIN="2s",
            RELAY_MONITOR_RECONNECT_EVERY="1h", RELAY_MONITOR_COMMAND=f"touch {mark}")

    def start_for_monitor(self, kind):
        """The monitor takes its audience for the address of the access API."""
        port = free_port()
        audience = f"http://127.0.0.1:{port}"
        if kind == "ours":
            relay = self.start(RELAY_AUDIENCE=audience, RELAY_PORT_ACCESS=str(port))
            relay.access_port = port
            return relay, self.theirs, audience
        relay = PractableRelay(audience=audience, access_port=port)
        self.addCleanup(relay.kill)
        return relay, self.ours, audience

    def test_it_sees_a_healthy_relay_and_a_slow_one(self):
        for kind in ("ours", "theirs"):
            with self.subTest(server=kind), tempfile.TemporaryDirectory() as folder:
                relay, program, audience = self.start_for_monitor(kind)
                mark = os.path.join(folder, "mark")
                calm = self.start_monitor(program, relay, "5s", mark)
                viewer = self.track(relay.viewer("canary-st-data", aud=[audience]))
                for _ in range(20):
                    opcode, payload = viewer.assembled(relay_support.WAIT_S * 2)
                    self.assertEqual(opcode, BINARY)
                    # The last: practable/relay joins messages that wait for the same reader.
                    sent_s = int.from_bytes(payload[-8:], "big") / 1e9
                    self.assertLess(abs(time.time() - sent_s), 5)
                self.assertFalse(os.path.exists(mark), "it found fault with a healthy relay")
                calm.close()
                self.start_monitor(program, relay, "1us", mark)
                wait_until(lambda: os.path.exists(mark), "the monitor to find fault",
                           relay_support.WAIT_S * 3)


class Reports(InteropCase):
    def test_keys_and_order_are_the_same(self):
        keys = []
        for relay in (self.start(), self.start_theirs()):
            stats = self.track(relay.raw("stats"))
            stats.send_message('{"cmd":"update"}')
            report = json.loads(stats.assembled(relay_support.WAIT_S)[1])
            keys.append([key for key in report[0] if key != "stats"])
            own, = [each for each in report if each["userAgent"] == "crossbar"]
            keys.append({key: own[key] for key in ("canRead", "canWrite", "expiresAt",
                                                   "remoteAddr", "scopes", "topic")})
            status = relay.request("GET", "/status",
                                   {"Authorization": relay.token(scopes=["relay:stats"])}).json()
            keys.append([sorted(each) for each in status if each.get("user_agent") == "crossbar"])
        self.assertEqual(keys[:3], keys[3:])


if __name__ == "__main__":
    practable.main()
