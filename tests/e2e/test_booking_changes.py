"""A booking system that cancels in bulk: hundreds of denials and permissions a second, each
answered rightly and in force at once, with the store on disk.

Method: one event loop asks at an even pace; a quarter of the bookings are allowed again right after
their denial. RELAY_TEST_BOOKING_SECONDS and RELAY_TEST_BOOKING_RATE make it longer and faster. How
fast the answers come is printed, not judged: that is the machine's.
"""

import asyncio
import os
import tempfile
import time

import relay_support
from crowd import ASK, Channel, raise_descriptor_limit
from relay_support import SANITIZED, RelayTestCase
from ws_raw import CLOSE

SECONDS = float(os.environ.get("RELAY_TEST_BOOKING_SECONDS") or 2)
RATE = float(os.environ.get("RELAY_TEST_BOOKING_RATE") or (100 if SANITIZED else 500))
VIEWERS = 50  # with the first bookings
ALLOWED_AGAIN = 4  # one of so many
AT_ONCE = 200  # of our requests
LIFETIME_S = 3600
CHANGE = ("POST /bids/{verb}?bid={booking}&exp={exp} HTTP/1.1\r\nHost: relay.test\r\n"
          "Authorization: {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Booked:
    """Its changes, as they were asked for and answered."""

    def __init__(self, relay):
        self.relay = relay
        self.token = relay.token(scopes=["relay:admin"])
        self.exp = int(time.time()) + LIFETIME_S
        self.took_s = []
        self.statuses = {}
        self.doors = asyncio.Semaphore(AT_ONCE)

    async def ask(self, text):
        """The status of the answer."""
        loop = asyncio.get_running_loop()
        async with self.doors:
            channel = Channel(loop, None)
            try:
                await channel.connect(self.relay.access_port)
                await channel.send(text.encode())
                return int((await channel.take_head()).split(" ", 2)[1])
            finally:
                channel.reset()

    async def change(self, verb, booking):
        start = time.monotonic()
        status = await self.ask(CHANGE.format(verb=verb, booking=booking, exp=self.exp,
                                              token=self.token))
        self.took_s.append(time.monotonic() - start)
        self.statuses[status] = self.statuses.get(status, 0) + 1

    async def cancel(self, at, number):
        await asyncio.sleep(at - time.monotonic())
        await self.change("deny", f"b{number}")
        if number % ALLOWED_AGAIN == 0:
            await self.change("allow", f"b{number}")

    async def cancel_all(self, count, per_s):
        start = time.monotonic()
        await asyncio.gather(*(self.cancel(start + number / per_s, number)
                               for number in range(count)))
        return time.monotonic() - start

    async def session(self, number):
        token = self.relay.token("t0", ("read",), booking_id=f"b{number}")
        return await self.ask(ASK.format(topic="t0", token=token))

    async def sessions(self, count):
        return await asyncio.gather(*(self.session(number) for number in range(count)))


class BookingChanges(RelayTestCase):
    # Of the changes, a fifth allow.
    COUNT = int(SECONDS * RATE * ALLOWED_AGAIN / (ALLOWED_AGAIN + 1))

    def start_with_store(self, folder):
        return self.start(RELAY_STORE=os.path.join(folder, "relay.db"), RELAY_SECRET="s" * 32,
                          RELAY_WORKERS=None, RELAY_LOG_LEVEL="warn")

    def listed(self, relay, verb):
        reply = relay.request("GET", f"/bids/{verb}",
                              {"Authorization": relay.token(scopes=["relay:admin"])})
        self.assertEqual(reply.status, 200)
        return set(reply.json()["booking_ids"])

    def check_in_force(self, relay, booked):
        """In the list, and at the door."""
        denied = {f"b{number}" for number in range(self.COUNT) if number % ALLOWED_AGAIN != 0}
        self.assertEqual(self.listed(relay, "deny"), denied)
        statuses = asyncio.run(booked.sessions(self.COUNT))
        self.assertEqual(statuses, [400 if f"b{number}" in denied else 200
                                    for number in range(self.COUNT)])

    def test_hundreds_a_second_are_answered_and_in_force(self):
        raise_descriptor_limit(4096)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        relay = self.start_with_store(folder.name)
        viewers = [self.track(relay.viewer(booking_id=f"b{number}")) for number in range(VIEWERS)]
        booked = Booked(relay)
        took_s = asyncio.run(booked.cancel_all(
            self.COUNT, RATE * ALLOWED_AGAIN / (ALLOWED_AGAIN + 1)))
        waits_ms = sorted(1e3 * wait_s for wait_s in booked.took_s)
        print(f"{len(waits_ms)} changes in {took_s:.2f} s, {len(waits_ms) / took_s:.0f} a second: "
              f"p50 {waits_ms[len(waits_ms) // 2]:.1f} ms, "
              f"p99 {waits_ms[len(waits_ms) * 99 // 100]:.1f} ms, "
              f"the slowest {waits_ms[-1]:.0f} ms")
        self.assertEqual(booked.statuses, {204: len(waits_ms)})
        for viewer in viewers:  # each was cut, also where the booking was allowed again
            self.assertEqual(viewer.frame(relay_support.WAIT_S).opcode, CLOSE)
            viewer.kill()
        self.check_in_force(relay, booked)
        self.assertEqual(relay.counters()["closed_denied"], VIEWERS)
        relay.stop()
        relay = self.start_with_store(folder.name)
        self.check_in_force(relay, Booked(relay))


if __name__ == "__main__":
    relay_support.main()
