"""Making a connection, losing it, making it again; and saying what went wrong.

Method: the driver against python3-websockets and against scripted sockets. Back-off times are made
short by options, so that the order of events is tested here and the schedule in the unit test.
"""

import json
import os
import time
import unittest.mock

import relay_support
from client_support import (CODE, TOKEN, ClientTestCase, Driver, connect_proxy, http_answer,
                            uri_answer, wait_until)
from ws_raw import BINARY, CLOSE, PING, PONG, TEXT, close_payload, encode_frame

FAST = {"reconnect_delay_ms": 10, "reconnect_delay_max_ms": 40}


class Connecting(ClientTestCase):
    def test_access_request_then_websocket_with_the_code(self):
        seen = []

        def script(connection, _):
            connection.upgrade()
            seen.append(connection.request)
            connection.hold()
        websocket = self.server(script)
        access = self.access_to(websocket.url("ws"))
        driver = self.connected(access.url(), user_agent="test/1")
        line, fields = access.accepted[0].request
        self.assertEqual(line, "POST /session/t0 HTTP/1.1")
        self.assertEqual(fields["authorization"], TOKEN)
        self.assertEqual(fields["content-length"], "0")
        self.assertEqual(fields["host"], f"127.0.0.1:{access.port}")
        self.assertEqual(fields["user-agent"], "test/1")
        wait_until(lambda: seen, "the server to note the request")
        line, fields = seen[0]
        self.assertEqual(line, f"GET /session/t0?code={CODE} HTTP/1.1")
        self.assertEqual(fields["sec-websocket-version"], "13")
        self.assertNotIn("authorization", fields)
        self.assertNotIn("sec-websocket-protocol", fields)
        self.assertNotIn("sec-websocket-extensions", fields)
        states = [(event["previous"], event["event"]) for event in driver.events()]
        self.assertEqual(states, [("idle", "accessing"), ("accessing", "connecting"),
                                  ("connecting", "connected")])

    def test_ws_location_is_dialled_directly_without_a_token(self):
        server = self.ws_server()
        driver = self.connected(server.url, token=None)
        self.assertEqual([event["event"] for event in driver.events()],
                         ["connecting", "connected"])

    def test_messages_of_all_sizes_arrive_whole_both_ways(self):
        server = self.ws_server(echo=True)
        driver = self.connected(server.url)
        sizes = [0, 1, 125, 126, 4096, 16370, 16384, 65535, 65536, 1000000, 10 * 1024 * 1024]
        for number, size in enumerate(sizes):
            self.assertEqual(driver.ask(f"send binary {number} 1 {size}", "accepted")["result"], 0)
            self.assertEqual(driver.call("drain 10000")["result"], 0)
        driver.ask("send text 77 1 20", "accepted")
        wait_until(lambda: len(driver.messages()) == len(sizes) + 1, "the echoes")
        for number, (size, echo) in enumerate(zip(sizes, driver.messages())):
            self.assertEqual((echo["message"], echo["len"]), ("binary", size))
            heard = server.messages[number]
            self.assertEqual(len(heard), size)
            if 8 <= size < 100000:
                self.assertEqual(heard[:8], b"%08d" % number)
        self.assertEqual(driver.messages()[-1]["message"], "text")
        self.assertIsInstance(server.messages[-1], str)
        stats = driver.stats()
        self.assertEqual(stats["messages_sent"], len(sizes) + 1)
        self.assertEqual(stats["bytes_sent"], sum(sizes) + 20)
        self.assertEqual(stats["messages_received"], len(sizes) + 1)
        self.assertEqual(stats["messages_dropped"], 0)

    def test_one_frame_per_message_masked_with_fresh_keys(self):
        frames = []

        def script(connection, _):
            connection.upgrade()
            while len(frames) < 3:
                frames.append(connection.read_frame())
            connection.hold()
        server = self.server(script)
        driver = self.connected(server.url("ws"))
        driver.ask("send binary 0 3 50000", "accepted")
        wait_until(lambda: len(frames) == 3, "three frames")
        for number, (opcode, payload, fin, masked) in enumerate(frames):
            self.assertEqual((opcode, fin, masked), (BINARY, True, True))
            self.assertEqual(len(payload), 50000)
            self.assertEqual(payload[:8], b"%08d" % number)

    def test_fragments_and_control_frames_between_are_put_together(self):
        pongs = []

        def script(connection, _):
            # The first frames come in one packet with the handshake's answer.
            connection.upgrade(encode_frame(TEXT, b"early", mask=b"")
                               + encode_frame(TEXT, b"one ", fin=False, mask=b""))
            connection.send_frame(PING, b"are you there")
            connection.send_frame(0, b"two ", fin=False)
            connection.send_frame(0, b"", fin=False)
            connection.send_frame(0, b"three")
            connection.send_frame(BINARY, b"")
            connection.send_frame(TEXT, "grüße".encode())
            pongs.append(connection.read_frame())
            connection.hold()
        driver = self.connected(self.server(script).url("ws"), no_pings=1)
        wait_until(lambda: len(driver.messages()) == 4, "four messages")
        self.assertEqual([(m["message"], m["len"]) for m in driver.messages()],
                         [("text", 5), ("text", 13), ("binary", 0), ("text", 7)])
        wait_until(lambda: pongs, "the pong")
        self.assertEqual(pongs[0][:2], (PONG, b"are you there"))

    def test_a_frame_that_comes_byte_by_byte_is_read(self):
        def script(connection, _):
            connection.upgrade()
            for byte in encode_frame(BINARY, b"x" * 300, mask=b""):
                connection.send(bytes([byte]))
            connection.hold()
        driver = self.connected(self.server(script).url("ws"))
        wait_until(driver.messages, "the message")
        self.assertEqual(driver.messages()[0]["len"], 300)

    def test_refused_then_allowed(self):
        server = self.ws_server()
        answers = [http_answer(401, b'"Token Not JWT"\n'),
                   http_answer(403, b'{"code":"403","message":"booking ' + TOKEN.encode() + b'"}'),
                   uri_answer(server.url)]

        def script(connection, number):
            connection.read_head()
            connection.send(answers[number])
        access = self.server(script)
        driver = self.connected(access.url(), **FAST)
        refusals = [event for event in driver.events() if event["fault"] != "none"]
        self.assertEqual([(e["event"], e["fault"], e["status"]) for e in refusals],
                         [("waiting", "refused", 401), ("waiting", "refused", 403)])
        self.assertIn("Token Not JWT", refusals[0]["text"])
        self.assertIn("booking <redacted>", refusals[1]["text"])
        for event in refusals:
            self.assertGreaterEqual(event["retry_ms"], 30)  # the slow pace, less its quarter
        self.assertEqual([e["attempt"] for e in refusals], [1, 2])

    def test_refusal_of_the_handshake_is_a_refusal(self):
        def script(connection, _):
            connection.read_head()
            connection.send(http_answer(401, b'{"code":"401","message":"invalid code"}'))
        access = self.access_to(self.server(script).url("ws"))
        driver = self.driver(access.url(), no_reconnect=1)
        driver.start()
        event = driver.state("failed")
        self.assertEqual((event["fault"], event["status"]), ("refused", 401))
        self.assertIn("invalid code", event["text"])

    def test_retry_after_is_honoured(self):
        def script(connection, _):
            connection.read_head()
            connection.send(http_answer(503, b"busy", "Retry-After: 7\r\n"))
        driver = self.driver(self.server(script).url(), **FAST)
        driver.start()
        event = driver.state("waiting")
        self.assertEqual((event["fault"], event["status"]), ("http", 503))
        self.assertGreaterEqual(event["retry_ms"], 7000)
        self.assertIn("busy", event["text"])

    def test_answers_that_make_no_sense(self):
        cases = {
            b"": "without an answer",
            b"SSH-2.0-OpenSSH_9.2\r\n": "not valid HTTP",
            http_answer(200, b"<html>welcome</html>"): "holds no uri",
            http_answer(200, b'{"uri":7}'): "holds no uri",
            http_answer(200, b'{"uri":"https://x/"}'): "not a valid ws:// or wss:// URL",
            http_answer(200, b'{"uri":"ws://relay.example/x"}'): "unencrypted",
            http_answer(200, b'{"uri":"ws://u:p@127.0.0.1/x"}'): "not a valid ws",
            http_answer(302, b"", "Location: https://elsewhere/\r\n"): "redirects are not followed",
            http_answer(500, b'{"code":500,"message":"token\\u0007 invalid"}'): "token  invalid",
            http_answer(404, b"<html>no</html>"): "HTTP 404",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200000 + b"\r\n\r\n": "too large",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": "not valid HTTP",
        }
        for answer, cause in cases.items():
            with self.subTest(cause=cause, answer=answer[:60]):
                def script(connection, _, answer=answer):
                    connection.read_head()
                    connection.send(answer)
                    connection.sock.close()
                server = self.server(script)
                driver = self.driver(server.url(), no_reconnect=1)
                driver.start()
                event = driver.state("failed")
                self.assertEqual(event["fault"], "http")
                self.assertIn(cause, event["text"])

    def test_handshake_answers_that_make_no_sense(self):
        wrong = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n").encode()
        cases = {
            wrong: "not a valid acceptance",
            http_answer(200, b"hello"): "HTTP 200",
            b"HTTP/1.1 101 X\r\n\r\n": "not a valid acceptance",
        }
        for answer, cause in cases.items():
            with self.subTest(cause=cause):
                def script(connection, _, answer=answer):
                    connection.read_head()
                    connection.send(answer)
                    connection.hold()
                driver = self.driver(self.server(script).url("ws"), no_reconnect=1)
                driver.start()
                event = driver.state("failed")
                self.assertEqual(event["fault"], "http")
                self.assertIn(cause, event["text"])

    def test_close_codes_are_told_and_the_connection_made_again(self):
        server = self.ws_server()
        driver = self.driver(server.url, **FAST)
        driver.start()
        ends = ((1000, "", "normal"), (1001, "drain", "going away"), (1008, "", "policy"),
                (4401, "", "token expired"))
        for number, (code, reason, meaning) in enumerate(ends, 1):
            mark = driver.mark()
            wait_until(lambda: len(server.connections) > len(server.closed), "a connection")
            server.close_peer(code, reason)
            event = driver.state("waiting", mark)
            self.assertEqual((event["fault"], event["close"]), ("closed", code))
            self.assertIn(f"{code} ({meaning})", event["text"])
            self.assertIn(reason, event["text"])
            wait_until(lambda: len(server.closed) == number, "the server's end")
            self.assertEqual(server.closed[-1][0], code)
            driver.state("connected", mark)
        wait_until(lambda: driver.stats()["connects"] == 5, "the fifth connection")

    def test_a_lost_connection_is_made_again(self):
        def script(connection, number):
            connection.upgrade()
            if number == 0:
                connection.reset()
            elif number == 1:
                connection.sock.close()
            elif number == 2:
                connection.send_frame(CLOSE)
            connection.hold()
        driver = self.driver(self.server(script).url("ws"), **FAST)
        driver.start()
        wait_until(lambda: len([e for e in driver.events() if e["event"] == "connected"]) == 4,
                   "the fourth connection")
        faults = [(e["fault"], e["close"]) for e in driver.events() if e["fault"] != "none"]
        self.assertEqual(faults, [("closed", 0), ("closed", 0), ("closed", 1005)])

    def test_reset_in_the_middle_of_each_handshake(self):
        def access_script(connection, number):
            connection.read_head()
            if number == 0:
                connection.reset()
            connection.send(b"HTTP/1.1 200 OK\r\n" if number == 1 else uri_answer(websocket_url))
            if number == 1:
                connection.reset()

        def websocket_script(connection, number):
            if number == 0:
                connection.read_head()
                connection.send(b"HTTP/1.1 101 Swi")
                connection.reset()
            connection.upgrade()
            connection.hold()
        websocket_url = self.server(websocket_script).url("ws")
        driver = self.driver(self.server(access_script).url(), **FAST)
        driver.start()
        driver.state("connected")
        faults = [e["fault"] for e in driver.events() if e["event"] == "waiting"]
        self.assertEqual(len(faults), 3)
        self.assertLessEqual(set(faults), {"connect", "http"})

    def test_nobody_listens_then_somebody_does(self):
        server = self.server(lambda connection, _: (connection.upgrade(), connection.hold()),
                             listen=False)
        driver = self.driver(server.url("ws"), **FAST)
        driver.start()
        event = driver.state("waiting")
        self.assertEqual(event["fault"], "connect")
        self.assertIn(f"127.0.0.1 port {server.port}: Connection refused", event["text"])
        server.start()
        driver.state("connected")

    def test_gives_up_when_told_to(self):
        server = self.server(lambda *_: None, listen=False)
        for options, attempts in (({"no_reconnect": 1}, 1), ({"retries_max": 2}, 3)):
            with self.subTest(options=options):
                driver = self.driver(server.url("ws"), **FAST, **options)
                driver.start()
                event = driver.state("failed")
                self.assertEqual((event["attempt"], event["fault"]), (attempts, "connect"))
                self.assertEqual(driver.ask("send text 0 1 9", "accepted")["result"], -108)
                self.assertEqual(driver.call("wait_room 1 0 1000")["result"], -108)
                self.assertEqual(driver.call("drain 1000")["result"], -108)
                driver.call("stop 0")
                mark = driver.mark()
                driver.start()  # and once more from the beginning
                driver.state("failed", mark)

    def proxied(self, script, **variables):
        """A proxy whose script gets each connection, named by the environment."""
        proxy = self.server(script)
        names = {name: None for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                                         "NO_PROXY", "no_proxy")}
        environment = {**os.environ, "HTTP_PROXY": f"http://me:p%40ss@127.0.0.1:{proxy.port}",
                       **variables}
        patch = unittest.mock.patch.dict(
            os.environ, {name: value for name, value in environment.items()
                         if name not in names or name in ("HTTP_PROXY", *variables)}, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        return proxy

    def test_proxies_of_the_environment_are_used(self):
        seen = []

        def script(connection, _):
            seen.append(connection.read_head())
            connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            connection.upgrade()
            connection.hold()
        self.proxied(script)
        self.connected("ws://relay.invalid/session/t0", insecure=1)
        line, fields = seen[0]
        self.assertEqual(line, "CONNECT relay.invalid:80 HTTP/1.1")
        self.assertEqual(fields["proxy-authorization"], "Basic bWU6cEBzcw==")

    def test_a_proxy_that_refuses_is_reported_without_its_password(self):
        self.proxied(lambda connection, _: (
            connection.read_head(), connection.send(b"HTTP/1.1 407 No\r\n\r\n")))
        driver = self.driver("ws://relay.invalid/session/t0", insecure=1, no_reconnect=1)
        driver.start()
        event = driver.state("failed")
        self.assertIn("the proxy refuses: 407 No", event["text"])
        self.assertNotIn("p@ss", event["text"])

    def test_no_proxy_is_used_for_this_machine_and_where_no_proxy_says_so(self):
        server = self.ws_server()
        proxy = self.proxied(lambda connection, _: None, NO_PROXY="relay.invalid")
        self.connected(server.url)
        driver = self.driver("ws://relay.invalid/session/t0", insecure=1, no_reconnect=1)
        driver.start()
        self.assertEqual(driver.state("failed", timeout_s=30)["fault"], "resolve")
        self.assertEqual(proxy.accepted, [])

    def test_a_proxy_that_is_named_comes_before_the_environment(self):
        asked = []
        server = self.ws_server()
        named = self.server(connect_proxy(asked=asked))
        other = self.proxied(lambda connection, _: None, NO_PROXY="relay.invalid")
        self.connected(f"ws://relay.invalid:{server.port}/session/t0", insecure=1,
                       proxy=f"127.0.0.1:{named.port}")
        self.assertEqual([line for line, _ in asked],
                         [f"CONNECT relay.invalid:{server.port} HTTP/1.1"])
        self.assertEqual(other.accepted, [])
        other = self.proxied(lambda connection, _: None)
        driver = self.driver("ws://relay.invalid/session/t0", insecure=1, no_reconnect=1,
                             proxy="none")
        driver.start()
        self.assertEqual(driver.state("failed", timeout_s=30)["fault"], "resolve")
        self.assertEqual(other.accepted, [])

    def test_an_unknown_host_is_a_fault_of_the_name(self):
        driver = self.driver("https://relay.invalid/session/t0", no_reconnect=1)
        driver.start()
        event = driver.state("failed", timeout_s=30)
        self.assertEqual(event["fault"], "resolve")
        self.assertIn("relay.invalid", event["text"])

    def test_the_next_address_is_tried(self):
        # localhost is ::1 and 127.0.0.1 on most machines; the server has only the latter.
        server = self.ws_server()
        driver = self.connected(f"ws://localhost:{server.port}/session/t0")
        self.assertEqual(driver.stats()["connect_failures"], 0)

    def test_token_file_is_read_for_each_request_and_an_unusable_one_waits(self):
        server = self.ws_server()

        def script(connection, _):
            _, fields = connection.read_head()
            good = fields["authorization"] == "eyJ.new.token"
            connection.send(uri_answer(server.url) if good else http_answer(401, b'"no"'))
        path = os.path.join(self.folder, "token")
        driver = self.driver(self.server(script).url(), token=None, token_file=path, **FAST)
        driver.start()
        self.assertIn("No such file", driver.state("waiting")["text"])
        for content, cause in (("", "empty"), ("two words\nand lines", "does not hold a token"),
                               ("eyJ.old.token", "refused")):
            mark = driver.mark()
            with open(path, "w", encoding="ascii") as out:
                out.write(content)
            event = driver.wait(lambda line, cause=cause: cause in line.get("text", ""), cause,
                                mark)
            self.assertEqual(event["fault"], "refused" if cause == "refused" else "token-file")
        with open(path, "w", encoding="ascii") as out:
            out.write("  eyJ.new.token\n\n")
        driver.state("connected")

    def test_a_token_file_that_is_a_pipe_does_not_hang(self):
        path = os.path.join(self.folder, "token")
        os.mkfifo(path)
        server = self.server(lambda *_: None)
        driver = self.driver(server.url(), token=None, token_file=path, **FAST)
        driver.start()
        self.assertIn("not a regular file", driver.state("waiting")["text"])

    def test_no_secret_in_any_text(self):
        def script(connection, _):
            connection.read_head()
            connection.send(http_answer(400, f"for {TOKEN} at ws://h/?code={CODE}".encode()))
        driver = self.driver(self.server(script).url(), **FAST)
        driver.start()
        driver.state("waiting")
        stats = driver.stats()
        lines = json.dumps(driver.end())
        self.assertIn("HTTP 400", stats["last_error"])
        for secret in (TOKEN, CODE, TOKEN.split(".", maxsplit=1)[0]):
            self.assertNotIn(secret, lines)

    def test_options_that_cannot_work(self):
        cases = {
            "relay.example/session/t0": "must start with https://",
            "http://relay.example/session/t0": "not encrypted",
            "ws://relay.example/session/t0": "not encrypted",
            "https://user:secret@relay.example/": "user:password@",
            "": "no location",
        }
        for location, cause in cases.items():
            driver = Driver(location)
            error = driver.wait(lambda line: "error" in line, "the error")["error"]
            self.assertIn(cause, error)
            self.assertNotIn("secret", error)
            self.assertEqual(driver.process.wait(5), 1)
            driver.reader.join()
            for stream in (driver.process.stdin, driver.process.stdout, driver.process.stderr):
                stream.close()

    def test_a_server_that_accepts_and_closes_is_not_hammered(self):
        def script(connection, _):
            connection.upgrade()
            connection.send_frame(CLOSE, close_payload(1013))
            connection.hold()
        server = self.server(script)
        driver = self.driver(server.url("ws"), reconnect_delay_ms=200, reconnect_delay_max_ms=60000)
        driver.start()
        time.sleep(2.0)  # the measured time itself
        # Bounds 200, 400, 800 … ms: even lucky jitter does not come near one attempt per RTT.
        self.assertLess(len(server.accepted), 25)
        attempts = [e["attempt"] for e in driver.events() if e["event"] == "waiting"]
        self.assertEqual(attempts, list(range(1, len(attempts) + 1)))


if __name__ == "__main__":
    relay_support.main()
