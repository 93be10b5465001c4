"""Goal: a camera that publishes to a real relay goes on by itself after the relay was killed and
came back, and after a token that was refused is replaced, with whole messages. Method:
gst-launch-1.0 against `relay serve`; the log of the relay tells when the camera is there. (That it
goes on with a keyframe is tested in sink_messages_test.c.)"""

import os
import signal
import time
import unittest

from relay_support import TIME_SCALE, WAIT_S, main
from test_pipelines import PACKET, has_element, is_random_access, packets
from test_source import CAMERA, SourceTestCase
from ws_raw import BINARY

BACK_WITHIN_S = 1 * TIME_SCALE
OUTAGE_S = 3


@unittest.skipUnless(has_element("x264enc"), "no x264enc: install gstreamer1.0-plugins-ugly")
class Outages(SourceTestCase):
    def camera_is_there(self, relay):
        return relay.wait_line("new connection", where=lambda line: line["can_write"])

    def check_video(self, relay):
        """A viewer gets whole packets, and keyframes among them."""
        viewer = relay.viewer("video")
        frames = [viewer.frame(WAIT_S) for _ in range(25)]
        viewer.kill()
        for frame in frames:
            self.assertEqual((frame.opcode, len(frame.payload) % PACKET), (BINARY, 0))
            self.assertTrue(all(packet[0] == 0x47 for packet in packets(frame.payload)))
        self.assertTrue(any(is_random_access(frame.payload) for frame in frames))

    def come_back(self, before):
        relay = self.start(RELAY_SECRET=before.secret, RELAY_URL=before.url,
                           RELAY_PORT_ACCESS=str(before.access_port),
                           RELAY_PORT_RELAY=str(before.relay_port))
        relay.access_port, relay.relay_port = before.access_port, before.relay_port
        return relay

    def test_a_killed_relay_has_its_camera_back_within_a_second(self):
        camera = self.launch(f"{CAMERA} ! {self.sink('video')}")
        self.camera_is_there(self.relay)
        self.check_video(self.relay)
        before = self.relay
        before.process.send_signal(signal.SIGKILL)
        before.process.wait()
        before.kill()
        time.sleep(OUTAGE_S)  # the outage itself
        relay = self.come_back(before)
        begun = time.monotonic()
        self.camera_is_there(relay)
        took_s = time.monotonic() - begun
        self.assertLess(took_s, BACK_WITHIN_S)
        self.check_video(relay)
        self.assertIsNone(camera.poll(), "the pipeline has ended")

    def test_a_refused_camera_goes_on_with_another_token(self):
        token_file = self.token_file("other", "write")
        camera = self.launch(f"{CAMERA} ! relaysink location={self.location('video')} "
                             f"token-file={token_file} reconnect-delay-max=200")
        self.relay.wait_line("request refused")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(self.relay.token("video", ("write",)))
        self.camera_is_there(self.relay)
        self.check_video(self.relay)
        self.assertIsNone(camera.poll(), "the pipeline has ended")

    def test_a_stopped_relay_that_goes_on_keeps_its_camera(self):
        camera = self.launch(f"{CAMERA} ! {self.sink('video')}")
        self.camera_is_there(self.relay)
        self.relay.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.relay.process.pid, os.WSTOPPED | os.WNOWAIT)
        time.sleep(OUTAGE_S)
        self.relay.process.send_signal(signal.SIGCONT)
        self.check_video(self.relay)
        self.assertIsNone(camera.poll(), "the pipeline has ended")


if __name__ == "__main__":
    main()
