"""The subprotocol relay.v1: envelopes in front of payloads, control messages, and plain WebSockets
beside them that notice nothing.

Method: python3-websockets and the codec of tests/support/relay_v1.py, which share no code with the
server; its bytes are those of the examples in docs/protocol.md.
"""

import os
import random
import struct
import time
import unittest

import relay_support
import relay_v1
import video_streams
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import BINARY, CLOSE, TEXT, RawClient


class Examples(unittest.TestCase):
    def test_the_examples_of_the_document_are_what_this_codec_says(self):
        examples = relay_v1.examples()
        self.assertGreaterEqual(len(examples), 13)
        for words, message in examples:
            with self.subTest(words=words):
                fields = relay_v1.decode(message)
                fields.pop("payload", None)
                name = fields.pop("name")
                self.assertEqual(
                    " ".join([name, *(f"{key}={value}" for key, value in fields.items())]), words)
                again = relay_v1.encode_payload(b"", **fields) if name == "envelope" \
                    else relay_v1.encode_control(name, **fields)
                self.assertEqual(again, message)


class V1Case(SharedRelayTestCase):
    options = {"RELAY_PLACEMENT": "accept"}  # clients of a topic are on both workers

    def v1(self, topic, *scopes, relay=None, **changes):
        relay = relay or self.relay
        peer = relay_v1.Peer(relay.uri(topic, scopes or ("read", "write"), **changes))
        self.addCleanup(peer.close)
        return peer

    def raw_v1(self, topic, *scopes):
        return self.track(self.relay.raw(topic, scopes or ("read", "write"),
                                         headers=["Sec-WebSocket-Protocol: relay.v1"]))

    def expect_close(self, client, code):
        while (frame := client.frame()).opcode != CLOSE:
            pass
        self.assertEqual(frame.close()[0], code)
        return frame.close()[1]


class Negotiation(V1Case):
    def protocol_of(self, headers, relay=None):
        relay = relay or self.relay
        client = self.track(RawClient(relay.relay_port, timeout_s=relay_support.WAIT_S))
        client.ask_upgrade(relay.target("negotiation"), headers)
        reply = client.reply()
        self.assertEqual(reply.status, 101)
        return reply.headers.get("sec-websocket-protocol")

    def test_a_client_that_offers_it_gets_it(self):
        for offer in ("relay.v1", "null, relay.v1", "x,relay.v1,y"):
            self.assertEqual(self.protocol_of([f"Sec-WebSocket-Protocol: {offer}"]), "relay.v1")
        for offer in ("relay.v2", "relay.v1x", "relay"):
            self.assertIsNone(self.protocol_of([f"Sec-WebSocket-Protocol: {offer}"]))

    def test_the_operator_can_forbid_it(self):
        relay = self.start(RELAY_SUBPROTOCOLS="none")
        self.assertIsNone(self.protocol_of(["Sec-WebSocket-Protocol: relay.v1"], relay))


