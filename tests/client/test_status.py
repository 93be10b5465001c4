"""`relay status`: one report or many, as table and JSON, from the topic and from GET /status.

Method: the tool against python3-websockets, plain sockets that misbehave, and our server.
"""

import json
import os
import signal
import subprocess
import time

import relay_support
from client_support import (TOKEN, Certificates, ClientTestCase, http_answer, uri_answer,
                            wait_until)

REPORT = [{"canRead": True, "canWrite": False, "connected": "2026-11-23T09:21:20Z",
           "expiresAt": "2026-11-23T10:21:20Z", "remoteAddr": "192.0.2.1", "scopes": ["read"],
           "stats": {"tx": {"last": "1.2s", "size": 15980, "fps": 24.1},
                     "rx": {"last": "Never", "size": 0, "fps": 0}},
           "topic": "pend00-st-data", "userAgent": "ua/1", "new": {"deep": [1.5]}}]
ACCESS_REPORT = [{"can_read": True, "connected_at": "2026-11-23T09:21:20Z",
                  "expires_at": "1970-01-01T00:00:00Z", "scopes": ["read"], "topic": "t0"}]


class StatusTestCase(ClientTestCase):
    def popen(self, *arguments, **environment):
        environment.setdefault("RELAY_STATUS_TOKEN", TOKEN)
        process = subprocess.Popen([relay_support.relay_binary(), "status", *arguments],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   env=relay_support.relay_environment(**environment))
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        if not process.stdout.closed:
            process.communicate()

    def finish(self, process, status):
        out, err = process.communicate(timeout=relay_support.WAIT_S)
        self.assertEqual(process.returncode, status, err)
        self.assertIsNone(relay_support.SANITIZER_REPORT.search(err), err)
        return out, err

    def run_tool(self, *arguments, status=0, **environment):
        return self.finish(self.popen(*arguments, **environment), status)

    def fails(self, *arguments, **environment):
        """Its one line on standard error."""
        out, err = self.run_tool(*arguments, status=1, **environment)
        self.assertEqual(out, "")
        self.assertEqual(len(err.splitlines()), 1, err)
        return err.strip()


