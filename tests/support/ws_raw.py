"""A WebSocket client on a plain socket, for tests that need every byte.

It does nothing by itself: no pong, no close echo, no reassembly. What the server sends is handed
over frame by frame, and what a test wants to send, right or wrong, is sent as it is.
"""

import base64
import hashlib
import os
import socket
import struct
import time
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
READ_SIZE = 256 * 1024


class Frame(NamedTuple):
    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes

    def close(self):
        """(code, reason) of a close frame; code is None when it carries none."""
        assert self.opcode == CLOSE, f"not a close frame: {self!r:.200}"
        if not self.payload:
            return None, b""
        return struct.unpack(">H", self.payload[:2])[0], self.payload[2:]


class HttpReply(NamedTuple):
    version: str
    status: int
    reason: str
    headers: dict  # lower-case names; the last of a name wins
    body: bytes
    head: bytes


class ClosedByPeer(ConnectionError):
    """The peer ended the stream inside something that was being read."""


def apply_mask(payload, mask):
    if mask == b"\0\0\0\0" or not payload:
        return bytes(payload)
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    value = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return value.to_bytes(size, "big")


def encode_frame(opcode, payload=b"", fin=True, rsv=0, mask=None, length=None):
    """mask: four bytes, None for random ones, b"" for an unmasked frame. length: what the header
    says, where that is to differ from the payload."""
    mask = os.urandom(4) if mask is None else mask
    length = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    return head + mask + (apply_mask(payload, mask) if mask else bytes(payload))


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


def accept_key(key):
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key + ACCEPT_GUID).digest()).decode()


