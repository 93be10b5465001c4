"""One message in is one message out: to whom, in which order, with which bytes, type and frame.

Method: raw sockets (frames are looked at one by one) and python3-websockets as an independent
peer; connections are spread over the workers by the log's word for who accepted them.
"""

import json
import os
import threading

import relay_support
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import BINARY, CONTINUATION, TEXT, encode_frame

MESSAGE_MAX = 10 * 1024 * 1024


class Delivery(SharedRelayTestCase):
    options = {"RELAY_WORKERS": "2"}

    def raw(self, *arguments, **changes):
        return self.track(self.relay.raw(*arguments, **changes))

    def test_everybody_but_the_sender_gets_a_message(self):
        sender, *others = [self.raw("all") for _ in range(5)]
        sender.send_message("hello")
        for other in others:
            self.assertEqual(other.message(), (TEXT, b"hello"))
        self.assertEqual(sender.barrier(), [])

    def test_two_independent_peers_chat(self):
        one = self.track(self.relay.peer("chat"))
        two = self.track(self.relay.peer("chat"))
        one.send("ping")
        self.assertEqual(two.recv(), "ping")
        two.send(b"\x00pong")
        self.assertEqual(one.recv(), b"\x00pong")

    def test_type_and_bytes_are_kept(self):
        viewer, publisher = self.raw("bytes", ("read",)), self.raw("bytes", ("write",))
        messages = [(TEXT, b""), (BINARY, b""), (TEXT, "grüße 🎥".encode()),
                    (BINARY, bytes(range(256))), (BINARY, b"\xff\xfe invalid \xc0\x80"),
                    (BINARY, b"\0"), (TEXT, b"\0")]
        for opcode, payload in messages:
            publisher.send_frame(opcode, payload)
        self.assertEqual([viewer.message() for _ in messages], messages)

    def test_every_length_around_the_limits_of_header_and_buffer(self):
        viewer, publisher = self.raw("sizes", ("read",)), self.raw("sizes", ("write",))
        sizes = (1, 2, 3, 4, 5, 7, 8, 124, 125, 126, 127, 4095, 4096, 4097, 8192, 16368, 16369,
                 16370, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 262143, 262144, 262145,
                 1 << 20)
        for size in sizes:
            payload = os.urandom(size)
            publisher.send_frame(BINARY, payload)
            received = viewer.message()
            self.assertTrue(received == (BINARY, payload), f"{size} bytes arrived changed")

    def test_ten_mebibytes_pass(self):
        viewer, publisher = self.raw("big", ("read",)), self.raw("big", ("write",))
        payload = os.urandom(MESSAGE_MAX)
        publisher.send_frame(BINARY, payload)
        self.assertTrue(viewer.message() == (BINARY, payload), "arrived changed")

    def test_ten_mebibytes_pass_in_fragments(self):
        viewer, publisher = self.raw("bigf", ("read",)), self.raw("bigf", ("write",))
        payload = os.urandom(MESSAGE_MAX)
        size = 1_000_003
        for start in range(0, len(payload), size):
            part = payload[start:start + size]
            publisher.send_frame(BINARY if start == 0 else CONTINUATION, part,
                                 fin=start + size >= len(payload))
        self.assertTrue(viewer.message() == (BINARY, payload), "arrived changed")

    def test_fragments_arrive_as_one_message(self):
        viewer, publisher = self.raw("parts", ("read",)), self.raw("parts", ("write",))
        for parts in ([b"a", b"b"], [b"", b""], [b"", b"tail"], [b"head", b""],
                      [b"x" * 5000] * 20, [bytes([n]) for n in "ü€".encode() * 40]):
            for index, part in enumerate(parts):
                publisher.send_frame(TEXT if index == 0 else CONTINUATION, part,
                                     fin=index == len(parts) - 1)
            self.assertEqual(viewer.message(), (TEXT, b"".join(parts)))

    def test_fragments_with_a_ping_in_between(self):
        viewer, publisher = self.raw("ping", ("read",)), self.raw("ping", ("write",))
        publisher.send_frame(TEXT, b"one ", fin=False)
        self.assertEqual(publisher.barrier(), [])
        publisher.send_frame(CONTINUATION, b"two")
        self.assertEqual(viewer.message(), (TEXT, b"one two"))

    def test_an_unfinished_message_is_not_delivered(self):
        viewer, publisher = self.raw("half", ("read",)), self.raw("half", ("write",))
        other = self.raw("half", ("write",))
        publisher.send_frame(TEXT, b"half", fin=False)
        publisher.barrier()
        publisher.kill()
        other.send_message("whole")
        self.assertEqual(viewer.message(), (TEXT, b"whole"))

    def test_frames_cut_anywhere_between_segments(self):
        viewer, publisher = self.raw("cuts", ("read",)), self.raw("cuts", ("write",))
        for size in (0, 1, 125, 126, 300):
            frame = encode_frame(BINARY, b"q" * size)
            for cut in sorted({1, 2, 3, 4, 5, 6, 7, 8, 9, len(frame) - 1}):
                if 0 < cut < len(frame):
                    publisher.send(frame[:cut])
                    publisher.send(frame[cut:])
                    self.assertEqual(viewer.message(), (BINARY, b"q" * size))

    def test_many_frames_in_one_segment(self):
        viewer, publisher = self.raw("joined", ("read",)), self.raw("joined", ("write",))
        messages = [f"message {number}".encode() for number in range(100)]
        publisher.send(b"".join(encode_frame(TEXT, message) for message in messages))
        self.assertEqual([viewer.message() for _ in messages],
                         [(TEXT, message) for message in messages])

    def test_a_frame_masked_with_zeros(self):
        viewer, publisher = self.raw("zeros", ("read",)), self.raw("zeros", ("write",))
        publisher.send_frame(BINARY, b"plain", mask=b"\0\0\0\0")
        self.assertEqual(viewer.message(), (BINARY, b"plain"))

    def test_a_burst_of_40_messages_arrives_as_40_messages(self):
        """practable/relay joins what waits in a queue into one message."""
        publisher = self.raw("burst", ("write",))
        viewers = [self.raw("burst", ("read",)) for _ in range(3)]
        messages = []
        for number in range(40):
            text = json.dumps({"n": number, "data": "x" * (number * 37 % 300)}).encode()
            messages.append((TEXT if number % 3 else BINARY, text))
        publisher.send(b"".join(encode_frame(opcode, payload) for opcode, payload in messages))
        for viewer in viewers:
            self.assertEqual([viewer.message() for _ in messages], messages)
            self.assertEqual(viewer.barrier(), [])

    def test_a_burst_larger_than_the_queue_of_a_viewer_arrives_whole(self):
        """Only a viewer that does not take what it is sent is slow."""
        count = 4 * 128  # the default of RELAY_BUFFER_SIZE, several times in one segment
        publisher = self.raw("burst", ("write",))
        viewers = [self.raw("burst", ("read",)) for _ in range(6)]
        lines = [(TEXT, b"line %d" % number) for number in range(count)]
        for _ in range(5):
            publisher.send(b"".join(encode_frame(*line) for line in lines))
            for viewer in viewers:
                self.assertEqual([viewer.message() for _ in lines], lines)

    def test_a_burst_that_takes_many_turns_arrives_whole(self):
        """A turn takes 16 KiB of a publisher; sends of the turn before are in flight meanwhile."""
        publisher = self.raw("burst", ("write",))
        viewers = [self.raw("burst", ("read",)) for _ in range(6)]
        lines = [(TEXT, b"a line of the burst, %4d" % number) for number in range(2000)]
        burst = b"".join(encode_frame(*line) for line in lines)
        for _ in range(3):
            publisher.send(burst)
            for viewer in viewers:
                self.assertEqual([viewer.message() for _ in lines], lines)

    def test_messages_of_readers_are_discarded_and_the_connection_stays(self):
        reader, other = self.raw("ro", ("read",)), self.raw("ro", ("read", "write"))
        before = self.relay.counters()["messages_discarded_readonly"]
        reader.send_message("not allowed")
        reader.send_frame(BINARY, b"in ", fin=False)
        reader.send_frame(CONTINUATION, b"parts")
        self.assertEqual(reader.barrier(), [])
        self.assertEqual(other.barrier(), [])
        other.send_message("allowed")
        self.assertEqual(reader.message(), (TEXT, b"allowed"))
        self.assertEqual(self.relay.counters()["messages_discarded_readonly"], before + 2)

    def test_writers_without_read_receive_nothing(self):
        writer, both = self.raw("wo", ("write",)), self.raw("wo", ("read", "write"))
        both.send_message("for readers")
        both.barrier()
        self.assertEqual(writer.barrier(), [])
        writer.send_message("to readers")
        self.assertEqual(both.message(), (TEXT, b"to readers"))

    def test_topics_are_isolated(self):
        names = ("iso", "iso2", "ISO", "is", "iso/x", "iso%20")
        clients = {name: self.raw(name) for name in names}
        senders = {name: self.raw(name) for name in names}
        for name in names:
            senders[name].send_message(f"for {name}")
        for name in names:
            self.assertEqual(clients[name].message(), (TEXT, f"for {name}".encode()))
            senders[name].barrier()
        for name in names:
            self.assertEqual(clients[name].barrier(), [])

    def test_nothing_is_kept_for_late_joiners(self):
        publisher, early = self.raw("late", ("write",)), self.raw("late", ("read",))
        publisher.send_message("before")
        self.assertEqual(early.message(), (TEXT, b"before"))
        late = self.raw("late", ("read",))
        publisher.send_message("after")
        self.assertEqual(late.message(), (TEXT, b"after"))

    def test_a_publisher_that_comes_back_reaches_the_same_viewers(self):
        viewer = self.raw("again", ("read",))
        for number in range(5):
            publisher = self.relay.raw("again", ("write",))
            publisher.send_message(f"life {number}")
            self.assertEqual(viewer.message(), (TEXT, f"life {number}".encode()))
            publisher.reset() if number % 2 else publisher.kill()

    def test_nobody_listening_is_fine(self):
        publisher = self.raw("alone", ("write",))
        for _ in range(50):
            publisher.send_message(b"x" * 3000)
        self.assertEqual(publisher.barrier(), [])


