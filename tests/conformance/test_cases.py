"""The server and the client library through the cases of Autobahn|Testsuite that cases.py makes
again. The suite itself runs in test_autobahn.py, where it can.

Method: the tester is a plain socket. Behind the server an echo peer that shares no code with ours
(python3-websockets) waits on the same topic; the client library echoes in the driver of its tests.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["RELAY_SOURCE"], "tests", "host"))

import relay_support  # noqa: E402
from cases import INVALID, NORMAL, Frame, all_cases
from echo_peer import EchoPeer
from host_support import HostTestCase
from relay_support import WAIT_S, SharedRelayTestCase
from ws_raw import BINARY, CLOSE, PING, TEXT, ClosedByPeer, RawClient, accept_key, close_payload, \
    encode_frame

DRIVER = os.path.join(relay_support.BUILD, "tests", "client", "client_driver")


class Tester:
    """Sends a case over a RawClient and judges what comes back. mask: as encode_frame takes it."""

    def __init__(self, link, mask, echo_may_lack):
        self.link = link
        self.mask = mask
        # An echo that has to come from another client may be late for a connection that failed.
        self.echo_may_lack = echo_may_lack
        self.received = []
        self.code = None  # of the testee's Close

    def encode(self, frame):
        return encode_frame(frame.opcode, frame.payload, fin=frame.fin, rsv=frame.rsv,
                            mask=self.mask)

    def send(self, frames, chop):
        data = b"".join(map(self.encode, frames))
        try:
            for at in range(0, len(data), chop or len(data)):
                self.link.send(data[at:at + (chop or len(data))])
        except OSError:
            pass  # it has failed the connection, and its Close is here

    def next_frame(self):
        """False at the testee's Close or the end of the stream. Pings of its own do not count."""
        try:
            frame = self.link.frame()
        except (ClosedByPeer, ConnectionResetError):
            return False
        assert not frame.rsv, frame
        if frame.opcode == CLOSE:
            self.code = frame.close()[0] or 0
            return False
        if frame.opcode != PING:
            self.received.append((frame.opcode, frame.payload))
        return True

    def run(self, case):
        sent = case.frames[:-1] if case.waits else case.frames
        self.send(sent, case.chop)
        if case.close is None:
            while len(self.received) < len(case.expected) and self.next_frame():
                pass
            self.link.send(encode_frame(CLOSE, close_payload(NORMAL), mask=self.mask))
        while self.next_frame():
            pass
        if self.code is not None and case.close is not None and not case.leads:
            self.send([Frame(CLOSE, close_payload(self.code))], 0)
        rest = self.link.read_end()
        assert rest == b"", f"after the Close: {rest[:100]}"
        self.judge(case)

    def judge(self, case):
        expected = NORMAL if case.close is None else case.close
        assert self.code == expected, f"Close {self.code}, not {expected}"
        if self.received == case.expected:
            return
        lacks = [each for each in case.expected if each not in self.received]
        assert case.close is not None and self.echo_may_lack and \
            self.received == [each for each in case.expected if each not in lacks] and \
            all(opcode in (TEXT, BINARY) for opcode, _ in lacks), \
            f"got {self.received!r:.300}, not {case.expected!r:.300}"


class Server(SharedRelayTestCase):
    def test_every_case(self):
        for case in all_cases():
            with self.subTest(case.number):
                self.check(case)

    def check(self, case):
        topic = f"case-{case.number}"
        with EchoPeer(self.relay.uri(topic)):
            link = self.relay.raw(topic)
            try:
                Tester(link, None, echo_may_lack=True).run(case)
            finally:
                link.kill()


class Host(HostTestCase):
    def test_every_case_but_those_of_text_that_is_not_utf8(self):
        """Local programs of `relay host`. Text that is not UTF-8 reaches the others as bytes."""
        host = self.start(RELAY_HOST_LOG_LEVEL="info", RELAY_HOST_QUEUE_AGE="1h")
        for case in all_cases():
            if case.close != INVALID:
                with self.subTest(case.number):
                    self.check(host, case)

    def check(self, host, case):
        feed = f"case-{case.number}".replace(".", "-")
        with EchoPeer(f"ws://127.0.0.1:{host.port}/ws/{feed}"):
            link = host.local(feed)
            try:
                Tester(link, None, echo_may_lack=True).run(case)
            finally:
                link.kill()


class Accepted(RawClient):
    """The server's side of a connection, on a plain socket."""

    def __init__(self, sock):  # pylint: disable=super-init-not-called
        self.sock = sock
        self.timeout_s = WAIT_S
        self.buffer = bytearray()

    def upgrade(self, *_):
        deadline = time.monotonic() + WAIT_S
        while b"\r\n\r\n" not in self.buffer:
            assert self._fill(deadline), "no handshake"
        head = self.take(self.buffer.index(b"\r\n\r\n") + 4)
        key = next(line.partition(b":")[2].strip() for line in head.split(b"\r\n")
                   if line.lower().startswith(b"sec-websocket-key:"))
        self.send(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
                   f"\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n").encode())


class Client(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_S)
        self.addCleanup(self.listener.close)

    def driver(self):
        """The library as an echo, for one connection."""
        process = subprocess.Popen(
            [DRIVER, f"location=ws://127.0.0.1:{self.listener.getsockname()[1]}/session/t0",
             "token=none", "echo=1", "no_reconnect=1", "no_pings=1"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        process.stdin.write(b"start\n")
        process.stdin.flush()
        return process

    def check(self, case):
        process = self.driver()
        try:
            link = Accepted(self.listener.accept()[0])
            link.upgrade()
            try:
                Tester(link, b"", echo_may_lack=False).run(case)
            finally:
                link.kill()
            _, errors = process.communicate(b"destroy\n", timeout=WAIT_S)
            self.assertEqual((process.returncode, errors), (0, b""))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.communicate()

    def test_every_case(self):
        for case in all_cases():
            with self.subTest(case.number):
                self.check(case)


if __name__ == "__main__":
    relay_support.main()
