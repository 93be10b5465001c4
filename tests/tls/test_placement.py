"""The same over TLS, by records of our own, of the kernel and of OpenSSL (TLS 1.2); and peers that
stop in the middle of a record while they move: see support/placement.py."""

import socket
import ssl
import unittest

import relay_support
import tls_support
from placement import Placement, numbered, request_and
from relay_support import WAIT_S
from tls_support import EMULATED, KERNEL, TlsTestCase
from ws_raw import TEXT, RawClient


class PlacesOverTls(Placement, TlsTestCase):
    TOPICS = 4 if EMULATED else 12

    def connect(self, relay, context):
        return relay.connect(context)


class CutRecords(TlsTestCase):
    """A client whose records leave when and as far as the test likes."""

    def handshake(self, relay):
        self.sock = socket.create_connection(("127.0.0.1", relay.relay_port), WAIT_S)
        self.addCleanup(self.sock.close)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_support.client_context().wrap_bio(self.incoming, self.outgoing,
                                                         server_hostname="localhost")
        self.until(self.tls.do_handshake)
        self.sock.sendall(self.outgoing.read())

    def until(self, act):
        """Repeats it with more of what comes until it can be done."""
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                self.incoming.write(self.sock.recv(65536))

    def records(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def read_head(self):
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.until(lambda: self.tls.read(1))
        return head

    def test_a_record_that_is_cut_by_the_move_goes_on(self):
        relay = tls_support.TlsRelay(RELAY_WORKERS="4", RELAY_PLACEMENT="topic",
                                     RELAY_CODES_MAX="1000")
        self.addCleanup(self._stop, relay)
        viewer = self.track(relay.viewer("t0", booking_id="viewer"))
        long = b"x" * 9000
        for number, cut in enumerate((1, 4, 5, 6, 21, 30, 3000, 9000, 1, 5, 6, 3000)):
            self.handshake(relay)
            request = request_and(RawClient.__new__(RawClient), relay.target("t0"), b"")
            first = self.records(request + numbered("early", [number]))
            second = self.records(numbered("cut", [number]) + numbered(long.decode(), [number]))
            self.sock.sendall(first + second[:cut])
            self.assertTrue(self.read_head().startswith(b"HTTP/1.1 101 "))
            self.sock.sendall(second[cut:])
            for text in ("early", "cut", long.decode()):
                self.assertEqual(viewer.message(), (TEXT, f"{text} {number}".encode()))
            self.sock.close()
        self.assertGreater(relay.counters()["websockets_moved"], 0)


@unittest.skipIf(KERNEL, "the records of TLS 1.2 are OpenSSL's, wherever it runs")
class PlacesOverTls12(Placement, TlsTestCase):
    CONTEXT = tls_support.tls12_context()

    def connect(self, relay, context):
        return relay.connect(context)


if __name__ == "__main__":
    tls_support.main()
