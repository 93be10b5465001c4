"""Live video, end to end: a GStreamer pipeline with relaysink, the relay, viewers on every worker.

Method: beside the sink, a tee writes what the muxer or encoder made into files. What each viewer
received must be those bytes, message by message; for MPEG-TS, where one message is one picture,
the pictures are found in the file by a small parser here. Then ffprobe decodes what arrived.
"""

import glob
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

import relay_support
from relay_support import RelayTestCase
from ws_raw import BINARY, CLOSE, TEXT

PLUGIN_FOLDER = os.path.join(relay_support.BUILD, "gst")
PACKET_BYTES = 188
PICTURES = 90
VIEWERS = 3
HANGS_S = 250 * relay_support.TIME_SCALE  # a pipeline, which is over in seconds on most machines


def why_not():
    """The reason why video cannot be tested here, or None."""
    if shutil.which("gst-launch-1.0") is None:
        return "GStreamer is not installed (gstreamer1.0-tools)"
    if not os.path.exists(os.path.join(PLUGIN_FOLDER, "libgstrelay.so")):
        return "libgstrelay.so was not built (GStreamer's development packages are missing)"
    if relay_support.SANITIZED and not sanitizer_libraries():
        return "this sanitizer cannot be loaded into gst-launch-1.0"
    if shutil.which("ffprobe") is None:
        return "ffprobe is not installed (ffmpeg)"
    return None


def sanitizer_libraries():
    """What has to be loaded ahead of an uninstrumented program, so that it can load our plugin."""
    names = {"address": "libasan.so", "undefined": "libubsan.so"}
    compiler = relay_support.cache_value("CMAKE_C_COMPILER")
    try:
        return ":".join(
            subprocess.run([compiler, f"-print-file-name={names[kind]}"], stdout=subprocess.PIPE,
                           text=True, check=True).stdout.strip()
            for kind in relay_support.cache_value("RELAY_SANITIZE").split(";"))
    except (KeyError, OSError, subprocess.CalledProcessError):
        return ""


def has_elements(folder, *names):
    return all(subprocess.run(["gst-inspect-1.0", "--exists", name], env=gst_environment(folder),
                              check=False).returncode == 0 for name in names)


def gst_environment(folder):
    """folder: where GStreamer may keep its list of plugins, for this test only."""
    environment = relay_support.relay_environment()
    environment["GST_PLUGIN_PATH_1_0"] = PLUGIN_FOLDER
    environment["GST_REGISTRY"] = os.path.join(folder, "registry")
    if relay_support.SANITIZED:
        environment["LD_PRELOAD"] = sanitizer_libraries()
        # GLib keeps memory until the end by design; the server is checked for leaks.
        environment["ASAN_OPTIONS"] = "detect_leaks=0"
    return environment


def picture_pids(stream):
    """PIDs of packets that start a video PES (stream_id 0xE0 to 0xEF)."""
    pids = set()
    for start in range(0, len(stream), PACKET_BYTES):
        packet = stream[start:start + PACKET_BYTES]
        payload = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        if packet[1] & 0x40 and packet[payload:payload + 3] == b"\0\0\1" \
                and packet[payload + 3] & 0xF0 == 0xE0:
            pids.add((packet[1] & 0x1F) << 8 | packet[2])
    return pids


def split_pictures(stream):
    """Cuts an MPEG-TS file into pictures: each starts with the packet that starts its PES, or with
    the table packets right in front of it."""
    pids = picture_pids(stream)
    pictures, begin, video_end = [], 0, None
    for start in range(0, len(stream), PACKET_BYTES):
        if (stream[start + 1] & 0x1F) << 8 | stream[start + 2] not in pids:
            continue
        if stream[start + 1] & 0x40 and video_end is not None:
            pictures.append(stream[begin:video_end])
            begin = video_end
        video_end = start + PACKET_BYTES
    return [*pictures, stream[begin:]]


class Collector:
    """Collects what a viewer receives until the server says goodbye."""

    def __init__(self, client):
        self.client = client
        self.messages = []
        self.closed = None
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                frame = self.client.frame(HANGS_S)
                if frame.opcode == CLOSE:
                    self.closed = frame.close()[0]
                    self.client.kill()
                    return
                assert frame.opcode in (TEXT, BINARY) and frame.fin, f"{frame!r:.200}"
                self.messages.append((frame.opcode, frame.payload))
        except Exception as failure:  # looked at by the test
            self.failure = failure

    def end(self):
        self.thread.join(HANGS_S)
        if self.failure is not None:
            raise self.failure
        assert self.closed == 1001, self.closed
        return self.messages