class Envelopes(V1Case):
    options = {"RELAY_QUEUE_AGE": "0"}  # a viewer reads when all has been published

    def test_type_bytes_and_stamps_arrive(self):
        publisher, viewer = self.v1("both", "write"), self.v1("both", "read")
        plain = self.track(self.relay.viewer("both"))
        payloads = ["text ü", b"\0\1binary", "", b"", b"x" * 70000]
        before = relay_v1.now_us()
        for payload in payloads:
            publisher.publish(payload)
        for sequence, payload in enumerate(payloads):
            message = viewer.hear("envelope")
            self.assertEqual(message["payload"], payload)
            self.assertEqual((message["kind"], message["sequence"]), (relay_v1.DATA, sequence))
            self.assertGreater(message["source"], 0)
            stamps = [before, message["sent"], message["received"], message["forwarded"],
                      relay_v1.now_us()]
            self.assertEqual(stamps, sorted(stamps))
            frame = plain.frame()
            self.assertEqual(frame.opcode, TEXT if isinstance(payload, str) else BINARY)
            self.assertEqual(frame.payload,
                             payload.encode() if isinstance(payload, str) else payload)

    def test_publishers_that_did_not_ask_are_stamped(self):
        viewer = self.v1("plain", "read")
        publishers = [self.track(self.relay.publisher("plain")) for _ in range(2)]
        sources = set()
        for publisher in publishers:
            for sequence in range(3):
                publisher.send_frame(BINARY, b"payload")
                message = viewer.hear("envelope")
                self.assertEqual(message["payload"], b"payload")
                self.assertEqual(message["sequence"], sequence)
                self.assertEqual(message["sent"], 0)
                self.assertLess(relay_v1.now_us() - message["received"], 60_000_000)
                sources.add(message["source"])
        self.assertEqual(len(sources), 2)

    def test_a_burst_in_one_turn_arrives_in_order(self):
        viewer = self.v1("burst", "read")
        publisher = self.v1("burst", "write")
        count = 500
        for number in range(count):
            publisher.publish(struct.pack(">I", number) * (1 + number % 50))
        for number in range(count):
            message = viewer.hear("envelope")
            self.assertEqual(message["sequence"], number)
            self.assertEqual(message["payload"], struct.pack(">I", number) * (1 + number % 50))

    def test_a_slow_viewer_gets_whole_frames(self):
        """Sends that end short, anywhere in heads and payloads: the stream must stay whole."""
        viewer = self.track(self.relay.raw("slow", ("read",), rcvbuf=4096,
                                           headers=["Sec-WebSocket-Protocol: relay.v1"]))
        publisher = self.v1("slow", "write")
        payloads = [os.urandom(size) for size in [1, 300, 70000, 5, 1200, 65536, 65503, 9] * 12]
        for payload in payloads:
            publisher.publish(payload)
        seen = 0
        while seen < len(payloads):
            frame = viewer.frame()
            self.assertEqual(frame.opcode, BINARY)
            message = relay_v1.decode(frame.payload)
            if message["name"] == "envelope":
                self.assertEqual(message["sequence"], seen)
                self.assertEqual(message["payload"], payloads[seen])
                seen += 1

    def test_text_that_is_not_utf8_closes_its_publisher(self):
        client = self.raw_v1("utf8", "write")
        client.send_frame(BINARY, relay_v1.encode_payload(b"\xff\xfe", flags=relay_v1.TEXT))
        self.expect_close(client, 1007)

    def test_a_writer_may_not_read_and_a_reader_not_write(self):
        reader, other = self.v1("roles", "read"), self.v1("roles", "read")
        writer = self.v1("roles", "write")
        reader.publish("from a reader")
        writer.publish("from a writer")
        self.assertEqual(other.hear("envelope")["payload"], "from a writer")


class Clock(V1Case):
    def test_a_request_is_answered_with_the_relays_clock(self):
        for scopes in (("read",), ("write",)):
            peer = self.v1("clock", *scopes)
            before = relay_v1.now_us()
            peer.say("clock_request", asked=2 ** 64 - 1)
            answer = peer.hear("clock_answer")
            self.assertEqual(answer["asked"], 2 ** 64 - 1)
            self.assertLessEqual(before, answer["arrived"])
            self.assertLessEqual(answer["arrived"], answer["answered"])
            self.assertLessEqual(answer["answered"], relay_v1.now_us())

    def test_a_client_that_asks_without_reading_gets_the_last_answer(self):
        client = self.raw_v1("unread", "read")
        count = 3000
        for asked in range(count):
            client.send_frame(BINARY, relay_v1.encode_control("clock_request", asked=asked))
        heard = -1
        while heard < count - 1:
            message = relay_v1.decode(client.frame().payload)
            if message["name"] == "clock_answer":
                self.assertGreater(message["asked"], heard)
                heard = message["asked"]


