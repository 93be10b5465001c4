"""HTTP that is malformed, oversized, slow, truncated, or merely unusual, on both ports.

Method: requests written byte by byte on raw sockets; afterwards the same server must still serve.
"""

import time

import relay_support
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import TEXT, RawClient

TIMEOUT_S = 1.0 * relay_support.TIME_SCALE


class HttpCase(SharedRelayTestCase):
    def ports(self):
        return ("access", self.relay.access_port), ("relay", self.relay.relay_port)

    def client(self, port=None):
        return self.track(RawClient(port or self.relay.access_port,
                                    timeout_s=relay_support.WAIT_S))

    def exchange(self, data, port=None):
        client = self.client(port)
        try:
            client.send(data)
        except OSError:
            pass  # refused before all of it was written
        return client.reply()

    def session_request(self, version="1.1", extra="", body=b""):
        if body:
            extra += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return (f"POST /session/t0 HTTP/{version}\r\nHost: relay.test\r\n"
                f"Authorization: {self.relay.token()}\r\n{extra}\r\n").encode() + body

    def tearDown(self):
        self.assertEqual(self.relay.session("t0", self.relay.token()).status, 200)


class Malformed(HttpCase):
    def test_requests_that_are_no_http(self):
        for data in (b"GARBAGE\r\n\r\n", b"\r\n \r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n",
                     b"GET / FTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", b"G\0T / HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\nX: 1\n folded\r\n\r\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
                     b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                     b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"0\r\n\r\n",
                     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            for name, port in self.ports():
                with self.subTest(data=data[:60], port=name):
                    reply = self.exchange(data, port)
                    self.assertEqual((reply.status, reply.body), (400, b"400 Bad Request"))
                    self.assertEqual(reply.headers.get("content-type"),
                                     "text/plain; charset=utf-8")
                    self.assertEqual(reply.headers.get("connection"), "close")

    def test_versions_that_are_not_spoken(self):
        for data in (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            with self.subTest(data=data):
                self.assertIn(self.exchange(data).status, (400, 505))

    def test_the_connection_ends_after_a_malformed_request(self):
        client = self.client()
        client.send(b"GARBAGE\r\n\r\n" + self.session_request())
        self.assertEqual(client.reply().status, 400)
        client.expect_end()

    def test_malformed_requests_are_counted(self):
        before = self.relay.counters()["http_refused"]
        self.exchange(b"GARBAGE\r\n\r\n")
        self.assertEqual(self.relay.counters()["http_refused"], before + 1)


class Oversized(HttpCase):
    def test_a_long_target_gets_414(self):
        for name, port in self.ports():
            with self.subTest(port=name):
                request = b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
                reply = self.exchange(request, port)
                self.assertEqual(reply.status, 414)

    def test_a_target_without_end_gets_414(self):
        self.assertEqual(self.exchange(b"GET /" + b"a" * 300000).status, 414)

    def test_a_large_field_gets_431(self):
        for name, port in self.ports():
            with self.subTest(port=name):
                reply = self.exchange(b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n", port)
                self.assertEqual(reply.status, 431)

    def test_a_large_field_name_gets_431(self):
        self.assertEqual(self.exchange(b"GET / HTTP/1.1\r\n" + b"a" * 300000).status, 431)

    def test_many_fields_get_431(self):
        fields = b"".join(b"X-%d: y\r\n" % number for number in range(200))
        self.assertEqual(self.exchange(b"GET / HTTP/1.1\r\n" + fields + b"\r\n").status, 431)

    def test_the_largest_token_that_is_allowed_passes(self):
        claims = self.relay.claims()
        claims["filler"] = "x" * 5600
        token = self.relay.sign(claims)
        self.assertLess(7500, len(token))
        self.assertLess(len(token), 8192)
        self.assertEqual(self.relay.session("t0", token).status, 200)

    def test_a_large_body_gets_413(self):
        extra = "Content-Type: application/json\r\nContent-Length: 1000000\r\n"
        reply = self.exchange(self.session_request(extra=extra) + b"x" * 1000000)
        self.assertEqual(reply.status, 413)

    def test_a_large_chunked_body_gets_413(self):
        extra = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        self.assertEqual(self.exchange(self.session_request(extra=extra) + chunk * 20).status, 413)

    def test_refused_by_size_means_closed(self):
        client = self.client()
        client.send(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(client.reply().status, 414)
        client.expect_end()


class Unusual(HttpCase):
    def test_one_connection_serves_request_after_request(self):
        client = self.client()
        for _ in range(5):
            client.send(self.session_request())
            reply = client.reply()
            self.assertEqual((reply.version, reply.status), ("HTTP/1.1", 200))
            self.assertNotEqual(reply.headers.get("connection"), "close")

    def test_connection_close_is_honoured(self):
        client = self.client()
        client.send(self.session_request(extra="Connection: close\r\n"))
        reply = client.reply()
        self.assertEqual((reply.status, reply.headers.get("connection")), (200, "close"))
        client.expect_end()

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.client()
        client.send(self.session_request() + b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n"
                    + self.session_request(body=b"{}")
                    + self.session_request(extra="Connection: close\r\n"))
        self.assertEqual([client.reply().status for _ in range(4)], [200, 404, 200, 200])
        client.expect_end()

    def test_a_hundred_pipelined_requests(self):
        client = self.client()
        client.send(b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
        self.assertEqual({client.reply().status for _ in range(100)}, {404})

    def test_a_thousand_pipelined_requests_before_the_first_answer_is_read(self):
        """Each has its turn when the answer before it is on its way: none is lost, none is kept."""
        client = self.client()
        client.send(b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        for _ in range(1000):
            self.assertEqual(client.reply().status, 404)
        client.send(self.session_request())
        self.assertEqual(client.reply().status, 200)

    def test_a_refusal_keeps_the_connection(self):
        client = self.client()
        client.send(b"POST /session/t0 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(client.reply().status, 401)
        client.send(self.session_request())
        self.assertEqual(client.reply().status, 200)

    def test_http_1_0_is_answered_in_kind_and_closed(self):
        client = self.client()
        client.send(self.session_request(version="1.0"))
        reply = client.reply()
        self.assertEqual((reply.version, reply.status), ("HTTP/1.0", 200))
        client.expect_end()

    def test_a_request_in_two_parts_at_every_place(self):
        request = self.session_request(body=b"{}")
        for position in range(1, len(request), max(1, len(request) // 40)):
            client = self.client()
            client.send(request[:position])
            client.send(request[position:])
            self.assertEqual(client.reply().status, 200)
            client.kill()

    def test_a_chunked_body_is_accepted(self):
        extra = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        client = self.client()
        client.send(self.session_request(extra=extra) + b"2\r\n{}\r\n0\r\n\r\n")
        self.assertEqual(client.reply().status, 200)
        client.send(self.session_request())
        self.assertEqual(client.reply().status, 200)

    def test_blank_lines_before_a_request_are_passed_over(self):
        self.assertEqual(self.exchange(b"\r\n\r\n" + self.session_request()).status, 200)

    def test_a_head_request_has_no_body_so_that_the_next_answer_is_found(self):
        client = self.client()
        client.send(b"HEAD /session/t0 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(client.reply(head_only=True).status, 405)
        client.send(self.session_request())
        self.assertEqual(client.reply().status, 200)

    def test_the_writing_side_may_be_closed_before_the_answer(self):
        client = self.client()
        client.send(self.session_request())
        client.shutdown_write()
        self.assertEqual(client.reply().status, 200)
        client.expect_end()

    @relay_support.needs_ipv6
    def test_ipv6(self):
        client = self.track(RawClient(self.relay.access_port, host="::1"))
        client.send(self.session_request())
        self.assertEqual(client.reply().status, 200)

    def test_absolute_targets(self):
        request = self.session_request().replace(b"POST /", b"POST http://relay.test/", 1)
        self.assertEqual(self.exchange(request).status, 200)


class Truncated(HttpCase):
    def test_requests_that_end_early_are_forgotten(self):
        before = self.relay.counters()["connections_closed"]
        request = self.session_request(body=b"{}")
        count = 0
        for position in range(0, len(request), max(1, len(request) // 20)):
            client = RawClient(self.relay.access_port)
            client.send(request[:position])
            client.shutdown_write()
            client.read_end()
            client.kill()
            count += 1
        for _ in range(10):
            client = RawClient(self.relay.relay_port)
            client.send(b"GET /session/t0?code=x HTT")
            client.reset()
            count += 1
        self.relay.wait_counter("connections_closed", before + count)


class Slow(RelayTestCase):
    """The whole request must have come within RELAY_HANDSHAKE_TIMEOUT of the accept."""

    def start_impatient(self):
        relay = self.start(RELAY_HANDSHAKE_TIMEOUT=f"{int(TIMEOUT_S * 1000)}ms")
        self.start_s = time.monotonic()
        return relay

    def check_closed_in_time(self, client):
        data = client.read_end()
        took_s = time.monotonic() - self.start_s
        self.assertLess(took_s, TIMEOUT_S + 1.0 * relay_support.TIME_SCALE)
        self.assertGreater(took_s, TIMEOUT_S * 0.9)
        if data:
            self.assertTrue(data.startswith(b"HTTP/1.1 408 "), data[:100])

    def test_silent_connections_are_closed(self):
        relay = self.start_impatient()
        clients = [self.track(RawClient(port)) for port in (relay.access_port, relay.relay_port)]
        for client in clients:
            self.check_closed_in_time(client)
        self.assertEqual(relay.wait_counter("handshake_timeouts", 2)["handshake_timeouts"], 2)

    def test_a_request_that_drips_is_cut_off(self):
        relay = self.start_impatient()
        client = self.track(RawClient(relay.access_port))
        client.send(b"POST /session/t0 HTTP/1.1\r\nHost: relay.test\r\n")
        deadline = time.monotonic() + TIMEOUT_S + 2 * relay_support.TIME_SCALE
        try:
            while time.monotonic() < deadline:
                client.send(b"X-Drip: 1\r\n")
                client.sock.settimeout(0.1)
                try:
                    data = client.sock.recv(1000)
                except TimeoutError:
                    continue
                self.assertTrue(not data or data.startswith(b"HTTP/1.1 408 "), data)
                break
        except ConnectionError:
            pass
        self.check_closed_in_time(client)
        self.assertEqual(relay.wait_counter("handshake_timeouts", 1)["handshake_timeouts"], 1)

    def test_a_body_that_never_comes_is_cut_off(self):
        relay = self.start_impatient()
        client = self.track(RawClient(relay.access_port))
        client.send(f"POST /session/t0 HTTP/1.1\r\nHost: a\r\nAuthorization: {relay.token()}\r\n"
                    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n".encode())
        self.check_closed_in_time(client)

    def test_a_websocket_may_be_silent_for_longer(self):
        relay = self.start_impatient()
        viewer, publisher = self.track(relay.viewer()), self.track(relay.publisher())
        slow = self.track(RawClient(relay.relay_port))
        self.check_closed_in_time(slow)
        relay_support.wait_until(
            lambda: time.monotonic() > self.start_s + TIMEOUT_S + 0.5, "time to pass")
        publisher.send_message("awake")
        self.assertEqual(viewer.message(), (TEXT, b"awake"))

    def test_a_kept_alive_connection_gets_its_time_anew(self):
        relay = self.start_impatient()
        client = self.track(RawClient(relay.access_port))
        for number in range(3):
            relay_support.wait_until(
                lambda: time.monotonic() > self.start_s + (number + 1) * TIMEOUT_S * 0.6,
                "time to pass", 2 * TIMEOUT_S + relay_support.WAIT_S)
            client.send(f"POST /session/t0 HTTP/1.1\r\nHost: a\r\nAuthorization: {relay.token()}"
                        "\r\n\r\n".encode())
            self.assertEqual(client.reply().status, 200)


if __name__ == "__main__":
    relay_support.main()
