"""Deny, allow, session requests and upgrades at the same time, in every order: a denied booking is
never left connected, and the relay lives.

Method: threads that do nothing but one of the four, without pauses, for a bounded number of
rounds; after each round the booking is denied for good and nothing of it may be left.
"""

import threading
import time

import relay_support
from bookings import Desk, ask_upgrade, session, target_of
from relay_support import RelayTestCase
from rows import row
from ws_raw import CLOSE, RawClient

ROUNDS = 6 if relay_support.SANITIZED else 15
VISITORS = 4
ACTS = 40 if relay_support.SANITIZED else 100


class Visitor(threading.Thread):
    """Comes again and again with the same booking, and keeps what it gets."""

    def __init__(self, relay, booking):
        super().__init__()
        self.relay = relay
        self.booking = booking
        self.clients = []
        self.targets = []
        self.ending = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.ending.is_set() and len(self.clients) < 200:
                self.come()
        except BaseException as failure:  # raised by finish()
            self.failure = failure

    def come(self):
        reply = session(self.relay, self.booking)
        if reply.status != 200:
            assert reply.status == 400, reply
            return
        if len(self.targets) < len(self.clients) // 4:
            self.targets.append(target_of(reply))  # a code for later
            return
        client = RawClient(self.relay.relay_port, timeout_s=relay_support.WAIT_S)
        client.ask_upgrade(target_of(reply))
        status = client.reply().status
        assert status in (101, 401, 403), status
        if status == 101:
            self.clients.append(client)
        else:
            client.kill()

    def finish(self):
        self.ending.set()
        self.join()
        if self.failure is not None:
            raise self.failure


class Publisher(threading.Thread):
    """Sends numbered messages and knows which one it began last."""

    def __init__(self, client, name):
        super().__init__(name=name)
        self.client = client
        self.number = 0
        self.ending = threading.Event()

    def run(self):
        try:
            while not self.ending.is_set():
                self.number += 1
                self.client.send_message(f"{self.name} {self.number}")
        except OSError:
            pass


class Races(RelayTestCase):
    def connected(self, relay):
        """Bookings as /status has them: the user agent of a connection would say, but raw clients
        send none, so the topic does."""
        reply = relay.request("GET", "/status",
                              {"Authorization": relay.token(scopes=["relay:stats"])})
        return [each for each in reply.json() if each["topic"] == "t0"]

    def administer(self, desk, booking):
        for number in range(ACTS):
            (desk.allow if number % 3 == 2 else desk.deny)(booking)

    @row("Faults",
         "deny, allow, session requests and upgrades race each other",
         "a denied booking may stay connected, or be allowed again by the session "
         "request; concurrent map access may end the process",
         "once deny is answered, nothing of the booking is connected or can connect",
         "F")
    def test_a_denied_booking_is_never_left_connected(self):
        relay = self.start(RELAY_WORKERS="3", RELAY_LOG_LEVEL="warn", RELAY_CODES_MAX="100000")
        desk = Desk(relay)
        cut = 0
        for number in range(ROUNDS):
            booking = f"raced-{number}"
            visitors = [Visitor(relay, booking) for _ in range(VISITORS)]
            clerks = [threading.Thread(target=self.administer, args=(desk, booking))
                      for _ in range(2)]
            for thread in visitors + clerks:
                thread.start()
            for thread in clerks:
                thread.join()
            # The visitors are still coming when the last word is spoken.
            desk.deny(booking)
            answered = time.monotonic()
            self.assertEqual(session(relay, booking).status, 400)
            for visitor in visitors:
                visitor.finish()
            for client in (client for visitor in visitors for client in visitor.clients):
                self.expect_cut(client, answered)
                cut += 1
            for target in (target for visitor in visitors for target in visitor.targets):
                self.assertEqual(ask_upgrade(relay, target).status, 401)
            relay_support.wait_until(lambda: not self.connected(relay), "the connections to go")
            self.assertIn(booking, desk.listed("deny"))
        print(f"{cut} connections were opened and cut")
        self.assertGreater(cut, ROUNDS)

    def expect_cut(self, client, answered):
        left_s = max(answered + 2.0 * relay_support.TIME_SCALE - time.monotonic(), 0.5)
        try:
            frame = client.frame(left_s)
            self.assertEqual((frame.opcode, frame.close()[0]), (CLOSE, 4403))
            client.read_end(left_s)
        finally:
            client.kill()

    def test_after_the_answer_nothing_of_the_booking_is_connected_or_heard(self):
        relay = self.start(RELAY_WORKERS="4", RELAY_PLACEMENT="accept", RELAY_LOG_LEVEL="warn")
        desk = Desk(relay)
        viewer = self.track(relay.viewer("t1"))
        crier = self.track(relay.publisher("t1"))
        last = {}
        for number in range(ROUNDS):
            booking = f"loud-{number}"
            publishers = [Publisher(self.track(relay.publisher("t1", booking_id=booking)),
                                    f"{booking}-{own}") for own in range(8)]
            for publisher in publishers:
                publisher.start()
            heard = set()
            while not heard.issuperset(publisher.name for publisher in publishers):
                heard.add(viewer.message()[1].decode().split()[0])
            desk.deny(booking)
            last.update((publisher.name, publisher.number) for publisher in publishers)
            counters = relay.counters()
            self.assertEqual(counters["closed_denied"], len(publishers) * (number + 1))
            self.assertEqual(relay.counters()["messages_received"], counters["messages_received"])
            for publisher in publishers:
                publisher.ending.set()
                publisher.join()
            crier.send_message("end")
            while (text := viewer.message()[1].decode()) != "end":
                name, heard_number = text.split()
                self.assertLessEqual(int(heard_number), last[name], name)

    def test_connections_that_end_while_they_are_denied(self):
        relay = self.start(RELAY_WORKERS="2", RELAY_LOG_LEVEL="warn")
        desk = Desk(relay)
        for number in range(ROUNDS):
            clients = [relay.raw("t0", booking_id="leaving") for _ in range(20)]
            denier = threading.Thread(target=desk.deny, args=("leaving",))
            denier.start()
            for index, client in enumerate(clients):
                client.reset() if index % 2 else client.kill()
            denier.join()
            desk.allow("leaving")
        relay_support.wait_until(lambda: not self.connected(relay), "the connections to go")

    def test_administrators_at_the_same_time(self):
        relay = self.start(RELAY_WORKERS="3", RELAY_LOG_LEVEL="warn")
        desks = [Desk(relay) for _ in range(6)]

        def work(desk, own):
            for number in range(ACTS):
                desk.deny(f"{own}-{number}")
                desk.deny("shared")
                desk.listed("deny")

        threads = [threading.Thread(target=work, args=(desk, own))
                   for own, desk in enumerate(desks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(desks[0].listed("deny"),
                         {"shared"} | {f"{own}-{number}" for own in range(6)
                                       for number in range(ACTS)})


if __name__ == "__main__":
    relay_support.main()