class RawClient:
    """rcvbuf: bytes of the socket's receive buffer, for viewers that are meant to be slow."""

    def __init__(self, port, host="127.0.0.1", rcvbuf=None, timeout_s=10.0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout_s = timeout_s
        self.buffer = bytearray()
        self.sock.settimeout(timeout_s)
        try:
            self.sock.connect((host, port))
        except OSError:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """Closes the socket without a word."""
        self.sock.close()

    def reset(self):
        """Closes the socket so that the peer sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.settimeout(self.timeout_s)
        self.sock.sendall(data)

    def send_frame(self, opcode, payload=b"", **options):
        self.send(encode_frame(opcode, payload, **options))

    def send_message(self, payload):
        """str as text, bytes as binary, in one frame."""
        if isinstance(payload, str):
            self.send_frame(TEXT, payload.encode())
        else:
            self.send_frame(BINARY, payload)

    def shutdown_write(self):
        self.sock.shutdown(socket.SHUT_WR)

    def _fill(self, deadline):
        """Reads once. False at the end of the stream."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing came in time; unread: {bytes(self.buffer[:200])!r}")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(READ_SIZE)
        except socket.timeout:
            raise TimeoutError(
                f"nothing came in time; unread: {bytes(self.buffer[:200])!r}") from None
        self.buffer += data
        return bool(data)

    def _deadline(self, timeout_s):
        return time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)

    def take(self, size, timeout_s=None):
        """So many bytes, however long they take while some of them come within each timeout_s."""
        while len(self.buffer) < size:
            if not self._fill(self._deadline(timeout_s)):
                raise ClosedByPeer(f"end of stream, {size - len(self.buffer)} bytes short")
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def read_end(self, timeout_s=None):
        """Everything up to the end of the stream, which makes progress within each timeout_s; a
        reset counts as an end."""
        try:
            while self._fill(self._deadline(timeout_s)):
                pass
        except ConnectionResetError:
            pass
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def reply(self, timeout_s=None, head_only=False):
        """One HTTP reply; its body by Content-Length, else to the end of the stream (except 100,
        101 and 204)."""
        deadline = self._deadline(timeout_s)
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if not self._fill(deadline):
                raise ClosedByPeer(f"end of stream inside the head: {bytes(self.buffer)!r}")
        head = self.take(end + 4, timeout_s)
        lines = head[:-4].decode("latin-1").split("\r\n")
        version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        status = int(status)
        if head_only or status in (100, 101, 204):
            body = b""
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]), timeout_s)
        else:
            body = self.read_end(timeout_s)
        return HttpReply(version, status, reason, headers, body, head)

    def ask_upgrade(self, target, headers=(), key=None, host="relay.test"):
        """Sends the opening handshake. Returns the Sec-WebSocket-Accept it should be answered
        with."""
        key = base64.b64encode(os.urandom(16)) if key is None else key
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key.decode()}",
                 "Sec-WebSocket-Version: 13", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        return accept_key(key)

    def upgrade(self, target, headers=(), **options):
        """Opens the WebSocket or raises with the refusal."""
        accept = self.ask_upgrade(target, headers, **options)
        reply = self.reply()
        if reply.status != 101:
            raise AssertionError(f"no upgrade: {reply.status} {reply.body!r}")
        assert reply.headers.get("sec-websocket-accept") == accept, reply.head
        return reply

    def frame(self, timeout_s=None):
        first, second = self.take(2, timeout_s)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.take(2, timeout_s))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8, timeout_s))[0]
        masked = bool(second & 0x80)
        mask = self.take(4, timeout_s) if masked else b""
        payload = self.take(length, timeout_s)
        return Frame(bool(first & 0x80), first >> 4 & 7, first & 15, masked,
                     apply_mask(payload, mask) if masked else payload)

    def message(self, timeout_s=None):
        """One data message as (opcode, bytes). The relay promises one final, unmasked, plain frame
        for each; anything else is an error here."""
        frame = self.frame(timeout_s)
        assert frame.opcode in (TEXT, BINARY), f"not a data frame: {frame!r:.200}"
        assert frame.fin and not frame.rsv and not frame.masked, f"{frame!r:.200}"
        return frame.opcode, frame.payload

    def assembled(self, timeout_s=None):
        """One data message of any server as (opcode, bytes), put together from its fragments
        (RFC 6455, section 5.4). practable/relay sends a message above 4096 bytes, its write
        buffer, in several."""
        opcode, parts = None, []
        while True:
            frame = self.frame(timeout_s)
            assert not frame.rsv and not frame.masked, f"{frame!r:.200}"
            if frame.opcode in (PING, PONG):
                continue
            assert frame.opcode in ((TEXT, BINARY) if opcode is None else (CONTINUATION,)), \
                f"{frame!r:.200}"
            opcode = frame.opcode if opcode is None else opcode
            parts.append(frame.payload)
            if frame.fin:
                return opcode, b"".join(parts)

    def expect_close(self, timeout_s=None):
        """(code, reason) of the next frame, which must be a close frame followed by the end of the
        stream."""
        closing = self.frame(timeout_s).close()
        rest = self.read_end(timeout_s)
        assert rest == b"", f"bytes after the close frame: {rest[:200]!r}"
        return closing

    def expect_end(self, timeout_s=None):
        rest = self.read_end(timeout_s)
        assert rest == b"", f"bytes where the end of the stream was expected: {rest[:200]!r}"

    def _ping_round(self, mark, timeout_s):
        """One ping there and back. Returns the data messages that came ahead of the pong."""
        self.send_frame(PING, mark)
        messages = []
        while True:
            frame = self.frame(timeout_s)
            if frame.opcode == PONG and frame.payload == mark:
                return messages
            assert frame.opcode in (TEXT, BINARY), f"{frame!r:.200}"
            messages.append((frame.opcode, frame.payload))

    def barrier(self, timeout_s=None):
        """Everything sent before has been read by the server, and everything that waited for this
        client is here: returns those data messages. Pongs may pass waiting data, so pings go on
        until a round after the first brings nothing. For a topic that has become quiet."""
        messages = self._ping_round(b"round 0", timeout_s)
        number = 1
        while more := self._ping_round(f"round {number}".encode(), timeout_s):
            messages += more
            number += 1
        return messages
