"""Viewers that join a live stream at random moments, for test cases over TCP and over TLS.

Method: a publisher sends a stream of some groups of ten seconds, faster than it was made for. One
viewer is there from the start: what it gets must be what was sent. Others join meanwhile, and each
must begin with the newest key picture (or a newer one), behind nothing but packets that repair the
stream, and get each message from there on once. The time is taken from the 101 to the message that
completes the first picture. Then ffmpeg decodes from each key picture that anybody began with, as
those viewers received it, and must not write a line (but for one of x264's open groups).
"""

import bisect
import concurrent.futures
import os
import random
import statistics
import sys
import threading
import time

import video_streams
from relay_support import WAIT_S
from video_streams import PACKET_BYTES

JOINS = int(os.environ.get("RELAY_TEST_JOINS") or 40)
JOINERS = 4
SPEED = 6  # times as fast as it was made for
LEADING_MAX = 4  # pictures shown before their key picture, which need the group before
MESSAGES_AFTER = 20  # that a viewer waits for beyond the last one sent before it joined


class Publisher(threading.Thread):
    """Sends the messages of a stream at their times. `sent` counts them."""

    def __init__(self, client, stream, interval_s):
        super().__init__(daemon=True)
        self.client = client
        self.stream = stream
        self.interval_s = interval_s
        self.sent = 0
        self.failure = None
        self.start()

    def run(self):
        try:
            begin = time.monotonic()
            for message in self.stream.messages:
                time.sleep(max(0.0, begin + self.sent * self.interval_s - time.monotonic()))
                self.client.send_message(message)
                self.sent += 1
        except Exception as failure:  # looked at by the test
            self.failure = failure


class Witness(threading.Thread):
    """There from the start. `seen` counts its messages, each of which is what was sent."""

    def __init__(self, client, stream):
        super().__init__(daemon=True)
        self.client = client
        self.stream = stream
        self.seen = 0
        self.failure = None
        self.start()

    def run(self):
        try:
            for number, message in enumerate(self.stream.messages):
                payload = self.client.message()[1]
                assert payload == message, f"message {number} has other bytes"
                self.seen += 1
        except Exception as failure:  # looked at by the test
            self.failure = failure


class Join:
    """One viewer. `first` is the payload it began with, `key` the offset of its key picture."""

    def __init__(self, relay, topic, stream, witness):
        self.stream = stream
        self.seen_before = witness.seen
        client = relay.viewer(topic)
        try:
            begin = time.monotonic()
            self.first = client.message()[1]
            self.index, self.key = self._place()
            last = stream.picture_end(self.key)
            wanted = min(witness.seen + MESSAGES_AFTER, len(stream.messages) - 1)
            self.took_s = time.monotonic() - begin
            for index in range(self.index + 1, max(last, wanted) + 1):
                payload = client.message()[1]
                assert payload == stream.messages[index], \
                    f"began with message {self.index}, and {index} is not next"
                if index <= last:
                    self.took_s = time.monotonic() - begin
        finally:
            client.kill()
        self._check_is_newest()

    def _place(self):
        """Where it began: the message, and the key picture in it."""
        for key in reversed(self.stream.keys):
            index = self._index_of(key)
            rest = self.stream.bytes[key:self.stream.ends[index]]
            added = len(self.first) - len(rest)
            if added >= 0 and self.first.endswith(rest) and added % PACKET_BYTES == 0:
                return index, key
        raise AssertionError(f"began with {self.first[:64].hex()}… of {len(self.first)} bytes, "
                             "which is no key picture")

    def _index_of(self, key):
        """The message in which the first packet of a picture is complete."""
        return self.stream.message_at(key if self.stream.kind == "jpeg"
                                      else key + PACKET_BYTES - 1)

    def _check_is_newest(self):
        places = [self._index_of(key) for key in self.stream.keys]
        newest = bisect.bisect_right(places, self.seen_before - 1)
        assert newest == 0 or self.index >= places[newest - 1], \
            f"began with message {self.index}, not {places[newest - 1]}"