class Topic(StatusTestCase):
    def relay(self):
        """A relay that says what the test tells it to; its access URL is .location."""
        server = self.ws_server()
        server.location = self.access_to(server.url).url()
        return server

    def started(self, server, *arguments, **environment):
        process = self.popen("--session", server.location, *arguments, **environment)
        wait_until(lambda: server.messages, "the request for a report")
        self.assertEqual(server.messages, ['{"cmd":"update"}'])
        return process

    def test_prints_one_table_and_ends(self):
        server = self.relay()
        process = self.started(server)
        server.send(json.dumps(REPORT))
        out, err = self.finish(process, 0)
        head, row = out.splitlines()
        self.assertEqual(head.split()[:5], ["TOPIC", "RW", "CONNECTED", "EXPIRES", "SENT"])
        self.assertEqual(row.split(), ["pend00-st-data", "r-", "2026-11-23", "09:21:20",
                                       "2026-11-23", "10:21:20", "1.20s", "24.1", "15980",
                                       "never", "0.0", "0", "0", "192.0.2.1", "ua/1"])
        self.assertEqual(err, "")

    def test_json_is_what_the_relay_said(self):
        server = self.relay()
        process = self.started(server, "--json")
        server.send(json.dumps(REPORT, indent=4))
        out, _ = self.finish(process, 0)
        self.assertEqual(out.count("\n"), 1)
        self.assertEqual(json.loads(out), REPORT)

    def test_watch_goes_on_through_bad_messages_and_reconnects(self):
        server = self.relay()
        process = self.started(server, "--watch", RELAY_STATUS_JSON="1")
        server.send('[{"topic":"first"}]')
        self.assertEqual(json.loads(process.stdout.readline()), [{"topic": "first"}])
        server.send('[{"topic":1}]')
        self.assertIn("topic is not a string", process.stderr.readline())
        server.send('{"cmd":"update"}')
        server.send('[{"topic":"second"}]')
        self.assertEqual(json.loads(process.stdout.readline()), [{"topic": "second"}])
        server.close_peer(1001, "restart")
        self.assertIn("restart", process.stderr.readline())
        wait_until(lambda: len(server.connections) == 2, "the reconnect")
        wait_until(lambda: len(server.messages) == 2, "another request")
        server.send('[{"topic":"third"}]')
        self.assertEqual(json.loads(process.stdout.readline()), [{"topic": "third"}])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=relay_support.WAIT_S)
        self.assertEqual(process.returncode, -signal.SIGINT)

    def test_commands_of_others_are_no_reports(self):
        server = self.relay()
        process = self.started(server, "--json")
        server.send('{"cmd":"update"}')
        server.send(b'{"cmd":"update"}[{"topic":"joined"}]')
        out, _ = self.finish(process, 0)
        self.assertEqual(json.loads(out), [{"topic": "joined"}])

    def test_gives_up_without_a_report(self):
        server = self.relay()
        started = time.monotonic()
        line = self.fails("--session", server.location, RELAY_STATUS_TIMEOUT="300ms")
        self.assertEqual(line, "relay status: no report: connected, but none came in time")
        self.assertGreaterEqual(time.monotonic() - started, 0.3)

    def test_gives_up_on_a_bad_report_when_no_good_one_follows(self):
        server = self.relay()
        process = self.started(server, "--timeout", "500ms")
        server.send("[1]")
        _, err = self.finish(process, 1)
        self.assertEqual(err, "relay status: no report: report 0: itself is not an object\n")

    def test_a_refused_token_is_told_at_once(self):
        def script(connection, _):
            connection.read_head()
            connection.send(http_answer(401, b'"Token Wrong Topic"\n'))
        started = time.monotonic()
        line = self.fails("--session", self.server(script).url())
        self.assertIn("refused: HTTP 401: Token Wrong Topic", line)
        self.assertLess(time.monotonic() - started, 5 * relay_support.TIME_SCALE)

    def test_nobody_there(self):
        server = self.server(lambda *_: None, listen=False)
        line = self.fails("--session", server.url(), "--timeout", "400ms")
        self.assertIn("no report: ", line)
        self.assertNotIn(TOKEN, line)

    def test_token_from_a_file(self):
        path = os.path.join(self.folder, "token")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        server = self.ws_server()
        heads = []

        def script(connection, _):
            heads.append(connection.read_head())
            connection.send(uri_answer(server.url))
        server.location = self.server(script).url()
        process = self.started(server, "--json", RELAY_STATUS_TOKEN=None,
                               RELAY_STATUS_TOKEN_FILE=path)
        server.send("[]")
        self.finish(process, 0)
        self.assertEqual(heads[0][1]["authorization"], TOKEN)
        self.assertIn("relay-status/", heads[0][1]["user-agent"])
        self.assertIn("no report", self.fails("--session", server.location, "--token-file",
                                              path + ".missing", RELAY_STATUS_TOKEN=None))

    def test_options_that_do_not_go_together(self):
        for arguments, expected in (
                ((), "RELAY_STATUS_SESSION not set"),
                (("--session", "http://127.0.0.1/session/stats", "--access", "http://127.0.0.1"),
                 "not both"),
                (("--session", "ftp://127.0.0.1/"), "must start with https://"),
                (("--session", "http://relay.example/session/stats"), "https"),
                (("--access", "http://relay.example"), "not encrypted"),
                (("--access", "ws://127.0.0.1"), "is invalid"),
                (("--timeout", "soon"), "cannot parse duration")):
            with self.subTest(arguments=arguments):
                self.assertIn(expected, self.fails(*arguments))
        self.assertIn("RELAY_STATUS_TOKEN not set",
                      self.fails("--session", "http://127.0.0.1/session/stats",
                                 RELAY_STATUS_TOKEN=None))


