"""RELAY_PLACEMENT=topic: WebSockets move to the worker of their topic when they are admitted. The
test classes choose the transport (RelayTestCase, TlsTestCase)."""

import collections
import http.client
import random
import threading

import relay_support
from relay_support import wait_until
from ws_raw import CLOSE, TEXT, encode_frame

WORKERS = 4
SHARE = 16  # PLACEMENT_SHARE_MIN
EXPIRED = 4401
DENIED = 4403


class Gathered:
    """What a client sends in several calls, in one piece."""

    def __init__(self, client):
        self.client, self.pieces = client, []

    def __enter__(self):
        self.client.send = self.pieces.append
        return self

    def __exit__(self, *_):
        del self.client.send

    def bytes(self):
        return b"".join(self.pieces)


def request_and(client, target, frames):
    """The opening handshake with frames right behind it, as bytes; nothing is sent."""
    with Gathered(client) as gathered:
        client.ask_upgrade(target)
    return gathered.bytes() + frames


def numbered(name, numbers):
    return b"".join(encode_frame(TEXT, f"{name} {number}".encode()) for number in numbers)


class Speaker(threading.Thread):
    """One member of a topic: joins with its first messages right behind the request, then sends the
    rest, and reads what the others send until it has all of it."""

    COUNT = 40
    EARLY = 5

    def __init__(self, relay, topic, name, others, context=None):
        super().__init__(name=name, daemon=True)
        self.relay, self.topic, self.others, self.context = relay, topic, others, context
        self.joined, self.go = threading.Event(), threading.Event()
        self.heard = collections.defaultdict(list)
        self.failure = self.client = None

    def join_topic(self):
        self.client = self.relay.open(self.context)
        target = self.relay.target(self.topic, booking_id=self.name)
        self.client.send(request_and(self.client, target, numbered(self.name, range(self.EARLY))))
        reply = self.client.reply()
        assert reply.status == 101, reply

    def hear(self, until):
        while not until():
            sender, number = self.client.message()[1].decode().split()
            self.heard[sender].append(int(number))

    def has_all(self):
        return all(self.heard[other][-1:] == [self.COUNT - 1] for other in self.others)

    def run(self):
        try:
            self.join_topic()
            self.joined.set()
            self.go.wait(relay_support.WAIT_S)
            for number in range(self.EARLY, self.COUNT):
                self.client.send(numbered(self.name, [number]))
            self.hear(self.has_all)
        except BaseException as failure:
            self.failure = failure
        finally:
            self.joined.set()


