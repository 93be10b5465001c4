"""A lecture hall at the door: 2,000 viewers with one token in two seconds, default options. 200
hosts that come back at once after a restart. The same over TLS is tests/tls/test_crowd.py. And a
class of our own clients from far away."""

import asyncio
import subprocess
import threading

import relay_support
from crowd import CrowdTests, HostsTests
from relay_support import RelayTestCase


class Crowd(CrowdTests, RelayTestCase):
    pass


class Hosts(HostsTests, RelayTestCase):
    pass


class FarAway:
    """A port whose bytes, to another port and back, take `delay_s` each way. No answer passes
    before `together` are there: that many are asked for at once, on a slow machine too."""

    def __init__(self, delay_s, together=0):
        self.delay_s = delay_s
        self.together = together
        self.answered = 0
        self.target = None  # the other port
        self.all_answered = asyncio.Event()
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    async def _serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._carry(reader, far_writer), self._answer(far_reader, writer),
                             return_exceptions=True)

    async def _answer(self, reader, writer):
        data = await reader.read(1 << 16)
        self.answered += 1
        if self.answered >= self.together:
            self.all_answered.set()
        await self.all_answered.wait()
        self.loop.call_later(self.delay_s, writer.write, data)
        await self._carry(reader, writer)

    async def _carry(self, reader, writer):
        while data := await reader.read(1 << 16):
            self.loop.call_later(self.delay_s, writer.write, data)
        self.loop.call_later(self.delay_s, writer.close)

    async def _end(self):
        self.server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def end(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Pipes(RelayTestCase):
    COUNT = 150
    DELAY_S = 0.15

    def far_away(self, **options):
        far = FarAway(self.DELAY_S, **options)
        self.addCleanup(far.end)
        return far

    def end_all(self, processes):
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()

    def test_a_class_of_relay_client_pipe_with_one_token_from_far_away(self):
        access, sockets = self.far_away(together=self.COUNT), self.far_away()
        relay = self.start(RELAY_URL=f"ws://127.0.0.1:{sockets.port}", RELAY_WORKERS=None,
                           RELAY_LOG_LEVEL=None)
        access.target, sockets.target = relay.access_port, relay.relay_port
        environment = relay_support.relay_environment(
            RELAY_CLIENT_SESSION=f"http://127.0.0.1:{access.port}/session/t0",
            RELAY_CLIENT_TOKEN=relay.token("t0"), RELAY_CLIENT_NO_SEND="true")
        processes = [subprocess.Popen([relay_support.relay_binary(), "client", "pipe"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, env=environment,
                                      preexec_fn=relay_support.die_with_parent)
                     for _ in range(self.COUNT)]
        self.addCleanup(self.end_all, processes)
        counters = relay.wait_counter("websockets_opened", self.COUNT, 6 * relay_support.WAIT_S)
        self.assertEqual(counters["websockets_opened"], self.COUNT)
        self.assertEqual(counters["websockets_refused"], 0)


if __name__ == "__main__":
    relay_support.main()
