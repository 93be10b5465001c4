"""Live streams and relay.v1 across hand-overs: viewers get each message once and in order, those
that join begin with what was kept before, decoders have no complaint, and nothing is told twice.
"""

import threading
import unittest

import relay_support
import relay_v1
import video_streams
from joining import Joining
from relay_support import SANITIZED, TIME_SCALE
from succession import Succession, SuccessionTestCase

PAUSE_S = 0.3
HAND_OVERS = 5 if SANITIZED else 20


class RestlessSuccession(Succession):
    """Hands over all the time, but not while a viewer asks for its code and its WebSocket: a
    request that meets a hand-over may be told to come again."""

    def __init__(self, **options):
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.moved, self.failure = 0, None
        super().__init__(**options)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.ending.wait(PAUSE_S):
                with self.lock:
                    line = self.hand_over()
                assert line["stayed"] == 0, line
                self.moved += line["moved"]
        except BaseException as failure:  # looked at by the test
            self.failure = failure

    def viewer(self, *arguments, **options):
        with self.lock:
            return super().viewer(*arguments, **options)

    def rest(self):
        self.ending.set()
        self.thread.join()

    def stop(self, *arguments, **options):
        self.rest()
        return super().stop(*arguments, **options)


@unittest.skipIf(video_streams.why_not(), video_streams.why_not())
class JoinsAcrossHandovers(Joining, SuccessionTestCase):
    TRANSPORT = "tcp, across hand-overs"
    TIME_FACTOR = 10 * TIME_SCALE  # a join waits for the end of a hand-over

    def start(self, **options):
        relay = RestlessSuccession(**options)
        self.addCleanup(self._stop, relay)
        self.addCleanup(self._check, relay)
        return relay

    def _check(self, relay):
        relay.rest()
        self.assertIsNone(relay.failure)
        self.assertGreater(relay.moved, 0)

    def test_h264_with_a_picture_in_each_message(self):
        self.join_many("h264", True, 2)

    def test_h264_with_b_pictures_cut_anywhere(self):
        self.join_many("h264-b", False, 2)

    def test_h265_cut_anywhere(self):
        self.join_many("h265", False, 1)

    def test_mpeg1_with_a_picture_in_each_message(self):
        self.join_many("mpeg1", True, 2)


class RelayV1AcrossHandovers(SuccessionTestCase):
    def join(self, relay, scopes, booking):
        peer = relay_v1.Peer(relay.uri("arm", scopes, booking_id=booking))
        self.addCleanup(peer.close)
        return peer

    def test_numbers_and_sources_go_on_and_nothing_is_told_twice(self):
        relay = self.start(RELAY_WORKERS="2")
        viewer = self.join(relay, ("read",), "b0")
        publisher = self.join(relay, ("write",), "b1")
        publisher.publish("first")
        source = viewer.hear("envelope")["source"]
        publisher.hear("viewers", viewers=1)
        viewer.hear("live", live=1)
        for _ in range(HAND_OVERS):
            relay.hand_over()
            for _ in range(3):
                publisher.publish("next")
        heard, told = [], []
        while len(heard) < 3 * HAND_OVERS:
            message = relay_v1.decode(viewer.peer.recv(relay_support.WAIT_S))
            (heard if message["name"] == "envelope" else told).append(message)
        self.assertEqual([message["sequence"] for message in heard],
                         list(range(1, 3 * HAND_OVERS + 1)))
        self.assertEqual({message["source"] for message in heard}, {source})
        self.assertEqual(told, [])
        viewer.say("key_picture")
        message = relay_v1.decode(publisher.peer.recv(relay_support.WAIT_S))
        self.assertEqual(message["name"], "key_picture", "the first that it is told")

    def test_control_stays_with_its_booking(self):
        relay = self.start(RELAY_TOPIC_POLICY="arm=data+exclusive")
        holder = self.join(relay, ("read", "write"), "b0")
        other = self.join(relay, ("read", "write"), "b1")
        holder.publish("mine")
        other.hear("envelope", payload="mine")
        other.say("lease", state=5)
        holder.hear("lease", state=4)
        relay.hand_over()
        other.publish("not yours")
        other.hear("lease", state=3)
        holder.publish("still mine")
        other.hear("envelope", payload="still mine")
        holder.say("lease", state=6)
        other.hear("lease", state=1)


if __name__ == "__main__":
    relay_support.main()