class Placement:
    """Mixed into a test case whose start() gives a relay of the transport."""

    CONTEXT = None
    TOPICS = 12

    def start_placed(self, workers=WORKERS, **options):
        relay = self.start(RELAY_WORKERS=str(workers),
                           **{"RELAY_PLACEMENT": "topic", "RELAY_CODES_MAX": "10000", **options})
        relay.open = lambda context=None: self.track(self.connect(relay, context))
        return relay

    def workers_by_topic(self, relay, count):
        """In the order in which they opened, from the log, which has them all when it has count."""
        wait_until(lambda: len(relay.lines_of("new connection")) >= count, "lines of the log")
        found = collections.defaultdict(list)
        for line in relay.lines_of("new connection"):
            found[line["topic"]].append(line["worker"])
        return found

    def speak(self, relay, topics, members):
        names = [[f"{topic}-{number}" for number in range(members)] for topic in range(topics)]
        speakers = [Speaker(relay, f"t{topic}", name, set(names[topic]) - {name}, self.CONTEXT)
                    for topic in range(topics) for name in names[topic]]
        random.shuffle(speakers)
        for speaker in speakers:
            speaker.start()
        for speaker in speakers:
            speaker.joined.wait(relay_support.WAIT_S)
        for speaker in speakers:
            speaker.go.set()
        for speaker in speakers:
            speaker.join(relay_support.WAIT_S)
        return speakers

    def expect_all_heard(self, speakers):
        for speaker in speakers:
            if speaker.failure is not None:
                raise speaker.failure
            self.assertFalse(speaker.is_alive(), f"{speaker.name} heard {dict(speaker.heard)}")
            for other in speaker.others:
                heard = speaker.heard[other]
                # It hears each from the one on that was sent when it had joined.
                self.assertEqual(heard, list(range(heard[0], Speaker.COUNT)))
                self.assertLessEqual(heard[0], Speaker.EARLY)

    def test_members_of_a_topic_share_a_worker_and_lose_nothing(self):
        relay = self.start_placed()
        topics, members = self.TOPICS, 4
        self.expect_all_heard(self.speak(relay, topics, members))
        found = self.workers_by_topic(relay, topics * members)
        self.assertEqual(len(found), topics)
        for topic, workers in found.items():
            self.assertEqual((len(workers), len(set(workers))), (members, 1), topic)
        self.assertGreater(len({workers[0] for workers in found.values()}), 1)
        counters = relay.counters()
        placed = [counters[f"websockets_{what}"] for what in ("moved", "stayed", "move_refused")]
        self.assertEqual(sum(placed), topics * members)
        self.assertEqual(placed[2], 0)
        self.assertGreater(placed[0], 0)

    def test_a_hot_topic_is_spread_evenly(self):
        relay = self.start_placed()
        viewers = [self.join(relay, "hot", scopes=("read",))
                   for _ in range(2 * SHARE * WORKERS)]
        publisher = self.join(relay, "hot", scopes=("write",))
        publisher.send(numbered("p", range(10)))
        for viewer in viewers:
            for number in range(10):
                self.assertEqual(viewer.message(), (TEXT, f"p {number}".encode()))
        workers = self.workers_by_topic(relay, len(viewers) + 1)["hot"]
        self.assertEqual(sorted(collections.Counter(workers[:-1]).values()), [2 * SHARE] * WORKERS)

    def test_a_burst_of_a_dozen_stays_on_one_worker(self):
        relay = self.start_placed()
        topics, members = 4, 12
        self.expect_all_heard(self.speak(relay, topics, members))
        for topic, workers in self.workers_by_topic(relay, topics * members).items():
            self.assertEqual((len(workers), len(set(workers))), (members, 1), topic)

    def test_many_that_only_publish_share_the_workers_and_readers_join_them(self):
        relay = self.start_placed()
        for _ in range(SHARE):
            self.join(relay, "few", scopes=("write",))
        self.join(relay, "few", scopes=("read",))
        few = self.workers_by_topic(relay, SHARE + 1)["few"]
        self.assertEqual(len(set(few)), 1, few)
        for _ in range(2 * SHARE * WORKERS):
            self.join(relay, "many", scopes=("write",))
        many = self.workers_by_topic(relay, SHARE + 1 + 2 * SHARE * WORKERS)["many"]
        self.assertEqual(sorted(collections.Counter(many).values()), [2 * SHARE] * WORKERS)

    def join(self, relay, *arguments, **changes):
        return self.track(relay.raw(*arguments, **self.context_of(relay), **changes))

    def context_of(self, relay):
        return {} if self.CONTEXT is None else {"context": self.CONTEXT}

    def test_one_that_comes_back_goes_where_the_others_are(self):
        relay = self.start_placed()
        anchor = self.join(relay, "t0", booking_id="anchor")
        home = relay.worker_of("anchor")
        for number in range(20):
            client = self.join(relay, "t0", booking_id=f"b{number}")
            self.assertEqual(relay.worker_of(f"b{number}"), home)
            client.send_message(str(number))
            self.assertEqual(anchor.message(), (TEXT, str(number).encode()))
            client.kill()

    def test_expiry_holds_after_a_move(self):
        relay = self.start_placed()
        lifetime_s = int(3 + relay_support.TIME_SCALE)  # they join in this time
        clients = [self.join(relay, "t0", lifetime_s=lifetime_s) for _ in range(8)]
        for client in clients:
            self.assertEqual(client.frame().close()[0], EXPIRED)

    def test_denials_among_moves_leave_none_connected(self):
        relay = self.start_placed()
        admin = relay.token(scopes=["relay:admin"])
        for number in range(6):
            booking = f"denied-{number}"
            clients, ending = [], threading.Event()
            # Some of them before it is denied, some while it is.
            visitors = [threading.Thread(target=self.come, args=(relay, booking, clients, ending))
                        for _ in range(6)]
            for visitor in visitors:
                visitor.start()
            wait_until(lambda: len(clients) > 12, "the first ones")
            reply = relay.request("POST", f"/bids/deny?bid={booking}&exp={2 ** 31 - 1}",
                                  {"Authorization": admin})
            self.assertEqual(reply.status, 204, reply)
            ending.set()
            for visitor in visitors:
                visitor.join()
            for client in clients:
                frame = client.frame()
                self.assertEqual((frame.opcode, frame.close()[0]), (CLOSE, DENIED))
                client.kill()
        self.assertGreater(relay.counters()["websockets_moved"], 0)

    def come(self, relay, booking, clients, ending):
        while not ending.is_set() and len(clients) < 300:
            reply = relay.session("t0", relay.token("t0", booking_id=booking))
            if reply.status != 200:
                continue
            client = relay.open(self.CONTEXT)
            client.ask_upgrade("/session/" + reply.json()["uri"].partition("/session/")[2])
            if client.reply().status == 101:
                clients.append(client)

    def test_a_stop_among_moves_leaves_nothing(self):
        for _ in range(4):
            relay = self.start_placed()
            ending = threading.Event()
            visitors = [threading.Thread(target=self.come_until_the_end, args=(relay, ending))
                        for _ in range(6)]
            for visitor in visitors:
                visitor.start()
            wait_until(lambda: len(relay.lines_of("new connection")) > 30, "the first ones")
            counters = relay.stop()
            ending.set()
            for visitor in visitors:
                visitor.join()
            self.assertGreater(counters["websockets_moved"], 0)
            self.assertEqual(counters["connections_accepted"], counters["connections_closed"])

    def come_until_the_end(self, relay, ending):
        while not ending.is_set():
            try:
                client = relay.open(self.CONTEXT)
                client.ask_upgrade(relay.target("t0"))
                client.reply()
            except (OSError, AssertionError, ValueError, http.client.HTTPException):
                return

    def test_one_worker_has_nothing_to_choose(self):
        relay = self.start_placed(workers=1)
        viewer, publisher = self.join(relay, "t0"), self.join(relay, "t0")
        publisher.send_message("x")
        self.assertEqual(viewer.message(), (TEXT, b"x"))
        counters = relay.counters()
        for what in ("moved", "stayed", "move_refused"):
            self.assertEqual(counters[f"websockets_{what}"], 0)

    def test_by_default_they_move(self):
        relay = self.start_placed(RELAY_PLACEMENT=None)
        for _ in range(SHARE):
            self.join(relay, "t0")
        self.assertEqual(len(set(self.workers_by_topic(relay, SHARE)["t0"])), 1)

    def test_with_accept_each_stays_where_it_was_accepted(self):
        relay = self.start_placed(RELAY_PLACEMENT="accept")
        for client in relay.raw_on_workers(WORKERS, "t0", **self.context_of(relay)):
            self.track(client)
        counters = relay.counters()
        for what in ("moved", "stayed", "move_refused"):
            self.assertEqual(counters[f"websockets_{what}"], 0)
