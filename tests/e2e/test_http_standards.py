"""What RFC 9110 (semantics) and RFC 9112 (HTTP/1.1) ask of a server, with the section of each.

Method: requests written byte by byte on raw sockets, on the ports that they concern.
"""

import email.utils
import subprocess
import tempfile
import time

import relay_support
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import RawClient

GET = "GET /swagger.json HTTP/1.1\r\nHost: relay.test\r\n"
READERS = ("/swagger.json", "/docs", "/status", "/bids/deny", "/bids/allow")


class StandardsCase(SharedRelayTestCase):
    def client(self, port=None):
        return self.track(RawClient(port or self.relay.access_port,
                                    timeout_s=relay_support.WAIT_S))

    def exchange(self, request, port=None, head_only=False):
        client = self.client(port)
        client.send(request if isinstance(request, bytes) else request.encode())
        return client.reply(head_only=head_only)

    def ports(self):
        return self.relay.access_port, self.relay.relay_port

    def post(self, extra, version="1.1"):
        return (f"POST /session/t0 HTTP/{version}\r\nHost: relay.test\r\n"
                f"Authorization: {self.relay.token()}\r\nContent-Type: application/json\r\n"
                f"{extra}\r\n").encode()

    def check_statuses(self, cases, port=None):
        for request, status in cases:
            with self.subTest(request=request[:80]):
                self.assertEqual(self.exchange(request, port).status, status)


class Expect(StandardsCase):
    """RFC 9110 §10.1.1."""

    def test_a_body_that_waits_is_asked_for(self):
        for extra, body in (("Content-Length: 2\r\n", b"{}"),
                            ("Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n")):
            with self.subTest(extra=extra):
                client = self.client()
                client.send(self.post(f"Expect: 100-Continue\r\n{extra}"))
                interim = client.reply()
                self.assertEqual((interim.status, interim.headers), (100, {}))
                client.send(body)
                self.assertEqual(client.reply().status, 200)
                client.send(self.post(""))
                self.assertEqual(client.reply().status, 200)

    def test_a_body_that_did_not_wait_is_not_asked_for(self):
        request = self.post("Expect: 100-continue\r\nContent-Length: 2\r\n") + b"{}"
        self.assertEqual(self.exchange(request).status, 200)

    def test_no_body_is_not_asked_for(self):
        self.assertEqual(self.exchange(self.post("Expect: 100-continue\r\n")).status, 200)

    def test_a_body_that_is_too_large_is_refused_instead(self):
        extra = "Expect: 100-continue\r\nContent-Length: 65537\r\n"
        self.assertEqual(self.exchange(self.post(extra)).status, 413)

    def test_http_1_0_knows_no_interim_answers(self):
        client = self.client()
        client.send(self.post("Expect: 100-continue\r\nContent-Length: 2\r\n", version="1.0"))
        self.assert_silent(client)
        client.send(b"{}")
        self.assertEqual(client.reply().status, 200)

    def assert_silent(self, client):
        """Another connection's answer came, and this one's did not: both are on one worker."""
        self.assertEqual(self.exchange(GET + "\r\n").status, 200)
        client.sock.setblocking(False)
        self.assertRaises(BlockingIOError, client.sock.recv, 1)

    options = {"RELAY_WORKERS": "1"}

    def test_curl_does_not_wait_its_second(self):
        with tempfile.NamedTemporaryFile() as body:
            body.write(b"[" + b" " * 60000 + b"]")
            body.flush()
            started = time.monotonic()
            done = subprocess.run(
                ["curl", "--silent", "--show-error", "--output", "/dev/null",
                 "--expect100-timeout", "30", "--write-out", "%{http_code}",
                 "--header", "Expect: 100-continue", "--header", "Content-Type: application/json",
                 "--header", f"Authorization: {self.relay.token()}",
                 "--data-binary", f"@{body.name}",
                 f"http://127.0.0.1:{self.relay.access_port}/session/t0"],
                capture_output=True, check=True, timeout=relay_support.TEST_HANGS_S)
        self.assertEqual(done.stdout, b"200")
        self.assertLess(time.monotonic() - started, 15)


