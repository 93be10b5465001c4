"""An access API and a WebSocket endpoint for tests of the sink: python's http.server and
python3-websockets, nothing of ours. Runs in threads of the test; keeps every message."""

import asyncio
import http.server
import json
import threading

import websockets

try:
    from websockets.asyncio.server import serve  # 13 and later
except ImportError:
    from websockets import serve

CODE = "c0de-secret-of-the-test"


class AccessServer:
    def __init__(self):
        self.messages = []
        self.messages_of = []  # the same, a list for each connection
        self._sockets = set()
        self.tokens = []
        self.connections = 0
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._stop = None
        self._ready = threading.Event()
        self._websocket_thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run_websocket(),), daemon=True)
        self._websocket_thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the WebSocket server does not start")
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._http_thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._http_thread.start()
        self.location = f"http://127.0.0.1:{self._http.server_address[1]}/session/test"

    def _handler_class(server):  # pylint: disable=no-self-argument
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                with server._changed:
                    server.tokens.append(self.headers["Authorization"])
                    server._changed.notify_all()
                uri = f"ws://127.0.0.1:{server._websocket_port}/session/test?code={CODE}"
                body = json.dumps({"uri": uri}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    async def _run_websocket(self):
        self._stop = asyncio.Event()
        async with serve(self._receive, "127.0.0.1", 0, max_size=None,
                         compression=None) as server:
            self._websocket_port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    async def _receive(self, socket, *_):
        try:
            await (await socket.ping())
        except websockets.exceptions.ConnectionClosed:
            pass  # what it sent before is counted all the same
        with self._changed:
            self.connections += 1
            messages = []
            self.messages_of.append(messages)
            self._sockets.add(socket)
            self._changed.notify_all()
        try:
            async for message in socket:
                with self._changed:
                    self.messages.append(message)
                    messages.append(message)
                    self._changed.notify_all()
        except websockets.exceptions.ConnectionClosed:
            pass

    def end_connections(self):
        """Closes all open WebSockets; clients come again."""
        with self._changed:
            sockets, self._sockets = self._sockets, set()
        for socket in sockets:
            asyncio.run_coroutine_threadsafe(socket.close(1001), self._loop).result(10)

    def wait(self, condition, what, timeout_s=30.0):
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError(f"waited {timeout_s} s for {what}; there are "
                                   f"{len(self.messages)} messages")

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._websocket_thread.join(10)
        self._loop.close()
