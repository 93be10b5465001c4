"""A viewer whose path carries a quarter of the stream: it sees less, but nothing broken and nothing
old, and nobody else notices.

Method: a network namespace behind a token bucket; streams of ffmpeg, sent at the pace of their
pictures, whole or cut anywhere. All that the slow viewer received is decoded by ffmpeg, which must
not complain, and each packet of it is looked up in what was sent, to know how old it was.
RELAY_TEST_SLOW_S is the length of a stream in seconds.
"""

import bisect
import os
import random
import shutil
import statistics
import subprocess
import threading
import time
import unittest

import narrow_path
import relay_support
from relay_support import RelayTestCase, TIME_SCALE, WAIT_S
from ws_raw import BINARY, RawClient

SECONDS = float(os.environ.get("RELAY_TEST_SLOW_S") or 20)
PICTURES_PER_S = 25
GROUP_S = 2
MAX_AGE_S = 1.0
# What is on its way and SOCKET_UNSENT_BYTES, at a quarter of the rate, and what the machine adds.
PATH_S = 1.5 * TIME_SCALE
PACKET_BYTES = 188
END = b"end of the stream"
ENCODERS = {
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "1600k",
             "-maxrate", "1600k", "-bufsize", "400k", "-g", str(GROUP_S * PICTURES_PER_S),
             "-sc_threshold", "0", "-c:a", "aac", "-b:a", "64k"],
    # Most pictures end with stuffing, so that their end is known with them.
    "h264-b": ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "1600k", "-maxrate", "1600k",
               "-bufsize", "400k", "-bf", "3", "-b_strategy", "0", "-b-pyramid", "none", "-g",
               str(GROUP_S * PICTURES_PER_S), "-sc_threshold", "0", "-an"],
    "mpeg1": ["-c:v", "mpeg1video", "-b:v", "1600k", "-maxrate", "1600k", "-bufsize", "800k",
              "-bf", "0", "-g", str(GROUP_S * PICTURES_PER_S), "-c:a", "mp2", "-b:a", "64k"],
    "jpeg": ["-c:v", "mjpeg", "-q:v", "6", "-an"],
}


def why_not():
    if shutil.which("ffmpeg") is None:
        return "ffmpeg is not installed"
    return narrow_path.why_not()


def encode(kind):
    pixels, muxer = ("yuvj420p", "mjpeg") if kind == "jpeg" else ("yuv420p", "mpegts")
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i",
         f"testsrc2=size=640x360:rate={PICTURES_PER_S}:duration={SECONDS}", "-f", "lavfi", "-i",
         f"sine=duration={SECONDS}", "-pix_fmt", pixels, *ENCODERS[kind], "-f", muxer, "-"],
        stdout=subprocess.PIPE, check=True, timeout=relay_support.TEST_HANGS_S)
    return done.stdout


def complaints(stream):
    done = subprocess.run(["ffmpeg", "-v", "warning", "-nostdin", "-i", "-", "-f", "null", "-"],
                          input=stream, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=relay_support.TEST_HANGS_S)
    return done.stdout.decode("utf-8", "replace").splitlines()


def starts_picture(packet):
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    return bool(packet[1] & 0x40) and packet[at:at + 3] == b"\0\0\1" and packet[at + 3] >> 4 == 0xE


def picture_starts(kind, stream):
    if kind != "jpeg":
        return [at for at in range(0, len(stream), PACKET_BYTES)
                if starts_picture(stream[at:at + PACKET_BYTES])]
    starts, at = [], stream.find(b"\xff\xd8\xff")
    while at >= 0:
        starts.append(at)
        at = stream.find(b"\xff\xd8\xff", at + 1)
    return starts


def cuts_of(pictures, length, by_picture):
    """Where messages end: in front of each picture, or anywhere."""
    if by_picture:
        return [*pictures[1:], length]
    dice = random.Random(length)
    cuts = [1000]
    while cuts[-1] < length:
        cuts.append(min(length, cuts[-1] + dice.randint(189, 9000)))
    return cuts


