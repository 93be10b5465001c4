"""A laboratory as it stands: ffmpeg posts its camera to /ts/video, a program talks on /ws/data, and
rules are posted as the scripts of experiments do. The relay is `relay serve`; viewers decode.

Method: real programs; the test moves on with what arrives.
"""

import json
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import host_support
import relay_support
from host_support import HostTestCase
from relay_support import TIME_SCALE, WAIT_S
from ws_raw import BINARY, TEXT

FFMPEG = shutil.which("ffmpeg")
PACKET_SIZE = 188
VIDEO_PID = 0x100
FIRST_PICTURE_S = 0.5 * TIME_SCALE
SEQUENCE_HEADER = b"\0\0\1\xb3"


def picture_starts(message):
    """Packets in which a PES of the video begins."""
    return sum(1 for at in range(0, len(message), PACKET_SIZE)
               if message[at + 1] & 0x40
               and (message[at + 1] & 0x1f) << 8 | message[at + 2] == VIDEO_PID)


@unittest.skipUnless(FFMPEG, "ffmpeg is not installed")
class Camera(HostTestCase):
    def camera(self, host, pictures=0, size="640x480"):
        """The command of ffmpeg-camera, with a test picture in place of the device."""
        process = subprocess.Popen(
            [FFMPEG, "-loglevel", "error", "-re", "-f", "lavfi", "-i",
             f"testsrc=size={size}:rate=24", *(["-frames:v", str(pictures)] if pictures else []),
             "-f", "mpegts", "-codec:v", "mpeg1video", "-s", size, "-b:v", "1000k", "-bf", "0",
             f"http://localhost:{host.port}/ts/video"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=relay_support.die_with_parent)
        self.addCleanup(relay_support.end_program, process)
        return process

    def relay(self, **options):
        relay = relay_support.Relay(**options)
        self.addCleanup(relay.kill)
        return relay

    def rules(self, host, relay):
        """As session-rules posts them."""
        for number, stream in enumerate(("video", "data")):
            host.rule(number, stream, f"http://127.0.0.1:{relay.access_port}/session/{stream}",
                      token=relay.token(stream, lifetime_s=3600))

    def test_each_picture_is_a_message(self):
        host = self.start()
        local = self.track(host.local("video"))
        camera = self.camera(host, pictures=72)
        messages = []
        while len(messages) < 72:
            opcode, message = local.message(timeout_s=WAIT_S)
            self.assertEqual((opcode, message[0], len(message) % PACKET_SIZE), (BINARY, 0x47, 0))
            self.assertEqual(picture_starts(message), 1)
            messages.append(message)
        self.assertEqual(camera.wait(WAIT_S), 0)
        self.assertEqual(local.barrier(), [])

    def test_a_video_goes_on_at_a_key_picture_after_an_outage(self):
        host = self.start()
        server, heard = self.late_destination()
        host.rule(0, "video", server.url("ws"))
        local = self.track(host.local("video"))
        self.camera(host)
        for _ in range(30):  # longer than messages are kept
            local.message(timeout_s=WAIT_S)
        server.start()
        relay_support.wait_until(lambda: len(heard) >= 30, "pictures", 2 * WAIT_S)
        self.assertIn(SEQUENCE_HEADER, heard[0])
        self.assertNotIn(SEQUENCE_HEADER, heard[1])

    def test_a_viewer_decodes_and_data_passes_both_ways_also_after_restarts(self):
        relay, host = self.relay(), self.start()
        self.rules(host, relay)
        self.camera(host)
        lab = self.track(host.local("data"))
        self.watch(relay)
        self.talk(relay, lab)
        # The relay restarts: hosts find it again, with the codes of new access requests.
        ports = {"RELAY_PORT_ACCESS": str(relay.access_port),
                 "RELAY_PORT_RELAY": str(relay.relay_port), "RELAY_SECRET": relay.secret,
                 "RELAY_URL": relay.url}
        old_ports = relay.access_port, relay.relay_port
        relay.kill()
        again = self.relay(**ports)
        again.access_port, again.relay_port = old_ports
        again.url = ports["RELAY_URL"]
        self.watch(again)
        self.talk(again, lab)
        # The host restarts, and so does the camera, as its unit does.
        with tempfile.TemporaryDirectory() as folder:
            host.stop()
            other = self.start(STATE_DIRECTORY=folder)
            self.rules(other, again)
            other.stop()
            other = self.start(STATE_DIRECTORY=folder)
            self.camera(other)
            self.watch(again)
            self.talk(again, self.track(other.local("data")))

    def destination(self, host, number=0):
        """What the host tells of a destination."""
        return json.loads(host.request("GET", "/api/status").body)["destinations"][number]

    def wait_destination(self, host, what, is_reached):
        return relay_support.wait_until(
            lambda: (told := self.destination(host)) and is_reached(told) and told, what)

    def test_no_video_is_sent_while_nobody_watches(self):
        relay, host = self.relay(), self.start()
        self.rules(host, relay)
        self.wait_destination(host, "the relay to tell", lambda told: told.get("viewers") == 0)
        self.camera(host)
        held = self.wait_destination(host, "a second key picture to be held",
                                     lambda told: told["messages_unwatched"] > 0
                                     and told["messages_held"] > 0)
        # Those of the first moments, before a key picture has shown that it is a video, may pass.
        self.assertLess(relay.counters()["messages_received"], 12)
        begun = time.monotonic()
        viewer = self.track(relay.viewer("video"))
        messages = [viewer.message(timeout_s=WAIT_S)[1]]
        took_s = time.monotonic() - begun
        print(f"first picture after {1000 * took_s:.0f} ms", flush=True)
        self.assertLess(took_s, FIRST_PICTURE_S)
        self.assertIn(SEQUENCE_HEADER, messages[0])
        messages += [viewer.message(timeout_s=WAIT_S)[1] for _ in range(40)]
        self.assertGreaterEqual(self.decoded(messages), 20)
        self.assertGreater(self.destination(host)["messages_sent"], held["messages_sent"])
        viewer.kill()
        self.wait_destination(host, "the host to hold again",
                              lambda told: told["viewers"] == 0 and told["messages_held"] > 0)

    def test_all_video_is_sent_where_that_is_wanted(self):
        relay, host = self.relay(), self.start(RELAY_HOST_PUBLISH="always")
        self.rules(host, relay)
        self.camera(host)
        relay.wait_counter("messages_received", 40)
        self.assertEqual(self.destination(host)["messages_unwatched"], 0)

    def test_a_relay_that_tells_of_no_viewers_gets_all_video(self):
        relay, host = self.relay(RELAY_SUBPROTOCOLS="none"), self.start()
        self.rules(host, relay)
        self.camera(host)
        relay.wait_counter("messages_received", 40)
        self.assertNotIn("viewers", self.destination(host))

    def decoded(self, pictures):
        decoded = subprocess.run(
            [FFMPEG, "-loglevel", "error", "-f", "mpegts", "-i", "pipe:0", "-f", "rawvideo",
             "-pix_fmt", "gray", "-s", "64x48", "pipe:1"], input=b"".join(pictures),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=10 * WAIT_S)
        return len(decoded.stdout) // (64 * 48)

    def watch(self, relay):
        """A viewer gets pictures, and ffmpeg decodes them without a fault once a key has come."""
        viewer = self.track(relay.viewer("video"))
        pictures = []
        while len(pictures) < 40:
            opcode, message = viewer.message(timeout_s=2 * WAIT_S)
            self.assertEqual((opcode, picture_starts(message)), (BINARY, 1))
            pictures.append(message)
        viewer.kill()
        self.assertGreaterEqual(self.decoded(pictures), 20)

    def talk(self, relay, lab):
        student = self.track(relay.raw("data"))
        heard = []

        def listen():
            while not heard:
                opcode, message = lab.message(timeout_s=2 * WAIT_S)
                if (opcode, message) == (TEXT, b'{"set":"speed","to":1}'):
                    heard.append(message)

        listener = threading.Thread(target=listen)
        listener.start()
        while listener.is_alive():
            student.send_message('{"set":"speed","to":1}')
            listener.join(0.2)
        self.assertTrue(heard)
        while lab.barrier():
            pass
        lab.send_message('{"speed":1.0}')
        while True:
            opcode, message = student.message()
            if json.loads(message) == {"speed": 1.0}:
                break
        student.kill()


if __name__ == "__main__":
    host_support.main()
