"""Streams of video as publishers send them, made by ffmpeg, and where viewers may begin in them."""

import bisect
import itertools
import random
import re
import shutil
import subprocess

from relay_support import TEST_HANGS_S

PACKET_BYTES = 188
FRAME_RATE = 25
PICTURES_PER_GROUP = 250  # ten seconds
JPEG_START = b"\xff\xd8\xff"

ENCODERS = {
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "250",
             "-sc_threshold", "0"],
    "h264-b": ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "250",
               "-sc_threshold", "0"],
    "h264-open": ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "250",
                  "-sc_threshold", "0", "-x264-params", "open-gop=1"],
    "h265": ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
             "keyint=250:min-keyint=250:scenecut=0:log-level=none"],
    "mpeg1": ["-c:v", "mpeg1video", "-b:v", "400k", "-bf", "0", "-g", "250",
              "-sc_threshold", "1000000000"],
    "mpeg1-b": ["-c:v", "mpeg1video", "-b:v", "400k", "-bf", "2", "-g", "250",
                "-sc_threshold", "1000000000"],
    "jpeg": ["-c:v", "mjpeg", "-q:v", "8"],
}


def why_not():
    """The reason why streams cannot be made here, or None."""
    return None if shutil.which("ffmpeg") else "ffmpeg is not installed"


def encode(kind, seconds, *options):
    """One stream, as bytes; options of ffmpeg's, for its output."""
    source = f"testsrc2=size=320x180:rate={FRAME_RATE}:duration={seconds}"
    muxer = "mjpeg" if kind == "jpeg" else "mpegts"
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", source, "-pix_fmt",
         "yuvj420p" if kind == "jpeg" else "yuv420p", *ENCODERS[kind], *options, "-f", muxer, "-"],
        stdout=subprocess.PIPE, check=True, timeout=TEST_HANGS_S)
    return done.stdout


# x264's pictures release earlier ones by number. In an open group that may be one from before the
# key picture, which ffmpeg makes up when it begins there, and forgets too soon. None needs it.
HARMLESS_IN_OPEN_GROUPS = re.compile(
    r"\[h264 @ \w+\] mmco: unref short failure\n(    Last message repeated \d+ times\n)?")


def decoder_complaints(stream, in_open_groups=False):
    """The warnings and errors of ffmpeg about a stream, or "", and the number of pictures."""
    done = subprocess.run(
        ["ffmpeg", "-v", "warning", "-nostdin", "-i", "-", "-map", "0:v", "-fps_mode",
         "passthrough", "-f", "null", "-", "-progress", "pipe:1"],
        input=stream, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        timeout=TEST_HANGS_S)
    pictures = [line.split(b"=")[1] for line in done.stdout.split(b"\n")
                if line.startswith(b"frame=")]
    text = done.stderr.decode("utf-8", "replace")
    if in_open_groups:
        text = HARMLESS_IN_OPEN_GROUPS.sub("", text)
    if done.returncode != 0:
        text += f"ffmpeg ended with {done.returncode}"
    return text, int(pictures[-1]) if pictures else 0


def packet_payload(packet):
    return 4 + (1 + packet[4] if packet[3] & 0x20 else 0)


def packet_pid(stream, at):
    return (stream[at + 1] & 0x1F) << 8 | stream[at + 2]


def starts_picture(packet):
    at = packet_payload(packet)
    return bool(packet[1] & 0x40) and packet[at:at + 3] == b"\0\0\1" and packet[at + 3] >> 4 == 0xE


def is_random_access(packet):
    return bool(packet[3] & 0x20) and packet[4] > 0 and bool(packet[5] & 0x40)


class Stream:
    """A stream as messages: one for each picture, or cut anywhere. `pictures` are the offsets of
    the packets that begin one (of JPEG, of the pictures), `keys` those in which decoding can start;
    `ends` are the offsets at which messages end."""

    def __init__(self, kind, seconds, by_picture, *options):
        self.kind = kind
        self.bytes = encode(kind, seconds, *options)
        if kind == "jpeg":
            self.pictures = list(self._jpeg_starts())
            self.keys = self.pictures
        else:
            self.pictures = [at for at in range(0, len(self.bytes), PACKET_BYTES)
                             if starts_picture(self.bytes[at:at + PACKET_BYTES])]
            self.keys = [at for at in self.pictures
                         if is_random_access(self.bytes[at:at + PACKET_BYTES])]
        self.ends = self._picture_cuts() if by_picture else self._random_cuts()
        self.messages = [self.bytes[begin:end]
                         for begin, end in zip([0, *self.ends], self.ends)]

    def _jpeg_starts(self):
        at = self.bytes.find(JPEG_START)
        while at >= 0:
            yield at
            at = self.bytes.find(JPEG_START, at + 1)

    def _picture_cuts(self):
        """In front of the tables that precede a picture, as relaysink cuts."""
        return [*(self._begin_with_tables(at) for at in self.pictures[1:]), len(self.bytes)]

    def _begin_with_tables(self, at):
        if self.kind == "jpeg":
            return at
        video = packet_pid(self.bytes, at)
        while packet_pid(self.bytes, at - PACKET_BYTES) != video:
            at -= PACKET_BYTES
        return at

    def _random_cuts(self):
        dice = random.Random(self.kind)
        # The first one shows what it is: three packets.
        cuts = itertools.accumulate(iter(lambda: dice.randint(189, 6000), None), initial=1000)
        return [*itertools.takewhile(lambda cut: cut < len(self.bytes), cuts), len(self.bytes)]

    def message_at(self, offset):
        """Index of the message with that byte."""
        return bisect.bisect_right(self.ends, offset)

    def picture_end(self, key):
        """Index of the message with the last byte of the picture that begins there."""
        following = bisect.bisect_right(self.pictures, key)
        end = self.pictures[following] if following < len(self.pictures) else len(self.bytes)
        return self.message_at(end - 1)