class Reader(threading.Thread):
    """Reads until END; `got` has the time of each message."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.got, self.fault = client, [], None
        self.start()

    def run(self):
        try:
            while True:
                opcode, payload = self.client.message(WAIT_S)
                if payload == END:
                    return
                assert opcode == BINARY
                self.got.append((time.monotonic(), payload))
        except Exception as fault:  # shown by the test
            self.fault = fault

    def finish(self):
        self.join(WAIT_S + SECONDS)
        if self.fault is not None:
            raise self.fault
        assert not self.is_alive(), "the end of the stream did not come"
        return self.got


class Sent:
    """Messages and when they were sent."""

    def __init__(self, stream, cuts):
        self.stream, self.cuts, self.times = stream, cuts, []

    def publish(self, publisher, pictures):
        start = time.monotonic()
        for begin, end in zip([0, *self.cuts], self.cuts):
            due = start + (bisect.bisect_left(pictures, end) - 1) / PICTURES_PER_S
            time.sleep(max(0, due - time.monotonic()))
            self.times.append(time.monotonic())
            publisher.send_frame(BINARY, self.stream[begin:end], mask=b"\0\0\0\0")
        publisher.send_message(END.decode())

    def time_of_packets(self):
        """When the last byte of a packet was sent, for those of which there is only one."""
        times, doubles = {}, set()
        for at in range(0, len(self.stream), PACKET_BYTES):
            packet = self.stream[at:at + PACKET_BYTES]
            if packet in times:
                doubles.add(packet)
            times[packet] = self.times[bisect.bisect_left(self.cuts, at + PACKET_BYTES)]
        return {packet: when for packet, when in times.items() if packet not in doubles}


def ages_of_packets(got, sent):
    """Seconds from sending to receiving, of each packet that is known."""
    stream = b"".join(payload for _, payload in got)
    ends, total = [], 0
    for _, payload in got:
        total += len(payload)
        ends.append(total)
    known = sent.time_of_packets()
    assert total % PACKET_BYTES == 0, "a packet was cut"
    for at in range(0, total, PACKET_BYTES):
        when = known.get(stream[at:at + PACKET_BYTES])
        if when is not None:
            yield got[bisect.bisect_left(ends, at + PACKET_BYTES)][0] - when


def longest_gap(got, sent, pictures):
    """The most pictures in a row of which the first packet did not arrive."""
    stream = b"".join(payload for _, payload in got)
    arrived = {stream[at:at + PACKET_BYTES] for at in range(0, len(stream), PACKET_BYTES)}
    longest = missing = 0
    for at in pictures:
        missing = 0 if sent.stream[at:at + PACKET_BYTES] in arrived else missing + 1
        longest = max(longest, missing)
    return longest


def p99_ms(got, sent):
    """Of a viewer that got everything."""
    assert len(got) == len(sent.times), f"{len(got)} of {len(sent.times)} messages"
    delays = sorted(1000 * (at - when) for (at, _), when in zip(got, sent.times))
    return delays[len(delays) * 99 // 100]


class Peak(threading.Thread):
    """The most memory of the server, beyond what it had at first."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay, self.first, self.ending = relay, relay.rss_bytes(), threading.Event()
        self.most = self.first
        self.start()

    def run(self):
        while not self.ending.wait(0.1):
            self.most = max(self.most, self.relay.rss_bytes())

    def mebibytes(self):
        self.ending.set()
        self.join()
        return (self.most - self.first) / (1 << 20)


