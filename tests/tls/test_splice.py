"""Viewers that join over TLS begin with the newest key picture behind its splice.

The two are sent from two places of memory, in records of the kernel as in those of user space; then
come the messages as they were sent. Method: a stream made by hand, of which relays know what they
look at; viewers of both workers, while its publisher goes on.
"""

from tls_support import TlsTestCase, main

PACKET_BYTES = 188
PAYLOAD_BYTES = PACKET_BYTES - 4
PID_MAP, PID_VIDEO = 0x1000, 0x100
KEY_BYTES = 40000  # some records
UNITS = {True: bytes.fromhex("0000000109100000000167 42c01ed9 0000000168ce06 00000001658880"),
         False: bytes.fromhex("000000010930 00000001419a20")}
ASSOCIATION = bytes.fromhex("00b00d0001c100000001f000")
MAP = bytes.fromhex("02b0120001c10000e100f0001be100f000")


def crc(section):
    value = 0xffffffff
    for byte in section:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04c11db7 if value >> 31 else 0)) & 0xffffffff
    return value.to_bytes(4, "big")


class Maker:
    def __init__(self):
        self.counters = {}

    def packet(self, pid, payload, starts, is_key=False):
        counter = self.counters[pid] = (self.counters.get(pid, -1) + 1) % 16
        field = b"\x01\x40" if is_key else b""
        stuffing = PAYLOAD_BYTES - len(field) - len(payload)
        if stuffing > 0 and not field:
            field = bytes([stuffing - 1]) + (b"\0" + b"\xff" * (stuffing - 2))[:stuffing - 1]
        head = bytes([0x47, (0x40 if starts else 0) | pid >> 8, pid & 0xff,
                      (0x30 if field else 0x10) | counter])
        return head + field + payload

    def table(self, pid, section):
        payload = b"\0" + section + crc(section)
        return self.packet(pid, payload.ljust(PAYLOAD_BYTES, b"\xff"), True)

    def picture(self, is_key, size):
        """One message: tables before a key picture, then its packets."""
        pes = b"\0\0\1\xe0\0\0\x80\x00\x00" + UNITS[is_key]
        pes += b"\xaa" * (size - len(pes))
        first = PAYLOAD_BYTES - (2 if is_key else 0)
        packets = [self.packet(PID_VIDEO, pes[:first], True, is_key)]
        packets += [self.packet(PID_VIDEO, pes[at:at + PAYLOAD_BYTES], False)
                    for at in range(first, len(pes), PAYLOAD_BYTES)]
        tables = self.table(0, ASSOCIATION) + self.table(PID_MAP, MAP) if is_key else b""
        return tables + b"".join(packets)


class Splices(TlsTestCase):
    def test_viewers_of_both_workers_begin_with_the_key_picture(self):
        maker = Maker()
        groups = [maker.picture(is_key, KEY_BYTES if is_key else 3000)
                  for is_key in (True, False, False, True, False)]
        relay = self.start(RELAY_WORKERS="2", RELAY_PLACEMENT="accept")
        witness = self.track(relay.viewer("cam"))
        publisher = self.track(relay.publisher("cam"))
        for message in groups:
            publisher.send_message(message)
        self.assertEqual([witness.message()[1] for _ in groups], groups)
        viewers = [self.track(client) for client in relay.raw_on_workers(2, "cam", ("read",))]
        live = maker.picture(False, 3000)
        publisher.send_message(live)
        for viewer in viewers:
            first = viewer.message()[1]
            key = groups[3][2 * PACKET_BYTES:]
            splice = first[:-len(key)]
            self.assertTrue(first.endswith(key), "it begins with something else")
            self.assertEqual(len(splice) % PACKET_BYTES, 0)
            self.assertIn(groups[3][4:PACKET_BYTES], splice, "the tables are missing")
            self.assertEqual([viewer.message()[1] for _ in range(2)], [groups[4], live])
        # Viewers that came to a worker which had one already joined, too.
        self.assertGreaterEqual(relay.counters()["joins_from_cache"], len(viewers))


if __name__ == "__main__":
    main()
