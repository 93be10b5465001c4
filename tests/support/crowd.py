"""A class that comes in at once: many viewers with one token, each as a browser does it. A POST for
a code on a connection that stays open, the time of a slow network, the WebSocket on another one.
Likewise hosts, each with a topic and a token of its own.

All of them run in one event loop. On a machine that is too slow for their number it is this side
that waits, before the server is asked: its limits of time are not what is tried here.
"""

import asyncio
import os
import resource
import socket
import ssl
import struct
import time
from typing import NamedTuple

import relay_support
from ws_raw import TEXT, encode_frame

VIEWERS_AT_ONCE = 700  # between the first byte and the 101; 2,333 in a second with a pause of 0.3 s
HANDSHAKES_AT_ONCE = 150
UPGRADE = ("GET {target} HTTP/1.1\r\nHost: relay.test\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
ASK = ("POST /session/{topic} HTTP/1.1\r\nHost: relay.test\r\nAuthorization: {token}\r\n"
       "Content-Length: 0\r\n\r\n")


class Outcome(NamedTuple):
    answers: dict  # how often each of: "in", "code: <status>", "upgrade: <status>", a fault
    took_s: float  # until the last one was in
    slowest_s: float  # of one viewer, the pause between code and upgrade left out


def raise_descriptor_limit(wanted):
    """Returns how many descriptors this program and its children may have; less than wanted where
    the system says so."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):  # for root only, and not everywhere
            wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


class Channel:
    """One connection on the bare socket: the streams of asyncio cost more than the server does. A
    session makes the second handshake of a viewer cheap, as it does for browsers."""

    def __init__(self, loop, context, session=None):
        self.loop = loop
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.data = b""
        self.tls = None
        if context is not None:
            self.arriving, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.arriving, self.leaving, server_hostname="localhost",
                                        session=session)

    async def connect(self, port):
        await self.loop.sock_connect(self.sock, ("127.0.0.1", port))
        while self.tls is not None:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()

    async def _flush(self):
        if self.leaving.pending:
            await self.loop.sock_sendall(self.sock, self.leaving.read())

    async def _fill(self):
        data = await self.loop.sock_recv(self.sock, 1 << 16)
        if not data:
            raise EOFError
        self.arriving.write(data)

    async def send(self, data):
        if self.tls is None:
            await self.loop.sock_sendall(self.sock, data)
        else:
            self.tls.write(data)
            await self._flush()

    async def _receive(self):
        if self.tls is None:
            data = await self.loop.sock_recv(self.sock, 1 << 16)
            if not data:
                raise EOFError
            return data
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                await self._fill()

    async def take(self, length):
        while len(self.data) < length:
            self.data += await self._receive()
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    async def take_head(self):
        while (end := self.data.find(b"\r\n\r\n")) < 0:
            self.data += await self._receive()
        return (await self.take(end + 4)).decode()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Crowd:
    """`arrive` may be called once; `end` resets every connection. `tickets`: a topic and a token
    for each; the last is for all that come after it."""

    def __init__(self, relay, tickets, context=None):
        self.relay = relay
        self.tickets = tickets
        self.context = context  # of ssl; None: plain
        self.channels = []
        self.viewers = []  # the channels that are WebSockets
        self.loop = asyncio.new_event_loop()
        self.places = asyncio.Semaphore(VIEWERS_AT_ONCE)
        self.doors = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def _ask(self, port, text, session=None):
        async with self.doors:
            channel = Channel(self.loop, self.context, session)
            self.channels.append(channel)
            await channel.connect(port)
            await channel.send(text.encode())
            head = await channel.take_head()
        return int(head.split(" ", 2)[1]), head, channel

    async def _view(self, ticket, pause_s):
        topic, token = ticket
        status, head, channel = await self._ask(
            self.relay.access_port, ASK.format(topic=topic, token=token))
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        body = (await channel.take(length)).decode()
        if status != 200:
            return f"code: {status}"
        target = body.split(f":{self.relay.relay_port}")[1].split('"')[0]
        await asyncio.sleep(pause_s)
        status, _, viewer = await self._ask(
            self.relay.relay_port, UPGRADE.format(target=target),
            channel.tls and channel.tls.session)
        if status != 101:
            return f"upgrade: {status}"
        self.viewers.append(viewer)
        return "in"

    async def _come(self, ticket, at, pause_s):
        """A viewer that comes at its time. Returns what became of it and how long that took."""
        await asyncio.sleep(at - self.loop.time())
        start = time.monotonic()
        try:
            async with self.places:
                outcome = await self._view(ticket, pause_s)
        except (OSError, EOFError) as fault:
            outcome = type(fault).__name__
        return outcome, time.monotonic() - start - pause_s

    async def _arrive(self, count, within_s, pause_s):
        start = self.loop.time()
        return await asyncio.gather(*(self._come(self.tickets[min(number, len(self.tickets) - 1)],
                                                 start + within_s * number / count, pause_s)
                                      for number in range(count)))

    def arrive(self, count, within_s, pause_s, limit_s):
        """`count` viewers, evenly over `within_s`."""
        start = time.monotonic()
        ends = self.loop.run_until_complete(
            asyncio.wait_for(self._arrive(count, within_s, pause_s), limit_s))
        answers = {}
        for outcome, _ in ends:
            answers[outcome] = answers.get(outcome, 0) + 1
        return Outcome(answers, time.monotonic() - start, max(took_s for _, took_s in ends))

    async def _receive(self, frame):
        for viewer in self.viewers:
            if await viewer.take(len(frame)) != frame:
                return False
        return True

    def all_receive(self, opcode, payload, limit_s):
        """True when the next frame of every viewer is this one."""
        frame = encode_frame(opcode, payload, mask=b"")
        return self.loop.run_until_complete(asyncio.wait_for(self._receive(frame), limit_s))

    async def _send(self, frame):
        for viewer in self.viewers:
            await viewer.send(frame)

    def all_send(self, opcode, payload, limit_s):
        """Each sends one message."""
        frame = encode_frame(opcode, payload)
        self.loop.run_until_complete(asyncio.wait_for(self._send(frame), limit_s))

    def end(self):
        if self.loop.is_closed():
            return
        for channel in self.channels:
            channel.reset()
        self.loop.close()


class HostsTests:
    """For a test case that has start(**options): the hosts of a university are cut by a restart,
    and all come back in the same moment."""

    HOSTS = int(os.environ.get("RELAY_TEST_HOSTS") or 200)
    SECRET = "of both servers"
    REFUSALS = ("connections_refused_limit", "connections_evicted", "websockets_refused",
                "http_refused", "http_refused_memory", "places_refused", "codes_refused_full",
                "handshake_timeouts", "accept_pauses")

    def hosts_context(self):
        return None

    def come_back(self, relay, tickets, after):
        hosts = Crowd(relay, tickets, context=self.hosts_context())
        self.addCleanup(hosts.end)
        outcome = hosts.arrive(self.HOSTS, 0, 0, relay_support.TEST_HANGS_S)
        print(f"{self.HOSTS} hosts at once {after}: {outcome.answers} "
              f"within {outcome.took_s:.2f} s")
        self.assertEqual(outcome.answers, {"in": self.HOSTS})
        return hosts

    def test_all_hosts_are_back_at_once_after_a_restart(self):
        options = {"RELAY_SECRET": self.SECRET, "RELAY_WORKERS": None, "RELAY_LOG_LEVEL": None}
        raise_descriptor_limit(2 * self.HOSTS + 200)
        relay = self.start(**options)
        tickets = [(f"host{number}", relay.token(f"host{number}", ("write",)))
                   for number in range(self.HOSTS)]
        hosts = self.come_back(relay, tickets, "in the morning")
        relay.stop()
        hosts.end()
        relay = self.start(**options)
        hosts = self.come_back(relay, tickets, "after a restart")
        hosts.all_send(TEXT, b"picture", relay_support.TEST_HANGS_S)
        relay.wait_counter("messages_received", self.HOSTS)
        counters = relay.counters()
        self.assertEqual({name: counters[name] for name in self.REFUSALS if counters[name]}, {})
        hosts.end()


class CrowdTests:
    """For a test case that has start(**options): a lecture hall gets in, also after a restart."""

    COUNT = 2000
    WITHIN_S = 2.0
    PAUSE_S = 0.3  # of each, between code and upgrade
    DESCRIPTORS = 2 * COUNT + 200  # both connections of each, and the rest of the program
    SECRET = "of both servers"

    def crowd_context(self):
        return None

    def limit_s(self):
        """The time of the machine, not what is judged: that all come in is."""
        return relay_support.TEST_HANGS_S

    def come_in(self, relay, token):
        crowd = Crowd(relay, [("t0", token)], context=self.crowd_context())
        self.addCleanup(crowd.end)
        outcome = crowd.arrive(self.COUNT, self.WITHIN_S, self.PAUSE_S, self.limit_s())
        print(f"{self.COUNT} viewers within {self.WITHIN_S} s: {outcome.answers}; the last one was "
              f"in after {outcome.took_s:.2f} s, the slowest took {outcome.slowest_s * 1e3:.0f} ms")
        self.assertEqual(outcome.answers, {"in": self.COUNT})
        publisher = self.track(relay.publisher("t0"))
        start = time.monotonic()
        publisher.send_frame(TEXT, b"good morning")
        self.assertTrue(crowd.all_receive(TEXT, b"good morning", self.limit_s()))
        print(f"all had their first message after {(time.monotonic() - start) * 1e3:.0f} ms")
        publisher.kill()
        crowd.end()

    def test_two_thousand_viewers_with_one_token_get_in_and_again_after_a_restart(self):
        if raise_descriptor_limit(self.DESCRIPTORS) < self.DESCRIPTORS:
            self.skipTest(f"fewer than {self.DESCRIPTORS} open files are allowed")
        options = {"RELAY_SECRET": self.SECRET, "RELAY_WORKERS": None, "RELAY_LOG_LEVEL": None}
        token = None
        for _ in range(2):
            relay = self.start(**options)
            token = token or relay.token("t0", ("read",))
            self.come_in(relay, token)
            counters = relay.stop()
            self.assertEqual(counters["websockets_refused"], 0)
