"""Goal: relaysrc gives pipelines and players what a relay passes on: videos decode from the first
picture, data comes line by line in both directions, and a restart of the relay is survived. Method:
gst-launch-1.0 and the players of GStreamer against `relay serve`, fed by relaysink."""

import os
import shutil
import subprocess
import tempfile
import unittest

from relay_support import (BUILD, WAIT_S, RelayTestCase, die_with_parent, end_program, main,
                           wait_until)
from test_pipelines import (decoded_frames, has_element, is_random_access, need_tools,
                            sanitizer_environment)
from ws_raw import TEXT

PLAYER = os.path.join(BUILD, "tests", "host-gst", "gst_play_uri")
CAMERA = ("videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
          " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! mpegtsmux")
JPEGS = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc"
NEEDS_X264 = unittest.skipUnless(has_element("x264enc", "avdec_h264"),
                                 "no x264enc or avdec_h264: install gstreamer1.0-plugins-ugly and "
                                 "gstreamer1.0-libav")


class SourceTestCase(RelayTestCase):
    def setUp(self):
        need_tools("gst-launch-1.0", "ffprobe")
        self.environment = {**os.environ, **sanitizer_environment()}
        self.folder = tempfile.mkdtemp(prefix="relaysrc-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.relay = self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def token_file(self, topic, scope):
        path = self.path(f"{topic}.{scope}")
        with open(path, "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(self.relay.token(topic, (scope,)))
        return path

    def location(self, topic):
        return f"http://127.0.0.1:{self.relay.access_port}/session/{topic}"

    def element(self, name, topic, scope, options=""):
        return (f"{name} location={self.location(topic)} "
                f"token-file={self.token_file(topic, scope)} reconnect-delay=20 {options}")

    def sink(self, topic, options=""):
        return self.element("relaysink", topic, "write", options)

    def src(self, topic, options=""):
        return self.element("relaysrc", topic, "read", options)

    def run_program(self, *command, stdin=subprocess.DEVNULL):
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=self.environment,
                                   preexec_fn=die_with_parent)
        self.addCleanup(end_program, process)
        return process

    def launch(self, pipeline, **options):
        return self.run_program("gst-launch-1.0", "-q", *pipeline.split(), **options)

    def finish(self, process):
        output, _ = process.communicate(timeout=WAIT_S)
        output = output.decode(errors="replace")
        self.assertEqual(process.returncode, 0, output)
        return output


class Videos(SourceTestCase):
    def record(self, pipeline, buffers, suffix=""):
        """Bytes of that many messages, as a late viewer gets them."""
        self.launch(f"{pipeline} ! {self.sink('video')}")
        viewer = self.relay.viewer("video")
        viewer.frame(WAIT_S)
        viewer.kill()
        self.finish(self.launch(f"{self.src('video', f'num-buffers={buffers}')} {suffix} "
                                f"! filesink location={self.path('copy')}"))
        with open(self.path("copy"), "rb") as file:
            return file.read()

    @NEEDS_X264
    def test_a_video_decodes_from_its_first_picture(self):
        data = self.record(CAMERA, 30, "! video/mpegts")
        self.assertTrue(is_random_access(data[:188 * 8]))
        self.assertEqual(decoded_frames(data, "mpegts"), 30)

    def test_pictures_come_whole(self):
        self.assertEqual(decoded_frames(self.record(JPEGS, 20, "! image/jpeg"), "mjpeg"), 20)

    @NEEDS_X264
    def test_a_restart_of_the_relay_is_survived(self):
        self.launch(f"{CAMERA} ! {self.sink('video')}")
        process = self.launch(f"{self.src('video', 'num-buffers=60')} "
                              f"! filesink location={self.path('copy')}")
        wait_until(lambda: os.path.exists(self.path("copy"))
                   and os.path.getsize(self.path("copy")) > 10 * 188, "the first pictures")
        ports, before = (self.relay.access_port, self.relay.relay_port), self.relay
        before.stop()
        self.relay = self.start(RELAY_SECRET=before.secret, RELAY_URL=before.url,
                                RELAY_PORT_ACCESS=str(ports[0]), RELAY_PORT_RELAY=str(ports[1]))
        output = self.finish(process)
        self.assertNotIn("ERROR", output)

    def play(self, player, pipeline, caps="video/x-raw"):
        self.launch(f"{pipeline} ! {self.sink('video')}")
        uri = f"relay+{self.location('video')}"
        output = self.finish(self.run_program(PLAYER, player, uri,
                                              self.token_file("video", "read"), "20"))
        self.assertIn(f"decoded {caps}", output)

    @NEEDS_X264
    def test_playbin3_plays_a_video(self):
        self.play("playbin3", CAMERA)

    @NEEDS_X264
    def test_uridecodebin3_decodes_a_video(self):
        self.play("uridecodebin3", CAMERA)

    def test_uridecodebin3_decodes_pictures(self):
        self.play("uridecodebin3", JPEGS)


class Data(SourceTestCase):
    def test_commands_reach_hardware_line_by_line(self):
        process = self.launch(f"{self.src('data')} ! fdsink fd=1")
        self.relay.wait_line("new connection")
        peer = self.relay.publisher("data")
        for number in range(20):
            peer.send_frame(TEXT, b"move %d\n" % number)
        heard = [process.stdout.readline() for _ in range(20)]
        self.assertEqual(heard, [b"move %d\n" % number for number in range(20)])
        peer.kill()

    def test_replies_of_hardware_reach_viewers(self):
        viewer = self.relay.viewer("data")
        self.launch(f"fdsrc fd=0 do-timestamp=true ! text/x-raw,format=utf8 ! {self.sink('data')}",
                    stdin=self.talker(b"position 1\n").stdout)
        for _ in range(5):
            frame = viewer.frame(WAIT_S)
            self.assertEqual(frame.opcode, TEXT)
            # Lines that were written before the first read come together.
            self.assertEqual(set(frame.payload.splitlines(True)), {b"position 1\n"})
        viewer.kill()

    def talker(self, line):
        """Says it again and again, as an instrument does."""
        return self.run_program("sh", "-c", f"while sleep 0.05; do echo '{line.decode().strip()}'"
                                "; done")


if __name__ == "__main__":
    main()
