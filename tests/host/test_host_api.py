"""The HTTP API of `relay host`, to the byte, as practable/relay answers: routes, rules, streams.

Method: one host; tables of requests with the whole answer. Where ours differs, the reason stands
beside it.
"""

import json
import tempfile
import pathlib
import resource
import signal

import fake_systemd
import host_support
import relay_support
from host_support import HostTestCase

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
NOT_FOUND = (404, PLAIN, "404 page not found\n")
EMPTY_RULE = '{"id":"","stream":"","destination":"","token":"","file":""}'


class Api(HostTestCase):
    def setUp(self):
        self.host = self.start()

    def expect(self, method, path, answer, body=""):
        reply = self.host.request(method, path, body)
        status, content_type, text = answer
        self.assertEqual((reply.status, reply.headers.get("content-type"), reply.body.decode()),
                         (status, content_type, text), f"{method} {path} {body}")
        self.assertNotIn("server", reply.headers)
        return reply

    def test_routes(self):
        for method, path, answer in (
                ("GET", "/nothing", NOT_FOUND),
                ("GET", "/healthcheck", (200, PLAIN, '"ok"\n')),
                ("GET", "/healthcheck?x=y", (200, PLAIN, '"ok"\n')),
                ("POST", "/healthcheck", (405, None, "")),
                ("GET", "/api", (200, None, "")),
                ("DELETE", "/api", (200, None, "")),
                ("GET", "/api/", NOT_FOUND),
                ("GET", "/api/destinations", (405, None, "")),
                ("DELETE", "/api/destinations", (405, None, "")),
                ("POST", "/api/destinations/x", (405, None, "")),
                ("GET", "/api/destinations/a_b", NOT_FOUND),
                ("GET", "/ts/a_b", NOT_FOUND),
                ("GET", "/ts/", NOT_FOUND),
                ("GET", "/debug/pprof/", NOT_FOUND),
                ("GET", "/ws/video", (400, PLAIN, "Bad Request\n"))):
            reply = self.expect(method, path, answer)
            if reply.status in (400, 404):
                self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
            if reply.status == 405:
                self.assertNotIn("allow", reply.headers)
        self.assertEqual(self.host.request("GET", "/ws/x").headers["sec-websocket-version"], "13")
        for path, location in (("//x", "/x"), ("/a/../x", "/x"), ("/ws//a/", "/ws/a/")):
            reply = self.expect("GET", path, (301, None, ""))
            self.assertEqual(reply.headers["location"], location)

    def test_destinations(self):
        rule = {"id": "0", "stream": "video", "destination": "ws://127.0.0.1:9/x", "token": "",
                "file": ""}
        echo = json.dumps(rule, separators=(",", ":"))
        for method in ("POST", "PUT", "UPDATE"):
            self.expect(method, "/api/destinations", (200, JSON, echo),
                        '{"ID":"0","Stream":"/video","extra":{"a":[1]},"file":null,'
                        '"destination":"x","destination":"ws://127.0.0.1:9/x"}')
        self.expect("POST", "/api/destinations",
                    (200, JSON, '{"id":"b","stream":"/x","destination":"ws://h\\u003c\\u0026",'
                                '"token":"secret-token","file":""}'),
                    '{"id":"b","stream":"//x","destination":"ws://h<&","token":"secret-token"}')
        # Ours shows the beginning of tokens only.
        masked = ('{"id":"b","stream":"/x","destination":"ws://h\\u003c\\u0026",'
                  '"token":"secret-t…","file":""}')
        self.expect("GET", "/api/destinations/all",
                    (200, JSON, '{"0":' + echo + ',"b":' + masked + "}"))
        self.expect("GET", "/api/destinations/b", (200, JSON, masked))
        self.expect("GET", "/api/destinations/unknown", (200, JSON, EMPTY_RULE))
        self.expect("DELETE", "/api/destinations/b", (200, JSON, '"b"'))
        self.expect("DELETE", "/api/destinations/b", (200, JSON, '"b"'))
        self.expect("POST", "/api/destinations", (200, JSON, EMPTY_RULE), "null")
        self.expect("POST", "/api/destinations",
                    (200, JSON, EMPTY_RULE.replace('"id":""', '"id":"deleteAll"')),
                    '{"id":"deleteAll"}')
        self.expect("GET", "/api/destinations/all",
                    (200, JSON, '{"":' + EMPTY_RULE + ',"0":' + echo + "}"))
        # Ours deletes what theirs cannot: ids that no route has.
        self.host.put({**rule, "id": "a_b.c"})
        self.expect("DELETE", "/api/destinations/a%5Fb.c", (200, JSON, '"a_b.c"'))
        self.expect("DELETE", "/api/destinations/", (200, JSON, '""'))
        self.expect("GET", "/api/destinations/all", (200, JSON, '{"0":' + echo + "}"))
        for name in ("deleteAll", "all"):
            self.host.put(rule)
            self.expect("DELETE", f"/api/destinations/{name}", (200, JSON, f'"{name}"'))
            self.expect("GET", "/api/destinations/all", (200, JSON, "{}"))

    def test_bad_bodies(self):
        type_error = "json: cannot unmarshal {} into Go struct field Rule.{} of type {}\n"
        for kind, body, message in (
                ("destinations", "", "unexpected end of JSON input\n"),
                ("destinations", '{"id":"0"', "unexpected end of JSON input\n"),
                ("destinations", "[]",
                 "json: cannot unmarshal array into Go value of type rwc.Rule\n"),
                ("destinations", '{"id":0}', type_error.format("number", "id", "string")),
                ("destinations", '{"token":{}}', type_error.format("object", "token", "string")),
                ("destinations", "{} text", "invalid character 't' after top-level value\n"),
                ("streams", '"a"',
                 "json: cannot unmarshal string into Go value of type agg.Rule\n"),
                ("streams", '{"feeds":"a"}', type_error.format("string", "feeds", "[]string")),
                ("streams", '{"feeds":[1]}', type_error.format("number", "feeds", "string"))):
            reply = self.expect("POST", f"/api/{kind}", (500, PLAIN, message), body)
            self.assertEqual(reply.headers["x-content-type-options"], "nosniff")

    def test_streams(self):
        echo = '{"stream":"stream/a","feeds":["video0","/audio0"]}'
        self.expect("POST", "/api/streams", (200, JSON, echo),
                    '{"stream":"/stream/a","feeds":["video0","/audio0"]}')
        self.expect("PUT", "/api/streams", (200, JSON, '{"stream":"b","feeds":null}'),
                    '{"stream":"b"}')
        self.expect("UPDATE", "/api/streams", (200, JSON, '{"stream":"c","feeds":[]}'),
                    '{"stream":"c","feeds":[]}')
        self.expect("GET", "/api/streams/all",
                    (200, JSON, '{"b":null,"c":[],"stream/a":["video0","/audio0"]}'))
        self.expect("GET", "/api/streams/stream/a", (200, JSON, '["video0","/audio0"]'))
        self.expect("GET", "/api/streams/b", (200, JSON, "null"))
        self.expect("GET", "/api/streams/x", (404, PLAIN, "Stream not found\n"))
        # Theirs ends with a panic at the second.
        for _ in range(2):
            self.expect("DELETE", "/api/streams/stream/a", (200, JSON, '"stream/a"'))
        self.expect("DELETE", "/api/streams/deleteAll", (200, JSON, '"deleteAll"'))
        self.expect("GET", "/api/streams/all", (200, JSON, "{}"))

    def test_hostile_requests_are_refused_and_the_host_goes_on(self):
        for data, status in ((b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01\r\n", 400),
                             (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 414),
                             (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
                             (b"POST /api/destinations HTTP/1.1\r\nHost: localhost\r\n"
                              b"Content-Length: 70000\r\n\r\n" + b"x" * 66000, 413),
                             (b"POST /api/destinations HTTP/1.1\r\nHost: localhost\r\n"
                              b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
                             (b"POST /ts/video HTTP/1.1\r\nHost: a\r\n"
                              b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", 400)):
            with self.host.open() as client:
                client.send(data)
                self.assertEqual(client.reply().status, status, data[:60])
        deep = self.host.request("POST", "/api/destinations", "[" * 10000)
        self.assertEqual((deep.status, deep.body), (500, b"exceeded max depth\n"))
        self.expect("GET", "/healthcheck", (200, PLAIN, '"ok"\n'))

    def ask(self, first, *fields):
        with self.host.open() as client:
            client.send("\r\n".join([first + " HTTP/1.1", *fields, "", ""]).encode())
            return client.reply()

    def test_pages_of_other_origins_change_nothing(self):
        here = f"localhost:{self.host.port}"
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        for fields, status in (((f"Host: {here}", "Origin: http://evil.example"), 403),
                               ((f"Host: {here}", "Origin: null"), 403),
                               # A name of an attacker that leads to the loopback.
                               (("Host: evil.example", "Origin: http://evil.example"), 403),
                               (("Host: evil.example",), 403),
                               ((f"Host: {here}", f"Origin: http://{here}"), 200),
                               ((f"Host: {here}",), 200), (("Host: 127.0.0.1",), 200)):
            for request in ("POST /ts/api", "GET /api/destinations/all", "GET /api/status"):
                self.assertEqual(self.ask(request, *fields).status, status, (request, fields))
            self.assertEqual(self.ask("GET /ws/api", *fields, *upgrade).status,
                             101 if status == 200 else status, fields)
            # Feeds are open to pages.
            self.assertEqual(self.ask("GET /ws/data", *fields, *upgrade).status, 101, fields)
        reply = self.ask("DELETE /api/streams/x", f"Host: {here}", "Origin: http://evil.example")
        self.assertIn(b"another origin", reply.body)

    def test_requests_follow_each_other_on_one_connection(self):
        with self.host.open() as client:
            client.send(b"GET /healthcheck HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
            for _ in range(3):
                self.assertEqual(client.reply().body, b'"ok"\n')
            client.send(b"POST /api/destinations HTTP/1.1\r\nHost: localhost\r\n"
                        b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(client.reply().status, 100)
            client.send(b"{}")
            self.assertEqual(client.reply().body.decode(), EMPTY_RULE)


class Keeping(HostTestCase):
    RULE = {"id": "0", "stream": "video", "destination": "ws://127.0.0.1:9/x",
            "token": "a.b.c", "file": ""}

    def ids(self, host):
        return sorted(json.loads(host.request("GET", "/api/destinations/all").body))

    def test_posted_rules_survive_a_restart_in_the_state_directory(self):
        with tempfile.TemporaryDirectory() as folder:
            host = self.start(STATE_DIRECTORY=folder)
            host.put(self.RULE)
            host.put({"stream": "stream/a", "feeds": ["video"]}, "streams")
            host.stop()
            kept = pathlib.Path(folder) / "rules.json"
            self.assertEqual(kept.stat().st_mode & 0o777, 0o600)
            again = self.start(STATE_DIRECTORY=folder)
            self.assertEqual(self.ids(again), ["0"])
            self.assertEqual(again.request("GET", "/api/streams/stream/a").body, b'["video"]')
            again.delete("0")
            again.stop()
            self.assertEqual(self.ids(self.start(STATE_DIRECTORY=folder)), [])

    def test_listed_rules_follow_their_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "rules.json"
            file.write_text(json.dumps([self.RULE, {**self.RULE, "id": "1"},
                                        {"stream": "stream/a", "feeds": []}]), encoding="utf-8")
            host = self.start(RELAY_HOST_RULES=folder)
            host.put({**self.RULE, "id": "posted"})
            self.assertEqual(self.ids(host), ["0", "1", "posted"])
            file.write_text(json.dumps([{**self.RULE, "id": "2"}]), encoding="utf-8")
            host.process.send_signal(signal.SIGHUP)
            relay_support.wait_until(lambda: self.ids(host) == ["2", "posted"], "the new rules")
            self.assertEqual(host.request("GET", "/api/streams/all").body, b"{}")
            file.write_text("[{]", encoding="utf-8")
            host.process.send_signal(signal.SIGHUP)
            host.wait_log("rules cannot be read")
            self.assertEqual(self.ids(host), ["2", "posted"])

    def test_systemd_hears_of_start_reload_and_stop(self):
        with tempfile.TemporaryDirectory() as folder:
            systemd = fake_systemd.Systemd(folder)
            self.addCleanup(systemd.socket.close)
            host = self.start(NOTIFY_SOCKET=systemd.path)
            systemd.hear(lambda message: message.startswith("READY=1"))
            host.process.send_signal(signal.SIGHUP)
            systemd.hear(lambda message: message.startswith("RELOADING=1\nMONOTONIC_USEC="))
            systemd.hear(lambda message: message.startswith("READY=1"))
            host.stop()
            systemd.hear(lambda message: message.startswith("STOPPING=1"))

    def test_files_are_written_below_the_record_folder_only(self):
        with tempfile.TemporaryDirectory() as folder:
            outside = pathlib.Path(folder) / "outside"
            inside = pathlib.Path(folder) / "inside"
            inside.mkdir()
            outside.write_text("keep", encoding="utf-8")
            (inside / "link").symlink_to(outside)
            host = self.start(RELAY_HOST_RECORD_DIR=str(inside))
            for number, name in enumerate((str(outside), "../outside", "link", "a/../../outside")):
                host.rule(number, "s", "ws://127.0.0.1:9/", file=name)
            self.assertEqual(outside.read_text(encoding="utf-8"), "keep")
            server = self.connected(host, "rec", "s", file=str(inside / "data"))
            local = self.track(host.local("s"))
            for text in ("one", "two"):
                local.send_message(text)
            self.heard(server, 2)
            relay_support.wait_until(lambda: (inside / "data").read_bytes() == b"onetwo",
                                     "the recording")


    def test_a_full_disk_ends_the_recording_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            host = self.start(RELAY_HOST_RECORD_DIR=folder)
            server = self.connected(host, "rec", "s", file=f"{folder}/data")
            local = self.track(host.local("s"))
            resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (5, 5))
            for text in ("one", "two", "three"):
                local.send_message(text)
            self.heard(server, 3)
            host.wait_log("recording ended")
            self.assertEqual((pathlib.Path(folder) / "data").read_bytes(), b"onetw")


class Starting(HostTestCase):
    def test_a_taken_port_ends_with_a_line_and_status_1(self):
        host = self.start()
        taken = relay_support.relay_run("host", VW_PORT=str(host.port))
        self.assertEqual((taken.returncode, taken.stdout), (1, ""))
        self.assertIn(f"port {host.port} cannot be opened: Address already in use", taken.stderr)

    def test_numbers_that_are_none_end_with_a_line_and_status_1(self):
        for name in ("VW_PORT", "VW_HTTPWAITMS"):
            for value in ("", "x"):
                ended = relay_support.relay_run("host", **{name: value})
                self.assertEqual(ended.returncode, 1)
                self.assertIn(name, ended.stderr)

    def test_localhost_of_both_families(self):
        host = self.start()
        for address in ("127.0.0.1",) + (("::1",) if relay_support.has_ipv6() else ()):
            with host.open(address) as client:
                client.send(b"GET /healthcheck HTTP/1.0\r\n\r\n")
                self.assertEqual(client.reply().status, 200)


if __name__ == "__main__":
    host_support.main()