class Joining:
    """Mixed into a test case, which opens viewers and publishers."""

    def join_many(self, kind, by_picture, workers, interval_s=None):
        seconds = 40 if kind != "jpeg" else 1
        stream = video_streams.Stream(kind, seconds, by_picture)
        interval_s = interval_s or seconds / SPEED / len(stream.messages)
        relay = self.start(RELAY_WORKERS=str(workers), RELAY_PLACEMENT="accept")
        topic = "cam"
        witness = Witness(self.track(relay.viewer(topic)), stream)
        publisher = Publisher(self.track(relay.publisher(topic)), stream, interval_s)
        joins = self._join_at_random(relay, topic, stream, publisher, witness)
        publisher.join(WAIT_S + interval_s * len(stream.messages))
        witness.join(WAIT_S)
        for thread in (publisher, witness):
            if thread.failure is not None:
                raise thread.failure
        self.assertEqual(witness.seen, len(stream.messages))
        self._check_snapshot(relay, topic, stream)
        self._check_decodes(stream, joins)
        self._report(kind, by_picture, workers, joins)

    def join_past_the_bound(self, kind, by_picture):
        """What is kept is bounded to less than a group: the key picture, then the next group."""
        stream = video_streams.Stream(kind, 30, by_picture)
        interval_s = 30 / SPEED / len(stream.messages)
        relay = self.start(RELAY_WORKERS="2", RELAY_PLACEMENT="accept",
                           RELAY_GOP_CACHE_TIME="100ms")
        publisher = self.track(relay.publisher("cam"))
        half = stream.message_at(stream.keys[1]) // 2
        self._send_in_time(publisher, stream.messages[:half], interval_s)
        self.assertEqual(relay.wait_counter("cache_cut", 1)["cache_cut"], 1)
        viewers = [self.track(client) for client in relay.raw_on_workers(2, "cam", ("read",))]
        with concurrent.futures.ThreadPoolExecutor(len(viewers)) as pool:
            received = [pool.submit(self._receive_to_the_end, viewer, stream)
                        for viewer in viewers]
            self._send_in_time(publisher, stream.messages[half:], interval_s)
            for future in received:
                self._check_key_and_next_group(future.result(), stream)

    @staticmethod
    def _send_in_time(publisher, messages, interval_s):
        begin = time.monotonic()
        for number, message in enumerate(messages):
            time.sleep(max(0.0, begin + number * interval_s - time.monotonic()))
            publisher.send_message(message)

    @staticmethod
    def _receive_to_the_end(viewer, stream):
        received = b""
        while not received.endswith(stream.messages[-1]):
            received += viewer.message()[1]
        return received

    def _check_key_and_next_group(self, received, stream):
        text, pictures = video_streams.decoder_complaints(received)
        self.assertEqual(text, "")
        behind = len([at for at in stream.pictures if at >= stream.keys[1]])
        self.assertIn(pictures, range(1 + behind - LEADING_MAX, 1 + behind + 1))

    def _join_at_random(self, relay, topic, stream, publisher, witness):
        first_key = 1 + stream.message_at(stream.keys[0] + 2 * PACKET_BYTES)
        dice = random.Random(stream.kind)
        moments = sorted(dice.randrange(first_key, len(stream.messages)) for _ in range(JOINS))

        def join_at(moment):
            while publisher.sent < moment and publisher.failure is None:
                time.sleep(publisher.interval_s / 2)
            while witness.seen < first_key and witness.failure is None:
                time.sleep(publisher.interval_s / 2)
            return Join(relay, topic, stream, witness)

        with concurrent.futures.ThreadPoolExecutor(JOINERS) as pool:
            return list(pool.map(join_at, moments))

    def _check_decodes(self, stream, joins):
        """Each place where viewers began, with what they received first."""
        for begun in {join.key: join for join in joins}.values():
            self.assertEqual(
                {join.first for join in joins if join.key == begun.key}, {begun.first},
                "two viewers that began with one key picture got different bytes")
            text, pictures = video_streams.decoder_complaints(
                begun.first + stream.bytes[stream.ends[begun.index]:], stream.kind == "h264-open")
            self.assertEqual(text, "", f"from the key picture at byte {begun.key}")
            behind = len([at for at in stream.pictures if at >= begun.key])
            self.assertIn(pictures, range(behind - LEADING_MAX, behind + 1))

    def _check_snapshot(self, relay, topic, stream):
        """The publisher was not silent for long: its newest key picture, whole."""
        kind = "image/jpeg" if stream.kind == "jpeg" else "video/mp2t"
        reply = relay.request("GET", f"/snapshot/{topic}",
                              {"Authorization": relay.token(topic, ("read",)), "Accept": kind})
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, kind))
        if stream.kind == "jpeg":
            self.assertEqual(reply.body, stream.messages[-1])
            return
        text, pictures = video_streams.decoder_complaints(reply.body)
        self.assertEqual(text, "")
        # Small ones that came in the message with its last byte are with it.
        self.assertIn(pictures, range(1, 1 + 6))

    def _report(self, kind, by_picture, workers, joins):
        times_ms = sorted(1000 * join.took_s for join in joins)
        p99 = times_ms[min(len(times_ms) - 1, len(times_ms) * 99 // 100)]
        print(f"{self.TRANSPORT} {kind}, {'pictures' if by_picture else 'cut anywhere'}, "
              f"{workers} workers, {len(joins)} joins: from 101 to the first picture "
              f"p50 {statistics.median(times_ms):.1f} ms, p99 {p99:.1f} ms", file=sys.stderr)
        # A group takes 1700 ms here: without a cache the median would be half of that.
        self.assertLess(statistics.median(times_ms), 200 * self.TIME_FACTOR)
