"""Fixtures of the client's tests: the driver program, and servers that share no code with ours:
python3-websockets for well-behaved ones, plain sockets for those that misbehave on purpose.

The driver (client_driver.c) and the tool (client_cli.c) are looked for in RELAY_BUILD.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import websockets

import relay_support
import ws_raw
from relay_support import TIME_SCALE, WAIT_S

DRIVER = os.path.join(relay_support.BUILD, "tests", "client", "client_driver")
CLI = os.path.join(relay_support.BUILD, "tests", "client", "client_cli")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ0b3BpYyI6InQwIn0.c2lnbmF0dXJl"
CODE = "0123abcd-0000-4000-8000-00000000c0de"
# relay_client.h promises 50 ms. Two cores shared with other tests and a sanitizer need a margin.
STOP_LIMIT_MS = 50 + 100 * TIME_SCALE


def wait_until(condition, what, timeout_s=WAIT_S):
    return relay_support.wait_until(condition, what, timeout_s)


def checksum(data):
    """As client_driver.c makes it: FNV-1a."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


def numbered(number, size):
    """Message `number` of `size` bytes as the driver sends it."""
    head = b"%08d" % number
    return (head + bytes(ord("a") + (number + j) % 26 for j in range(8, size)))[:size]


class Driver:
    """One client. Lines it printed so far are in .lines."""

    def __init__(self, location, **options):
        options.setdefault("token", TOKEN)
        arguments = [f"{key}={value}" for key, value in {"location": location, **options}.items()
                     if value is not None]
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen([DRIVER, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.lines.append({"ended": True})
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.lines)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def wait(self, condition, what, since=0, timeout_s=WAIT_S):
        """The first line from `since` on for which the condition holds."""
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while True:
                for line in self.lines[since:]:
                    if condition(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or self.lines[-1:] == [{"ended": True}]:
                    raise TimeoutError(f"waited for {what}; heard {self.lines[-30:]}")
                self.changed.wait(left)

    def state(self, state, since=0, timeout_s=WAIT_S):
        return self.wait(lambda line: line.get("event") == state, f"state {state}", since,
                         timeout_s)

    def ask(self, command, key, timeout_s=WAIT_S):
        mark = self.mark()
        self.say(command)
        return self.wait(lambda line: key in line, f"answer to {command}", mark, timeout_s)

    def call(self, command, timeout_s=WAIT_S):
        return self.ask(command, "done", timeout_s)

    def stats(self):
        return self.ask("stats", "messages_sent")

    def start(self):
        answer = self.call("start")
        assert answer["result"] == 0, answer
        return answer

    def messages(self, since=0):
        with self.changed:
            return [line for line in self.lines[since:] if "message" in line]

    def events(self, since=0):
        with self.changed:
            return [line for line in self.lines[since:] if "event" in line]

    def end(self):
        """Destroys the client; fails on a crash or a sanitizer's report. Once is enough."""
        if self.process.stdout.closed:
            return self.lines
        if self.process.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                self.say("destroy")
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            status = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.reader.join(WAIT_S)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert status == 0, f"the driver ended with {status}: {errors}"
        assert errors == "", f"the library printed: {errors}"
        return self.lines


class _Loop:
    lock = threading.Lock()
    loop = None

    @classmethod
    def run(cls, coroutine):
        with cls.lock:
            if cls.loop is None:
                cls.loop = asyncio.new_event_loop()
                threading.Thread(target=cls.loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, cls.loop).result(WAIT_S)


class WsServer:
    """python3-websockets: collects what it hears, says what it is told."""

    def __init__(self, tls=None, echo=False):
        self.echo = echo
        self.messages = []
        self.connections = []
        self.closed = []  # (code, reason) of each that ended
        self.server = _Loop.run(self._serve(tls))
        self.port = next(iter(self.server.sockets)).getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.port}/session/t0"

    async def _serve(self, tls):
        return await websockets.serve(self._handle, "127.0.0.1", 0, ssl=tls, compression=None,
                                      max_size=None, ping_interval=None, close_timeout=1)

    async def _handle(self, connection, _path=None):
        self.connections.append(connection)
        try:
            async for message in connection:
                self.messages.append(message)
                if self.echo:
                    await connection.send(message)
        except websockets.exceptions.ConnectionClosed:
            pass
        await connection.wait_closed()
        self.closed.append((connection.close_code, connection.close_reason))

    def send(self, message, index=-1):
        _Loop.run(self.connections[index].send(message))

    def ping(self):
        async def ping():
            await (await self.connections[-1].ping())
        _Loop.run(ping())

    def close_peer(self, code, reason=""):
        _Loop.run(self.connections[-1].close(code, reason))

    def close(self):
        async def close():
            self.server.close()
            await self.server.wait_closed()
        _Loop.run(close())


def http_answer(status, body=b"", fields=""):
    reasons = {200: "OK", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}
    return (f"HTTP/1.1 {status} {reasons.get(status, 'Whatever')}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{fields}"
            "Connection: close\r\n\r\n").encode() + body


def uri_answer(url):
    return http_answer(200, json.dumps({"uri": f"{url}?code={CODE}"}).encode() + b"\n")


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + ws_raw.ACCEPT_GUID).digest()).decode()


