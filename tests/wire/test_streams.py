"""Real streams, cut into messages as publishers cut them, without a network: viewers may join at
key pictures, and may be cut off and resume, and their decoder has nothing to say.

Method: encoders make streams of which no two pictures look the same; stream_cut shows the messages
to stream_probe and writes what viewers receive; ffmpeg decodes that. It must print no line, and
each picture must look like one of the source's: a wrong reference would show.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import relay_support

STREAM_CUT = os.path.join(relay_support.BUILD, "tests", "wire", "stream_cut")
HANGS_S = 250 * relay_support.TIME_SCALE
RATE = 25
SECONDS = 12
VIDEO = ["-f", "lavfi", "-i", f"testsrc2=size=176x144:rate={RATE}"]
AUDIO = ["-f", "lavfi", "-i", "sine=sample_rate=44100"]
AAC = ["-c:a", "aac", "-b:a", "64k"]
X264 = ["-c:v", "libx264", "-preset", "veryfast"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast"]
SEEDS = ("1", "2")
# x264 marks references that a viewer who joined never had; FFmpeg tells, and decodes all the same.
OPEN_H264 = re.compile(r"mmco: unref short failure|Last message repeated")


def has_encoder(name):
    listed = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    return f" {name} " in listed


def has_elements(*names):
    return shutil.which("gst-inspect-1.0") is not None and \
        all(subprocess.run(["gst-inspect-1.0", "--exists", name], check=False).returncode == 0
            for name in names)


class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="relay-streams-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_checked(self, command):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=HANGS_S, check=True)

    def encode(self, name, *options, audio=True, seconds=SECONDS):
        if not has_encoder(options[1]):
            self.skipTest(f"ffmpeg has no encoder {options[1]}")
        inputs = VIDEO + (AUDIO if audio else [])
        self.run_checked(["ffmpeg", "-v", "error", *inputs, "-t", str(seconds), *options, "-f",
                          "mpegts", self.path(name)])
        return self.path(name)

    def pipeline(self, name, *description):
        words = " ".join(description).split()
        elements = [word for word in words if re.fullmatch("[a-z0-9]+", word)]
        if not has_elements(*elements):
            self.skipTest("elements are not installed: " + ", ".join(elements))
        self.run_checked(["gst-launch-1.0", "-q", *words, "!", "filesink",
                          f"location={self.path(name)}"])
        return self.path(name)

    def decode(self, path):
        """Lines that the decoder printed, and a digest of each picture."""
        done = self.run_checked(["ffmpeg", "-v", "warning", "-i", path, "-map", "0:v", "-fps_mode",
                                 "passthrough", "-f", "framemd5", "-", "-map", "0:a?", "-f", "null",
                                 "-"])
        pictures = [line.rsplit(",", 1)[1].strip() for line in done.stdout.splitlines()
                    if not line.startswith("#")]
        return [line for line in done.stderr.splitlines() if line.strip()], pictures

    def key_count(self, path):
        flags = self.run_checked(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                                  "packet=flags", "-of", "csv=p=0", path]).stdout
        return sum("K" in line for line in flags.splitlines())

    def cut(self, source, cuts, what, number):
        """What a viewer receives, and the numbers of what stream_probe found."""
        target = self.path("viewer.ts")
        done = self.run_checked([STREAM_CUT, source, cuts, what, str(number), target])
        told = done.stdout.split()
        return target, dict(zip(told[::2], map(int, told[1::2])))

    def check_viewer(self, source_pictures, source, cuts, what, number, allowed=None):
        target, told = self.cut(source, cuts, what, number)
        pictures = []
        with self.subTest(cuts=cuts, what=what, number=number):
            lines, pictures = self.decode(target)
            if allowed is not None:
                lines = [line for line in lines if not allowed.search(line)]
            self.assertEqual(lines, [])
            self.assertGreater(len(pictures), 0)
            self.assertEqual(len(set(pictures) - set(source_pictures)), 0, "pictures are broken")
            self.assertGreater(told["done"], 0)
        return told, pictures

    def check_stream(self, source, resumes=("pictures", *SEEDS), allowed=None):
        lines, pictures = self.decode(source)
        keys = self.key_count(source)
        self.assertEqual(lines, [])
        self.assertGreater(keys, 1)
        _, told = self.cut(source, "pictures", "join", 0)
        self.assertEqual(told["key"], keys, "each key picture is found, and no other")
        self.assertEqual(told["data"], 0)
        self.assertEqual(told["boundaries"], told["messages"])
        cuts, sent = 0, 0
        for cutting in ("pictures", *SEEDS):
            for nth in {1, keys - 1}:
                _, joined = self.check_viewer(pictures, source, cutting, "join", nth, allowed)
                self.assertEqual(joined[-1:], pictures[-1:], "to the end")
        for cutting in resumes:
            for seed in SEEDS:
                told, resumed = self.check_viewer(pictures, source, cutting, "skip", seed)
                cuts, sent = cuts + told["done"], sent + len(resumed)
        print(f"{os.path.basename(source)}: {len(pictures)} pictures, {keys} key pictures; "
              f"{2 * (1 + len(SEEDS))} joins, {cuts} cuts with {sent} pictures around them: "
              "no line of the decoder, no broken picture")

    def test_h264_with_ten_seconds_between_key_pictures(self):
        self.check_stream(self.encode("x264-10s.ts", *X264, "-tune", "zerolatency", "-g", "250",
                                      "-sc_threshold", "0", audio=False, seconds=32))

    def test_h264_with_b_pictures_and_audio(self):
        self.check_stream(self.encode("x264-b.ts", *X264, "-x264-params", "keyint=50:bframes=3",
                                      *AAC))

    def test_h264_with_b_pictures_goes_without_those_that_are_disposable(self):
        source = self.encode("x264-thin.ts", *X264, "-x264-params", "keyint=50:bframes=3", *AAC)
        _, pictures = self.decode(source)
        told, thin = self.check_viewer(pictures, source, "pictures", "thin", 0)
        self.assertEqual(len(thin), len(pictures) - told["done"])
        self.assertEqual(told["done"], told["disposable"])

    def test_h264_with_open_gops_can_be_joined(self):
        self.check_stream(self.encode("x264-open.ts", *X264, "-x264-params",
                                      "keyint=50:bframes=3:open-gop=1", *AAC),
                          resumes=(), allowed=OPEN_H264)

    def test_h265(self):
        self.check_stream(self.encode("x265.ts", *X265, "-x265-params",
                                      "keyint=50:open-gop=0:bframes=0:log-level=none", audio=False))

    def test_h265_with_open_gops(self):
        self.check_stream(self.encode("x265-open.ts", *X265, "-x265-params",
                                      "keyint=50:open-gop=1:bframes=3:log-level=none", *AAC))

    def test_mpeg1_with_audio(self):
        self.check_stream(self.encode("mpeg1.ts", "-c:v", "mpeg1video", "-bf", "0", "-g", "50",
                                      "-b:v", "600k", "-c:a", "mp2"))

    def test_mpeg2_with_b_pictures(self):
        self.check_stream(self.encode("mpeg2-b.ts", "-c:v", "mpeg2video", "-bf", "2", "-g", "50",
                                      "-b:v", "600k", "-c:a", "mp2"), resumes=("pictures",))

    def test_h264_from_gstreamer(self):
        self.check_stream(self.pipeline(
            "gst-x264.ts", f"videotestsrc num-buffers={RATE * SECONDS} pattern=snow !",
            f"video/x-raw,width=176,height=144,framerate={RATE}/1 !",
            "x264enc tune=zerolatency key-int-max=50 ! h264parse ! mpegtsmux"))


if __name__ == "__main__":
    relay_support.main()
