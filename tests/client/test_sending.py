"""What happens to messages when the network lags, stalls or goes away.

Method: scripted WebSocket servers that do not read, or cut the connection inside a message; sockets
have small receive buffers so that a little data fills them.
"""

import threading

import relay_support
from client_support import ClientTestCase, numbered, parse_frame, wait_until
from ws_raw import BINARY, CLOSE, PING, PONG

FAST = {"reconnect_delay_ms": 10, "reconnect_delay_max_ms": 40}
EAGAIN, EMSGSIZE = -11, -90


class Sending(ClientTestCase):
    def gated(self):
        """A server that reads nothing until the gate opens, then collects frames."""
        gate = threading.Event()
        frames = []

        def script(connection, _):
            connection.upgrade()
            gate.wait(60)
            while True:
                frames.append(connection.read_frame())
        server = self.server(script)
        self.addCleanup(gate.set)
        return server, gate, frames

    @staticmethod
    def numbers(frames):
        return [int(payload[:8]) for opcode, payload, _, _ in frames if opcode == BINARY]

    def fill(self, driver, size=100000):
        """Sends messages 0, 1, … until the kernel takes no more and then one is refused or
        dropped; how many went before."""
        stuck = False
        for number in range(1000):
            before = driver.stats()["messages_dropped"]
            result = driver.ask(f"send binary {number} 1 {size}", "accepted")["result"]
            if result != 0 or driver.stats()["messages_dropped"] > before:
                self.assertTrue(stuck)
                return number
            stuck = stuck or driver.call("drain 200")["result"] == -110
        raise AssertionError("the ring never filled")

    def test_none_refuses_without_loss_and_room_comes_back(self):
        server, gate, frames = self.gated()
        driver = self.connected(server.url("ws"), queue_bytes_max=300000, drop="none")
        count = self.fill(driver)
        self.assertEqual(driver.ask("send binary 9999 1 100000", "accepted")["result"], EAGAIN)
        self.assertEqual(driver.call("wait_room 100000 1 50")["result"], -110)
        gate.set()
        self.assertEqual(driver.call("wait_room 100000 1 10000")["result"], 0)
        self.assertEqual(driver.call("drain 10000")["result"], 0)
        wait_until(lambda: len(self.numbers(frames)) == count, "all messages")
        self.assertEqual(self.numbers(frames), list(range(count)))
        self.assertEqual(driver.stats()["messages_dropped"], 0)
        for number, frame in enumerate(frames[:3]):
            self.assertEqual(frame[1], numbered(number, 100000))

    def test_newest_refuses_and_counts(self):
        server, gate, frames = self.gated()
        driver = self.connected(server.url("ws"), queue_bytes_max=300000, drop="newest")
        count = self.fill(driver)
        driver.ask("send binary 9999 5 100000", "accepted")
        stats = driver.stats()
        self.assertEqual((stats["messages_dropped"], stats["drops_overflow"]), (6, 6))
        gate.set()
        wait_until(lambda: len(self.numbers(frames)) == count, "the kept messages")
        self.assertEqual(self.numbers(frames), list(range(count)))

    def test_oldest_makes_room_but_finishes_what_it_began(self):
        server, gate, frames = self.gated()
        driver = self.connected(server.url("ws"), queue_messages_max=4, drop="oldest")
        last = self.fill(driver)
        answer = driver.ask(f"send binary {last + 1} 3 100000", "accepted")
        self.assertEqual(answer["accepted"], 3)
        gate.set()
        driver.call("drain 10000")
        wait_until(lambda: self.numbers(frames)[-1:] == [last + 3], "the newest")
        numbers = self.numbers(frames)
        # In order; the hole is between what was begun and the last three (one slot was in flight).
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[-3:], [last + 1, last + 2, last + 3])
        self.assertEqual(len(numbers) + driver.stats()["drops_overflow"], last + 4)
        for frame in frames:
            if frame[0] == BINARY:
                self.assertEqual(frame[1], numbered(int(frame[1][:8]), 100000))

    def test_keyframe_resumes_at_a_random_access_and_asks_for_one(self):
        server, gate, frames = self.gated()
        driver = self.connected(server.url("ws"), queue_messages_max=4, drop="keyframe")
        self.assertEqual(driver.ask("send binary 0 1 10", "accepted")["result"], EAGAIN)
        driver.ask("send binary 1 1 100000 r", "accepted")
        number = 2
        while driver.call("drain 200")["result"] == 0:
            driver.ask(f"send binary {number} 1 100000", "accepted")
            number += 1
        mark = driver.mark()
        while driver.ask(f"send binary {number} 1 100000", "accepted")["result"] == 0:
            number += 1
        driver.wait(lambda line: "keyframe_wanted" in line, "the wish for a keyframe", mark)
        self.assertEqual(driver.ask(f"send binary {number + 1} 1 1000", "accepted")["result"],
                         EAGAIN)
        driver.ask(f"send binary {number + 2} 1 1000 r", "accepted")
        driver.ask(f"send binary {number + 3} 1 1000", "accepted")
        gate.set()
        driver.call("drain 10000")
        wait_until(lambda: self.numbers(frames)[-1:] == [number + 3], "the newest")
        numbers = self.numbers(frames)
        self.assertEqual(numbers[0], 1)
        self.assertEqual(numbers[-2:], [number + 2, number + 3])
        self.assertNotIn(number, numbers)
        self.assertEqual(driver.stats()["messages_dropped"], number + 4 - len(numbers))

    def test_age_drops_what_waited_too_long(self):
        server, gate, frames = self.gated()
        driver = self.connected(server.url("ws"), queue_age_max_ms=200, drop="oldest")
        driver.ask("send binary 0 30 100000", "accepted")
        # Nothing is read, so whatever is not in the kernel now is older than 200 ms soon.
        self.assertEqual(driver.call("drain 400")["result"], -110)
        gate.set()
        self.assertEqual(driver.call("drain 10000")["result"], 0)
        driver.ask("send binary 100 1 10", "accepted")
        wait_until(lambda: self.numbers(frames)[-1:] == [100], "the newest")
        stats = driver.stats()
        self.assertGreater(stats["drops_age"], 5)
        self.assertEqual(len(self.numbers(frames)) + stats["drops_age"], 31)

    def test_larger_than_ten_mebibytes_is_refused(self):
        driver = self.connected(self.ws_server().url)
        self.assertEqual(driver.ask("send binary 0 1 10485761", "accepted")["result"], EMSGSIZE)

    def cut_inside(self, cut_after):
        """A server that waits for the event, reads cut_after bytes of the first connection's
        frames and resets; the second collects frames."""
        heard = []
        queued = threading.Event()

        def script(connection, number):
            connection.upgrade()
            if number == 0:
                queued.wait(60)
                while len(connection.buffer) < cut_after:
                    connection._fill()  # pylint: disable=protected-access
                heard.append(connection.buffer)
                connection.reset()
                return
            while True:
                heard.append(connection.read_frame())
        return self.server(script), heard, queued

    def whole_frames(self, data):
        frames = []
        while True:
            frame, used = parse_frame(data)
            if frame is None:
                return frames
            frames.append(frame)
            data = data[used:]

    def test_after_a_reconnect_no_frame_begins_inside_a_message(self):
        server, heard, queued = self.cut_inside(cut_after=1500000)
        driver = self.connected(server.url("ws"), **FAST)
        driver.ask("send binary 0 4 1000000", "accepted")
        queued.set()
        driver.state("waiting")
        wait_until(lambda: driver.stats()["connects"] == 2, "the second connection")
        # Dropped with the connection: nothing of 0…3 may come now.
        driver.ask("send binary 50 1 70000", "accepted")
        wait_until(lambda: any(f[0] == BINARY for f in heard[1:]), "a message")
        first = next(f for f in heard[1:] if f[0] == BINARY)
        self.assertEqual(first[1], numbered(50, 70000))
        stats = driver.stats()
        self.assertEqual(stats["messages_sent"] + stats["messages_dropped"], 5)
        self.assertEqual(stats["drops_disconnected"], stats["messages_dropped"])

    def test_nothing_slips_into_the_queue_while_a_connection_ends(self):
        firsts = []

        def script(connection, _):
            connection.upgrade()
            firsts.append(connection.read_frame())
            connection.read_frame()
            connection.reset()
        driver = self.connected(self.server(script).url("ws"), drop="keyframe",
                                queue_messages_max=1000000, reconnect_delay_ms=1,
                                reconnect_delay_max_ms=1)
        for number in range(30):
            # Only this one may begin a connection; the others are sent without a pause while that
            # connection ends and until the next is there.
            mark = driver.mark()
            driver.ask(f"send binary {number} 1 10 r", "accepted")
            while not any(event["event"] == "connected" for event in driver.events(mark)):
                driver.ask("send binary 1000 20000 10", "accepted")
        self.assertEqual(self.numbers(firsts), list(range(30)))

    def test_kept_messages_are_sent_again_as_a_whole(self):
        server, heard, queued = self.cut_inside(cut_after=1500000)
        driver = self.connected(server.url("ws"), queue_while_disconnected=1, **FAST)
        driver.ask("send binary 0 4 1000000", "accepted")
        queued.set()
        wait_until(lambda: driver.stats()["connects"] == 2, "the second connection")
        self.assertEqual(driver.call("drain 10000")["result"], 0)
        wait_until(lambda: any(f[0] == BINARY and int(f[1][:8]) == 3 for f in heard[1:]),
                   "the last message")
        for frame in heard[1:]:
            if frame[0] == BINARY:
                self.assertEqual(frame[1], numbered(int(frame[1][:8]), 1000000))
        before = {int(f[1][:8]) for f in self.whole_frames(heard[0]) if f[0] == BINARY}
        after = {int(f[1][:8]) for f in heard[1:] if f[0] == BINARY}
        # What the kernel had and the reset destroyed is beyond us; the message cut short is not.
        self.assertIn(0, before)
        self.assertTrue(after >= {2, 3} and not after & before, (before, after))
        self.assertEqual(driver.stats()["messages_dropped"], 0)

    def test_messages_wait_for_the_first_connection_when_told_to(self):
        server = self.server(lambda *_: None, listen=False)
        heard = []

        def script(connection, _):
            connection.upgrade()
            while True:
                heard.append(connection.read_frame())
        server.script = script
        driver = self.driver(server.url("ws"), queue_while_disconnected=1, **FAST)
        driver.start()
        self.assertEqual(driver.ask("send binary 0 3 100", "accepted")["accepted"], 3)
        driver.state("waiting")
        server.start()
        self.assertEqual(driver.call("drain 10000")["result"], 0)
        wait_until(lambda: self.numbers(heard) == [0, 1, 2], "the messages")

    def test_without_a_connection_messages_are_refused_and_counted(self):
        server = self.server(lambda *_: None, listen=False)
        for drop, counted in (("none", 0), ("oldest", 3), ("keyframe", 3), ("newest", 3)):
            driver = self.driver(server.url("ws"), drop=drop, **FAST)
            driver.start()
            driver.state("waiting")
            answer = driver.ask("send binary 0 3 100", "accepted")
            self.assertEqual((answer["accepted"], answer["result"]), (0, EAGAIN))
            self.assertEqual(driver.stats()["drops_disconnected"], counted, drop)
            self.assertEqual(driver.call("wait_room 10 1 50")["result"], -110)

    def test_a_peer_that_stops_reading_is_left(self):
        server, _, _ = self.gated()
        driver = self.connected(server.url("ws"), stall_timeout_ms=400, **FAST)
        driver.ask("send binary 0 60 100000", "accepted")
        event = driver.state("waiting")
        self.assertEqual(event["fault"], "stalled")
        self.assertIn("nothing could be sent for 400 ms", event["text"])

    def test_a_peer_that_never_pongs_is_left_and_one_that_does_is_kept(self):
        def script(connection, number):
            connection.upgrade()
            while True:
                opcode, payload, _, _ = connection.read_frame()
                if opcode == PING and number == 0:
                    connection.send_frame(PONG, b"another")
                elif opcode == PING:
                    connection.send_frame(PONG, payload)
        server = self.server(script)
        driver = self.connected(server.url("ws"), stall_timeout_ms=300, ping_interval_ms=100,
                                **FAST)
        event = driver.state("waiting")
        self.assertEqual(event["fault"], "stalled")
        self.assertIn("no answer to a ping for 300 ms", event["text"])
        wait_until(lambda: driver.stats()["connects"] == 2, "the second connection")
        wait_until(lambda: driver.stats()["connected_ns"] > 900_000_000, "0.9 s of life")
        stats = driver.stats()
        self.assertEqual(stats["connects"], 2)
        self.assertGreater(stats["rtt_ns"], 0)

    def test_no_pings_when_switched_off(self):
        opcodes = []

        def script(connection, _):
            connection.upgrade()
            while True:
                opcodes.append(connection.read_frame()[0])
        driver = self.connected(self.server(script).url("ws"), stall_timeout_ms=100,
                                ping_interval_ms=50, no_pings=1)
        wait_until(lambda: driver.stats()["connected_ns"] > 500_000_000, "half a second")
        self.assertEqual(opcodes, [])
        self.assertEqual(driver.stats()["connects"], 1)

    def test_faults_of_the_server_end_the_connection_with_their_code(self):
        cases = {
            b"\x82\x81\0\0\0\0x": (1002, "masked frame"),
            b"\xc2\x01x": (1002, "extension"),
            b"\x83\x01x": (1002, "unknown type"),
            b"\x80\x01x": (1002, "never began"),
            b"\x02\x01x\x81\x01y": (1002, "inside another"),
            b"\x09\x01x": (1002, "malformed"),
            b"\x89\x7e\0\x7e" + b"x" * 126: (1002, "malformed"),
            b"\x82\x7e\0\x01x": (1002, "malformed"),
            b"\x88\x01x": (1002, "bad Close"),
            b"\x88\x02\0\x07": (1002, "bad Close"),
            b"\x82\x7f" + (10 * 1024 * 1024 + 1).to_bytes(8, "big") + b"x":
                (1009, "larger than 10 MiB"),
            b"\x02\x7f" + (10 * 1024 * 1024).to_bytes(8, "big") + bytes(10 * 1024 * 1024)
            + b"\x80\x01x": (1009, "larger than 10 MiB"),
        }
        for data, (code, cause) in cases.items():
            with self.subTest(cause=cause, data=data[:8]):
                answers = []

                def script(connection, _, data=data, answers=answers):
                    connection.upgrade(data)
                    answers.append(connection.read_frame())
                    connection.hold()
                driver = self.driver(self.server(script).url("ws"), no_reconnect=1)
                driver.start()
                event = driver.state("failed")
                self.assertEqual(event["fault"], "closed")
                self.assertIn(cause, event["text"])
                wait_until(lambda answers=answers: answers, "the Close")
                self.assertEqual(answers[0][:2], (CLOSE, code.to_bytes(2, "big")))

    def test_the_reason_of_a_refusal_arrives_behind_data_that_is_not_read(self):
        # RFC 6455 section 7.1.1: a socket closed with unread bytes resets the connection, and the
        # reset destroys the Close.
        size = 16 * 1024 * 1024
        answers = []

        def script(connection, _):
            connection.upgrade(b"\x82\x7f" + size.to_bytes(8, "big") + bytes(size))
            answers.append(connection.read_frame()[:2])
        driver = self.driver(self.server(script).url("ws"), no_reconnect=1)
        driver.start()
        self.assertIn("larger than 10 MiB", driver.state("failed")["text"])
        wait_until(lambda: answers, "the Close")
        self.assertEqual(answers[0], (CLOSE, (1009).to_bytes(2, "big")))


if __name__ == "__main__":
    relay_support.main()
