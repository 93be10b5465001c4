"""Connections that are cut wherever they are: the server lives, and its pools are whole at its end.

Each pipelines requests for long answers, reads little or nothing of them through a small receive
buffer, so that a send of the server's ends short, and is then cut in one of the ways that a peer
can choose. Without a token. RELAY_TEST_STORM=20000 makes it as long as a release asks for.
"""

import os
import random
import socket
import ssl
import struct
import threading

import tls_support
from relay_support import WAIT_S
from tls_support import EMULATED, KERNEL, TlsTestCase, scaled

THREADS = 8
CONNECTIONS = int(os.environ.get("RELAY_TEST_STORM") or 0) or scaled(3000, 800, 120)
PIPELINED = b"GET /swagger.json HTTP/1.1\r\nHost: x\r\n\r\n" * 127
RESET = struct.pack("ii", 1, 0)


def by_reset(sock, _):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


def by_fin(sock, _):
    sock.shutdown(socket.SHUT_WR)
    sock.close()


def by_broken_record(sock, tls):
    """What follows is no record of this connection: the server gives up at once."""
    raw = socket.socket(fileno=os.dup(tls.fileno()))
    try:
        raw.setblocking(False)
        raw.send(b"\x17\x03\x03\x00\x20" + os.urandom(32))
    finally:
        raw.close()
    sock.close()


def by_close_notify(sock, tls):
    tls.settimeout(0.05)
    try:
        tls.unwrap()
    except OSError:
        pass  # the server's answer waits behind what is not read
    sock.close()


CUTS = (by_reset, by_fin, by_broken_record, by_close_notify)


def attack(port, context, choice):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(WAIT_S)
    with sock:
        sock.connect(("127.0.0.1", port))
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(PIPELINED)
            for _ in range(choice.randrange(6)):
                if not tls.recv(4096):
                    break
            choice.choice(CUTS)(tls, tls)


class Storm(TlsTestCase):
    def storm(self, context, **options):
        relay = self.start(transport=None, RELAY_WORKERS="2", **options)
        left = iter(range(CONNECTIONS))
        lock, failures = threading.Lock(), []

        def run(seed):
            choice = random.Random(seed)
            while relay.process.poll() is None:
                with lock:
                    if next(left, None) is None:
                        return
                try:
                    attack(relay.access_port, context, choice)
                except (ssl.SSLError, ConnectionError):
                    pass  # the server may be first
                except OSError as error:
                    failures.append(error)
                    return

        threads = [threading.Thread(target=run, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertIsNone(relay.process.poll(), relay.tail())
        self.round_trip(relay)
        counters = relay.stop()
        self.assertGreaterEqual(counters["connections_closed"], CONNECTIONS)
        # Where the kernel makes the records, it takes one answer at a time whole.
        if not KERNEL:
            self.assertGreater(counters["sends_short"], 0)
        return counters

    def test_tls_1_3_with_records_of_the_default_transport(self):
        counters = self.storm(tls_support.client_context(minimum=ssl.TLSVersion.TLSv1_3))
        self.assertGreater(counters["tls_kernel" if KERNEL else "tls_user"], CONNECTIONS // 2)

    def test_tls_1_2_whose_records_stay_in_user_space(self):
        counters = self.storm(tls_support.tls12_context())
        self.assertGreater(counters["tls_user"], CONNECTIONS // 2)


if __name__ == "__main__":
    tls_support.main()
