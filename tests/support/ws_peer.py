"""python3-websockets with a blocking interface: a WebSocket client that shares no code with ours.

Works with 10.4 (Debian 12) and with 13 and later (Debian 13). One event loop in a background
thread serves all peers of a test program.
"""

import asyncio
import inspect
import threading

import websockets

try:
    from websockets.asyncio.client import connect as _connect  # 13 and later
    _HEADERS = "additional_headers"
except ImportError:
    from websockets import connect as _connect
    _HEADERS = "extra_headers"


class Refused(Exception):
    """The server answered the handshake with something else than 101."""

    def __init__(self, status):
        super().__init__(f"refused with HTTP {status}")
        self.status = status


class _Loop:
    """Started at first use; a daemon, so a stuck peer cannot keep a test program alive."""

    _lock = threading.Lock()
    _loop = None

    @classmethod
    def run(cls, coroutine, timeout_s):
        with cls._lock:
            if cls._loop is None:
                cls._loop = asyncio.new_event_loop()
                threading.Thread(target=cls._loop.run_forever, daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(
            asyncio.wait_for(coroutine, timeout_s), cls._loop)
        try:
            return future.result()
        except asyncio.TimeoutError:
            raise TimeoutError("nothing happened in time") from None


def _options(subprotocols, headers, tls):
    options = {"compression": None, "max_size": None, "max_queue": None, "ping_interval": None,
               "open_timeout": None, "close_timeout": 2, "subprotocols": subprotocols,
               _HEADERS: headers}
    if tls is not None:
        options["ssl"] = tls
    if "proxy" in inspect.signature(_connect.__init__).parameters:
        options["proxy"] = None  # 15 and later would ask the environment
    return options


async def _dial(uri, options):
    try:
        return await _connect(uri, **options)
    except websockets.exceptions.InvalidHandshake as error:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None) or getattr(error, "status_code", None)
        if status is None:
            raise
        raise Refused(status) from None


async def dial(uri):
    """An open connection of the library itself, for a caller with a loop of its own."""
    return await _dial(uri, _options(None, None, None))


class Peer:
    def __init__(self, uri, subprotocols=None, headers=None, timeout_s=10.0, tls=None):
        self.timeout_s = timeout_s
        self.ws = _Loop.run(_dial(uri, _options(subprotocols, headers, tls)), timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, message):
        """str becomes a text message, bytes a binary one."""
        _Loop.run(self.ws.send(message), self.timeout_s)

    def recv(self, timeout_s=None):
        return _Loop.run(self.ws.recv(), self.timeout_s if timeout_s is None else timeout_s)

    def recv_many(self, count, timeout_s=None):
        """Each of them within timeout_s of the one before."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s

        async def collect():
            return [await asyncio.wait_for(self.ws.recv(), limit_s) for _ in range(count)]

        return _Loop.run(collect(), None)

    def ping(self):
        """There and back; what the server read before the ping has been dealt with by then."""
        async def exchange():
            await (await self.ws.ping())

        _Loop.run(exchange(), self.timeout_s)

    def expect_closed(self, timeout_s=None):
        """(code, reason) of the server's close frame, (None, "") when the stream just ended.
        Messages that were still on their way are dropped."""
        async def wait():
            while True:
                await self.ws.recv()

        try:
            _Loop.run(wait(), self.timeout_s if timeout_s is None else timeout_s)
        except websockets.exceptions.ConnectionClosed as closed:
            if closed.rcvd is None:
                return None, ""
            return closed.rcvd.code, closed.rcvd.reason
        raise AssertionError("unreachable")

    def close(self, code=1000, reason=""):
        _Loop.run(self.ws.close(code, reason), self.timeout_s)