class Audience(V1Case):
    def test_a_publisher_is_told_how_many_watch(self):
        publisher = self.v1("watched", "write")
        publisher.hear("viewers", viewers=0)
        both = self.v1("watched")
        publisher.hear("viewers", viewers=1)
        both.hear("viewers", viewers=0)
        plain = [self.relay.viewer("watched") for _ in range(8)]  # on both workers
        publisher.hear("viewers", viewers=9)
        both.hear("viewers", viewers=8)
        for client in plain:
            client.kill()
        publisher.hear("viewers", viewers=1)

    def test_viewers_are_told_when_a_stream_begins_and_ends(self):
        viewers = [self.v1("live", "read") for _ in range(6)]
        for viewer in viewers:
            self.assertEqual(viewer.hear("live")["publishers"], 0)
        publisher = self.relay.publisher("live")
        publisher.send_frame(BINARY, b"begun")
        for viewer in viewers:
            viewer.hear("live", live=1, publishers=1)
        self.v1("live", "read").hear("live", live=1, publishers=1)
        publisher.kill()
        for viewer in viewers:
            viewer.hear("live", live=0, publishers=0)

    def test_one_that_does_not_read_hears_the_last_counts(self):
        client = self.raw_v1("stuck", "write")
        for _ in range(3):
            viewers = [self.relay.viewer("stuck") for _ in range(3)]
            for viewer in viewers:
                viewer.kill()
        last = self.track(self.relay.viewer("stuck"))
        self.assertTrue(last)
        heard = None
        while heard != 1:
            message = relay_v1.decode(client.frame().payload)
            heard = message.get("viewers", heard)

    def test_a_key_picture_is_asked_for_when_a_viewer_joins_and_not_too_often(self):
        publisher = self.v1("keys", "write")
        self.track(self.relay.viewer("keys"))
        publisher.hear("key_picture", reason=1)
        first = time.monotonic()
        asking = self.v1("keys", "read")
        for _ in range(50):
            asking.say("key_picture")
        publisher.hear("key_picture")
        self.assertGreater(time.monotonic() - first, 0.3)
        asked = self.relay.counters()["v1_keys_asked"]
        publisher.say("key_picture")  # a publisher that may not read has no picture to ask for
        publisher.peer.ping()
        self.assertLessEqual(self.relay.counters()["v1_keys_asked"], asked + 1)


class Decoders(V1Case):
    @unittest.skipIf(video_streams.why_not(), str(video_streams.why_not()))
    def test_a_viewer_whose_decoder_is_behind_skips_to_a_key_picture(self):
        """It takes everything at once, and says that it shows pictures three seconds late. Another
        one that says nothing gets everything."""
        stream = video_streams.encode("h264", 21)  # key pictures at 0, 10 and 20 s
        viewer, other = self.v1("behind", "read"), self.v1("behind", "read")
        publisher = self.v1("behind", "write")
        size = 10 * video_streams.PACKET_BYTES
        pieces = [stream[place:place + size] for place in range(0, len(stream), size)]
        publisher.publish(pieces[0])
        begun = viewer.hear("envelope")
        now = relay_v1.now_us()
        viewer.say("report", sent=begun["sent"], forwarded=now - 3_200_000, arrived=now - 3_100_000,
                   shown=now, queued=75)
        viewer.peer.ping()
        for piece in pieces[1:]:
            publisher.publish(piece)
        publisher.publish("end")
        heard = []
        while not heard or heard[-1]["payload"] != "end":
            heard.append(viewer.hear("envelope"))
        resumed = [message for message in heard if message["flags"] & relay_v1.GAP]
        self.assertTrue(resumed)
        self.assertTrue(all(message["kind"] == relay_v1.KEY for message in resumed))
        self.assertLess(len(heard), len(pieces))
        payload = b"".join(message["payload"] for message in heard[:-1])
        complaints, _ = video_streams.decoder_complaints(begun["payload"] + payload)
        self.assertEqual(complaints, "")
        everything = [other.hear("envelope")["payload"] for _ in pieces]
        self.assertEqual(b"".join(everything), stream)


