"""Goal: what real pipelines feed to relaysink arrives as whole frames, byte for byte, and a
pipeline lives through faults of the network. Method: gst-launch-1.0 and ffmpeg against a server
that shares no code with ours; ffprobe and the files beside say what should have come."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from access_server import CODE, AccessServer
from relay_support import BUILD, SOURCE, TIME_SCALE, cache_value, die_with_parent, end_program, main

TOKEN = "eyJ-test-token-of-the-pipelines"
PACKET = 188
HANGS_S = 300 * TIME_SCALE  # a pipeline, which is over in seconds on most machines
X264 = ("videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1"
        " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! mpegtsmux")
MPEG1 = ("videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,"
         "framerate=30/1 ! mpeg2enc format=0 bitrate=1000 b-per-refframe=0 max-gop-size=15"
         " ! mpegvideoparse ! mpegtsmux")


def inspect(*arguments):
    """gst-inspect on the distribution's plugins: it is not instrumented, and finds nothing at all
    where it meets a plugin that is."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("GST_PLUGIN_PATH")}
    if "GST_REGISTRY" in environment:
        environment["GST_REGISTRY"] += ".distribution"
    return subprocess.run(["gst-inspect-1.0", *arguments], capture_output=True, text=True,
                          check=False, env=environment)


def has_element(*names):
    return shutil.which("gst-inspect-1.0") and all(
        inspect("--exists", name).returncode == 0 for name in names)


def need_tools(*names):
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        raise unittest.SkipTest(f"install {', '.join(missing)}")


def compiler_file(name):
    """Where the compiler has this library; the bare name if nowhere."""
    return subprocess.run([cache_value("CMAKE_C_COMPILER") or "cc", f"-print-file-name={name}"],
                          capture_output=True, text=True, check=False).stdout.strip()


def sanitizer_environment():
    """gst-launch is not instrumented: under a sanitizer its run-time library goes in front."""
    sanitize = cache_value("RELAY_SANITIZE")
    if not sanitize:
        return {}
    if "address" not in sanitize:
        raise unittest.SkipTest(f"gst-launch-1.0 cannot load a plugin built for {sanitize}")
    library = compiler_file("libasan.so")
    if not os.path.isabs(library):
        raise unittest.SkipTest("this compiler has no shared AddressSanitizer library to preload")
    # The sanitizer looks for __cxa_throw at its start only: a plugin that brings the C++ library
    # later (souphttpsrc, by libproxy) would end the process at its first exception.
    preloaded = [library, *filter(os.path.isabs, [compiler_file("libstdc++.so.6")])]
    return {"LD_PRELOAD": " ".join(preloaded), "ASAN_OPTIONS": "detect_leaks=0"}


def packets(data):
    return [data[i:i + PACKET] for i in range(0, len(data), PACKET)]


def starts_video(packet):
    if packet[0] != 0x47:
        raise AssertionError("no sync byte")
    payload = packet[4:]
    if packet[3] & 0x20:
        payload = payload[1 + payload[0]:]
    return (packet[1] & 0x40 and packet[3] & 0x10 and payload[:3] == b"\0\0\1"
            and payload[3] & 0xf0 == 0xe0)


def is_random_access(message):
    return any(starts_video(packet) and packet[3] & 0x20 and packet[4] and packet[5] & 0x40
               for packet in packets(message))


def decoded_frames(data, container=None):
    """How many pictures ffprobe decodes; fails on any complaint."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(data)
        file.flush()
        command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0",
                   "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", file.name]
        if container:
            command[1:1] = ["-f", container]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stderr.strip():
        raise AssertionError(f"ffprobe: {done.stderr}")
    return int(done.stdout.strip().split("\n")[0].strip(","))


def decoded_pictures(data, container):
    """How many pictures ffmpeg decodes of a stream that may begin anywhere."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        done = subprocess.run(
            ["ffprobe", "-v", "quiet", "-f", container, "-count_frames", "-select_streams", "v:0",
             "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", file.name],
            capture_output=True, text=True, check=False)
    counts = re.findall(r"\d+", done.stdout)
    return int(counts[0]) if counts else 0


class PipelineTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need_tools("gst-launch-1.0", "ffmpeg", "ffprobe")
        cls.sanitizer = sanitizer_environment()

    def setUp(self):
        self.server = AccessServer()
        self.addCleanup(self.server.close)
        self.folder = tempfile.mkdtemp(prefix="relaysink-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.token_file = os.path.join(self.folder, "token")
        with open(os.path.join(self.folder, "token"), "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(TOKEN + "\n")

    def sink(self, options="wait-for-connection=true", location=None):
        return (f"relaysink location={location or self.server.location} "
                f"token-file={self.token_file} reconnect-delay=20 {options}")

    def launch(self, pipeline, stdin=subprocess.DEVNULL, environment=None):
        process = subprocess.Popen(
            ["gst-launch-1.0"] + pipeline.split(), stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent,
            env={**os.environ, **self.sanitizer, **(environment or {})})
        self.addCleanup(end_program, process)
        return process

    def finish(self, process):
        output, _ = process.communicate(timeout=HANGS_S)
        self.assertEqual(process.returncode, 0, output)
        self.assertNotIn("ERROR", output)
        return output

    def run_pipeline(self, pipeline, **options):
        return self.finish(self.launch(pipeline, **options))

    def received(self, count):
        self.server.wait(lambda: len(self.server.messages) >= count, f"{count} messages")
        return list(self.server.messages)


class Frames(PipelineTestCase):
    def tee_and_compare(self, source, frames=60):
        """The same stream as lists, as split lists (identity knows no lists) and as a file."""
        path = os.path.join(self.folder, "copy.ts")
        other = AccessServer()
        self.addCleanup(other.close)
        self.run_pipeline(
            f"{source} ! tee name=t t. ! queue ! filesink location={path} "
            f"t. ! queue max-size-buffers=0 ! {self.sink()} t. ! queue max-size-buffers=0 "
            f"! identity ! {self.sink(location=other.location)}")
        messages = self.received(frames)
        other.wait(lambda: len(other.messages) >= frames, "split lists")
        self.assertEqual(messages, other.messages)
        with open(path, "rb") as file:
            copy = file.read()
        self.assertEqual(b"".join(messages), copy)
        self.assertEqual(len(messages), frames)
        for message in messages:
            self.assertEqual(sum(1 for packet in packets(message) if starts_video(packet)), 1)
        self.assertTrue(is_random_access(messages[0]))
        self.assertEqual(decoded_frames(copy), frames)

    @unittest.skipUnless(has_element("x264enc"), "no x264enc: install gstreamer1.0-plugins-ugly")
    def test_h264_lists_and_split_lists_are_one_message_per_frame(self):
        self.tee_and_compare(X264)

    @unittest.skipUnless(has_element("mpeg2enc", "mpegvideoparse"),
                         "no mpeg2enc: install gstreamer1.0-plugins-bad")
    def test_mpeg1_is_one_message_per_frame(self):
        self.tee_and_compare(MPEG1)

    def pipe_from_ffmpeg(self, codec_options):
        path = os.path.join(self.folder, "copy.ts")
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                        "testsrc=size=320x240:rate=25", "-frames:v", "50", *codec_options,
                        "-f", "mpegts", path], check=True, stdin=subprocess.DEVNULL)
        with open(path, "rb") as file:
            copy = file.read()
        reader = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        self.addCleanup(end_program, reader)
        self.run_pipeline(f"fdsrc ! {self.sink()}", stdin=reader.stdout)
        messages = self.received(50)
        self.assertEqual(b"".join(messages), copy)
        self.assertEqual(len(messages), 50)
        for message in messages:
            self.assertEqual(sum(1 for packet in packets(message) if starts_video(packet)), 1)
        self.assertEqual(decoded_frames(b"".join(messages)), 50)

    def test_mpeg1_from_an_ffmpeg_pipe_is_one_message_per_frame(self):
        self.pipe_from_ffmpeg(["-codec:v", "mpeg1video", "-b:v", "800k", "-bf", "0"])

    def test_mpeg2_from_an_ffmpeg_pipe_is_one_message_per_frame(self):
        self.pipe_from_ffmpeg(["-codec:v", "mpeg2video", "-b:v", "3000k", "-bf", "0"])

    @unittest.skipUnless(has_element("x264enc"), "no x264enc: install gstreamer1.0-plugins-ugly")
    def test_a_live_camera_starts_with_a_keyframe(self):
        pipeline = X264.replace("num-buffers=60", "num-buffers=90 is-live=true")
        output = self.run_pipeline(f"{pipeline} ! {self.sink(options='')}")
        self.assertNotIn("WARNING", output)
        messages = self.received(30)
        self.assertTrue(is_random_access(messages[0]))
        self.assertEqual(decoded_frames(b"".join(messages)), len(messages))

    @unittest.skipUnless(has_element("x264enc"), "no x264enc: install gstreamer1.0-plugins-ugly")
    def test_frames_cut_by_alignment_are_put_right_with_a_warning(self):
        output = self.run_pipeline(f"{X264} alignment=7 ! {self.sink()}")
        self.assertIn("alignment", output)
        messages = self.received(60)
        self.assertEqual(decoded_frames(b"".join(messages)), 60)

    @unittest.skipUnless(has_element("x264enc"), "no x264enc: install gstreamer1.0-plugins-ugly")
    def test_192_byte_packets_are_refused_by_name(self):
        process = self.launch(f"{X264} m2ts-mode=true ! {self.sink()}")
        output, _ = process.communicate(timeout=HANGS_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("192 bytes are not supported", output)
        self.assertEqual(self.server.messages, [])


class Starts(PipelineTestCase):
    """Where sending may begin, in real streams; all is lossless after the first connection."""

    def stream(self, *options):
        path = os.path.join(self.folder, "stream.ts")
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", *options, "-f", "mpegts", path],
                       check=True, stdin=subprocess.DEVNULL)
        with open(path, "rb") as file:
            return file.read()

    def send_when_connected(self, data):
        process = self.launch(f"fdsrc ! {self.sink(options='')}", stdin=subprocess.PIPE)
        self.server.wait(lambda: self.server.connections > 0, "the connection")
        process.stdin.buffer.write(data)
        process.stdin.close()
        process.stdin = None  # communicate() would flush it
        return self.finish(process)

    def check_unmarked(self, codec):
        data = bytearray(self.stream("-i", "testsrc=size=320x240:rate=25", "-frames:v", "50",
                                     "-c:v", codec, "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0"))
        for start in range(0, len(data), PACKET):
            if data[start + 3] & 0x20 and data[start + 4]:
                data[start + 5] &= ~0x40
        output = self.send_when_connected(data)
        self.assertIn("random_access_indicator", output)
        self.assertEqual(output.count("WARNING"), 1, output)
        self.assertEqual(b"".join(self.received(50)), data)

    def test_h264_without_marks_starts_with_its_first_picture(self):
        self.check_unmarked("libx264")

    def test_h265_without_marks_starts_with_its_first_picture(self):
        self.check_unmarked("libx265")

    def test_mpeg2_without_marks_starts_with_its_first_picture(self):
        self.check_unmarked("mpeg2video")

    def test_sound_alone_is_sent_from_its_first_packet(self):
        data = self.stream("-i", "sine=440", "-t", "2", "-c:a", "mp2")
        output = self.send_when_connected(data)
        self.assertIn("no video", output)
        self.server.wait(lambda: sum(map(len, self.server.messages)) == len(data), "all bytes")
        self.assertEqual(b"".join(self.server.messages), data)


