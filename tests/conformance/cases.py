"""The cases of Autobahn|Testsuite, groups 1 to 7, 9 (scaled) and 10, made again from their public
descriptions under the same numbers, for machines on which the suite itself cannot run.

A case is what is sent and what must come back from an echo. Which UTF-8 is valid says Python's own
decoder, which shares no code with ours.
"""

import itertools
from typing import NamedTuple

from ws_raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload

NORMAL, PROTOCOL, INVALID = 1000, 1002, 1007
HELLO = b"Hello, world!"
KOSME = "κόσμε".encode()
EDITED = b"\xed\xa0\x80edited"  # a surrogate, then text


class Frame(NamedTuple):
    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0


class Case(NamedTuple):
    number: str
    frames: list
    expected: list  # (opcode, payload) of each frame that must come back ahead of the Close
    close: object = None  # the code of the testee's Close; None: the tester closes with 1000
    chop: int = 0  # bytes of each piece that is sent; 0: all in one
    waits: bool = False  # the Close must come before the last frame is sent
    leads: bool = False  # the tester's own frames hold a Close


def text(payload, **options):
    return Frame(TEXT, payload, **options)


def fragments(opcode, payload, size):
    pieces = [payload[at:at + size] for at in range(0, len(payload), size)]
    return [Frame(opcode if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1)
            for at, piece in enumerate(pieces)]


def echoed(opcode, payload):
    return [(opcode, payload)]


def framing():
    sizes = (0, 125, 126, 127, 128, 65535, 65536, 65536)
    for group, opcode, byte in ((1, TEXT, b"*"), (2, BINARY, b"\xfe")):
        for number, size in enumerate(sizes, 1):
            payload = byte * size
            yield Case(f"1.{group}.{number}", [Frame(opcode, payload)], echoed(opcode, payload),
                       chop=997 if number == 8 else 0)


def pings():
    for number, payload in enumerate((b"", HELLO, b"\0\xff\xfe\xfd\xfc\xfb\0\xff", b"\xfe" * 125),
                                     1):
        yield Case(f"2.{number}", [Frame(PING, payload)], [(PONG, payload)])
    yield Case("2.5", [Frame(PING, b"\xfe" * 126)], [], PROTOCOL)
    yield Case("2.6", [Frame(PING, b"\xfe" * 125)], [(PONG, b"\xfe" * 125)], chop=1)
    yield Case("2.7", [Frame(PONG)], [])
    yield Case("2.8", [Frame(PONG, b"unasked")], [])
    yield Case("2.9", [Frame(PONG, b"unasked"), Frame(PING, b"asked")], [(PONG, b"asked")])
    many = [b"payload-%d" % number for number in range(10)]
    for number, chop in ((10, 0), (11, 1)):
        yield Case(f"2.{number}", [Frame(PING, each) for each in many],
                   [(PONG, each) for each in many], chop=chop)


def behind_a_message(number, bad, chop=0):
    """A message that is echoed, then the fault, then a ping that must not be answered."""
    return Case(number, [text(HELLO), bad, Frame(PING)], echoed(TEXT, HELLO), PROTOCOL, chop)


def reserved_bits():
    yield Case("3.1", [text(HELLO, rsv=1)], [], PROTOCOL)
    yield behind_a_message("3.2", text(HELLO, rsv=2))
    yield behind_a_message("3.3", text(HELLO, rsv=3))
    yield behind_a_message("3.4", text(HELLO, rsv=4), chop=1)
    yield Case("3.5", [Frame(BINARY, b"\0\xff\xfe", rsv=5)], [], PROTOCOL)
    yield Case("3.6", [Frame(PING, HELLO, rsv=6)], [], PROTOCOL)
    yield Case("3.7", [Frame(CLOSE, rsv=7)], [], PROTOCOL)


def opcodes():
    for group, first in ((1, 3), (2, 11)):
        yield Case(f"4.{group}.1", [Frame(first)], [], PROTOCOL)
        yield Case(f"4.{group}.2", [Frame(first + 1, b"reserved")], [], PROTOCOL)
        for number in (3, 4, 5):
            yield behind_a_message(f"4.{group}.{number}",
                                   Frame(first + number - 1, HELLO if number > 3 else b""),
                                   chop=1 if number == 5 else 0)