@unittest.skipIf(why_not(), why_not())
class Video(RelayTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="relay-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def need(self, *elements):
        if not has_elements(self.folder, *elements):
            self.skipTest(f"this GStreamer lacks one of {', '.join(elements)}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def publish(self, source, copy):
        """Runs the pipeline through relaysink to 3 viewers on as many workers. Returns what each
        received and the server's last counters."""
        relay = self.start(RELAY_WORKERS=str(VIEWERS), RELAY_PLACEMENT="accept",
                           RELAY_BUFFER_SIZE="512")
        collectors = [Collector(self.track(client))
                      for client in relay.raw_on_workers(VIEWERS, "cam-video", ("read",))]
        token_file = self.path("token")
        with open(os.open(token_file, os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="ascii") as file:
            file.write(relay.token("cam-video", ("write",)) + "\n")
        location = f"http://127.0.0.1:{relay.access_port}/session/cam-video"
        pipeline = (f"{source} ! tee name=copies  copies. ! queue ! {copy}  "
                    f"copies. ! queue ! relaysink location={location} token-file={token_file} "
                    "wait-for-connection=true drop-policy=none eos-timeout=5000")
        done = subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()],
                              env=gst_environment(self.folder), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=HANGS_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        relay.wait_line("connection closed",
                        where=lambda line: line["messages_received"] > 0)
        counters = relay.stop()
        return [collector.end() for collector in collectors], counters

    def check_received(self, received, published):
        for messages in received:
            self.assertEqual({opcode for opcode, _ in messages}, {BINARY})
            self.assertEqual([len(payload) for _, payload in messages],
                             [len(payload) for payload in published])
            self.assertTrue([payload for _, payload in messages] == published,
                            "bytes arrived changed")

    def check_decodes(self, path, codec, pictures):
        """Every picture decodes, and ffprobe has nothing to complain about."""
        done = subprocess.run(
            ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries",
             "stream=codec_name,nb_read_frames", "-of", "default=noprint_wrappers=1", path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=HANGS_S,
            check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        shown = dict(line.split("=") for line in done.stdout.split())
        self.assertEqual((shown["codec_name"], int(shown["nb_read_frames"])), (codec, pictures))

    def transport_stream(self, encoder, codec, pictures=PICTURES):
        copy = self.path("published.ts")
        received, counters = self.publish(
            f"videotestsrc is-live=true num-buffers={pictures} "
            "! video/x-raw,format=I420,width=320,height=240,framerate=30/1 "
            f"! {encoder} ! mpegtsmux", f"filesink location={copy}")
        with open(copy, "rb") as file:
            stream = file.read()
        published = split_pictures(stream)
        self.assertEqual(len(published), pictures)
        self.check_received(received, published)
        arrived = self.path("arrived.ts")
        with open(arrived, "wb") as file:
            file.write(b"".join(payload for _, payload in received[0]))
        self.check_decodes(arrived, codec, pictures)
        self.assertEqual(counters["messages_received"], pictures)
        self.assertEqual(counters["messages_sent"], pictures * VIEWERS)

    def test_h264_in_a_transport_stream(self):
        self.need("x264enc", "mpegtsmux")
        self.transport_stream("x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30",
                              "h264")

    def test_mpeg1_in_a_transport_stream(self):
        self.need("mpeg2enc", "mpegvideoparse", "mpegtsmux")
        self.transport_stream("mpeg2enc format=0 bitrate=1000 b-per-refframe=0 max-gop-size=15 "
                              "! mpegvideoparse", "mpeg1video")

    def test_jpeg_pictures(self):
        self.need("jpegenc")
        received, counters = self.publish(
            f"videotestsrc is-live=true num-buffers={PICTURES} pattern=ball "
            "! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! jpegenc",
            f"multifilesink location={self.path('published-%05d.jpg')}")
        published = []
        for path in sorted(glob.glob(self.path("published-*.jpg"))):
            with open(path, "rb") as file:
                published.append(file.read())
        self.assertEqual(len(published), PICTURES)
        self.check_received(received, published)
        self.assertEqual(counters["messages_sent"], PICTURES * VIEWERS)
        for number, (_, payload) in enumerate(received[1]):
            with open(self.path(f"arrived-{number:05d}.jpg"), "wb") as file:
                file.write(payload)
        self.check_decodes(self.path("arrived-%05d.jpg"), "mjpeg", PICTURES)


if __name__ == "__main__":
    relay_support.main()
