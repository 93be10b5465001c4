"""Cancelling a booking: at once, everywhere, for good until it is taken back.

Method: a started server; connections on plain sockets and by python3-websockets.
"""

import time

import relay_support
import ws_peer
from bookings import Desk, ask_upgrade, session, target_of
from relay_support import RelayTestCase, SharedRelayTestCase
from rows import row

DENIED = (b'{"code":"400","message":"bookingID has been deny-listed, probably because the session '
          b'was cancelled"}\n')
CUT_LIMIT_S = 1.0


class Lists(SharedRelayTestCase):
    def setUp(self):
        self.desk = Desk(self.relay)

    @row("/bids",
         "a booking moves between the lists as it is denied and allowed; a denied one "
         "gets 400 from /session",
         '`{"code":"400","message":"bookingID has been deny-listed, …"}`')
    def test_deny_and_allow_in_turn(self):
        for _ in range(3):
            self.assertEqual(session(self.relay, "turn").status, 200)
            self.desk.deny("turn")
            reply = session(self.relay, "turn")
            self.assertEqual((reply.status, reply.body), (400, DENIED))
            self.assertIn("turn", self.desk.listed("deny"))
            self.assertNotIn("turn", self.desk.listed("allow"))
            self.desk.allow("turn")
            self.assertNotIn("turn", self.desk.listed("deny"))
            self.assertIn("turn", self.desk.listed("allow"))

    @row("/bids", "each booking that gets a code is listed as allowed", "yes")
    def test_a_session_request_lists_its_booking(self):
        self.assertNotIn("listed", self.desk.listed("allow"))
        session(self.relay, "listed")
        self.assertIn("listed", self.desk.listed("allow"))

    def test_a_refused_session_request_lists_nothing(self):
        self.relay.session("t1", self.relay.token("t0", booking_id="refused"))
        self.assertNotIn("refused", self.desk.listed("allow"))

    @row("/bids",
         "lists that are asked for",
         '`{"booking_ids":[…]}` and a newline, in no particular order')
    def test_the_bytes_of_a_list(self):
        relay = self.start()
        desk = Desk(relay)
        headers = {"Authorization": desk.token}
        for verb in ("deny", "allow"):
            reply = relay.request("GET", f"/bids/{verb}", headers)
            self.assertEqual(reply.body, b'{"booking_ids":[]}\n')
            desk.act(verb, f"{verb}-1")
            reply = relay.request("GET", f"/bids/{verb}", headers)
            self.assertEqual(reply.body, f'{{"booking_ids":["{verb}-1"]}}\n'.encode())
            self.assertEqual(reply.headers.get("Content-Type"), "application/json")

    def test_denying_twice_is_denying_once(self):
        self.desk.deny("twice")
        self.desk.deny("twice")
        self.assertIn("twice", self.desk.listed("deny"))

    def test_a_booking_is_text_of_any_kind(self):
        for booking in ('with "quotes" & <signs>', "Übung/№1", "a b+c", "x" * 255, "%41", "\t"):
            with self.subTest(booking=booking[:20]):
                self.desk.deny(booking)
                self.assertIn(booking, self.desk.listed("deny"))
                self.assertEqual(session(self.relay, booking).status, 400)
                self.assertEqual(session(self.relay, booking + "x"
                                         if len(booking) < 255 else "other").status, 200)

    def test_a_booking_that_no_token_can_name_is_refused(self):
        self.assertEqual(self.desk.act("deny", "x" * 256).status, 422)

    @row("/bids", "an entry is forgotten when it expires", "yes")
    def test_an_expired_denial_is_over(self):
        self.desk.deny("brief", lifetime_s=1)
        self.assertEqual(session(self.relay, "brief").status, 400)
        relay_support.wait_until(lambda: session(self.relay, "brief").status == 200,
                                 "the denial to expire")
        self.assertNotIn("brief", self.desk.listed("deny"))

    def test_a_list_of_thousands(self):
        relay = self.start(RELAY_BOOKINGS_MAX="3000")
        desk = Desk(relay)
        wanted = {f"many-{number}-{'x' * 200}" for number in range(1500)}
        for booking in wanted:
            desk.deny(booking)
        self.assertEqual(desk.listed("deny"), wanted)

    def test_a_full_list_says_so_and_cuts_all_the_same(self):
        relay = self.start(RELAY_BOOKINGS_MAX="16")
        desk = Desk(relay)
        client = self.track(relay.raw(booking_id="one too many"))
        for number in range(16):
            desk.deny(f"full-{number}")
        reply = desk.act("deny", "one too many")
        self.assertEqual(reply.status, 503, reply.body)
        self.assertEqual(client.expect_close()[0], 4403)
        self.assertEqual(relay.counters()["denials_refused_full"], 1)
        self.assertEqual(len(relay.alarms("RELAY_BOOKINGS_MAX")), 1)
        desk.allow("full-3")
        desk.deny("one too many")
        self.assertIn("one too many", desk.listed("deny"))


