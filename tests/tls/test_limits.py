"""What strangers and unusual clients may cost: small fragments, handshakes that only begin.

Method: OpenSSL driven record by record, and plain sockets that send the first byte of a handshake.
"""

import os
import resource
import socket

import relay_support
from openssl_client import OpenSslClient
from relay_support import WAIT_S
from tls_support import TlsTestCase

BEGUN = 3800  # 17 KB each: more than the 32 MiB that a worker has for messages
LARGE = 300000


class Fragments(TlsTestCase):
    def test_large_messages_reach_clients_of_every_fragment_size(self):
        relay = self.start(transport=None)  # small fragments are user space's, the publisher's not
        for code in (1, 2, 3, 4):  # 512 to 4096 bytes, RFC 6066
            with self.subTest(bytes=256 << code):
                viewer = self.track(OpenSslClient(relay.relay_port, fragment=code,
                                                  timeout_s=WAIT_S))
                viewer.upgrade(relay.target("t0"))
                publisher = self.track(relay.publisher("t0"))
                payload = os.urandom(LARGE)
                publisher.send_message(payload)
                self.assertEqual(viewer.message()[1], payload)
                viewer.kill()
                publisher.kill()


class Strangers(TlsTestCase):
    def setUp(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < 2 * BEGUN:
            self.skipTest(f"the limit of open files is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def test_begun_handshakes_take_no_memory_from_messages(self):
        relay = self.start(RELAY_MESSAGE_MEMORY="64", RELAY_CONNECTIONS_MAX="8000")
        viewer = self.track(relay.viewer("t0"))
        publisher = self.track(relay.publisher("t0"))
        for _ in range(BEGUN):
            stranger = socket.create_connection(("127.0.0.1", relay.relay_port), timeout=WAIT_S)
            self.addCleanup(stranger.close)
            stranger.send(b"\x16")
        relay.wait_counter("connections_accepted", BEGUN)
        payload = os.urandom(LARGE)
        publisher.send_message(payload)
        self.assertEqual(viewer.message()[1], payload)
        self.assertEqual(relay.counters()["messages_dropped_memory"], 0)


if __name__ == "__main__":
    relay_support.main()
