"""Goal: relaysink sends nothing while nobody watches and a picture at once when somebody does; with
a relay that does not tell, it sends always and says so; each hop of a message can be measured.
Method: gst-launch-1.0 against `relay serve`, whose counters and viewers say what came and when,
also where it answers no offer of a subprotocol, as practable/relay does not.
"""

import json
import os
import signal
import time

import relay_support
from relay_support import TIME_SCALE, WAIT_S, main, wait_until
from test_pipelines import decoded_frames, is_random_access
from test_source import NEEDS_X264, SourceTestCase

FIRST_PICTURE_S = 0.5 * TIME_SCALE
FIRST_EXCHANGE = 25  # pictures that may leave before the relay has told that nobody watches
# A group of pictures that no test outlasts: what comes at once is not the next keyframe of its own.
CAMERA = ("videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
          " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5000 ! mpegtsmux")
JPEGS = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc"


class OnDemand(SourceTestCase):
    def publish(self, pipeline, options="publish=on-demand"):
        process = self.launch(f"{pipeline} ! {self.sink('video', options)}")
        self.relay.wait_line("new connection")
        return process

    def messages_received(self):
        return self.relay.counters()["messages_received"]

    def join(self):
        """The first message of a viewer, and how long it took from the 101 on."""
        viewer = self.track(self.relay.viewer("video"))
        begun = time.monotonic()
        _, message = viewer.message(WAIT_S)
        took_s = time.monotonic() - begun
        print(f"first picture after {1000 * took_s:.0f} ms", flush=True)
        return viewer, message, took_s

    def wait_silence(self):
        """Until nothing was sent for as long as many pictures take; the number of messages."""
        seen = [self.messages_received(), time.monotonic()]

        def is_silent():
            count = self.messages_received()
            if count != seen[0]:
                seen[:] = [count, time.monotonic()]
            return time.monotonic() - seen[1] > 1.0

        wait_until(is_silent, "the publisher to fall silent")
        return seen[0]

    @NEEDS_X264
    def test_nothing_is_sent_until_somebody_watches(self):
        self.publish(CAMERA)
        self.assertLess(self.wait_silence(), FIRST_EXCHANGE)
        viewer, message, took_s = self.join()
        self.assertTrue(is_random_access(message[:188 * 8]))
        self.assertLess(took_s, FIRST_PICTURE_S)
        data = message + b"".join(viewer.message(WAIT_S)[1] for _ in range(20))
        self.assertEqual(decoded_frames(data, "mpegts"), 21)

    @NEEDS_X264
    def test_it_stops_with_the_last_viewer_and_starts_again(self):
        self.publish(CAMERA)
        times, silent = [], 0
        for _ in range(3):
            viewer, message, took_s = self.join()
            times.append(took_s)
            self.assertTrue(is_random_access(message[:188 * 8]))
            # What the relay had kept comes first, then what is sent from now on.
            self.relay.wait_counter("messages_received", silent + 5)
            viewer.kill()
            silent = self.wait_silence()
        self.assertLess(max(times), FIRST_PICTURE_S, times)

    def test_pictures_are_sent_on_demand(self):
        self.publish(JPEGS)
        self.assertLess(self.wait_silence(), FIRST_EXCHANGE)
        _, message, took_s = self.join()
        self.assertEqual(message[:2], b"\xff\xd8")
        self.assertLess(took_s, FIRST_PICTURE_S)

    @NEEDS_X264
    def test_a_second_viewer_joins_at_once(self):
        self.publish(CAMERA)
        self.join()
        _, message, took_s = self.join()
        self.assertTrue(is_random_access(message[:188 * 8]))
        self.assertLess(took_s, FIRST_PICTURE_S)

    def test_always_sends_to_nobody(self):
        self.publish(JPEGS, "publish=always")
        self.relay.wait_counter("messages_received", 5)

    def test_a_relay_that_does_not_tell_gets_everything(self):
        self.relay = self.start(RELAY_SUBPROTOCOLS="none")
        pipeline = f"{JPEGS} ! {self.sink('video', 'publish=on-demand')}"
        process = self.run_program("gst-launch-1.0", "-e", *pipeline.split())
        self.relay.wait_counter("messages_received", 25)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=WAIT_S)
        self.assertEqual(output.count(b"publish=on-demand has no effect"), 1, output)


class Latency(SourceTestCase):
    def test_each_hop_is_measured(self):
        self.launch(f"{JPEGS} ! {self.sink('video')}")
        client = self.run_program(
            relay_support.relay_binary(), "client", "file", "--latency", "--mode=binary",
            f"--session={self.location('video')}", f"--file={self.path('copy')}",
            f"--token-file={self.token_file('video', 'read')}")
        wait_until(lambda: os.path.exists(self.path("copy"))
                   and os.path.getsize(self.path("copy")) > 100000, "some pictures")
        self.relay.wait_counter("messages_received", 50)
        client.send_signal(signal.SIGTERM)
        output, _ = client.communicate(timeout=WAIT_S)
        self.assertEqual(client.returncode, 0, output)
        lines = [json.loads(line) for line in output.decode().splitlines()]
        latency = [line for line in lines if line["msg"] == "latency"][-1]
        self.assertGreater(latency["messages"], 10)
        self.assertGreater(latency["round_trip_us"], 0)
        for hop in ("to_relay", "in_relay", "to_viewer", "total"):
            with self.subTest(hop=hop):
                self.assertLessEqual(latency[f"{hop}_p50_us"], latency[f"{hop}_p99_us"])
                self.assertLess(latency[f"{hop}_p50_us"], 1000000 * TIME_SCALE)
        self.assertGreater(latency["total_p99_us"], 0)


if __name__ == "__main__":
    main()
