"""Metrics of a full house: a scrape with 10,000 connections has as many series as with ten, costs
the server as little, also while they come and go, and while scrapers never read.

Method: WebSockets on plain sockets, a batch at a time; the server's own CPU time, from the kernel.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import struct
import threading
import time
import unittest
from urllib.parse import urlsplit

import relay_support
from admin_support import admin_address, ask, check_by_promtool, metrics, samples
from crowd import raise_descriptor_limit
from relay_support import WAIT_S, RelayTestCase, wait_until

CONNECTIONS = 1000 if relay_support.SANITIZED else 10000
FEW = 10
FILES = CONNECTIONS + 200  # of each side
BATCH = 200
TOPICS_NAMED = 100  # the default
TOPICS = 500
SCRAPES = 20
SCRAPE_MS_MAX = 2.0  # of the server's own time, in the median
SCRAPE_EVERY_S = 0.02
WAVES = 10  # in each of them a tenth of all connections goes and as many come
STALLED = 10
STALLED_REQUESTS = 200  # of each, asked for without reading an answer
STALLED_BYTES_MAX = 16 * 1024 * 1024  # of the server's memory for all of them
UPGRADE = ("GET {target} HTTP/1.1\r\nHost: relay.test\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


def cpu_ms(relay):
    """Of all threads of the server, until now."""
    total = 0
    for task in os.listdir(f"/proc/{relay.process.pid}/task"):
        with open(f"/proc/{relay.process.pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e6


class House:
    """WebSockets that send nothing and read nothing."""

    def __init__(self, relay):
        self.relay = relay
        self.sockets = []
        self.came = 0
        self.door = http.client.HTTPConnection("127.0.0.1", relay.access_port, timeout=WAIT_S)

    def _target(self, topic):
        token = self.relay.token(topic, ("read",))
        self.door.request("POST", f"/session/{topic}", headers={"Authorization": token})
        reply = self.door.getresponse()
        body = reply.read()
        assert reply.status == 200, f"{reply.status} {body!r}"
        parts = urlsplit(json.loads(body)["uri"])
        return f"{parts.path}?{parts.query}"

    def _enter(self, targets):
        coming = []
        for target in targets:
            sock = socket.create_connection(("127.0.0.1", self.relay.relay_port), timeout=WAIT_S)
            self.sockets.append(sock)
            coming.append(sock)
            sock.sendall(UPGRADE.format(target=target).encode())
        for sock in coming:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                part = sock.recv(4096)
                assert part, f"closed after {head!r}"
                head += part
            assert head.startswith(b"HTTP/1.1 101 "), head

    def fill(self, count):
        """Until there are so many, in turn over all topics."""
        while len(self.sockets) < count:
            coming = min(BATCH, count - len(self.sockets))
            self._enter([self._target(f"t{(self.came + number) % TOPICS}")
                         for number in range(coming)])
            self.came += coming

    def leave(self, count):
        """The oldest ones; each second one by a reset."""
        leaving, self.sockets = self.sockets[:count], self.sockets[count:]
        for number, sock in enumerate(leaving):
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    def end(self):
        self.leave(len(self.sockets))
        self.door.close()


class Scraper(threading.Thread):
    """Scrapes until `end`, and holds each page against the one before."""

    def __init__(self, relay):
        super().__init__()
        self.relay = relay
        self.ending = threading.Event()
        self.page = None
        self.count = 0
        self.faults = []
        self.slowest_s = 0.0

    def _scrape(self):
        start = time.monotonic()
        reply = ask(self.relay, "/metrics")
        self.slowest_s = max(self.slowest_s, time.monotonic() - start)
        if reply.status != 200:
            self.faults.append(reply.status)
            return
        page = reply.body.decode()
        if self.page is not None:
            self._compare(samples(self.page), samples(page))
        self.page = page
        self.count += 1

    def _compare(self, earlier, later):
        if len(later) != len(earlier):
            self.faults.append(f"{len(earlier)} series, then {len(later)}")
        for name, value in earlier.items():
            is_counter = name.partition("{")[0].endswith(("_total", "_count"))
            # The row of a topic may go to another one.
            if is_counter and "{topic=" not in name and later.get(name, -1) < value:
                self.faults.append(f"{name} was {value}, then {later.get(name)}")

    def run(self):
        while not self.ending.wait(SCRAPE_EVERY_S):
            try:
                self._scrape()
            except OSError as fault:
                self.faults.append(repr(fault))

    def end(self):
        self.ending.set()
        self.join()


class Scrapes(RelayTestCase):
    def start(self, **options):
        if raise_descriptor_limit(FILES) < FILES:
            self.skipTest(f"fewer than {FILES} open files are allowed")
        return super().start(**{"RELAY_ADMIN_LISTEN": "127.0.0.1:0", "RELAY_WORKERS": None,
                                "RELAY_LOG_LEVEL": None, **options})

    def house(self, relay):
        house = House(relay)
        self.addCleanup(house.end)
        return house

    def cost(self, relay, what):
        """The median of some scrapes, in CPU milliseconds of the server."""
        costs, spans, size = [], [], 0
        for _ in range(SCRAPES):
            before, start = cpu_ms(relay), time.monotonic()
            size = len(ask(relay, "/metrics").body)
            costs.append(cpu_ms(relay) - before)
            spans.append((time.monotonic() - start) * 1e3)
        costs.sort()
        spans.sort()
        print(f"a scrape with {what}: {size} bytes; CPU median {costs[SCRAPES // 2]:.2f} ms, most "
              f"{costs[-1]:.2f} ms; until answered median {spans[SCRAPES // 2]:.2f} ms")
        return costs[SCRAPES // 2]

    def test_a_full_house_costs_as_little_and_has_as_many_series(self):
        relay = self.start()
        house = self.house(relay)
        house.fill(TOPICS_NAMED)  # a row of metrics outlives its topic
        house.leave(TOPICS_NAMED - FEW)
        few = wait_until(lambda: (now := metrics(relay))["relay_websockets"] == FEW and now,
                         f"all but {FEW} to have left")
        few_ms = self.cost(relay, f"{FEW} connections")
        house.fill(CONNECTIONS)
        many_ms = self.cost(relay, f"{CONNECTIONS} connections")
        many = metrics(relay)
        self.assertEqual(many["relay_websockets"], CONNECTIONS)
        self.assertGreaterEqual(many["relay_connections"], CONNECTIONS)
        self.assertGreater(many['relay_topic_viewers{topic="other"}'], CONNECTIONS / 2)
        self.assertEqual(len(many), len(few))
        self.assertEqual({name.partition("{")[0] for name in many},
                         {name.partition("{")[0] for name in few})
        if not relay_support.SANITIZED:
            self.assertLess(max(few_ms, many_ms), SCRAPE_MS_MAX * relay_support.TIME_SCALE)

    def stall(self, relay):
        """A scraper that asks as often as the server lets it, and reads nothing."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(admin_address(relay))
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(STALLED_REQUESTS):
                sock.send(SCRAPE)

    def test_scrapes_go_on_while_all_come_and_go_and_others_never_read(self):
        relay = self.start(RELAY_WRITE_TIMEOUT="2s")
        house = self.house(relay)
        house.fill(CONNECTIONS)
        before = relay.rss_bytes()
        scraper = Scraper(relay)
        scraper.start()
        self.addCleanup(scraper.end)
        for _ in range(STALLED):
            self.stall(relay)
        for _ in range(WAVES):
            house.leave(CONNECTIONS // WAVES)
            house.fill(CONNECTIONS)
        scraper.end()
        grown = relay.rss_bytes() - before
        print(f"{2 * CONNECTIONS} came and {CONNECTIONS} went: {scraper.count} scrapes, the "
              f"slowest answered after {scraper.slowest_s * 1e3:.0f} ms; memory {grown} bytes more")
        self.assertEqual(scraper.faults, [])
        self.assertGreater(scraper.count, WAVES)
        if not relay_support.SANITIZED:
            self.assertLess(grown, STALLED_BYTES_MAX)
        if shutil.which("promtool"):
            result = check_by_promtool(scraper.page.encode())
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        house.end()
        wait_until(lambda: metrics(relay)["relay_connections"] <= 1, "all others to be closed")


if __name__ == "__main__":
    relay_support.main()
