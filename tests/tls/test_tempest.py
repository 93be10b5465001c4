"""Everything at once: joins, denials, resets, stalls, floods, pipelined requests and reloads, for a
while. The server lives, no denial is lost, a camera beside it goes on, and its pools are whole at
its end.

Method: threads that choose by a seed, each of its own; RELAY_TEST_TEMPEST=1800 gives it half an
hour for each transport, as a release asks for. Four workers; plain TCP, TLS 1.2 and TLS 1.3.
"""

import os
import random
import signal
import socket
import ssl
import threading
import time

import relay_support
import tls_support
from relay_support import RelayTestCase
from tls_support import TlsTestCase, scaled
from ws_raw import BINARY, PING, ClosedByPeer, RawClient, encode_frame

SECONDS = int(os.environ.get("RELAY_TEST_TEMPEST") or 0) or scaled(20, 20, 10)
THREADS = 6
TOPICS = 5
EXPECTED = (OSError, ssl.SSLError, AssertionError, ClosedByPeer, TimeoutError, ValueError)


class Tempest:
    """One thread of trouble. What it expects from a server in trouble are refusals and ends."""

    def __init__(self, case, relay, seed, ending):
        self.case, self.relay, self.ending = case, relay, ending
        self.choice = random.Random(seed)
        self.seed = seed
        self.lost_denials = []
        self.acts = 0
        self.clients = []

    def topic(self):
        return f"trouble{self.choice.randrange(TOPICS)}"

    def join(self):
        client = self.relay.raw(self.topic(), self.choice.choice([("read",), ("write",),
                                                                  ("read", "write")]),
                                rcvbuf=self.choice.choice([None, 4096]))
        self.clients.append(client)
        if len(self.clients) > 20:
            self.clients.pop(self.choice.randrange(len(self.clients))).kill()

    def any_client(self):
        return self.choice.choice(self.clients) if self.clients else None

    def talk(self):
        client = self.any_client()
        if client is not None:
            client.sock.settimeout(0.2)
            client.sock.sendall(some_frame(self.choice))

    def flood(self):
        client = self.any_client()
        if client is not None:
            client.sock.settimeout(0.2)
            client.sock.sendall(some_frame(self.choice, 1) * 3000)

    def reset(self):
        client = self.any_client()
        if client is not None:
            self.clients.remove(client)
            client.reset()

    def garbage(self):
        client = self.any_client()
        if client is not None:
            self.clients.remove(client)
            client.sock.settimeout(0.2)
            client.sock.sendall(self.choice.randbytes(self.choice.randrange(1, 300)))
            client.kill()

    def silent(self):
        sock = socket.create_connection(("127.0.0.1", self.choice.choice(
            [self.relay.access_port, self.relay.relay_port])), timeout=1)
        if self.choice.random() < 0.5:
            sock.sendall(b"\x16")
        if self.choice.random() < 0.5:
            sock.close()
        else:
            self.clients.append(Held(sock))

    def pipeline(self):
        self.relay.request("GET", "/swagger.json")

    def deny(self):
        """The booking's connection is cut before the answer comes, and none gets in after it."""
        booking = f"denied-{self.seed}-{self.acts}"
        client = self.relay.raw(self.topic(), ("read",), booking_id=booking)
        target = self.relay.target(self.topic(), ("read",), booking_id=booking)
        admin = self.relay.token("any", ("relay:admin",))
        reply = self.relay.request("POST",
                                   f"/bids/deny?bid={booking}&exp={int(time.time()) + 300}",
                                   {"Authorization": admin})
        if reply.status == 204:
            self.check_denied(client, target, booking)
        client.kill()

    def check_denied(self, client, target, booking):
        try:
            while True:  # to the Close, and the end
                client.frame(timeout_s=relay_support.WAIT_S)
        except TimeoutError:
            self.lost_denials.append(f"{booking} was not cut")
        except (OSError, ssl.SSLError, ClosedByPeer):
            pass
        late = self.connect()
        late.ask_upgrade(target)
        if late.reply().status == 101:
            self.lost_denials.append(f"{booking} got in")
        late.kill()

    def connect(self):
        if hasattr(self.relay, "connect"):
            return self.relay.connect()
        return RawClient(self.relay.relay_port, timeout_s=relay_support.WAIT_S)

    def reload(self):
        self.relay.process.send_signal(self.choice.choice([signal.SIGHUP, signal.SIGUSR1]))

    def run(self):
        acts = [self.join] * 6 + [self.talk] * 12 + [self.flood, self.reset, self.reset,
                                                     self.garbage, self.silent, self.silent,
                                                     self.pipeline, self.deny, self.deny,
                                                     self.reload]
        while not self.ending.is_set() and self.relay.process.poll() is None:
            self.acts += 1
            try:
                self.choice.choice(acts)()
            except EXPECTED:
                pass
        for client in self.clients:
            client.kill()