@unittest.skipIf(why_not(), why_not())
class SlowVideo(RelayTestCase):
    def play(self, kind, by_picture, slow, share=0.25):
        """One stream to two viewers, and to a third one behind a path of a share of its rate.
        Returns what was sent, what the fast viewers got, and the slow one."""
        stream = encode(kind)
        pictures = picture_starts(kind, stream)
        sent = Sent(stream, cuts_of(pictures, len(stream), by_picture))
        relay = self.start()
        readers = [Reader(self.track(relay.viewer())) for _ in range(2)]
        bits_per_s = len(stream) * 8 / SECONDS * share
        if not slow:
            sent.publish(self.track(relay.publisher()), pictures)
            return relay, sent, [reader.finish() for reader in readers], None, 0
        with narrow_path.NarrowPath(bits_per_s) as path:
            client = self.track(path.inside(
                lambda: RawClient(relay.relay_port, host=path.here, timeout_s=WAIT_S)))
            client.upgrade(relay.target("t0", ("read",)))
            reader, peak = Reader(client), Peak(relay)
            sent.publish(self.track(relay.publisher()), pictures)
            fast = [each.finish() for each in readers]
            return relay, sent, fast, reader.finish(), peak.mebibytes()

    def play_slowly(self, kind, by_picture, share):
        """With a slow viewer, whom the others do not notice."""
        relay, sent, fast, slow, memory = self.play(kind, by_picture, True, share)
        for each in fast:
            self.assertEqual(b"".join(payload for _, payload in each), sent.stream)
        return relay, sent, fast, slow, memory

    def stream_is_cut_well(self, kind, by_picture, share=0.25, alone_ms=None):
        relay, sent, fast, slow, memory = self.play_slowly(kind, by_picture, share)
        beside_ms = statistics.median(p99_ms(each, sent) for each in fast)
        others = f"p99 of others x{beside_ms / alone_ms:.2f}, " if alone_ms else ""
        received = b"".join(payload for _, payload in slow)
        lines = complaints(received)
        age_s = max(ages_of_packets(slow, sent))
        counters = relay.counters()
        print(f"{kind}, {'whole pictures' if by_picture else 'cut anywhere'}, "
              f"{100 * len(received) / len(sent.stream):.0f} % of it arrived: complaints of ffmpeg "
              f"{len(lines)}, age {age_s:.2f} s at most, {others}memory {memory:.1f} MiB")
        self.assertEqual(lines, [])
        self.assertLess(age_s, MAX_AGE_S + GROUP_S + PATH_S)
        self.assertGreater(counters["messages_dropped_video"], 0)
        self.assertGreater(len(received), len(sent.stream) / 10)
        self.gap = longest_gap(slow, sent, picture_starts(kind, sent.stream))
        if not relay_support.SANITIZED:
            self.assertLess(memory, 16)

    def test_h264_of_whole_pictures(self):
        _, sent, fast, _, _ = self.play("h264", by_picture=True, slow=False)
        alone_ms = statistics.median(p99_ms(each, sent) for each in fast)
        self.stream_is_cut_well("h264", by_picture=True, alone_ms=alone_ms)

    def test_h264_cut_anywhere(self):
        self.stream_is_cut_well("h264", by_picture=False)

    def test_h264_loses_pictures_that_no_others_need(self):
        self.stream_is_cut_well("h264-b", by_picture=True, share=0.85)
        self.assertLessEqual(self.gap, 3, "it skipped to a key picture")

    def test_mpeg1_cut_anywhere(self):
        self.stream_is_cut_well("mpeg1", by_picture=False)

    def test_jpeg_is_the_newest_only(self):
        relay, sent, _, slow, memory = self.play_slowly("jpeg", by_picture=True, share=0.25)
        begins = [0, *sent.cuts]
        index_of = {sent.stream[begin:end]: index
                    for index, (begin, end) in enumerate(zip(begins, sent.cuts))}
        indices = [index_of[payload] for _, payload in slow]
        ages_s = [at - sent.times[index] for (at, _), index in zip(slow, indices)]
        print(f"jpeg, {len(slow)} of {len(sent.cuts)} pictures arrived: age {max(ages_s):.2f} s at "
              f"most, memory {memory:.1f} MiB")
        self.assertEqual(indices, sorted(set(indices)))
        self.assertEqual(indices[-1], len(sent.cuts) - 1, "the last one is what there is to see")
        self.assertLess(max(ages_s), MAX_AGE_S + PATH_S)
        self.assertGreater(relay.counters()["messages_dropped_latest"], 0)


if __name__ == "__main__":
    relay_support.main()