class TooBig(RelayTestCase):
    def check_1009(self, *frames):
        """The publisher is closed, its viewer hears nothing of it, and others go on."""
        relay = self.start()
        viewer, publisher = self.track(relay.viewer()), self.track(relay.publisher())
        other = self.track(relay.publisher())

        def send():
            try:
                for frame in frames:
                    publisher.send(frame)
            except OSError:
                pass  # the server need not read to the end

        sender = threading.Thread(target=send)
        sender.start()
        try:
            self.assertEqual(publisher.frame().close(), (1009, b""))
        finally:
            publisher.kill()
            sender.join()
        other.send_message("next")
        self.assertEqual(viewer.message(), (TEXT, b"next"))
        self.assertEqual(relay.wait_counter("closed_too_big", 1)["closed_too_big"], 1)

    def test_one_byte_more_closes_with_1009(self):
        self.check_1009(encode_frame(BINARY, b"x" * (MESSAGE_MAX + 1)))

    def test_fragments_that_add_up_to_one_byte_more(self):
        self.check_1009(encode_frame(BINARY, b"x" * MESSAGE_MAX, fin=False),
                        encode_frame(CONTINUATION, b"y"))

    def test_an_announced_length_of_exabytes_is_refused_at_once(self):
        self.check_1009(encode_frame(BINARY, b"x", length=1 << 62))


