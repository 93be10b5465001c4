"""Whatever a publisher sends, its connection and those of viewers go on, viewers that are there get
every byte of it, and one that joins begins with something that it can decode, or with nothing old.

Method: a publisher sends bad messages one by one, and a viewer must get each as it is. Then the
same publisher sends a good stream, and a viewer that joins in the middle of it must decode it from
its first byte on without a word of ffmpeg's.
"""

import random
import unittest

import relay_support
import video_streams
from relay_support import RelayTestCase, main
from video_streams import JPEG_START, PACKET_BYTES, Stream
from ws_raw import TEXT

SECONDS = 2
WRAP_S = 2 ** 33 / 90000  # of time stamps


def why_not():
    return relay_support.why_no_server() or video_streams.why_not()


def packets_of(stream):
    return [stream[at:at + PACKET_BYTES] for at in range(0, len(stream), PACKET_BYTES)]


def cut_anywhere(stream):
    dice = random.Random(len(stream))
    messages = []
    while stream:
        size = dice.randint(189, 6000)
        messages.append(stream[:size])
        stream = stream[size:]
    return messages


def damaged(stream):
    """Some bytes are others, and some are missing, so that packets begin elsewhere."""
    dice = random.Random(1)
    stream = bytearray(stream)
    for _ in range(len(stream) // 2000):
        stream[dice.randrange(len(stream))] ^= 1 << dice.randrange(8)
    for _ in range(20):
        at = dice.randrange(len(stream) - 400)
        del stream[at:at + dice.randrange(1, 400)]
    return bytes(stream)


def jpegs():
    stream = Stream("jpeg", SECONDS, by_picture=True)
    return stream.messages


@unittest.skipIf(why_not(), why_not())
class BadVideo(RelayTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.good = Stream("h264", SECONDS, by_picture=True)

    def setUp(self):
        self.relay = self.start()
        self.witness = self.track(self.relay.viewer())
        self.publisher = self.track(self.relay.publisher())

    def publish(self, messages, publisher=None):
        """One after another: the viewer that is there gets each as it is."""
        for message in messages:
            (publisher or self.publisher).send_message(message)
            self.assertEqual(self.witness.message()[1], message)

    def join(self):
        return self.track(self.relay.viewer())

    def joined_from_cache(self):
        return self.relay.counters()["joins_from_cache"]

    def check_good(self, stream=None, publisher=None):
        """A viewer that joins in the middle of a good stream can decode what it gets."""
        stream = stream or self.good
        half = len(stream.messages) // 2
        self.publish(stream.messages[:half], publisher)
        viewer = self.join()
        self.publish(stream.messages[half:], publisher)
        received = b""
        while not received.endswith(stream.messages[-1]):
            received += viewer.message()[1]
        complaints, pictures = video_streams.decoder_complaints(received)
        self.assertEqual(complaints, "")
        self.assertEqual(pictures, len(stream.pictures))
        self.assertEqual(self.relay.counters()["messages_dropped_memory"], 0)
        viewer.kill()

    def test_damaged_packets(self):
        self.publish(cut_anywhere(damaged(self.good.bytes)))
        self.publish(cut_anywhere(self.good.bytes[:-70]))  # ends within a packet
        self.check_good()

    def test_packets_of_192_and_204_bytes(self):
        for before, behind in ((4, 0), (0, 16)):
            with self.subTest(size=before + PACKET_BYTES + behind):
                stream = b"".join(b"\0" * before + packet + b"\0" * behind
                                  for packet in packets_of(self.good.bytes))
                known = self.joined_from_cache()
                self.publish(cut_anywhere(stream))
                viewer = self.join()
                self.publish([b"live"])
                self.assertEqual(viewer.message()[1], b"live")
                self.assertEqual(self.joined_from_cache(), known)
                viewer.kill()
        self.check_good()

    def test_tables_that_change_in_the_middle(self):
        mpeg1 = Stream("mpeg1", SECONDS, by_picture=True)
        other_pids = Stream("h264", SECONDS, True, "-mpegts_start_pid", "0x300",
                            "-mpegts_pmt_start_pid", "0x500")
        self.publish(cut_anywhere(self.good.bytes + mpeg1.bytes + other_pids.bytes))
        for stream in (mpeg1, self.good, other_pids, mpeg1):
            self.check_good(stream)

    def test_two_publishers(self):
        mpeg1 = Stream("mpeg1", SECONDS, by_picture=True)
        second = self.track(self.relay.publisher())
        for ours, theirs in zip(self.good.messages[:30], mpeg1.messages[:30]):
            self.publish([ours])
            self.publish([theirs], second)
        viewer = self.join()
        self.publish(self.good.messages[30:])
        self.publish(mpeg1.messages[30:], second)
        received, payload = [], b""
        while payload != mpeg1.messages[-1]:
            payload = viewer.message()[1]
            received.append(payload)
        self.assertTrue(received[0].endswith(mpeg1.messages[0][mpeg1.keys[0]:]),
                        "the newest key picture was the second publisher's")
        theirs = set(mpeg1.messages)
        self.assertEqual([each for each in received if each in theirs], mpeg1.messages[1:])
        viewer.kill()
        self.check_good()

    def test_time_stamps_that_wrap_and_jump(self):
        wrapping = Stream("h264-b", SECONDS, True, "-output_ts_offset",
                          str(WRAP_S - SECONDS / 2))
        later = Stream("h264-b", SECONDS, True, "-output_ts_offset", "5000")
        for stream in (wrapping, later, self.good, wrapping):
            self.check_good(stream)

    def test_a_publisher_that_switches_format(self):
        pictures = jpegs()
        for _ in range(2):
            self.check_good()
            self.publish(pictures)
            viewer = self.join()
            self.assertEqual(viewer.message()[1], pictures[-1])
            self.publisher.send_frame(TEXT, b"text")
            self.assertEqual(viewer.message()[1], b"text")
            self.assertEqual(self.witness.message()[1], b"text")
            viewer.kill()

    def test_a_stream_without_any_random_access_point(self):
        self.publish(self.good.messages[1:20])
        viewer = self.join()
        self.publish(self.good.messages[20:])
        for message in self.good.messages[20:]:
            self.assertEqual(viewer.message()[1], message)
        viewer.kill()
        self.check_good()

    def test_jpeg_without_end_and_with_more_behind_it(self):
        pictures = jpegs()
        self.publish([pictures[0], pictures[1][:-200], JPEG_START])
        self.assertEqual(self.join().message()[1], pictures[0])
        self.publish([pictures[2] + b"garbage" * 100])
        self.assertEqual(self.join().message()[1], pictures[2] + b"garbage" * 100)
        self.check_good()

    def test_multipart(self):
        self.publish([b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"
                      % (len(picture), picture) for picture in jpegs()])
        viewer = self.join()
        self.publish([b"live"])
        self.assertEqual(viewer.message()[1], b"live")
        self.assertEqual(self.joined_from_cache(), 0)
        self.check_good()


if __name__ == "__main__":
    main()