class Latency(V1Case):
    def test_each_hop_is_in_the_reports(self):
        publisher, viewer = self.v1("hops", "write"), self.v1("hops", "read")
        for _ in range(20):
            publisher.publish("x", sent=relay_v1.now_us() - 50_000)
        message = [viewer.hear("envelope") for _ in range(20)][-1]
        viewer.say("report", sent=message["sent"], forwarded=message["forwarded"],
                   arrived=message["forwarded"] + 20_000, shown=message["forwarded"] + 70_000)
        viewer.peer.ping()
        token = self.relay.token("x", ("relay:stats",))
        reports = self.relay.request("GET", "/status", {"Authorization": token}).json()
        of_topic = [report for report in reports if report.get("topic") == "hops"]
        latency = {name: value for report in of_topic
                   for name, value in report["latency"].items()}
        self.assertEqual(set(latency), {f"{hop}_{quantile}" for quantile in ("p50", "p99")
                                        for hop in ("publish", "relay", "deliver", "decode")})
        for name, least in (("publish", 50), ("deliver", 20), ("decode", 50), ("relay", 0)):
            self.assertGreaterEqual(latency[f"{name}_p50"] * 1.1, least, name)
            self.assertGreaterEqual(latency[f"{name}_p99"], latency[f"{name}_p50"])
        self.assertLess(latency["deliver_p99"], 25)
        self.assertLess(latency["decode_p99"], 60)

    def test_plain_connections_have_none(self):
        self.track(self.relay.viewer("plainly"))
        token = self.relay.token("x", ("relay:stats",))
        reports = self.relay.request("GET", "/status", {"Authorization": token}).json()
        self.assertTrue([report for report in reports if report.get("topic") == "plainly"])
        self.assertFalse([report for report in reports
                          if report.get("topic") == "plainly" and "latency" in report])


class Lease(V1Case):
    options = {"RELAY_TOPIC_POLICY": "arm*=exclusive,state=latest+exclusive",
               "RELAY_EXCLUSIVE_IDLE": "1h"}

    def test_the_first_that_sends_has_control(self):
        watcher = self.track(self.relay.viewer("arm1"))
        first, second = self.v1("arm1"), self.v1("arm1")
        for peer in (first, second):
            peer.hear("lease", state=0, idle_ms=3_600_000)
        first.publish("from the first")
        first.hear("lease", state=1)
        second.hear("lease", state=2)
        before = self.relay.counters()["messages_refused_lease"]
        plain = self.track(self.relay.publisher("arm1"))  # it is refused too, and not told
        plain.send_frame(TEXT, b"from a plain one")
        second.publish("from the second")
        self.assertEqual(second.hear("lease", state=3)["refused"], 1)
        self.relay.wait_counter("messages_refused_lease", before + 2)
        first.publish("again")
        self.assertEqual([watcher.message() for _ in range(2)],
                         [(TEXT, b"from the first"), (TEXT, b"again")])
        self.assertEqual(plain.barrier(), [])
        first.close()
        second.hear("lease", state=0)
        second.publish("now the second")
        self.assertEqual(watcher.message(), (TEXT, b"now the second"))

    def test_it_is_handed_over_across_workers(self):
        peers = [self.v1("arm2") for _ in range(6)]
        peers[0].publish("mine")
        peers[0].hear("lease", state=1)
        for peer in peers[1:]:
            peer.hear("lease", state=2)
        for holder, taker in zip(peers, peers[1:]):
            taker.say("lease", state=5)
            holder.hear("lease", state=4)
            holder.say("lease", state=6)
            taker.hear("lease", state=1)
            holder.hear("lease", state=2)
            taker.publish("mine now")
            holder.publish("not mine")
            holder.hear("lease", state=3)

    def test_a_booking_may_have_several_connections(self):
        first, second = (self.v1("arm3", booking_id="same") for _ in range(2))
        watcher = self.v1("arm3", "read")
        first.publish("one")
        self.assertEqual(watcher.hear("envelope")["payload"], "one")
        second.publish("two")
        self.assertEqual(watcher.hear("envelope")["payload"], "two")
        first.close()
        second.publish("three")
        self.assertEqual(watcher.hear("envelope")["payload"], "three")
        other = self.v1("arm3")
        other.publish("not that")
        other.hear("lease", state=3)

    def test_silence_gives_it_up(self):
        relay = self.start(RELAY_TOPIC_POLICY="arm=exclusive", RELAY_EXCLUSIVE_IDLE="500ms")
        first, second = self.v1("arm", relay=relay), self.v1("arm", relay=relay)
        first.publish("mine")
        second.hear("lease", state=2)
        second.hear("lease", state=0)
        second.publish("mine")
        second.hear("lease", state=1)
        first.hear("lease", state=2)

    def test_topics_that_are_not_exclusive_have_no_lease(self):
        first, second = self.v1("free"), self.v1("free")
        second.say("lease", state=5)
        for peer in (first, second):
            peer.publish("x")
        first.hear("envelope", payload="x")
        second.hear("envelope", payload="x")