class Pictures(PipelineTestCase):
    def test_a_jpeg_is_a_message(self):
        self.run_pipeline("videotestsrc num-buffers=20 ! video/x-raw,width=320,height=240 "
                          f"! jpegenc ! {self.sink()}")
        messages = self.received(20)
        self.assertEqual(len(messages), 20)
        for message in messages:
            self.assertEqual((message[:2], message[-2:]), (b"\xff\xd8", b"\xff\xd9"))
        self.assertEqual(decoded_frames(b"".join(messages), "mjpeg"), 20)


class Data(PipelineTestCase):
    def send_records(self, between, records):
        """Records keep their boundaries on a SOCK_SEQPACKET pair, as writes to a pipe may not."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = self.launch(f"fdsrc do-timestamp=true ! {between} {self.sink()}",
                              stdin=theirs.fileno())
        theirs.close()
        for record in records:
            ours.send(record)
        ours.close()
        self.finish(process)

    def test_text_records_are_text_messages(self):
        records = [f"temperature {i} °C".encode() for i in range(40)]
        self.send_records("text/x-raw,format=utf8 !", records)
        self.assertEqual(self.received(40), [record.decode() for record in records])

    def test_records_without_caps_are_binary_messages(self):
        records = [bytes([i]) * 100 for i in range(40)]
        self.send_records("", records)
        self.assertEqual(self.received(40), records)


class Faults(PipelineTestCase):
    def closed_location(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{probe.getsockname()[1]}/session/test"

    def test_a_dead_relay_neither_stops_nor_delays_a_pipeline(self):
        sink = self.sink(options="", location=self.closed_location())
        begun = time.monotonic()
        output = self.run_pipeline("videotestsrc is-live=true num-buffers=30 ! "
                                   "video/x-raw,width=160,height=120,framerate=30/1 ! jpegenc "
                                   f"! {sink}")
        self.assertLess(time.monotonic() - begun, 10 * TIME_SCALE)
        self.assertEqual(output.count("WARNING"), 1, output)
        self.assertIn("next try in", output)
        self.assertIn("Got EOS from element", output)

    def test_giving_up_is_an_error_of_the_pipeline(self):
        sink = self.sink(options="auto-reconnect=false", location=self.closed_location())
        process = self.launch(f"videotestsrc is-live=true ! jpegenc ! {sink}")
        output, _ = process.communicate(timeout=HANGS_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("ERROR", output)

    def test_a_source_that_is_not_live_gets_a_hint(self):
        output = self.run_pipeline("videotestsrc num-buffers=1000 ! jpegenc ! "
                                   f"{self.sink(options='')}")
        self.assertIn("source is not live", output)


class Secrets(PipelineTestCase):
    def test_no_log_and_no_graph_holds_the_token_or_the_code(self):
        log = os.path.join(self.folder, "debug.log")
        self.run_pipeline("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! jpegenc "
                          f"! {self.sink()}",
                          environment={"GST_DEBUG": "*:9", "GST_DEBUG_FILE": log,
                                       "GST_DEBUG_DUMP_DOT_DIR": self.folder})
        self.received(5)
        self.assertEqual(self.server.tokens[0], TOKEN)
        graphs = [name for name in os.listdir(self.folder) if name.endswith(".dot")]
        self.assertTrue(graphs)
        for name in graphs + ["debug.log"]:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            self.assertGreater(len(text), 100)
            self.assertIn("relaysink", text)
            self.assertNotIn(TOKEN, text)
            self.assertNotIn(CODE, text)

    def test_no_log_of_a_source_holds_the_token_or_the_code(self):
        log = os.path.join(self.folder, "debug.log")
        process = self.launch(f"relaysrc location={self.server.location} "
                              f"token-file={self.token_file} ! fakesink",
                              environment={"GST_DEBUG": "*:9", "GST_DEBUG_FILE": log,
                                           "GST_DEBUG_DUMP_DOT_DIR": self.folder})
        self.server.wait(lambda: self.server.connections > 0, "the connection")
        process.terminate()
        process.communicate(timeout=HANGS_S)
        self.assertEqual(self.server.tokens[0], TOKEN)
        for name in [*filter(lambda name: name.endswith(".dot"), os.listdir(self.folder)),
                     "debug.log"]:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            self.assertIn("relaysrc", text)
            self.assertNotIn(TOKEN, text)
            self.assertNotIn(CODE, text)


class Documentation(unittest.TestCase):
    """The page of each element lists the properties as the element has them."""

    BASE = {"name", "parent", "blocksize", "last-sample", "max-bitrate", "max-lateness",
            "render-delay", "throttle-time", "ts-offset", "enable-last-sample", "sync", "async",
            "qos", "processing-deadline", "num-buffers", "typefind", "do-timestamp",
            "automatic-eos"}

    def properties_of(self, element):
        """Name and default of each property of its own, as gst-inspect prints them."""
        environment = {**os.environ, **sanitizer_environment()}
        inspected = subprocess.run(["gst-inspect-1.0", element], capture_output=True, text=True,
                                   check=True, env=environment).stdout
        section = inspected[inspected.index("Element Properties:"):]
        properties, name = {}, None
        for line in section.split("\n")[1:]:
            if line[:2] == "  " and line[2:3].strip() and " : " in line:
                name = line.split(":")[0].strip()
            elif name and "Default: " in line:
                properties[name] = line.split("Default: ")[1].split(" Write only")[0].strip()
            elif name and ("Boxed pointer" in line or "Caps (NULL)" in line):
                properties[name] = ""
        return {key: value for key, value in properties.items() if key not in self.BASE}

    def test_every_property_is_documented_with_its_default(self):
        need_tools("gst-inspect-1.0")
        for element in ("relaysink", "relaysrc"):
            properties = self.properties_of(element)
            self.assertGreater(len(properties), 15)
            with open(os.path.join(SOURCE, "docs", f"{element}.md"), encoding="utf-8") as file:
                rows = [[cell.strip() for cell in line.strip("|\n ").split("|")]
                        for line in file if line.startswith("| `")]
            documented = {row[0].strip("`"): row[2].strip("`") for row in rows if len(row) == 4}
            self.assertEqual(set(documented), set(properties))
            for key, default in properties.items():
                value = default.split(", ")[-1].strip('"') if '"' in default else default
                self.assertEqual(documented[key], value.replace("null", ""), f"{element} {key}")


if __name__ == "__main__":
    if not BUILD:
        raise SystemExit("set RELAY_BUILD to the build folder, or run by ctest")
    main()