class Access(StatusTestCase):
    """GET /status."""

    def answering(self, answer, **options):
        self.heads = []

        def script(connection, _):
            self.heads.append(connection.read_head())
            connection.send(answer)
            connection.sock.close()
        return self.server(script, **options)

    @staticmethod
    def base(server, scheme="http"):
        return f"{scheme}://127.0.0.1:{server.port}/ed0/access/"

    def test_asks_as_scripts_do_and_prints(self):
        body = json.dumps(ACCESS_REPORT).encode() + b"\n"
        server = self.answering(http_answer(200, body))
        out, _ = self.run_tool("--access", self.base(server))
        self.assertEqual(out.splitlines()[1].split(),
                         ["t0", "r-", "2026-11-23", "09:21:20", *"--------", "-", "-"])
        first, fields = self.heads[0]
        self.assertEqual(first, "GET /ed0/access/status HTTP/1.1")
        self.assertEqual(fields["authorization"], TOKEN)
        self.assertEqual(fields["host"], f"127.0.0.1:{server.port}")
        out, _ = self.run_tool("--access", self.base(server), "--json")
        self.assertEqual(json.loads(out), ACCESS_REPORT)

    def test_large_answers_in_every_framing(self):
        report = ACCESS_REPORT * 5000
        body = json.dumps(report).encode()
        chunks = [body[start:start + 4000] for start in range(0, len(body), 4000)]
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        for answer in (http_answer(200, body),
                       head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n",
                       head + b"Connection: close\r\n\r\n" + body,
                       b"HTTP/1.1 103 Early Hints\r\n\r\n" + http_answer(200, body)):
            out, _ = self.run_tool("--access", self.base(self.answering(answer)), "--json")
            self.assertEqual(json.loads(out), report)

    def test_over_tls_with_a_certificate_that_is_checked(self):
        certificates = Certificates(self.folder)
        server = self.answering(http_answer(200, b"[]\n"), tls=certificates.context("good"))
        base = self.base(server, "https")
        out, _ = self.run_tool("--access", base, "--json",
                               RELAY_STATUS_CA_FILE=certificates.path("ca.pem"))
        self.assertEqual(out, "[]\n")
        self.assertIn("certificate", self.fails("--access", base))
        out, _ = self.run_tool("--access", base, "--json", "--insecure")
        self.assertEqual(out, "[]\n")

    def test_answers_that_are_no_report(self):
        for answer, expected in (
                (http_answer(401, b'{"code":"401","message":"token missing relay:stats scope"}\n'),
                 'no report: HTTP 401: {"code":"401","message":"token missing relay:stats scope"}'),
                (http_answer(503), "no report: HTTP 503"),
                (http_answer(200, b"<html>"), "no report: not JSON"),
                (http_answer(200, b'[{"can_read":1}]'), "canRead is neither true nor false"),
                (http_answer(200, b'{"reports":[]}'), "no report: the response contains none"),
                (http_answer(200, b""), "no report: the response contains none"),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]", "not valid HTTP"),
                (b"SSH-2.0-OpenSSH\r\n", "not valid HTTP"),
                (b"", "ended without an answer"),
                (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40000, "too large"),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n" + b" " * 34000000,
                 "too large")):
            with self.subTest(expected=expected):
                self.assertIn(expected, self.fails("--access", self.base(self.answering(answer))))

    def test_a_silent_server_costs_the_timeout_only(self):
        for behaviour in (lambda connection: connection.hold(),
                          lambda connection: (connection.read_head(), connection.hold())):
            server = self.server(lambda connection, _, behave=behaviour: behave(connection))
            started = time.monotonic()
            line = self.fails("--access", self.base(server), "--timeout", "300ms")
            self.assertIn("timeout: no answer from 127.0.0.1 within 300 ms", line)
            self.assertLess(time.monotonic() - started, 3 * relay_support.TIME_SCALE)

    def test_a_tls_server_that_never_answers_the_handshake(self):
        server = self.server(lambda connection, _: connection.hold())
        self.assertIn("timeout: no end of the TLS handshake",
                      self.fails("--access", self.base(server, "https"), "--timeout", "300ms"))

    def test_what_is_said_cannot_steer_a_terminal_nor_show_the_token(self):
        body = b"\x1b[31m" + TOKEN.encode() + b"\n"
        line = self.fails("--access", self.base(self.answering(http_answer(500, body))))
        self.assertNotIn("\x1b", line)
        self.assertNotIn(TOKEN, line)

    def test_watch_asks_again(self):
        server = self.answering(http_answer(200, b"[]"))
        process = self.popen("--access", self.base(server), "--json", "--watch")
        self.assertEqual(process.stdout.readline(), "[]\n")
        self.assertEqual(process.stdout.readline(), "[]\n")
        self.assertEqual(len(self.heads), 2)
        process.terminate()


class OurRelay(relay_support.SharedRelayTestCase):
    """The same against `relay serve`, which no helper of this file stands in for."""

    def run_tool(self, *arguments, **environment):
        result = relay_support.relay_run("status", "--json", *arguments, **environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def test_the_topic_shows_who_sends_what(self):
        publisher = self.track(self.relay.publisher("t0"))
        viewer = self.track(self.relay.viewer("t0"))
        for _ in range(3):
            publisher.send_message(b"x" * 100)
            self.assertEqual(viewer.message()[1], b"x" * 100)
        base = f"http://127.0.0.1:{self.relay.access_port}"
        reports = self.run_tool("--session", base + "/session/stats",
                                RELAY_STATUS_TOKEN=self.relay.token("stats"))
        found = {(report["topic"], report["canWrite"], report["canRead"]): report
                 for report in reports}
        self.assertEqual(found["t0", True, False]["stats"]["tx"]["size"], 100)
        self.assertEqual(found["t0", True, False]["stats"]["rx"]["last"], "Never")
        self.assertEqual(found["t0", False, True]["stats"]["rx"]["size"], 100)
        self.assertTrue(any(report["userAgent"].startswith("relay-status/")
                            for report in reports))

    def test_get_status(self):
        viewer = self.track(self.relay.viewer("t1"))
        self.assertIsNotNone(viewer)
        token = self.relay.token("any", ("relay:stats",))
        reports = self.run_tool("--access", f"http://127.0.0.1:{self.relay.access_port}",
                                RELAY_STATUS_TOKEN=token)
        self.assertIn(("t1", True), {(report["topic"], report.get("can_read"))
                                     for report in reports})


if __name__ == "__main__":
    relay_support.main()