def fragmentation():
    one, two = text(b"fragment1", fin=False), Frame(CONTINUATION, b"fragment2")
    whole = echoed(TEXT, b"fragment1fragment2")
    ping = Frame(PING, b"ping in between")
    yield Case("5.1", [Frame(PING, b"a", fin=False), Frame(CONTINUATION, b"b")], [], PROTOCOL)
    yield Case("5.2", [Frame(PONG, b"a", fin=False), Frame(CONTINUATION, b"b")], [], PROTOCOL)
    for number, chop in ((3, 0), (4, 7), (5, 1)):
        yield Case(f"5.{number}", [one, two], whole, chop=chop)
        yield Case(f"5.{number + 3}", [one, ping, two], [(PONG, ping.payload)] + whole, chop=chop)
        for fin, base in ((True, 6), (False, 9)):
            yield Case(f"5.{number + base}",
                       [Frame(CONTINUATION, b"of nothing", fin=fin), text(HELLO)], [], PROTOCOL,
                       chop)
    yield Case("5.15", [one, two, Frame(CONTINUATION, b"of nothing", fin=False), text(HELLO)],
               whole, PROTOCOL)
    for number, fin in ((16, False), (17, True)):
        round_of_three = [Frame(CONTINUATION, b"fragment1", fin=fin), text(b"fragment2", fin=False),
                          Frame(CONTINUATION, b"fragment3")]
        yield Case(f"5.{number}", round_of_three * 2, [], PROTOCOL)
    yield Case("5.18", [one, text(b"fragment2")], [], PROTOCOL)
    for number, chop in ((19, 0), (20, 1)):
        parts = [text(b"fragment1", fin=False), Frame(CONTINUATION, b"fragment2", fin=False),
                 Frame(PING, b"pongme 1!"), Frame(CONTINUATION, b"fragment3", fin=False),
                 Frame(CONTINUATION, b"fragment4", fin=False), Frame(PING, b"pongme 2!"),
                 Frame(CONTINUATION, b"fragment5")]
        yield Case(f"5.{number}", parts, [(PONG, b"pongme 1!"), (PONG, b"pongme 2!")]
                   + echoed(TEXT, b"".join(b"fragment%d" % each for each in range(1, 6))),
                   chop=chop)


def judged(number, payload):
    """One text message, which Python's decoder takes or refuses."""
    try:
        payload.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return Case(number, [text(payload)], [], INVALID)
    return Case(number, [text(payload)], echoed(TEXT, payload))


def integer_encoding(point, size):
    """The scheme of UTF-8 with up to six bytes, whether or not UTF-8 allows the result."""
    if size == 1:
        return bytes([point])
    tail = [0x80 | point >> 6 * place & 0x3f for place in range(size - 2, -1, -1)]
    return bytes([(0xff00 >> size & 0xff) | point >> 6 * (size - 1)] + tail)


def utf8_sequences():
    """The sections of Markus Kuhn's decoder stress test, and texts around them."""
    bits = {1: 7, 2: 11, 3: 16, 4: 21, 5: 26, 6: 31}
    first = {1: 0, 2: 0x80, 3: 0x800, 4: 0x10000, 5: 0x200000, 6: 0x4000000}
    cut = [integer_encoding(0, size)[:-1] for size in range(2, 7)] \
        + [integer_encoding((1 << bits[size]) - 1, size)[:-1] for size in range(2, 7)]
    surrogates = [integer_encoding(point, 3) for point in
                  (0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff)]
    high, low = surrogates[:4], (surrogates[4], surrogates[6])
    yield [b"hello" + each.encode() + b"world" for each in "$¢€\U00024b62"] + [KOSME]
    yield [KOSME[:size] for size in range(1, len(KOSME) + 1)]
    yield [integer_encoding(first[size], size) for size in range(1, 5)]
    yield [integer_encoding(first[size], size) for size in (5, 6)]
    yield [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]
    yield [integer_encoding((1 << bits[size]) - 1, size) for size in (4, 5, 6)]
    yield [integer_encoding(point, size) for point, size in
           ((0xd7ff, 3), (0xe000, 3), (0xfffd, 3), (0x10ffff, 4), (0x110000, 4))]
    yield [b"\x80", b"\xbf"] + [(b"\x80\xbf" * 3)[:size] for size in range(2, 7)] \
        + [bytes(range(0x80, 0xbf))]
    yield [b"".join(bytes([each, 0x20]) for each in range(low_, high_)) for low_, high_ in
           ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd))]
    yield cut
    yield [b"".join(cut)]
    yield [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]
    yield [integer_encoding(0x2f, size) for size in range(2, 7)]
    yield [integer_encoding(first[size] - 1, size) for size in range(2, 7)]
    yield [integer_encoding(0, size) for size in range(2, 7)]
    yield surrogates
    yield [one + two for one in high for two in low]
    yield [integer_encoding(plane << 16 | each, 3 if plane == 0 else 4)
           for plane in range(17) for each in (0xfffe, 0xffff)]
    yield [chr(point).encode() for point in range(0xfff9, 0x10000)]


