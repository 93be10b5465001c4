"""Members of topics that number what they send and check the numbers of what they get, while one
program after another serves them: none is closed, and no message is lost, doubled or reordered.
"""

import selectors
import ssl
import struct
import threading
import time

from relay_support import SANITIZED, WAIT_S, wait_until
from ws_raw import BINARY, encode_frame

SENDERS = 2  # of each topic: a host, and one that steers it
PAYLOAD = b"x" * 600
LONG = {"RELAY_PING_INTERVAL": "1h"}  # for a relay: members answer no pings
LIFETIME_S = 36000  # of tokens: emulated crowds take their time
MEMORY_GROWTH_MAX = 1.25  # what a program has in use differs by some pages from that of another one


class Member:
    """One connection: what comes must be numbered, by sender, without a gap."""

    def __init__(self, client):
        self.client, self.sock = client, client.sock
        self.data = bytearray(client.buffer)
        self.next = [None] * SENDERS
        self.received, self.last_s, self.gap_s, self.fault = 0, None, 0.0, None

    def on_readable(self):
        try:
            while True:
                data = self.sock.recv(1 << 16)
                if not data:
                    self.fault = "the end of the stream"
                    return
                self.data += data
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as fault:
            self.fault = repr(fault)
            return
        self._take_frames()

    def _take_frames(self):
        at = 0
        while len(self.data) - at >= 2 and self.fault is None:
            opcode, size, head = self.data[at] & 15, self.data[at + 1], 2
            if size == 126:
                head = 4
                if len(self.data) - at < head:
                    break
                size = struct.unpack_from(">H", self.data, at + 2)[0]
            if len(self.data) - at < head + size:
                break
            self._take(opcode, bytes(self.data[at + head:at + head + size]))
            at += head + size
        del self.data[:at]

    def _take(self, opcode, payload):
        if opcode != BINARY:
            self.fault = f"a frame of opcode {opcode}: {payload!r:.80}"
            return
        sender, number = struct.unpack_from(">BQ", payload)
        if payload[9:] != PAYLOAD:
            self.fault = "other bytes"
        if self.next[sender] not in (None, number):
            self.fault = f"message {number} of {sender} instead of {self.next[sender]}"
        self.next[sender] = number + 1
        now = time.monotonic()
        if self.last_s is not None:
            self.gap_s = max(self.gap_s, now - self.last_s)
        self.last_s = now
        self.received += 1


class Crowd:
    """Members of topics, in a thread of their own. Each topic has two that send."""

    def __init__(self, relay, topics, members, period_s):
        self.members, self.senders, self.period_s = [], [], period_s
        self.ending = threading.Event()
        for topic in range(topics):
            for index in range(members):
                scopes = ("read", "write") if index < SENDERS else ("read",)
                client = relay.raw(f"t{topic}", scopes, lifetime_s=LIFETIME_S)
                if index < SENDERS:
                    self.senders.append((client, index))
                self.members.append(Member(client))
        self.selector = selectors.DefaultSelector()
        for member in self.members:
            member.sock.setblocking(False)
            self.selector.register(member.sock, selectors.EVENT_READ, member)
        self.thread = threading.Thread(target=self._run)
        self.write_fault = None

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        for member in self.members:
            member.client.kill()
        self.selector.close()

    def _read(self, until_s):
        while (left_s := until_s - time.monotonic()) > 0:
            for key, _ in self.selector.select(left_s):
                key.data.on_readable()
                if key.data.fault is not None:
                    self.selector.unregister(key.fileobj)

    def _send(self, client, data):
        """These sockets do not block, for their reader."""
        deadline = time.monotonic() + WAIT_S
        while data:
            try:
                data = data[client.sock.send(data):]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)

    def _run(self):
        number, due_s = 0, time.monotonic()
        try:
            while not self.ending.is_set():
                for client, index in self.senders:
                    self._send(client, encode_frame(
                        BINARY, struct.pack(">BQ", index, number) + PAYLOAD))
                number += 1
                due_s = max(due_s + self.period_s, time.monotonic())
                self._read(due_s)
        except OSError as fault:
            self.write_fault = repr(fault)

    def faults(self):
        found = [member.fault for member in self.members if member.fault is not None]
        return found + ([self.write_fault] if self.write_fault else [])

    def await_round(self):
        """Every member has got something new."""
        before = [member.received for member in self.members]
        wait_until(lambda: self.faults() or all(
            member.received > count for member, count in zip(self.members, before)),
            "a message for each member", 3 * WAIT_S)

    def report(self, lines, memory):
        """Says how long the hand-overs of these lines were, for the log of the test."""
        gaps_ms = sorted(line["gap_ms"] for line in lines)
        silence_s = max(member.gap_s for member in self.members)
        print(f"{len(self.members)} connections, {len(lines)} hand-overs: gap "
              f"{gaps_ms[len(gaps_ms) // 2]} ms median, {gaps_ms[-1]} ms at most; longest silence "
              f"{1000 * silence_s:.0f} ms at {1000 * self.period_s:.0f} ms between messages; "
              f"{sum(member.received for member in self.members)} messages; memory "
              f"{memory[0] >> 10} KiB of the first new program, {memory[-1] >> 10} KiB of the last",
              flush=True)


def cross(test, relay, hand_overs, at_the_end=lambda: None, **crowd_options):
    """Many hand-overs of a crowd; the last program holds what the first one held. at_the_end is
    called while it does."""
    lines, memory = [], []
    with Crowd(relay, **crowd_options) as crowd:
        crowd.await_round()
        before = relay.fds()
        for _ in range(hand_overs):
            lines.append(relay.hand_over())
            test.assertEqual((lines[-1]["moved"], lines[-1]["stayed"]), (len(crowd.members), 0))
            crowd.await_round()
            test.assertEqual(crowd.faults(), [])
            relay.wait_before(3 * WAIT_S)
            memory.append(relay.rss_bytes())
        # Of the last hand-over there are its channel and an event.
        test.assertLessEqual(relay.fds(), before + 2)
        at_the_end()
    crowd.report(lines, memory)
    if not SANITIZED:  # what was freed is kept then
        test.assertLess(memory[-1], memory[0] * MEMORY_GROWTH_MAX)