class Fields(StandardsCase):
    def test_answers_carry_the_date(self):
        """RFC 9110 §6.6.1: in all 2xx, 3xx and 4xx answers, as an IMF-fixdate (§5.6.7)."""
        relay_port = self.relay.relay_port
        for request, port, status in ((GET + "\r\n", None, 200), ("x y z\r\n\r\n", None, 400),
                                      (self.post(""), None, 200), (GET + "\r\n", relay_port, 404),
                                      ("GET //x HTTP/1.1\r\nHost: a\r\n\r\n", relay_port, 301)):
            with self.subTest(status=status, port=port):
                reply = self.exchange(request, port)
                self.assertEqual(reply.status, status)
                self.assertRegex(reply.headers["date"],
                                 r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$")
                date = email.utils.parsedate_to_datetime(reply.headers["date"])
                self.assertLess(abs(date.timestamp() - time.time()),
                                2 + 5 * relay_support.TIME_SCALE)

    def test_401_names_the_scheme(self):
        """RFC 9110 §15.5.2: MUST; the scheme is that of RFC 6750 §3."""
        for request, port in (
                ("POST /session/t0 HTTP/1.1\r\nHost: a\r\n\r\n", None),
                ("GET /status HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n", None),
                ("GET /session/t0?code=x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", self.relay.relay_port)):
            with self.subTest(request=request[:30]):
                reply = self.exchange(request, port)
                self.assertEqual(reply.status, 401)
                self.assertEqual(reply.headers.get("www-authenticate"), 'Bearer realm="relay"')


class Head(StandardsCase):
    """RFC 9110 §9.3.2, §9.1: HEAD is served where GET is, with the same fields and no content."""

    def test_head_is_served_where_get_is(self):
        token = self.relay.token(scopes=("relay:stats", "relay:admin"))
        for path in READERS:
            with self.subTest(path=path):
                replies = {}
                for method in ("GET", "HEAD"):
                    client = self.client()
                    client.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n"
                                "Connection: close\r\n\r\n".encode())
                    replies[method] = client.reply(head_only=method == "HEAD")
                    if method == "HEAD":
                        self.assertEqual(client.read_end(), b"")
                self.assertEqual(replies["HEAD"].status, 200)
                for name in ("content-type", "content-length"):
                    self.assertEqual(replies["HEAD"].headers.get(name),
                                     replies["GET"].headers.get(name), name)

    def test_no_answer_to_head_has_content(self):
        targets = ("/", "/session/t0", "//session/t0", "/session/t0?code=x", "/bids/deny")
        for port in self.ports():
            requests = [f"HEAD {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                        for target in targets]
            requests += ["HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/3.0\r\n\r\n",
                         f"HEAD /{'x' * 9000} HTTP/1.1\r\n\r\n", f"HEAD /{'x' * 20000}",
                         f"HEAD / HTTP/1.1\r\nX: {'x' * 20000}\r\n\r\n",
                         "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
                         "\r\nHEAD / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n"]
            for request in requests:
                with self.subTest(request=request[:50], port=port):
                    client = self.client(port)
                    try:
                        client.send(request.encode())
                    except OSError:
                        pass  # refused before all of it was written
                    reply = client.reply(head_only=True)
                    self.assertGreaterEqual(reply.status, 300)
                    self.assertEqual(client.read_end(), b"", reply.head)

    def test_allow_names_head_beside_get(self):
        """RFC 9110 §10.2.1."""
        reply = self.exchange("POST /swagger.json HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "GET,HEAD"))
        reply = self.exchange("PUT /bids/deny HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "POST,GET,HEAD"))


class Host(StandardsCase):
    """RFC 9112 §3.2: 400 for a Host that is no uri-host [":" port] (RFC 3986 §3.2.2)."""

    def test_invalid_hosts(self):
        for host in ("a b", "a/b", "a@b", "user:pw@a", "http://a", "a:b", "a:1:2", "a\\b", "a?b",
                     "a#b", "<a>", '"a"', "[::1", "::1", "[::g]", "[1.2.3.4]", "[]", "[::1]x", "a%",
                     "a%zz", "\xe4", "a{b}"):
            for port in self.ports():
                with self.subTest(host=host, port=port):
                    request = f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")
                    self.assertEqual(self.exchange(request, port).status, 400)

    def test_valid_hosts(self):
        for host in ("", "a", "A.b-c_d~e", "a:1", "a:", "1.2.3.4:80", "[::1]", "[::1]:3000",
                     "[::ffff:1.2.3.4]", "xn--bcher-kva.example", "a%C3%BC", "a,b;c=d"):
            with self.subTest(host=host):
                request = f"GET /swagger.json HTTP/1.1\r\nHost: {host}\r\n\r\n"
                self.assertEqual(self.exchange(request).status, 200)

    def test_hosts_of_absolute_targets(self):
        """RFC 9110 §4.2.1, §4.2.4: an empty host and user information are refused."""
        for authority, status in (("a", 200), ("a:80", 200), ("[::1]:80", 200), ("", 400),
                                  (":80", 400), ("user@a", 400), ("a:b", 400), ("[x]", 400)):
            with self.subTest(authority=authority):
                request = f"GET http://{authority}/swagger.json HTTP/1.1\r\nHost: a\r\n\r\n"
                self.assertEqual(self.exchange(request).status, status)


class Framing(StandardsCase):
    def test_transfer_codings_that_are_not_implemented(self):
        """RFC 9112 §6.1: 501. §6.3: 400 where chunked is not last, and §7: once, without
        parameters."""
        for coding, status in (("gzip, chunked", 501), ("x,gzip,chunked", 501), ("gzip", 400),
                               ("identity", 400), ("chunked, gzip", 400), ("xchunked", 400),
                               ("chunked, chunked", 400), ("chunked;q=1", 400), ("", 400)):
            for port in self.ports():
                with self.subTest(coding=coding, port=port):
                    request = (f"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n"
                               "\r\n0\r\n\r\n")
                    self.assertEqual(self.exchange(request, port).status, status)

    def test_line_ends_inside_a_chunked_body(self):
        """RFC 9112 §7.1: every line of it ends in CR LF; §2.2 allows a bare LF in the head only."""
        for body in (b"0\r\n\n", b"0\n\r\n", b"2\n{}\r\n0\r\n\r\n", b"2\r\n{}\n0\r\n\r\n",
                     b"2\r\n{}0\r\n\r\n", b"2;x\n{}\r\n0\r\n\r\n", b"0\r\nA: b\n\r\n",
                     b"0\r\nA: b\r\n\n", b"0\r\nA: b\rc\r\n\r\n", b"0\r\n folded\r\n\r\n",
                     b"2 \r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"):
            with self.subTest(body=body):
                request = self.post("Transfer-Encoding: chunked\r\n") + body
                self.assertEqual(self.exchange(request).status, 400)

    def test_a_chunk_that_is_too_large_is_refused_when_it_is_announced(self):
        """RFC 9112 §7.1: "recipients MUST anticipate potentially large hexadecimal numerals"."""
        for size in (b"10001", b"fffffff", b"FFFFFFFFFFFFFFFF", b"1" + b"0" * 16, b"f" * 1000):
            with self.subTest(size=size[:20]):
                client = self.client()
                client.send(self.post("Transfer-Encoding: chunked\r\n") + size)
                self.assertEqual(client.reply().status, 413)
                client.expect_end()

    def test_extensions_and_trailers_are_passed_over(self):
        """RFC 9112 §7.1.1, §7.1.2."""
        body = b'002 ;a="b\\"c";d\r\n{}\r\n000\r\nA: b\r\nC:\r\n\r\n'
        client = self.client()
        client.send(self.post("Transfer-Encoding: chunked\r\n") + body + self.post(""))
        self.assertEqual([client.reply().status for _ in range(2)], [200, 200])


class RequestLine(StandardsCase):
    def test_unknown_methods(self):
        """RFC 9110 §9.1: 501 for a method that no resource knows, 405 for one that others do."""
        self.check_statuses([(f"{method} /swagger.json HTTP/1.1\r\nHost: a\r\n\r\n", status)
                             for method, status in (("BREW", 501), ("get", 501), ("GETX", 501),
                                                    ("G", 501), ("X-Y!", 501), ("DESCRIBE", 501),
                                                    ("TRACE", 405), ("QUERY", 405), ("PUT", 405),
                                                    ("PATCH", 405), ("G(T", 400), ("G\x01T", 400))])

    def test_later_minor_versions_are_read_as_1_1(self):
        """RFC 9110 §2.5."""
        for version in ("1.2", "1.9"):
            with self.subTest(version=version):
                client = self.client()
                for _ in range(2):
                    client.send(GET.replace("1.1", version).encode() + b"\r\n")
                    reply = client.reply()
                    self.assertEqual((reply.version, reply.status), ("HTTP/1.1", 200))

    def test_other_major_versions(self):
        """RFC 9110 §15.6.6."""
        self.check_statuses([(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n", status)
                             for version, status in (("0.9", 505), ("2.0", 505), ("3.0", 505),
                                                     ("1.10", 400), ("1", 400), ("x.y", 400))])

    def test_targets_of_8000_bytes(self):
        """RFC 9112 §3: request lines of 8000 bytes at the least; longer targets get 414."""
        def request(length):
            return f"GET /{'x' * (length - 1)} HTTP/1.1\r\nHost: a\r\n\r\n"

        for port in self.ports():
            self.check_statuses([(request(7980), 404), (request(8000), 404), (request(8001), 414)],
                                port)
        token = self.relay.token(lifetime_s=300, filler="x" * 5600)
        reply = self.exchange(f"POST /session/t0?{'x' * 7900} HTTP/1.1\r\nHost: a\r\n"
                              f"Authorization: {token}\r\n\r\n")
        self.assertEqual(reply.status, 200)

    def test_a_long_target_is_redirected_whole(self):
        """RFC 9110 §15.4.2."""
        path = "x" * 7900
        reply = self.exchange(f"GET //{path} HTTP/1.1\r\nHost: a\r\n\r\n", self.relay.relay_port)
        self.assertEqual((reply.status, reply.headers["location"]), (301, f"/{path}"))


class Redirects(StandardsCase):
    def location(self, target):
        return self.exchange(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n", self.relay.relay_port)

    def test_a_redirect_stays_on_this_server(self):
        """RFC 9110 §10.2.2: Location is a URI reference (RFC 3986). Browsers read a backslash as a
        slash, so that /\\host would lead elsewhere (WHATWG URL, "relative slash state")."""
        for target, location in (("//\\evil.test/", "/%5Cevil.test"),
                                 ("//a\\b?c\\d", "/a%5Cb?c%5Cd"),
                                 ('//a"<>^`{|}?"', "/a%22%3C%3E%5E%60%7B%7C%7D?%22"),
                                 ("//session/t%20x?code=a%2Fb", "/session/t%20x?code=a%2Fb"),
                                 ("/.//evil.test", "/evil.test")):
            with self.subTest(target=target):
                reply = self.location(target)
                self.assertEqual((reply.status, reply.headers.get("location")), (301, location))

    def test_a_location_that_grows_too_long_is_refused(self):
        """RFC 9110 §15.5.15."""
        self.assertEqual(self.location("//" + "\\" * 7000).status, 414)


class Versions(StandardsCase):
    def test_an_answer_is_of_the_version_of_its_request(self):
        """RFC 9110 §2.5. Upgrade means nothing in HTTP/1.0 (§7.8)."""
        upgrade = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        for target, status in (("/session/t0?code=x", 400), ("/", 404), ("//x", 301)):
            for version in ("1.0", "1.1"):
                with self.subTest(target=target, version=version):
                    if version == "1.1" and status == 400:
                        status = 401
                    reply = self.exchange(f"GET {target} HTTP/{version}\r\nHost: a\r\n{upgrade}",
                                          self.relay.relay_port)
                    self.assertEqual((reply.version, reply.status), (f"HTTP/{version}", status))
        reply = self.exchange("POST /session/t0 HTTP/1.0\r\nHost: a b\r\n\r\n")
        self.assertEqual((reply.version, reply.status), ("HTTP/1.0", 400))


class Accept(StandardsCase):
    def test_a_list_in_several_lines_is_one_list(self):
        """RFC 9110 §5.3, §12.5.1."""
        token = self.relay.token(scopes=("relay:stats",))
        for fields, status in (("Accept: text/html\r\nAccept: application/json\r\n", 200),
                               ("Accept: text/html\r\n", 406)):
            with self.subTest(fields=fields):
                self.assertEqual(self.exchange(f"GET /status HTTP/1.1\r\nHost: a\r\n{fields}"
                                               f"Authorization: {token}\r\n\r\n").status, status)


if __name__ == "__main__":
    relay_support.main()
