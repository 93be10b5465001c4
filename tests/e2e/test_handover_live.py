"""Live streams and relay.v1 across hand-overs: viewers get each message once and in order, those
that join begin with what was kept before, decoders have no complaint and show no stop, and nothing
is told twice. web/test/handover.test.js shows the same of players in a browser.
"""

import signal
import statistics
import subprocess
import threading
import time
import unittest

import relay_support
import relay_v1
import video_streams
from joining import Joining
from relay_support import SANITIZED, TIME_SCALE, Lateness, wait_until
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


class Player(threading.Thread):
    """Notes when ffmpeg has decoded which picture: from the lines of its muxer framecrc."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.shown = []  # when, and the picture's time stamp
        self.start()

    def run(self):
        for line in self.process.stdout:
            if not line.startswith(b"#"):
                self.shown.append((time.monotonic(), int(line.split(b",")[2])))

    def stops(self):
        """From each picture to the next one."""
        times = [when for when, _ in self.shown]
        return list(zip(times, times[1:]))


def longest_ms(stops):
    return 1000 * max((after - before for before, after in stops), default=0)


@unittest.skipIf(video_streams.why_not(), video_streams.why_not())
class CameraAcrossHandovers(SuccessionTestCase):
    """A camera and a decoder, each behind `relay client pipe`. Times with a hand-over and times
    without one take turns, so that a busy machine is the same for both."""

    CAMERA = ["ffmpeg", "-v", "warning", "-nostdin", "-re", "-f", "lavfi", "-i",
              f"testsrc2=size=320x180:rate={video_streams.FRAME_RATE}", "-pix_fmt", "yuv420p"]
    DECODER = ["ffmpeg", "-v", "warning", "-analyzeduration", "1000000", "-i", "-", "-map", "0:v",
               "-fps_mode", "passthrough", "-flush_packets", "1", "-f", "framecrc", "-"]
    PICTURE_MS = 1000 / video_streams.FRAME_RATE

    def program(self, command, stdin, **options):
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE,
                                   preexec_fn=relay_support.die_with_parent, **options)
        self.addCleanup(relay_support.end_program, process)
        return process

    def client(self, relay, scope, stdin):
        return self.program(
            [relay_support.relay_binary(), "client", "pipe", "--binary", "--keep"], stdin,
            env=relay_support.relay_environment(
                RELAY_CLIENT_SESSION=f"http://127.0.0.1:{relay.access_port}/session/cam",
                RELAY_CLIENT_TOKEN=relay.token("cam", (scope,))))

    def play(self, relay, encoder):
        """Returns its player, and the four processes."""
        viewer = self.client(relay, "read", subprocess.PIPE)
        decoder = self.program(self.DECODER, viewer.stdout)
        relay.wait_line("new connection")
        camera = self.program([*self.CAMERA, *encoder, "-flush_packets", "1", "-f", "mpegts", "-"],
                              subprocess.DEVNULL)
        publisher = self.client(relay, "write", camera.stdout)
        player = Player(decoder)
        wait_until(lambda: player.shown, "a first picture")
        return player, (camera, publisher, viewer, decoder)

    def take_turns(self, relay, player):
        """The longest stop with each hand-over, and without."""
        windows = []
        for _ in range(HAND_OVERS):
            begin = time.monotonic()
            line = relay.hand_over()
            self.assertEqual((line["moved"], line["stayed"]), (2, 0))
            time.sleep(PAUSE_S)
            middle = time.monotonic()
            time.sleep(middle - begin)
            windows.append((begin, middle, time.monotonic()))
        count = len(player.shown)
        wait_until(lambda: len(player.shown) > count, "a picture behind the last one")
        stops = player.stops()
        return ([longest_ms((before, after) for before, after in stops
                            if after > begin and before < middle) for begin, middle, _ in windows],
                [longest_ms((before, after) for before, after in stops
                            if before > middle and after < end) for _, middle, end in windows])

    def show_no_stop(self, encoder):
        relay = self.start()
        player, processes = self.play(relay, encoder)
        with Lateness() as lateness:
            stops, usual = self.take_turns(relay, player)
        self.check_pictures(player)
        self.check_no_complaint(processes)
        print(f"{encoder[1]}: {HAND_OVERS} hand-overs: longest time with one picture "
              f"{statistics.median(stops):.0f} ms median, {max(stops):.0f} ms at most; without "
              f"{statistics.median(usual):.0f} and {max(usual):.0f} ms", flush=True)
        may_ms = self.PICTURE_MS * TIME_SCALE
        self.assertLessEqual(statistics.median(stops), statistics.median(usual) + may_ms)
        self.assertLessEqual(max(stops), max(usual) + may_ms + lateness.margin_ms())

    def check_pictures(self, player):
        """Each once and in order."""
        stamps = [stamp for _, stamp in player.shown]
        steps = {after - before for before, after in zip(stamps, stamps[1:])}
        self.assertEqual(len(steps), 1, steps)

    def check_no_complaint(self, processes):
        for process in processes:
            self.assertIsNone(process.poll(), process.args)
            process.send_signal(signal.SIGSTOP)  # so that none complains of another one's end
        for process in processes:
            process.kill()
            self.assertEqual(process.stderr.read().decode(), "", process.args)

    def test_h264(self):
        self.show_no_stop(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
                           "-g", "25"])

    def test_mpeg1(self):
        self.show_no_stop(["-c:v", "mpeg1video", "-b:v", "400k", "-bf", "0", "-g", "12"])


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