class RawServer:
    """Runs script(connection, number) in a thread for each accepted connection."""

    def __init__(self, script, tls=None, listen=True):
        self.script = script
        self.tls = tls
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.accepted = []
        self.errors = []
        self.over = threading.Event()
        if listen:
            self.start()

    def start(self):
        self.sock.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}/session/t0"

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            connection = RawConnection(sock)
            self.accepted.append(connection)
            threading.Thread(target=self._run, args=(connection, len(self.accepted) - 1),
                             daemon=True).start()

    def _run(self, connection, number):
        try:
            if self.tls is not None:
                connection.sock = self.tls.wrap_socket(connection.sock, server_side=True)
            self.script(connection, number)
        except (OSError, ConnectionError):
            pass  # what the client does to a scripted connection is the client's side of the test
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            connection.finished.set()

    def close(self):
        self.over.set()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for connection in self.accepted:
            with contextlib.suppress(OSError):
                connection.sock.close()
        if self.errors:
            raise self.errors[0]


class RawConnection:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(WAIT_S)
        self.buffer = b""
        self.request = None
        self.heard = threading.Event()  # the client has said something
        self.finished = threading.Event()

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("ended by the client")
        self.heard.set()
        self.buffer += data

    def read_head(self):
        """Request line and fields (lower-case names)."""
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *rest = head.decode().split("\r\n")
        fields = {}
        for line in rest:
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()
        self.request = (first, fields)
        return self.request

    def send(self, data):
        self.sock.sendall(data)

    def upgrade(self, extra=b""):
        _, fields = self.read_head()
        accept = accept_key(fields["sec-websocket-key"])
        self.send(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").encode()
                  + extra)

    def read_frame(self):
        """(opcode, payload, fin, masked) of a frame from the client."""
        while True:
            frame, used = parse_frame(self.buffer)
            if frame is not None:
                self.buffer = self.buffer[used:]
                return frame
            self._fill()

    def send_frame(self, opcode, payload=b"", **options):
        self.send(ws_raw.encode_frame(opcode, payload, mask=options.pop("mask", b""), **options))

    def hold(self):
        """Says nothing more until the client has ended its direction, then ends the other."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                self.heard.set()
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def pass_on(source, target):
    """The bytes of one direction, and its end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def connect_proxy(credentials=None, asked=None):
    """A script for RawServer: a proxy whose CONNECTs all lead to this machine, whatever the name.
    Their heads are added to `asked`; without the basic credentials, encoded, it refuses."""
    def script(connection, _):
        line, fields = connection.read_head()
        if asked is not None:
            asked.append((line, fields))
        if credentials is not None and \
                fields.get("proxy-authorization") != f"Basic {credentials}":
            connection.send(b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                            b"Proxy-Authenticate: Basic realm=lab\r\nContent-Length: 0\r\n\r\n")
            return
        port = int(line.split()[1].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as relay:
            connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(relay, connection.sock), daemon=True)
            back.start()
            pass_on(connection.sock, relay)
            back.join()
    return script