def utf8():
    yield Case("6.1.1", [text(b"")], echoed(TEXT, b""))
    empty = [text(b"", fin=False), Frame(CONTINUATION, b"", fin=False), Frame(CONTINUATION)]
    yield Case("6.1.2", empty, echoed(TEXT, b""))
    yield Case("6.1.3", [empty[0], Frame(CONTINUATION, b"middle", fin=False), empty[2]],
               echoed(TEXT, b"middle"))
    valid = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield judged("6.2.1", valid)
    yield Case("6.2.2", fragments(TEXT, valid, 14), echoed(TEXT, valid))
    yield Case("6.2.3", fragments(TEXT, valid, 1), echoed(TEXT, valid))
    yield Case("6.2.4", fragments(TEXT, KOSME, 1), echoed(TEXT, KOSME))
    yield judged("6.3.1", KOSME + EDITED)
    yield Case("6.3.2", fragments(TEXT, KOSME + EDITED, 1), [], INVALID)
    above, rest = b"\xf4\x90\x80\x80", Frame(CONTINUATION, b"edited")
    yield Case("6.4.1", [text(KOSME, fin=False), Frame(CONTINUATION, above, fin=False), rest], [],
               INVALID, waits=True)
    yield Case("6.4.2", [text(KOSME + above[:1], fin=False),
                         Frame(CONTINUATION, above[1:], fin=False), rest], [], INVALID, waits=True)
    for number, payloads in enumerate(utf8_sequences(), 5):
        for place, payload in enumerate(payloads, 1):
            yield judged(f"6.{number}.{place}", payload)


def closing():
    close = Frame(CLOSE, close_payload(NORMAL))
    yield Case("7.1.1", [text(HELLO)], echoed(TEXT, HELLO))
    yield Case("7.1.2", [close, close], [], NORMAL, leads=True)
    yield Case("7.1.3", [close, Frame(PING)], [], NORMAL, leads=True)
    yield Case("7.1.4", [close, text(HELLO)], [], NORMAL, leads=True)
    yield Case("7.1.5", [text(b"fragment1", fin=False), close, Frame(CONTINUATION, b"fragment2")],
               [], NORMAL, leads=True)
    for number, payload, code in (
            (1, b"", 0), (2, b"a", PROTOCOL), (3, close_payload(NORMAL), NORMAL),
            (4, close_payload(NORMAL, HELLO), NORMAL),
            (5, close_payload(NORMAL, b"*" * 123), NORMAL),
            (6, close_payload(NORMAL, b"*" * 124), PROTOCOL)):
        yield Case(f"7.3.{number}", [Frame(CLOSE, payload)], [], code, leads=True)
    yield Case("7.5.1", [Frame(CLOSE, close_payload(NORMAL, KOSME + EDITED))], [], PROTOCOL,
               leads=True)
    for number, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999,
                                   4000, 4999), 1):
        yield Case(f"7.7.{number}", [Frame(CLOSE, close_payload(code))], [], code, leads=True)
    for number, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield Case(f"7.9.{number}", [Frame(CLOSE, close_payload(code))], [], PROTOCOL, leads=True)
    for number, code in enumerate((5000, 65535), 1):
        yield Case(f"7.13.{number}", [Frame(CLOSE, close_payload(code))], [], PROTOCOL, leads=True)


def limits():
    """Group 9 with a quarter of a mebibyte at most: sizes, fragments, pieces, round trips."""
    size = 256 * 1024
    for base, opcode, payload in ((1, TEXT, b"BAsd7&jh23" * 26215), (2, BINARY, b"\xfe\0" * size)):
        payload = payload[:size]
        for number, length in enumerate((1 << 14, 1 << 16, size), 1):
            yield Case(f"9.{base}.{number}", [Frame(opcode, payload[:length])],
                       echoed(opcode, payload[:length]))
        for number, piece in enumerate((64, 256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, size), 1):
            yield Case(f"9.{base + 2}.{number}", fragments(opcode, payload, piece),
                       echoed(opcode, payload))
        for number, chop in enumerate((64, 128, 256, 512, 1024, 2048), 1):
            yield Case(f"9.{base + 4}.{number}", [Frame(opcode, payload)], echoed(opcode, payload),
                       chop=chop)
        for number, length in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            yield Case(f"9.{base + 6}.{number}", [Frame(opcode, payload[:length])] * 100,
                       echoed(opcode, payload[:length]) * 100)


def auto_fragmentation():
    payload = b"*" * 65536
    yield Case("10.1.1", fragments(TEXT, payload, 1300), echoed(TEXT, payload))


def all_cases():
    return list(itertools.chain(framing(), pings(), reserved_bits(), opcodes(), fragmentation(),
                                utf8(), closing(), limits(), auto_fragmentation()))
