"""Memory that a burst took goes back to the system, a few seconds after it was of use last.

Method: the resident memory of the process, as the kernel tells it, before, during and after a
burst: messages that wait for a stalled viewer, and connections that say one byte.
"""

import os
import time

import crowd
import relay_support
from relay_support import SANITIZED, TIME_SCALE, RelayTestCase, wait_until
from ws_raw import BINARY, RawClient

MEBIBYTE = 1 << 20
TINY_RECEIVE_BUFFER = 4096
CONNECTIONS = 2000
LIMIT_S = 20.0 * TIME_SCALE  # the aim is 10 s on a machine that is free
# The receive buffers of each worker (4 MiB) are used one after the other, and are never given back.
STAYS_BYTES = 8 * MEBIBYTE


class MemoryGivenBack(RelayTestCase):
    def await_return(self, relay, before, burst_bytes):
        """Until little more is resident than before the burst."""
        start, peak = time.monotonic(), relay.rss_bytes()
        relay.wait_counter("memory_given_back", burst_bytes, LIMIT_S)
        if not SANITIZED:  # their shadow and quarantine stay
            wait_until(lambda: relay.rss_bytes() < before + STAYS_BYTES, "the memory to go back",
                       LIMIT_S)
        print(f"resident before {before / 1e6:.1f}, peak {peak / 1e6:.1f}, after "
              f"{relay.rss_bytes() / 1e6:.1f} MB, {time.monotonic() - start:.1f} s later")

    def test_messages_that_waited_for_a_stalled_viewer(self):
        relay = self.start(RELAY_WORKERS="2", RELAY_QUEUE_AGE="0s", RELAY_BUFFER_SIZE="512",
                           RELAY_QUEUE_BYTES=str(64 * MEBIBYTE))
        viewer, publisher = self.track(relay.viewer("b")), self.track(relay.publisher("b"))
        stalled = self.track(relay.viewer("a", rcvbuf=TINY_RECEIVE_BUFFER))
        flood = self.track(relay.publisher("a"))
        before = relay.rss_bytes()
        for _ in range(400):
            flood.send_frame(BINARY, os.urandom(100_000), mask=b"\0\0\0\0")
        flood.barrier()
        self.assertGreater(relay.rss_bytes(), before + 30 * MEBIBYTE)
        stalled.kill()
        self.await_return(relay, before, 30 * MEBIBYTE)
        publisher.send_frame(BINARY, b"it goes on")
        self.assertEqual(viewer.message(), (BINARY, b"it goes on"))

    def test_connections_that_never_became_websockets(self):
        if crowd.raise_descriptor_limit(CONNECTIONS + 500) < CONNECTIONS + 500:
            self.skipTest("too few descriptors")
        relay = self.start(RELAY_WORKERS="2")
        viewer, publisher = self.track(relay.viewer()), self.track(relay.publisher())
        before, fds = relay.rss_bytes(), relay.fds()
        clients = [self.track(RawClient(relay.access_port)) for _ in range(CONNECTIONS)]
        for client in clients:
            client.send(b"G")
        wait_until(lambda: relay.rss_bytes() > before + STAYS_BYTES + MEBIBYTE or SANITIZED,
                   "the burst to be resident")
        for client in clients:
            client.kill()
        wait_until(lambda: relay.fds() <= fds, "the descriptors")
        self.await_return(relay, before, 5 * MEBIBYTE)
        publisher.send_frame(BINARY, b"it goes on")
        self.assertEqual(viewer.message(), (BINARY, b"it goes on"))
        again = [self.track(RawClient(relay.access_port)) for _ in range(500)]  # in bare places
        for client in again:
            client.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual({client.reply().status for client in again}, {401})


if __name__ == "__main__":
    relay_support.main()