class Renewal(V1Case):
    def test_a_token_moves_the_end_of_its_connection(self):
        claims = self.relay.claims("renewed", ("read", "write"), lifetime_s=4)
        uri = self.relay.session("renewed", self.relay.sign(claims)).json()["uri"]
        peer = relay_v1.Peer(uri)
        self.addCleanup(peer.close)
        self.assertEqual(peer.hear("expiry", result=0)["expires"], claims["exp"])
        longer = {**claims, "exp": claims["exp"] + 300}
        peer.say("token", token=self.relay.sign(longer))
        self.assertEqual(peer.hear("expiry", result=1)["expires"], longer["exp"])
        peer.say("token", token=self.relay.sign(longer))
        peer.hear("expiry", result=5)
        while time.time() < claims["exp"] + 1:
            time.sleep(0.1)  # the time that the first token ends
        peer.peer.ping()

    def test_a_shorter_token_changes_nothing(self):
        claims = self.relay.claims("shorter", ("read",))
        uri = self.relay.session("shorter", self.relay.sign(claims)).json()["uri"]
        peer = relay_v1.Peer(uri)
        self.addCleanup(peer.close)
        peer.say("token", token=self.relay.sign({**claims, "exp": claims["exp"] - 60}))
        self.assertEqual(peer.hear("expiry", result=1)["expires"], claims["exp"])

    def test_a_booking_is_listed_as_allowed_until_the_end_of_its_newest_token(self):
        claims = self.relay.claims("listed", ("read",), lifetime_s=2, booking_id="lab")
        peer = relay_v1.Peer(self.relay.session("listed", self.relay.sign(claims)).json()["uri"])
        self.addCleanup(peer.close)
        peer.say("token", token=self.relay.sign({**claims, "exp": claims["exp"] + 300}))
        peer.hear("expiry", result=1)
        while time.time() < claims["exp"] + 1:
            time.sleep(0.1)  # the time that the first token ends
        self.assertIn("lab", self.allowed_bookings())

    def allowed_bookings(self):
        return self.relay.request(
            "GET", "/bids/allow",
            {"Authorization": self.relay.token(scopes=["relay:admin"])}).json()["booking_ids"]

    def test_other_tokens_change_nothing(self):
        claims = self.relay.claims("others", ("read", "write"), booking_id="mine")
        now = int(time.time())
        later = {**claims, "exp": claims["exp"] + 300}
        cases = [("x", 2), ("", 2), ("a.b.c", 2),
                 (self.relay.sign({**later, "exp": now - 1}), 2),
                 (self.relay.sign({**later, "nbf": now + 600}), 2),
                 (self.relay.sign({**later, "aud": ["https://other"]}), 2),
                 (self.relay.sign(later, secret="of somebody else"), 2),
                 (self.relay.sign({**later, "booking_id": "other"}), 3),
                 (self.relay.sign({**later, "topic": "other"}), 3),
                 (self.relay.sign({**later, "prefix": "shell"}), 3),
                 (self.relay.sign({**later, "scopes": ["read"]}), 3),
                 (self.relay.sign({**later, "scopes": ["read", "write", "relay:admin"]}), 3)]
        for token, result in cases:
            with self.subTest(result=result, token=token[-30:]):
                uri = self.relay.session("others", self.relay.sign(claims)).json()["uri"]
                peer = relay_v1.Peer(uri)
                peer.say("token", token=token)
                peer.hear("expiry", result=0)
                answer = peer.hear("expiry")
                self.assertEqual((answer["result"], answer["expires"]), (result, claims["exp"]))
                peer.close()


