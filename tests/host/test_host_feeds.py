"""Feeds of `relay host`: publishers, local programs, destinations and streams meet, and nothing of
a burst is lost or reordered.

Method: raw clients for local programs and publishers, recording WebSocket servers as relays.
"""

import json
import signal
import time

import host_support
import relay_support
from relay_support import WAIT_S
from host_support import LAST_CHUNK, HostTestCase, chunk, client_support
from ws_raw import BINARY, CLOSE, PING, PONG, TEXT, close_payload

PACKET = bytes([0x47, 0x1f, 0xff, 0x10]) + bytes(184)  # a null packet


class Publishers(HostTestCase):
    def setUp(self):
        self.host = self.start()
        self.local = self.track(self.host.local("video"))

    def messages(self, count):
        return [self.local.message() for _ in range(count)]

    def nothing_more(self):
        self.assertEqual(self.local.barrier(), [])

    def test_each_chunk_is_a_message_when_pauses_are_between_them(self):
        publisher = self.track(self.host.publisher("video"))
        sent = [bytes([number]) * 188 for number in range(30)]
        for data in sent:
            publisher.send(chunk(data))
            self.assertEqual(self.local.message(), (BINARY, data))

    def test_a_chunk_is_never_cut_nor_a_picture_after_a_full_buffer_of_ffmpeg(self):
        publisher = self.track(self.host.publisher("video"))
        data = bytes(5000)
        whole = chunk(data)
        publisher.send(whole[:2500])
        self.nothing_more()  # a round trip: longer than the silence
        self.nothing_more()
        publisher.send(whole[2500:])
        self.assertEqual(self.local.message(), (BINARY, data))
        publisher.send(chunk(b"a" * 32768))
        publisher.send(chunk(b"b" * 2576))
        self.assertEqual(self.local.message(), (BINARY, b"a" * 32768 + b"b" * 2576))
        publisher.send(chunk(b"a" * 20000))
        self.assertEqual(self.local.message(), (BINARY, b"a" * 20000))

    def test_chunks_without_a_pause_between_them_are_one_message(self):
        publisher = self.track(self.host.publisher("video"))
        publisher.send(chunk(b"x" * 188) * 50)
        self.assertEqual(self.local.message(), (BINARY, b"x" * 188 * 50))

    def test_a_long_burst_arrives_whole(self):
        publisher = self.track(self.host.publisher("video", ("Content-Length: 3000000",)))
        data = bytes(number % 251 for number in range(3000000))
        publisher.send(data)
        self.assertEqual(publisher.reply().status, 200)
        got = b""
        while len(got) < len(data):
            got += self.local.message()[1]
        self.assertEqual(got, data)

    def test_a_message_above_the_limit_is_cut(self):
        publisher = self.track(self.host.publisher("video"))
        size = 10 * 1024 * 1024
        publisher.send(chunk(PACKET * (size // 188 + 10)))
        first = self.local.message()[1]
        self.assertLessEqual(len(first), size)
        self.assertEqual(len(first) % 188, 0)
        self.assertEqual(len(self.local.message()[1]) % 188, 0)

    def test_the_end_of_the_body_is_answered(self):
        publisher = self.track(self.host.publisher("video"))
        publisher.send(chunk(b"x") + LAST_CHUNK)
        reply = publisher.reply()
        self.assertEqual((reply.status, reply.headers["content-length"]), (200, "0"))
        publisher.send(b"POST /ts/video HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                       b"Content-Length: 1\r\n\r\ny")
        self.assertEqual(publisher.reply().headers["connection"], "close")
        publisher.expect_end()
        for method in ("GET", "HEAD", "ANY"):
            self.assertEqual(self.host.request(method, "/ts/video").status, 200)
        self.assertEqual(b"".join(data for _, data in self.messages(2)), b"xy")

    def test_publishers_that_come_and_go_leave_nothing(self):
        before = self.host.fds()
        for number in range(200):
            publisher = self.host.publisher("video")
            publisher.send(chunk(b"%d" % number))
            if number % 2:
                publisher.reset()
            else:
                publisher.kill()
        relay_support.wait_until(lambda: self.host.fds() <= before, "descriptors to be closed")


class Local(HostTestCase):
    def setUp(self):
        self.host = self.start()

    def test_everybody_but_the_sender_hears_a_message_with_its_type(self):
        clients = [self.track(self.host.local("data")) for _ in range(3)]
        other = self.track(self.host.local("data/"))
        for message in ("text", b"\0binary", "", b""):
            clients[0].send_message(message)
        wanted = [(TEXT, b"text"), (BINARY, b"\0binary"), (TEXT, b""), (BINARY, b"")]
        for client in clients[1:]:
            self.assertEqual([client.message() for _ in range(4)], wanted)
        self.assertEqual(clients[0].barrier(), [])
        self.assertEqual(other.barrier(), [])

    def test_bursts_arrive_whole_and_in_order_both_ways(self):
        server = self.connected(self.host, 0, "data")
        local = self.track(self.host.local("data"))
        lines = [f"{number:06d}" + "x" * 94 for number in range(1000)]
        for line in lines:
            local.send_message(line)
        self.assertEqual(self.heard(server, 1000), lines)
        for line in lines:
            server.send(line)
        self.assertEqual([local.message() for _ in lines],
                         [(TEXT, line.encode()) for line in lines])

    def test_messages_of_10_mib_pass_and_no_byte_more(self):
        sender, hearer = (self.track(self.host.local("data")) for _ in range(2))
        data = bytes(10 * 1024 * 1024)
        sender.send_frame(BINARY, data[:-1], fin=False)
        sender.send_frame(PING, b"between")
        sender.send_frame(0, data[:1])
        self.assertEqual(sender.frame()[2:], (PONG, False, b"between"))
        self.assertEqual(hearer.message(), (BINARY, data))
        sender.send_frame(BINARY, data + b"x")
        self.assertEqual(sender.frame().close()[0], 1009)

    def test_closes_and_faults_are_answered_as_theirs(self):
        for frame, code, reason in (((CLOSE, close_payload(1000, b"bye")), 1000, b""),
                                    ((CLOSE, close_payload(4000)), 4000, b""),
                                    ((3, b""), 1002, b"bad opcode 3"),
                                    ((TEXT, b"x", {"mask": b""}), 1002, b"bad MASK")):
            client = self.track(self.host.local("data"))
            options = frame[2] if len(frame) > 2 else {}
            client.send_frame(frame[0], frame[1], **options)
            self.assertEqual(client.expect_close(), (code, reason))

    def test_the_subprotocol_null_is_accepted(self):
        for offer, wanted in (("a, null", "null"), ("a", None)):
            client = self.track(self.host.open())
            reply = client.upgrade("/ws/data", (f"Sec-WebSocket-Protocol: {offer}",
                                                "Origin: http://elsewhere"))
            self.assertEqual(reply.headers.get("sec-websocket-protocol"), wanted)

    def test_text_that_is_not_utf8_arrives_as_bytes(self):
        server = self.connected(self.host, 0, "data")
        sender, hearer = (self.track(self.host.local("data")) for _ in range(2))
        sender.send_frame(TEXT, b"\xff\n")
        self.assertEqual(hearer.message(), (BINARY, b"\xff\n"))
        self.assertEqual(self.heard(server, 1), [b"\xff\n"])


class Destinations(HostTestCase):
    def test_two_relays_on_one_feed_hear_each_other_and_the_same_relay_twice_does_not(self):
        host = self.start()
        one, two = (self.connected(host, number, "video") for number in (0, 1))
        self.connected(host, 2, "video", server=two)
        local = self.track(host.local("video"))
        one.send("from one")
        self.assertEqual(local.message(), (TEXT, b"from one"))
        self.assertEqual(self.heard(two, 2), ["from one"] * 2)
        two.send("from two")
        self.assertEqual(local.message(), (TEXT, b"from two"))
        self.assertEqual(self.heard(one, 1), ["from two"])
        local.send_message("end")
        self.assertEqual(self.heard(two, 4), ["from one"] * 2 + ["end"] * 2)

    def test_rules_are_replaced_kept_and_deleted(self):
        host = self.start()
        old = self.connected(host, 0, "data")
        host.rule(0, "data", old.url)  # the same: the connection stays
        local = self.track(host.local("data"))
        local.send_message("first")
        self.heard(old, 1)
        self.assertEqual(len(old.connections), 1)
        new = self.connected(host, 0, "data")
        relay_support.wait_until(lambda: old.closed, "the old connection to close")
        self.assertEqual(old.closed[0][0], 1000)
        local.send_message("second")
        self.assertEqual(self.heard(new, 1), ["second"])
        host.delete("0")
        relay_support.wait_until(lambda: new.closed, "the new connection to close")
        self.assertEqual(new.closed[0][0], 1000)
        self.assertEqual(old.messages, ["first"])

    def test_a_relay_that_accepts_and_closes_is_not_dialled_without_a_pause(self):
        host = self.start()
        server = client_support.RawServer(lambda connection, _: connection.upgrade())
        self.addCleanup(server.close)
        host.rule(0, "data", server.url("ws"))
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            time.sleep(0.1)
            for connection in server.accepted:
                if connection.finished.is_set():
                    connection.sock.close()
        self.assertLessEqual(len(server.accepted), 4)

    def test_the_waits_between_attempts_grow_and_are_spread_a_little(self):
        host = self.start()
        dialled = []
        server = client_support.RawServer(
            lambda connection, _: (dialled.append(time.monotonic()), connection.sock.close()))
        self.addCleanup(server.close)
        with relay_support.Lateness() as lateness:
            host.rule(0, "data", server.url("ws"))
            relay_support.wait_until(lambda: len(dialled) >= 4, "four attempts", 3 * WAIT_S)
        for number, wait_s in enumerate((1, 2, 4)):
            took_s = dialled[number + 1] - dialled[number]
            self.assertGreaterEqual(took_s, 0.8 * wait_s)
            self.assertLessEqual(took_s, 1.2 * wait_s + 0.5 + lateness.margin_ms() / 1000)

    def test_nothing_older_than_the_limit_follows_an_outage(self):
        host = self.start(RELAY_HOST_QUEUE_AGE="500ms")
        server, heard = self.late_destination()
        host.rule(0, "data", server.url("ws"))
        host.wait_log("destination not connected")
        local = self.track(host.local("data"))
        local.send_message("old")
        local.barrier()
        time.sleep(0.6)  # the age is what is tested
        server.start()
        host.wait_log("destination connected")
        local.send_message("new")
        relay_support.wait_until(lambda: heard, "the new message")
        self.assertEqual(heard[0], b"new")

    def test_the_token_is_sent_as_it_is_and_never_logged(self):
        host = self.start(RELAY_HOST_LOG_LEVEL="trace")
        relay = self.destination()
        asked = []

        def access(connection, _):
            asked.append(connection.read_head())
            connection.send(client_support.uri_answer(relay.url))

        server = client_support.RawServer(access)
        self.addCleanup(server.close)
        host.rule(0, "data", server.url(), token=client_support.TOKEN)
        relay_support.wait_until(lambda: relay.connections, "the host to connect")
        first, fields = asked[0]
        self.assertEqual(first, "POST /session/t0 HTTP/1.1")
        self.assertEqual(fields["authorization"], client_support.TOKEN)
        host.wait_log("destination connected")
        for secret in (client_support.TOKEN, client_support.CODE):
            self.assertNotIn(secret, host.errors)

    def test_a_refusal_is_told_once(self):
        host = self.start(RELAY_HOST_LOG_LEVEL="warn", wait=False)
        relay_support.wait_until(lambda: host_support.can_connect(host.port), "the host to listen")
        server = client_support.RawServer(lambda connection, _: (
            connection.read_head(),
            connection.send(client_support.http_answer(401, b'{"code":401,"message":"expired"}')),
            connection.sock.close()))
        self.addCleanup(server.close)
        host.rule(7, "data", server.url(), token="a.b.c")
        host.wait_log("destination not connected")
        line = json.loads(host.errors.splitlines()[-1])
        self.assertEqual((line["id"], line["status"]), ("7", 401))
        self.assertIn("expired", line["reason"])

    def test_the_end_closes_everything_with_1001(self):
        for by in (signal.SIGTERM, signal.SIGINT):
            host = self.start()
            server = self.connected(host, 0, "data")
            local = self.track(host.local("data"))
            host.stop(by)
            self.assertEqual(local.frame().close()[0], 1001)
            relay_support.wait_until(lambda: server.closed, "the destination to close")
            self.assertEqual(server.closed[0][0], 1001)


class Streams(HostTestCase):
    def test_a_stream_follows_its_rule_at_once(self):
        host = self.start()
        server = self.connected(host, 0, "stream/a")
        local = self.track(host.local("stream/a"))
        one, two = (self.track(host.local(feed)) for feed in ("one", "two"))

        def set_rule(*feeds):
            host.put({"stream": "stream/a", "feeds": feeds}, "streams")

        def say(text):
            for client in (one, two):
                client.send_message(text)
                client.barrier()

        say("nothing")
        set_rule("one")
        say("first")
        set_rule("two", "two")
        say("second")
        host.delete("stream/a", "streams")
        say("nothing")
        set_rule("one", "two")
        say("third")
        wanted = ["first", "second", "second", "third", "third"]
        self.assertEqual([local.message() for _ in wanted],
                         [(TEXT, text.encode()) for text in wanted])
        self.assertEqual(self.heard(server, 5), wanted)
        # One way only.
        local.send_message("up")
        server.send("up")
        publisher = self.track(host.publisher("stream/a"))
        publisher.send(chunk(b"up") + LAST_CHUNK)
        publisher.reply()
        for client in (one, two, local):
            self.assertEqual(client.barrier(), [])
        # Theirs ends with a panic.
        host.delete("stream/a", "streams")
        for _ in range(2):
            host.delete("stream/a", "streams")
            host.delete("0")
            host.delete("deleteAll")
        self.assertEqual(host.request("GET", "/healthcheck").status, 200)


class Status(HostTestCase):
    def test_the_state_is_shown_as_tables_and_as_json(self):
        host = self.start()
        server = self.connected(host, 7, "data", token="")
        local = self.track(host.local("data"))
        local.send_message("x")
        self.heard(server, 1)
        shown = relay_support.relay_run("host", "--status", VW_PORT=str(host.port))
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertRegex(shown.stdout, r"(?m)^data +2 ")
        self.assertRegex(shown.stdout, rf"(?m)^7 +data +127.0.0.1:{server.port} +connected +1 ")
        report = json.loads(relay_support.relay_run("host", "--status", "--json",
                                                    VW_PORT=str(host.port)).stdout)
        self.assertEqual((report["local_clients"], report["destinations"][0]["messages_sent"]),
                         (1, 1))
        host.stop()
        gone = relay_support.relay_run("host", "--status", VW_PORT=str(host.port))
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no host answers", gone.stderr)


class Commands(HostTestCase):
    def ask(self, client, command):
        client.send_message(command if isinstance(command, str) else json.dumps(command))
        opcode, answer = client.message()
        self.assertEqual(opcode, TEXT)
        return answer.decode()

    def test_commands_and_their_answers(self):
        host = self.start()
        client = self.track(host.local("api"))
        unrecognised = '{"error":"unrecognised Command"}'
        rule = '{"id":"7","stream":"s","destination":"ws://127.0.0.1:9/","token":"","file":""}'
        empty = '{"id":"","stream":"","destination":"","token":"","file":""}'
        for command, answer in (
                ('{"verb":"healthcheck"}', '{"healthcheck":"ok"}'),
                ('{"VERB":"healthcheck"}', '{"healthcheck":"ok"}'),
                ('{"verb":"Healthcheck"}', unrecognised),
                ("hello", unrecognised), ("[]", unrecognised), ("{}", unrecognised),
                ('{"verb":"add","what":"thing"}', unrecognised),
                ('{"verb":"add","what":"destination","rule":' + rule + "}", rule),
                ('{"verb":"list","what":"destination","which":"all"}', '{"7":' + rule + "}"),
                ('{"verb":"list","what":"destination","which":"7"}', rule),
                ('{"verb":"list","what":"destination"}', empty),
                ('{"verb":"add","what":"destination","rule":{"id":1}}',
                 '{"error":"json: cannot unmarshal number into Go struct field Rule.id of type '
                 'string"}'),
                ('{"verb":"delete","what":"destination","which":"7"}', '{"deleted":"7"}'),
                ('{"verb":"delete","what":"destination","which":"q\\"uo"}',
                 '{"deleted":"q\\"uo"}'),
                ('{"verb":"delete","what":"destination","which":"all"}',
                 '{"deleted":"deleteAll"}'),
                ('{"verb":"delete","what":"destination","which":"apiRule"}',
                 '{"error":"cannot delete apiRule"}'),
                ('{"verb":"delete","what":"destination"}', unrecognised),
                ('{"verb":"add","what":"stream","rule":{"stream":"stream/a","feeds":["v","a"]}}',
                 '{"stream":"stream/a","feeds":["v","a"]}'),
                ('{"verb":"add","what":"stream"}', '{"error":"unexpected end of JSON input"}'),
                ('{"verb":"list","what":"stream","which":"all"}', '{"stream/a":["v","a"]}'),
                ('{"verb":"list","what":"stream","which":"stream/a"}', '{"feeds":["v","a"]}'),
                ('{"verb":"list","what":"stream","which":"x"}', '{"feeds":null}'),
                ('{"verb":"list","what":"stream"}', unrecognised),
                ('{"verb":"delete","what":"stream","which":"x"}', '{"deleted":"x"}'),
                ('{"verb":"delete","what":"stream"}', '{"deleted":""}'),
                ('{"verb":"delete","what":"stream","which":"all"}', '{"deleted":"deleteAll"}')):
            self.assertEqual(self.ask(client, command), answer, command)

    def test_commands_are_taken_from_the_api_rule_and_no_other_destination(self):
        server = self.destination()
        host = self.start(VW_API=server.url)
        relay_support.wait_until(lambda: server.connections, "the host to connect")
        server.send('{"verb":"healthcheck"}')
        self.assertEqual(self.heard(server, 1), ['{"healthcheck":"ok"}'])
        other = self.connected(host, 1, "api")
        other.send('{"verb":"delete","what":"destination","which":"1"}')
        server.send('{"verb":"list","what":"destination","which":"all"}')
        relay_support.wait_until(lambda: any('"1":' in text for text in server.messages),
                                 "a list that still has the rule")
        server.send('{"verb":"delete","what":"destination","which":"all"}')
        relay_support.wait_until(lambda: '{"deleted":"deleteAll"}' in server.messages,
                                 "the answer over the rule that stays")


if __name__ == "__main__":
    host_support.main()