def parse_frame(data):
    """(frame, bytes used), or (None, 0) while it is not whole."""
    if len(data) < 2:
        return None, 0
    masked, length, offset = data[1] & 0x80, data[1] & 0x7f, 2
    if length == 126:
        length, offset = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, offset = int.from_bytes(data[2:10], "big"), 10
    mask = data[offset:offset + 4] if masked else b""
    offset += len(mask) if masked else 0
    if len(data) < offset + length:
        return None, 0
    payload = data[offset:offset + length]
    if masked:
        payload = ws_raw.apply_mask(payload, mask)
    return (data[0] & 15, payload, bool(data[0] & 0x80), bool(masked)), offset + length


class Certificates:
    """Made by the openssl program in a folder of their own."""

    def __init__(self, folder):
        self.folder = folder
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                  "-nodes", "-days", "2", "-subj", "/CN=relay test CA",
                  "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _run(*arguments):
        subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def issue(self, name, issuer="ca", names="IP:127.0.0.1", authority=False):
        """NAME.pem and NAME.key, signed by `issuer`; names None: without subjectAltName."""
        extensions = [f"basicConstraints=critical,CA:{'TRUE' if authority else 'FALSE'}"]
        if names is not None and not authority:
            extensions.append("subjectAltName=" + names)
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                  "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1/O=" + name,
                  "-CA", self.path(issuer + ".pem"), "-CAkey", self.path(issuer + ".key"),
                  *(word for extension in extensions for word in ("-addext", extension)),
                  "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"))

    def served(self, name, *others):
        """A server context that sends NAME.pem and the other certificates behind it."""
        chain = self.path("+".join((name, *others)) + ".chain")
        with open(chain, "w", encoding="utf-8") as out:
            for each in (name, *others):
                with open(self.path(each + ".pem"), encoding="utf-8") as certificate:
                    out.write(certificate.read())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, self.path(name + ".key"))
        return context

    def context(self, name, names="IP:127.0.0.1", start="20200101000000Z", end="20990101000000Z",
                signed=True):
        """A server context whose certificate is for `names` and valid from start to end."""
        key, request, cert = (self.path(name + end) for end in (".key", ".csr", ".pem"))
        config = self.path(name + ".cnf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.path(name + '.db')}\n"
                      f"new_certs_dir={self.folder}\nserial={self.path(name + '.serial')}\n"
                      f"default_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no\n"
                      f"certificate={self.path('ca.pem')}\nprivate_key={self.path('ca.key')}\n"
                      f"[p]\ncommonName=supplied\n[x]\nsubjectAltName={names}\n")
        for path, content in ((self.path(name + ".db"), ""), (self.path(name + ".serial"), "01\n")):
            with open(path, "w", encoding="utf-8") as out:
                out.write(content)
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                  "-nodes", "-subj", "/CN=relay test", "-keyout", key, "-out", request)
        self_sign = [] if signed else ["-selfsign", "-keyfile", key]
        self._run("ca", "-batch", "-config", config, "-in", request, "-out", cert, "-notext",
                  "-startdate", start, "-enddate", end, *self_sign)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


class ClientTestCase(unittest.TestCase):
    """Everything started through these is ended, the client before its servers."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def server(self, script, **options):
        server = RawServer(script, **options)
        self.addCleanup(server.close)
        return server

    def ws_server(self, **options):
        server = WsServer(**options)
        self.addCleanup(server.close)
        return server

    def access_to(self, url, **options):
        """An access API that always gives out the same WebSocket address."""
        def script(connection, _):
            connection.read_head()
            connection.send(uri_answer(url))
        return self.server(script, **options)

    def driver(self, location, **options):
        driver = Driver(location, **options)
        self.addCleanup(driver.end)
        return driver

    def connected(self, location, **options):
        driver = self.driver(location, **options)
        driver.start()
        driver.state("connected")
        return driver