class Hostile(V1Case):
    def test_messages_that_are_no_relay_v1_close_with_a_reason(self):
        cases = [(TEXT, b"hello", 1002), (BINARY, b"", 1002), (BINARY, b"\0", 1002),
                 (BINARY, bytes(31), 1002), (BINARY, b"\x3f" + bytes(30), 1002),
                 (BINARY, b"\x47" + bytes(8196), 1009), (BINARY, b"\xff" + bytes(9000), 1009)]
        for opcode, payload, code in cases:
            with self.subTest(payload=payload[:4], len=len(payload)):
                client = self.raw_v1("hostile")
                client.send_frame(opcode, payload)
                self.expect_close(client, code)

    def test_unknown_and_cut_control_messages_are_ignored(self):
        before = self.relay.counters()["v1_controls_ignored"]
        peer = self.v1("ignored")
        watcher = self.v1("ignored", "read")
        kinds = [kind for kind in range(0x40, 0x100) if kind != 0x47]
        for kind in kinds:
            peer.peer.send(bytes([kind]))
            peer.peer.send(bytes([kind, 0xff, 0, 0]) + bytes(60))
        peer.publish("still here")
        self.assertEqual(watcher.hear("envelope")["payload"], "still here")
        self.assertGreater(self.relay.counters()["v1_controls_ignored"], before + len(kinds))

    def test_a_flood_of_random_control_messages_harms_nobody(self):
        """Three clients that never read send random bytes behind each kind, tokens and requests
        among them. Others of the topic go on, and memory does not grow with what was sent."""
        publisher, viewer = self.v1("flood", "write"), self.v1("flood", "read")
        before = self.relay.rss_bytes()
        random.seed(1)
        floods = [self.raw_v1("flood") for _ in range(3)]
        for number in range(3000):
            for flood in floods:
                size = random.choice((0, 3, 8, 12, 28, 47, 48, 60, 2000))
                flood.send_frame(BINARY, bytes([random.randrange(0x40, 0x50), random.randrange(9)])
                                 + random.randbytes(size))
            if number % 300 == 0:
                publisher.publish(f"round {number}")
                while viewer.hear("envelope")["payload"] != f"round {number}":
                    pass
        for flood in floods:
            flood.send_frame(BINARY, b"\0")
            self.expect_close(flood, 1002)
        if not relay_support.SANITIZED:
            self.assertLess(self.relay.rss_bytes() - before, 64 << 20)

    def test_messages_in_fragments_byte_by_byte(self):
        watcher = self.v1("fragments", "read")
        client = self.raw_v1("fragments", "write")
        message = relay_v1.encode_payload("fragmented", sequence=7)
        for place in range(len(message)):
            client.send_frame(BINARY if place == 0 else 0, message[place:place + 1],
                             fin=place == len(message) - 1)
        heard = watcher.hear("envelope")
        self.assertEqual((heard["payload"], heard["sequence"]), ("fragmented", 7))


if __name__ == "__main__":
    relay_support.main()