class Held:
    """A socket that only stays open."""

    def __init__(self, sock):
        self.sock = sock

    def kill(self):
        self.sock.close()

    reset = kill


def some_frame(choice, size=None):
    opcode = choice.choice([BINARY, BINARY, PING])
    limit = 125 if opcode == PING else 70000
    length = size if size is not None else min(limit, int(choice.expovariate(1 / 3000)))
    return encode_frame(opcode, choice.randbytes(length))


class Camera(threading.Thread):
    """Pictures of a topic of its own, to one viewer. The machine is busy: what counts is that they
    go on."""

    def __init__(self, relay, ending):
        super().__init__()
        lifetime_s = SECONDS + int(relay_support.TEST_HANGS_S)  # of its tokens
        self.publisher = relay.publisher("camera", lifetime_s=lifetime_s)
        self.viewer = relay.viewer("camera", lifetime_s=lifetime_s)
        self.ending = ending
        self.seen = 0
        self.failure = None

    def run(self):
        try:
            while not self.ending.wait(0.04):
                self.publisher.send_frame(BINARY, os.urandom(20000))
                assert self.viewer.message()[0] == BINARY
                self.seen += 1
        except BaseException as failure:  # told by the test
            self.failure = failure
        finally:
            self.publisher.kill()
            self.viewer.kill()


class Everything:
    def storm(self, relay):
        ending = threading.Event()
        camera = Camera(relay, ending)
        troubles = [Tempest(self, relay, seed, ending) for seed in range(THREADS)]
        threads = [camera, *(threading.Thread(target=trouble.run) for trouble in troubles)]
        for thread in threads:
            thread.start()
        ending.wait(SECONDS)
        ending.set()
        for thread in threads:
            thread.join()
        self.assertIsNone(relay.process.poll(), relay.tail())
        self.assertEqual([lost for trouble in troubles for lost in trouble.lost_denials], [])
        self.assertIsNone(camera.failure)
        self.assertGreater(camera.seen, SECONDS)
        acts = sum(trouble.acts for trouble in troubles)
        print(f"{acts} acts of trouble, {camera.seen} pictures in {SECONDS} s")
        self.assertGreater(acts, SECONDS)  # how many more is up to the machine
        counters = relay.stop()
        for name in ("bookings_denied", "closed_denied", "websockets_opened"):
            self.assertGreater(counters[name], 0, name)
        return counters


class Plain(Everything, RelayTestCase):
    def test_plain(self):
        self.storm(self.start(RELAY_WORKERS="4", RELAY_PLACEMENT="accept"))


class Tls(Everything, TlsTestCase):
    def test_tls_1_2(self):
        self.storm(self.start(transport=None, context=tls_support.tls12_context(),
                              RELAY_WORKERS="4", RELAY_PLACEMENT="accept"))

    def test_tls_1_3(self):
        self.storm(self.start(transport=None, RELAY_WORKERS="4",
                              context=tls_support.client_context(
                                  minimum=ssl.TLSVersion.TLSv1_3)))


if __name__ == "__main__":
    tls_support.main()