class AcrossWorkers(RelayTestCase):
    WORKERS = 4

    def track_all(self, clients):
        for client in clients:
            self.track(client)
        return clients

    def test_order_and_completeness_on_every_worker(self):
        relay = self.start(RELAY_WORKERS=str(self.WORKERS), RELAY_PLACEMENT="accept",
                           RELAY_BUFFER_SIZE="512")
        self.assertEqual(relay.listening["workers"], self.WORKERS)
        viewers = self.track_all(relay.raw_on_workers(self.WORKERS, "t0", ("read",)))
        publishers = self.track_all(relay.raw_on_workers(self.WORKERS, "t0", ("write",)))
        for round_number in range(20):
            expected = []
            for worker, publisher in enumerate(publishers):
                sent = [f"{round_number} {worker} {number} ".encode() + b"." * (number * 211 % 5000)
                        for number in range(25)]
                publisher.send(b"".join(encode_frame(BINARY, payload) for payload in sent))
                expected.append(sent)
            for viewer in viewers:
                received = [viewer.message()[1] for _ in range(25 * len(publishers))]
                for worker, sent in enumerate(expected):
                    of_one = [message for message in received
                              if message.split(b" ")[1] == str(worker).encode()]
                    self.assertEqual(of_one, sent)
        counters = relay.stop()
        self.assertEqual(counters["messages_received"], 20 * 25 * self.WORKERS)
        self.assertEqual(counters["messages_sent"], 20 * 25 * self.WORKERS * self.WORKERS)
        self.assertGreater(counters["letters_sent"], 0)
        self.assertEqual([name for name, value in counters.items()
                          if name.startswith("messages_dropped") and value], [])

    def test_two_publishers_at_once_keep_their_own_order(self):
        relay = self.start(RELAY_WORKERS="2", RELAY_PLACEMENT="accept", RELAY_BUFFER_SIZE="512")
        viewers = self.track_all(relay.raw_on_workers(2, "t0", ("read",)))
        publishers = self.track_all(relay.raw_on_workers(2, "t0", ("write",)))
        count, window = 600, 100

        def publish(index):
            for number in range(count):
                publishers[index].send_message(f"{index} {number}".encode())
                if number % window == window - 1:
                    taken[index].acquire(timeout=relay_support.WAIT_S)

        taken = [threading.Semaphore(0), threading.Semaphore(0)]
        threads = [threading.Thread(target=publish, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        seen = [[0, 0] for _ in viewers]
        released = [0, 0]
        try:
            for _ in range(2 * count):
                for viewer, numbers in zip(viewers, seen):
                    index, number = map(int, viewer.message()[1].split())
                    self.assertEqual(number, numbers[index])
                    numbers[index] += 1
                for index in range(2):
                    if min(numbers[index] for numbers in seen) // window > released[index]:
                        released[index] += 1
                        taken[index].release()
        finally:
            for semaphore in taken:
                for _ in range(count):
                    semaphore.release()
            for thread in threads:
                thread.join()
        self.assertEqual(seen, [[count, count]] * 2)

    def test_big_messages_cross_workers_unharmed(self):
        relay = self.start(RELAY_WORKERS="3", RELAY_PLACEMENT="accept")
        viewers = self.track_all(relay.raw_on_workers(3, "t0", ("read",)))
        publisher = self.track(relay.publisher())
        for size in (300_000, MESSAGE_MAX, 17, 2_000_000):
            payload = os.urandom(size)
            publisher.send_frame(BINARY, payload)
            for viewer in viewers:
                self.assertTrue(viewer.message() == (BINARY, payload), f"{size} bytes changed")

    def test_subscribers_that_come_and_go_on_every_worker(self):
        relay = self.start(RELAY_WORKERS="3", RELAY_PLACEMENT="accept")
        steady = self.track_all(relay.raw_on_workers(3, "t0", ("read",)))
        publisher = self.track(relay.publisher())
        for number in range(60):
            passing = [relay.viewer() for _ in range(2)]
            publisher.send_message(f"{number}".encode())
            for viewer in steady + passing:
                self.assertEqual(viewer.message(), (BINARY, f"{number}".encode()))
            passing[0].reset()
            passing[1].kill()

    def test_a_topic_that_dies_and_is_born_again(self):
        relay = self.start(RELAY_WORKERS="2")
        for number in range(20):
            viewer, publisher = relay.viewer("phoenix"), relay.publisher("phoenix")
            publisher.send_message(f"{number}")
            self.assertEqual(viewer.message(), (TEXT, f"{number}".encode()))
            viewer.kill()
            publisher.kill()


if __name__ == "__main__":
    relay_support.main()
