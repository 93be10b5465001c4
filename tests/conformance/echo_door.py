"""A door to a relay for test suites that know one address and expect an echo behind it.

Each connection to the door's port gets a topic and a one-time code of its own, and an echo peer
(python3-websockets, which shares no code with ours) on the same topic; the bytes after the
handshake are passed on as they are, both ways, with the ends of both streams.
"""

import asyncio
import itertools
import json
import re
import threading

import ws_peer
from echo_peer import echo

CHUNK = 256 * 1024


async def _pass_on(reader, writer):
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


class EchoDoor:
    """Serves until close(). .url is the address for the suite."""

    def __init__(self, relay):
        self.relay = relay
        self.topics = (f"echo-{number}" for number in itertools.count())
        self.loop = asyncio.new_event_loop()
        self.faults = []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK))
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _serve(self, reader, writer):
        try:
            await self._pair(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the suite broke the connection off, as some cases do
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)
        finally:
            writer.transport.abort()

    async def _pair(self, reader, writer):
        topic = next(self.topics)
        head = await reader.readuntil(b"\r\n\r\n")
        address = await self.loop.run_in_executor(None, self.relay.uri, topic)
        peer = await ws_peer.dial(address)
        answering = asyncio.ensure_future(echo(peer))
        target = await self.loop.run_in_executor(None, self.relay.target, topic)
        relay_reader, relay_writer = await asyncio.open_connection(
            "127.0.0.1", self.relay.relay_port, limit=CHUNK)
        relay_writer.write(re.sub(rb"^GET \S+", b"GET " + target.encode(), head))
        try:
            await asyncio.gather(_pass_on(reader, relay_writer), _pass_on(relay_reader, writer))
        finally:
            relay_writer.transport.abort()
            answering.cancel()
            await peer.close()

    def close(self):
        async def close():
            self.server.close()
            await self.server.wait_closed()

        self._run(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        if self.faults:
            raise AssertionError(json.dumps([repr(fault) for fault in self.faults]))
