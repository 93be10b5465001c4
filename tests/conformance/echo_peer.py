"""An echo on a topic: python3-websockets, which shares no code with ours."""

import asyncio
import threading

import ws_peer


async def echo(peer):
    """Until the connection ends."""
    try:
        while True:
            await peer.send(await peer.recv())
    except ws_peer.websockets.exceptions.ConnectionClosed:
        pass


class EchoPeer:
    """One connection that echoes until the end of the `with` block."""

    _loop = None

    def __init__(self, uri):
        if EchoPeer._loop is None:
            EchoPeer._loop = asyncio.new_event_loop()
            threading.Thread(target=EchoPeer._loop.run_forever, daemon=True).start()
        self.peer = self._run(ws_peer.dial(uri))
        self.task = asyncio.run_coroutine_threadsafe(echo(self.peer), self._loop)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._run(self.peer.close())
