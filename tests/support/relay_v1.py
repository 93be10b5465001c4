"""The subprotocol relay.v1 as docs/protocol.md describes it, without our own code: messages are
dictionaries, and a WebSocket of python3-websockets carries them."""

import os
import re
import struct
import time

import relay_support
import ws_peer

ENVELOPE = struct.Struct(">BBHIQQQ")
ENVELOPE_FIELDS = ("kind", "flags", "source", "sequence", "sent", "received", "forwarded")
DATA, STREAM, KEY, DEPENDENT, DISPOSABLE, JPEG, LATEST = range(7)
TEXT, GAP, CATCH_UP = 1, 2, 4
PAYLOAD_MAX = 0x3f
# Of each kind: its name, the field in the code byte, the fields behind the head, their layout.
CONTROLS = {
    0x40: ("viewers", None, ("viewers",), ">I"),
    0x41: ("key_picture", "reason", (), ">"),
    0x42: ("live", "live", ("publishers",), ">I"),
    0x43: ("clock_request", None, ("asked",), ">Q"),
    0x44: ("clock_answer", None, ("asked", "arrived", "answered"), ">QQQ"),
    0x45: ("report", None, ("sent", "forwarded", "arrived", "shown", "queued", "dropped",
                            "round_trip"), ">QQQQIII"),
    0x46: ("lease", "state", ("refused", "idle_ms"), ">II"),
    0x48: ("expiry", "result", ("expires",), ">Q"),
}
TOKEN = 0x47
KINDS = {name: kind for kind, (name, *_) in CONTROLS.items()}
EXAMPLES = re.compile(r"^```relay\.v1\n(.*?)^```", re.S | re.M)
HEX_LINE = re.compile(r"[0-9a-f]{2}( [0-9a-f]{2})*")


def encode_payload(payload, sequence=0, sent=0, **fields):
    """str becomes a text payload, bytes a binary one."""
    is_text = isinstance(payload, str)
    values = {"kind": DATA, "flags": TEXT if is_text else 0, "source": 0, "received": 0,
              "forwarded": 0, **fields, "sequence": sequence, "sent": sent}
    head = ENVELOPE.pack(*(values[name] for name in ENVELOPE_FIELDS))
    return head + (payload.encode() if is_text else payload)


def encode_control(name, **fields):
    if name == "token":
        return bytes([TOKEN, 0, 0, 0]) + fields["token"].encode()
    kind = KINDS[name]
    _, code, names, layout = CONTROLS[kind]
    return bytes([kind, fields.get(code, 0), 0, 0]) + \
        struct.pack(layout, *(fields.get(field, 0) for field in names))


def decode(message):
    """A dictionary with "name": "envelope", with "payload", or that of a control message."""
    kind = message[0]
    if kind <= PAYLOAD_MAX:
        fields = dict(zip(ENVELOPE_FIELDS, ENVELOPE.unpack_from(message)))
        payload = message[ENVELOPE.size:]
        if fields["flags"] & TEXT:
            payload = payload.decode()
        return {"name": "envelope", **fields, "payload": payload}
    if kind == TOKEN:
        return {"name": "token", "token": message[4:].decode()}
    if kind not in CONTROLS:
        return {"name": f"unknown {kind:#x}"}
    name, code, names, layout = CONTROLS[kind]
    fields = dict(zip(names, struct.unpack_from(layout, message, 4)))
    return {"name": name, **({code: message[1]} if code else {}), **fields}


def examples():
    """(words, bytes) of each example in docs/protocol.md."""
    path = os.path.join(relay_support.SOURCE, "docs", "protocol.md")
    with open(path, encoding="utf-8") as document:
        blocks = EXAMPLES.findall(document.read())
    found = []
    for line in (line for block in blocks for line in block.splitlines()):
        if HEX_LINE.fullmatch(line):
            found[-1] = (found[-1][0], found[-1][1] + bytes.fromhex(line))
        else:
            found.append((line, b""))
    return found


def now_us():
    return time.time_ns() // 1000


class Peer:
    """An open WebSocket that speaks relay.v1."""

    def __init__(self, uri, subprotocols=("relay.v1",)):
        self.peer = ws_peer.Peer(uri, subprotocols=list(subprotocols),
                                 timeout_s=relay_support.WAIT_S)
        self.sequence = 0

    def publish(self, payload, **fields):
        self.peer.send(encode_payload(payload, **{"sequence": self.sequence, "sent": now_us(),
                                                  **fields}))
        self.sequence += 1

    def say(self, name, **fields):
        self.peer.send(encode_control(name, **fields))

    def hear(self, name, timeout_s=None, **wanted):
        """The next message of that name with those fields; others in front of it are dropped."""
        deadline = time.monotonic() + (timeout_s or relay_support.WAIT_S)
        while True:
            message = decode(self.peer.recv(max(0.01, deadline - time.monotonic())))
            if message["name"] == name and \
                    all(message[field] == value for field, value in wanted.items()):
                return message

    def close(self):
        self.peer.close()
