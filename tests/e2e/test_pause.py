"""A pause of the whole process (SIGSTOP, as a virtual machine that is saved or moved) costs nobody
a connection: deadlines count what the process ran, and what arrived meanwhile is read first.

Method: pauses longer than every deadline that is running: a pong that is due, one that waits
unread, a request and a message half sent, a code not yet used. The pings are answered by clients
of the tests' own and by an independent one.
"""

import signal
import threading
import time

import relay_support
from relay_support import RelayTestCase
from ws_raw import BINARY, PING, PONG, TEXT, RawClient, encode_frame

INTERVAL_S = 3.0
PAUSES_S = (3.0, 20.0)


class Answering(threading.Thread):
    """Answers pings until the stream ends or a text comes."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.said, self.failure = client, None, None
        self.pings = 0
        self.start()

    def run(self):
        try:
            while True:
                frame = self.client.frame(timeout_s=120)
                if frame.opcode == PING:
                    self.pings += 1
                    self.client.send_frame(PONG, frame.payload)
                elif frame.opcode == TEXT:
                    self.said = frame.payload
                    return
        except (OSError, AssertionError) as failure:
            self.failure = failure


class Pause(RelayTestCase):
    def pause(self, relay, pause_s):
        relay.process.send_signal(signal.SIGSTOP)
        time.sleep(pause_s)  # the pause itself
        relay.process.send_signal(signal.SIGCONT)

    def survive(self, pause_s):
        relay = self.start(RELAY_PING_INTERVAL=f"{INTERVAL_S:.0f}s", RELAY_WORKERS="2",
                           RELAY_HANDSHAKE_TIMEOUT="2500ms", RELAY_CODE_TTL="2500ms",
                           RELAY_QUEUE_AGE="2500ms")
        threads = [Answering(self.track(relay.viewer())) for _ in range(20)]
        peer = self.track(relay.peer())
        publisher = self.track(relay.publisher())
        late = self.track(relay.raw("other"))
        self.assertEqual(late.frame(timeout_s=30).opcode, PING)
        publisher.send_frame(BINARY, b"a" * 10, length=100)
        half = self.track(RawClient(relay.access_port))
        half.send(b"GET /nope HTTP/1.1\r\nHo")
        target = relay.target("t0")
        # The clock of the pause counts from here: less than the deadlines above lies before it.
        pausing = threading.Thread(target=self.pause, args=(relay, pause_s))
        pausing.start()
        relay_support.wait_until(lambda: is_stopped(relay), "the server to be stopped")
        late.send_frame(PONG)  # its time is over when the server reads it
        pausing.join()
        publisher.send(encode_frame(BINARY, b"a" * 90)[6:])
        half.send(b"st: a\r\n\r\n")
        self.assertEqual(half.reply().status, 404)
        newcomer = self.track(RawClient(relay.relay_port))
        newcomer.upgrade(target)
        speaker = self.track(relay.publisher())
        speaker.send_message("after the pause")
        while (message := newcomer.message())[0] == BINARY:
            pass  # the publisher's, which may come after the newcomer
        self.assertEqual(message, (TEXT, b"after the pause"))
        for thread in threads:
            thread.join(relay_support.WAIT_S)
        self.assertEqual([(thread.said, thread.failure) for thread in threads],
                         [(b"after the pause", None)] * len(threads))
        while (heard := peer.recv()) != "after the pause":
            self.assertIsInstance(heard, bytes)
        late.send_frame(PONG)
        late.barrier()
        counters = relay.counters()
        self.assertEqual((counters["closed_no_pong"], counters["handshake_timeouts"],
                          counters["closed_send_stalled"], counters["messages_dropped_age"]),
                         (0, 0, 0, 0))
        self.assertGreater(counters["pauses"], 0)

    def test_a_pause_in_the_middle_of_a_stop(self):
        """Longer than a stop may take: what waits for a slow viewer still reaches it."""
        relay = self.start(RELAY_BUFFER_SIZE="512")
        viewer = self.track(relay.viewer(rcvbuf=16384))
        publisher = self.track(relay.publisher())
        payloads = [bytes([number]) * 100_000 for number in range(60)]
        for payload in payloads:
            publisher.send_frame(BINARY, payload)
        publisher.barrier()
        publisher.kill()
        relay.process.send_signal(signal.SIGTERM)
        relay_support.wait_until(lambda: not is_listening(relay), "the stop to begin")
        self.pause(relay, 6.5)
        received = [viewer.message()[1] for _ in payloads]
        self.assertTrue(received == payloads)
        self.assertEqual(viewer.frame().close()[0], 1001)
        viewer.kill()
        self.assertEqual(relay.process.wait(relay_support.WAIT_S), 0)

    def test_idle_workers_wake_with_the_time_of_the_others(self):
        """A worker without connections that is woken by new ones must not be ahead of the rest by
        the pause: it would judge their deadlines late and destroy the codes of all."""
        relay = self.start(RELAY_WORKERS="4", RELAY_CODE_TTL="5s", RELAY_HANDSHAKE_TIMEOUT="1s")
        self.track(relay.viewer())
        relay.process.send_signal(signal.SIGSTOP)
        relay_support.wait_until(lambda: is_stopped(relay), "the server to be stopped")
        queued = [self.track(RawClient(relay.relay_port)) for _ in range(40)]
        time.sleep(7)  # longer than a code lives
        relay.process.send_signal(signal.SIGCONT)
        start = time.monotonic()
        for _ in range(40):
            self.track(relay.raw("t0")).kill()
        for client in queued:
            client.read_end()
        self.assertLess(time.monotonic() - start, 4.0 * relay_support.TIME_SCALE)
        self.assertEqual(relay.counters()["websockets_refused"], 0)

    def test_a_token_ends_in_its_second_also_after_a_pause(self):
        relay = self.start(RELAY_LOG_LEVEL="info")
        client = self.track(relay.raw("t0", lifetime_s=6))
        ends = time.time() + 6
        self.pause(relay, 4.0)
        self.assertEqual(client.frame(timeout_s=30).close()[0], 4401)
        self.assertLess(time.time() - ends, 1.5 * relay_support.TIME_SCALE)
        late = self.track(relay.raw("t0", lifetime_s=3))
        self.pause(relay, 5.0)
        resumed = time.monotonic()
        self.assertEqual(late.frame(timeout_s=30).close()[0], 4401)
        self.assertLess(time.monotonic() - resumed, 1.5 * relay_support.TIME_SCALE)

    def test_a_short_pause_in_the_middle_of_a_stop(self):
        """Shorter than a stop may take, so that the alarm rings in time, but too soon."""
        relay = self.start(RELAY_BUFFER_SIZE="512")
        viewer = self.track(relay.viewer(rcvbuf=16384))
        publisher = self.track(relay.publisher())
        for number in range(60):
            publisher.send_frame(BINARY, bytes([number]) * 100_000)
        publisher.barrier()
        publisher.kill()
        relay.process.send_signal(signal.SIGTERM)
        relay_support.wait_until(lambda: not is_listening(relay), "the stop to begin")
        self.pause(relay, 3.0)
        count = 0
        while True:  # slowly, so that the stop takes its time
            frame = viewer.frame()
            if frame.opcode != BINARY:
                break
            count += 1
            time.sleep(0.05)
        self.assertEqual((count, frame.close()[0]), (60, 1001))
        viewer.kill()
        self.assertEqual(relay.process.wait(relay_support.WAIT_S), 0)

    def test_a_pause_of_3_s(self):
        self.survive(PAUSES_S[0])

    def test_a_pause_of_20_s(self):
        self.survive(PAUSES_S[1])


def is_listening(relay):
    try:
        RawClient(relay.relay_port).kill()
        return True
    except OSError:
        return False


def is_stopped(relay):
    with open(f"/proc/{relay.process.pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


if __name__ == "__main__":
    relay_support.main()