class Cut(RelayTestCase):
    @row("/bids",
         "deny closes the live connections of the booking",
         "at once, without a close frame (1006)",
         "at once, on every worker, close code 4403",
         "K3")
    def test_every_connection_on_every_worker_is_cut_within_a_second(self):
        relay = self.start(RELAY_WORKERS="3")
        desk = Desk(relay)
        cut = [self.track(relay.raw("t0", booking_id="cut")) for _ in range(40)]
        stays = [self.track(relay.raw("t0", booking_id="stays")) for _ in range(10)]
        workers = {line["worker"] for line in relay.lines_of("new connection")
                   if line["booking_id"] == "cut"}
        self.assertGreater(len(workers), 1)
        start = time.monotonic()
        desk.deny("cut")
        for client in cut:
            self.assertEqual(client.expect_close(CUT_LIMIT_S * relay_support.TIME_SCALE)[0], 4403)
        self.assertLess(time.monotonic() - start, CUT_LIMIT_S * relay_support.TIME_SCALE)
        for client in stays:
            client.barrier()
        relay.wait_line("booking denied")
        self.assertEqual(len(relay.lines_of("booking denied")), 1)

    def test_an_independent_client_sees_4403(self):
        relay = self.start()
        peer = relay.peer("t0", booking_id="cut")
        self.addCleanup(peer.close)
        Desk(relay).deny("cut")
        self.assertEqual(peer.expect_closed()[0], 4403)

    def test_a_viewer_that_does_not_read_is_cut_too(self):
        relay = self.start(RELAY_WRITE_TIMEOUT="2s")
        slow = self.track(relay.raw("t0", ("read",), booking_id="slow", rcvbuf=4096))
        publisher = self.track(relay.publisher())
        for _ in range(200):
            publisher.send_message(b"x" * 50000)
        publisher.barrier()
        Desk(relay).deny("slow")
        relay.wait_line("connection closed", where=lambda line: line["booking_id"] == "slow")
        slow.kill()

    def test_what_a_cut_publisher_sends_reaches_nobody(self):
        relay = self.start()
        viewer = self.track(relay.viewer())
        publisher = self.track(relay.publisher(booking_id="cut"))
        publisher.send_message("before")
        self.assertEqual(viewer.message()[1], b"before")
        Desk(relay).deny("cut")
        self.assertEqual(publisher.frame().close()[0], 4403)
        try:
            publisher.send_message("after")
        except ConnectionError:
            pass
        other = self.track(relay.publisher())
        other.send_message("end")
        self.assertEqual(viewer.message()[1], b"end")

    @row("/bids", "deny kills the unused codes of the booking", "yes (its test is commented out)")
    def test_unused_codes_die(self):
        relay = self.start()
        desk = Desk(relay)
        replies = [session(relay, "cut") for _ in range(3)]
        other = session(relay, "other")
        desk.deny("cut")
        for reply in replies:
            self.assertEqual(ask_upgrade(relay, target_of(reply)).status, 401)
        self.assertEqual(ask_upgrade(relay, target_of(other)).status, 101)

    def test_codes_stay_dead_when_the_booking_is_allowed_again(self):
        relay = self.start()
        desk = Desk(relay)
        old = session(relay, "cut")
        desk.deny("cut")
        desk.allow("cut")
        self.assertEqual(ask_upgrade(relay, target_of(old)).status, 401)
        self.assertEqual(ask_upgrade(relay, target_of(session(relay, "cut"))).status, 101)

    @row("Faults", "deny a booking with live connections, allow it, connect again",
         "the whole relay panics and exits", "connects", "F")
    def test_deny_allow_connect_again(self):
        relay = self.start()
        desk = Desk(relay)
        for _ in range(5):
            clients = [self.track(relay.raw("t0", booking_id="again")) for _ in range(4)]
            desk.deny("again")
            for client in clients:
                self.assertEqual(client.expect_close()[0], 4403)
            desk.allow("again")
        a = self.track(relay.raw("t0", booking_id="again"))
        b = self.track(relay.raw("t0", booking_id="again"))
        a.send_message("alive")
        self.assertEqual(b.message()[1], b"alive")

    def test_a_denial_that_expired_lets_the_booking_in_again(self):
        relay = self.start(RELAY_TIDY_EVERY="1s")
        desk = Desk(relay)
        client = self.track(relay.raw("t0", booking_id="brief"))
        desk.deny("brief", lifetime_s=1)
        self.assertEqual(client.expect_close()[0], 4403)
        relay_support.wait_until(lambda: session(relay, "brief").status == 200, "the expiry")
        self.track(relay.raw("t0", booking_id="brief")).barrier()


class Independent(SharedRelayTestCase):
    @row("WebSocket",
         "no code, a used code, a code of another topic, a token without `read` and "
         "`write`",
         "101, then silence until the garbage collector comes by",
         "HTTP 401 or 403 with a JSON error, no WebSocket",
         "K3")
    def test_refusals_are_seen_before_the_websocket_opens(self):
        uri = self.relay.uri()
        with ws_peer.Peer(uri):
            pass
        for refused in (uri, self.relay.url + "/session/t0", self.relay.uri("t0", ("foo",)),
                        self.relay.uri("t1").replace("/t1", "/t0")):
            with self.subTest(refused), self.assertRaises(ws_peer.Refused) as caught:
                ws_peer.Peer(refused)
            self.assertIn(caught.exception.status, (401, 403))


if __name__ == "__main__":
    relay_support.main()
