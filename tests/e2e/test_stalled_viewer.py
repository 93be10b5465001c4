"""A viewer that never reads: it slows nobody, holds no more than its bound, and is closed at last.

Method: one thread sends a message and waits until every reading viewer has it, so latencies do not
pile up and the figures with and without a stalled viewer can be compared. Generous ratios: the
machine is shared.
"""

import fcntl
import os
import selectors
import statistics
import struct
import termios
import time

import relay_support
from relay_support import RelayTestCase, SANITIZED
from ws_raw import BINARY, RawClient, encode_frame

MEBIBYTE = 1 << 20
TINY_RECEIVE_BUFFER = 4096
# SOCKET_UNSENT_BYTES, and the packet of 64 KiB on loopback that was begun below it.
UNSENT_BYTES_MAX = 32 * 1024 + 64 * 1024 + 4096


def unread_bytes(sock):
    """Bytes in the receive buffer of the socket."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0\0\0\0"))[0]


def receive_by_all(viewers, payload, timeout_s):
    """Waits until each of the viewers has that one message. Returns the seconds it took."""
    start = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for viewer in viewers:
            viewer.sock.setblocking(False)
            selector.register(viewer.sock, selectors.EVENT_READ, viewer)
        waiting = len(viewers)
        want = (10 if len(payload) > 65535 else 4 if len(payload) > 125 else 2) + len(payload)
        while waiting:
            ready = selector.select(timeout_s - (time.monotonic() - start))
            if not ready:
                raise TimeoutError(f"{waiting} viewers are still waiting")
            for key, _ in ready:
                viewer = key.data
                viewer.buffer += viewer.sock.recv(1 << 20)
                if len(viewer.buffer) >= want:
                    selector.unregister(viewer.sock)
                    waiting -= 1
    took_s = time.monotonic() - start
    for viewer in viewers:
        assert viewer.message() == (BINARY, payload), "arrived changed"
        assert not viewer.buffer, "more than one message"
    return took_s


class Stalled(RelayTestCase):
    MESSAGE_BYTES = 60_000

    def viewers(self, relay, count):
        return [self.track(relay.viewer()) for _ in range(count)]

    def stalled(self, relay, count=1):
        return [self.track(relay.viewer(rcvbuf=TINY_RECEIVE_BUFFER)) for _ in range(count)]

    def publish(self, publisher, viewers, count):
        """Sends numbered messages, each after all viewers have the one before. Median seconds."""
        filler = os.urandom(self.MESSAGE_BYTES - 8)
        times = []
        for number in range(count):
            payload = struct.pack(">Q", number) + filler
            start = time.monotonic()
            publisher.send_frame(BINARY, payload, mask=b"\0\0\0\0")
            sent_s = time.monotonic() - start
            times.append(sent_s + receive_by_all(viewers, payload, relay_support.WAIT_S))
        return statistics.median(times)

    def test_the_others_get_everything_as_fast_as_without_it(self):
        alone = self.start()
        publisher, viewers = self.track(alone.publisher()), self.viewers(alone, 4)
        reference_s = self.publish(publisher, viewers, 400)

        relay = self.start(RELAY_QUEUE_BYTES=str(2 * MEBIBYTE))
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 2)
        self.stalled(relay, 2)
        viewers += self.viewers(relay, 2)
        median_s = self.publish(publisher, viewers, 400)

        print(f"median of 4 viewers: {reference_s * 1e6:.0f} us alone, {median_s * 1e6:.0f} us "
              "beside two that do not read")
        self.assertLess(median_s, 2 * reference_s + 0.002)
        counters = relay.counters()
        self.assertGreater(counters["messages_dropped_queue"] + counters["messages_dropped_age"], 0)

    def test_what_it_has_not_taken_waits_where_it_can_be_dropped(self):
        """In the kernel there is what is on its way, and little more: the rest is in the queue."""
        relay = self.start(RELAY_WORKERS="1")
        publisher = self.track(relay.publisher())
        (slow,) = self.stalled(relay)
        before = relay.counters()["bytes_sent"]  # the responses that opened both
        for _ in range(40):
            publisher.send_frame(BINARY, os.urandom(self.MESSAGE_BYTES), mask=b"\0\0\0\0")
        publisher.barrier()
        relay.wait_counter("sends_short", 1)
        sent = relay.counters()["bytes_sent"] - before
        taken = unread_bytes(slow.sock)
        print(f"{sent - taken} of {40 * self.MESSAGE_BYTES} bytes wait in the kernel")
        self.assertLess(sent - taken, UNSENT_BYTES_MAX)

    def test_memory_stays_within_the_bound(self):
        """Messages are shared: the queues of all stalled viewers hold the same bytes."""
        queue_bytes = 8 * MEBIBYTE
        relay = self.start(RELAY_QUEUE_BYTES=str(queue_bytes), RELAY_BUFFER_SIZE="512")
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        self.stalled(relay, 10)
        self.publish(publisher, viewers, 20)
        before = relay.rss_bytes()
        self.publish(publisher, viewers, 1200)
        growth = relay.rss_bytes() - before
        print(f"{1200 * self.MESSAGE_BYTES / MEBIBYTE:.0f} MiB published, memory grew by "
              f"{growth / MEBIBYTE:.1f} MiB")
        if not SANITIZED:  # their shadow and quarantine have bounds of their own
            self.assertLess(growth, 3 * queue_bytes + 8 * MEBIBYTE)
        self.assertGreater(relay.counters()["messages_dropped_queue"], 0)

    def test_stalled_viewers_of_some_topics_leave_memory_to_the_others(self):
        """32 MiB for messages in all, and each of three queues may hold 64 MiB."""
        relay = self.start(RELAY_WORKERS="1", RELAY_MESSAGE_MEMORY="16", RELAY_QUEUE_AGE="0s",
                           RELAY_BUFFER_SIZE="512", RELAY_QUEUE_BYTES=str(64 * MEBIBYTE))
        payload = os.urandom(100_000)
        for topic in ("a", "b", "c"):
            self.track(relay.viewer(topic, rcvbuf=TINY_RECEIVE_BUFFER))
            publisher = self.track(relay.publisher(topic))
            for _ in range(400):
                publisher.send_frame(BINARY, payload, mask=b"\0\0\0\0")
            publisher.barrier()
        publisher, viewers = self.track(relay.publisher("d")), [self.track(relay.viewer("d"))]
        self.publish(publisher, viewers, 100)
        counters = relay.counters()
        self.assertEqual(counters["messages_dropped_memory"], 0)
        self.assertGreater(counters["messages_dropped_queue"], 0)

    def test_it_is_closed_when_it_takes_nothing_for_the_write_timeout(self):
        relay = self.start(RELAY_WRITE_TIMEOUT="3s")
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 2)
        self.stalled(relay)
        start = time.monotonic()
        while not relay.lines_of("connection closed"):
            self.assertLess(time.monotonic(), start + 3 + 4 * relay_support.TIME_SCALE,
                            "the stalled viewer is still there")
            self.publish(publisher, viewers, 5)
            time.sleep(0.02)  # its buffers fill at once; then only time has to pass
        self.assertGreater(time.monotonic() - start, 2.9)
        counters = relay.wait_counter("closed_send_stalled", 1)
        self.assertEqual(counters["closed_send_stalled"], 1)
        self.publish(publisher, viewers, 20)

    def test_a_dead_viewer_is_not_taken_for_slow_because_we_send(self):
        """What waits for it grows with each small message, and the kernel has room for all."""
        relay = self.start(RELAY_PING_INTERVAL="1s", RELAY_WRITE_TIMEOUT="60s")
        publisher = self.track(relay.peer())  # answers pings
        self.stalled(relay)
        publisher.send(os.urandom(50_000))  # more than it takes without reading

        def closed():
            publisher.send("x" * 200)
            return relay.counters()["closed_no_pong"] == 1

        relay_support.wait_until(closed, "the dead viewer to be closed")

    def test_a_slow_viewer_that_makes_progress_is_not_closed(self):
        timeout_s = int(2 * relay_support.TIME_SCALE)
        relay = self.start(RELAY_WRITE_TIMEOUT=f"{timeout_s}s")
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        (slow,) = self.stalled(relay)
        start = time.monotonic()
        while time.monotonic() < start + 2 * timeout_s:
            self.publish(publisher, viewers, 3)
            slow.message()
            time.sleep(0.02)
        self.assertEqual(relay.counters()["closed_send_stalled"], 0)

    def test_a_slow_viewer_that_reads_steadily_is_not_taken_for_dead(self):
        """Its pongs come late, behind all that waits for it, and its window opens seldom: the look
        for a stalled send and that for a late pong must not take each other's evidence."""
        relay = self.start(RELAY_PING_INTERVAL="1s", RELAY_WRITE_TIMEOUT="4s")
        publisher = self.track(relay.peer())  # answers pings
        viewer = self.track(relay.viewer(rcvbuf=65536))
        viewer.sock.settimeout(relay_support.WAIT_S)
        payload = os.urandom(20_000)
        start = time.monotonic()
        sent = read = 0
        while (passed_s := time.monotonic() - start) < 20:
            if sent < passed_s * 10:  # 200 kB/s
                publisher.send(payload)
                sent += 1
            if read < passed_s * 60_000:  # by the clock, however late the machine wakes this
                data = viewer.sock.recv(2000)
                self.assertTrue(data)
                read += len(data)
            else:
                time.sleep(0.01)
        self.assertEqual(relay.counters()["closed_no_pong"], 0)

    def test_the_newest_waits_for_it_however_small_its_queue_is(self):
        for size in (1, 2, 16):
            with self.subTest(size=size):
                relay = self.start(RELAY_BUFFER_SIZE=str(size), RELAY_QUEUE_AGE="0s")
                publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
                (slow,) = self.stalled(relay)
                self.publish(publisher, viewers, 100)
                self.assertGreater(relay.counters()["messages_dropped_queue"], 0)
                last = -1
                while last != 99:  # or no message comes any more, which raises
                    last = struct.unpack(">Q", slow.message()[1][:8])[0]

    def test_of_a_topic_that_is_about_the_latest_it_gets_the_last(self):
        relay = self.start(RELAY_TOPIC_POLICY="t?=latest")
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        (slow,) = self.stalled(relay)
        self.publish(publisher, viewers, 40)
        numbers = [struct.unpack(">Q", payload[:8])[0] for _, payload in slow.barrier()]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[-1], 39)
        # Two are in the kernel or begun when it stalls.
        self.assertLessEqual(len(numbers), 6)
        self.assertEqual(relay.counters()["messages_dropped_latest"], 40 - len(numbers))

    def test_old_messages_are_not_kept_for_it(self):
        relay = self.start(RELAY_QUEUE_AGE="500ms", RELAY_BUFFER_SIZE="512",
                           RELAY_QUEUE_BYTES=str(64 * MEBIBYTE))
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        (slow,) = self.stalled(relay)
        self.publish(publisher, viewers, 200)
        time.sleep(1.0)  # for the messages to grow old
        self.publish(publisher, viewers, 1)
        last = None
        count = 0
        while last != 0 or count < 2:  # the later round starts again with number 0
            last = struct.unpack(">Q", slow.message()[1][:8])[0]
            count += 1
        self.assertEqual(slow.barrier(), [])
        self.assertLess(count, 201)
        self.assertEqual(relay.counters()["messages_dropped_age"], 201 - count)

    def test_it_may_ask_for_less_than_the_operator_allows(self):
        relay = self.start(RELAY_QUEUE_AGE="1m", RELAY_BUFFER_SIZE="512",
                           RELAY_QUEUE_BYTES=str(64 * MEBIBYTE))
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        patient = self.stalled(relay)[0]
        hasty = self.track(RawClient(relay.relay_port, rcvbuf=TINY_RECEIVE_BUFFER,
                                     timeout_s=relay_support.WAIT_S))
        hasty.upgrade(relay.target("t0", ("read",)) + "&max-age=300")
        self.publish(publisher, viewers, 100)
        time.sleep(0.4)  # for the messages to grow old
        self.publish(publisher, viewers, 1)
        received = [len(slow.barrier()) for slow in (patient, hasty)]
        self.assertEqual(received[0], 101)
        self.assertLess(received[1], 20)
        dropped = 101 - received[1]
        self.assertEqual(relay.counters()["messages_dropped_age"], dropped)
        reports = relay.request("GET", "/status", {"Authorization": relay.token(
            "", ("relay:stats",))}).json()
        self.assertEqual([report["dropped"] for report in reports if "dropped" in report],
                         [{"data": dropped}])

    def test_a_viewer_that_reads_again_gets_whole_messages_in_order(self):
        relay = self.start(RELAY_BUFFER_SIZE="16")
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        (slow,) = self.stalled(relay)
        self.publish(publisher, viewers, 300)
        received = slow.barrier()
        self.assertEqual({(opcode, len(payload)) for opcode, payload in received},
                         {(BINARY, self.MESSAGE_BYTES)})
        numbers = [struct.unpack(">Q", payload[:8])[0] for _, payload in received]
        self.assertEqual(numbers, sorted(set(numbers)))
        counters = relay.counters()
        dropped = counters["messages_dropped_queue"] + counters["messages_dropped_age"]
        self.assertGreater(dropped, 0)
        self.assertEqual(len(numbers), 300 - dropped)

    def test_a_publisher_that_does_not_read_its_pongs_hurts_itself_only(self):
        relay = self.start()
        viewers = self.viewers(relay, 1)
        publisher = self.track(relay.publisher())
        rude = self.track(relay.raw("t0", ("read", "write"), rcvbuf=TINY_RECEIVE_BUFFER))
        pings = b"".join(encode_frame(9, b"x" * 125) for _ in range(2000))
        rude.timeout_s = 1.0
        try:
            for _ in range(50):
                rude.send(pings)
        except (TimeoutError, ConnectionError):
            pass  # either it is held back or cut off
        before = relay.rss_bytes()
        self.publish(publisher, viewers, 50)
        if not SANITIZED:
            self.assertLess(relay.rss_bytes() - before, 32 * MEBIBYTE)

    def test_the_bound_in_messages_holds(self):
        """RELAY_BUFFER_SIZE messages wait for one viewer, whatever their size; the rest is dropped
        and counted, nothing is lost without a count."""
        relay = self.start(RELAY_BUFFER_SIZE="8")
        publisher, viewers = self.track(relay.publisher()), self.viewers(relay, 1)
        (slow,) = self.stalled(relay)
        self.publish(publisher, viewers, 200)
        counters = relay.counters()
        slow.kill()
        relay.wait_line("connection closed")
        dropped = counters["messages_dropped_queue"] + counters["messages_dropped_age"]
        self.assertGreater(dropped, 0)
        self.assertLess(dropped, 200)


class Clients(RelayTestCase):
    def test_a_stalled_viewer_on_another_worker_changes_nothing_either(self):
        relay = self.start(RELAY_WORKERS="2", RELAY_PLACEMENT="accept")
        first, second = relay.raw_on_workers(2, "t0", ("read",))
        self.track(first), self.track(second)
        (publisher, worker) = relay.raw_with_worker("t0", ("write",))
        self.track(publisher)
        while True:  # one that does not read, on the worker that does not publish
            stalled, its_worker = relay.raw_with_worker("t0", ("read",),
                                                        rcvbuf=TINY_RECEIVE_BUFFER)
            self.track(stalled)
            if its_worker != worker:
                break
            stalled.kill()
        payload = os.urandom(100_000)
        for _ in range(300):
            publisher.send_frame(BINARY, payload, mask=b"\0\0\0\0")
            receive_by_all([first, second], payload, relay_support.WAIT_S)
        self.assertIsInstance(stalled, RawClient)
        self.assertGreater(relay.counters()["messages_dropped_queue"], 0)


if __name__ == "__main__":
    relay_support.main()
