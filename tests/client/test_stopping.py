"""A stop ends the client in every phase within 50 ms, and a stalled phase ends the attempt.

Method: servers that stall where the test wants it; the driver measures relay_client_stop itself.
STOP_LIMIT_MS adds a margin to the promised 50 ms, and a busy machine gets more by its lateness. A
DNS server cannot be stalled without changing the machine, so the resolver's phase is stopped with a
name lookup on its way.
"""

import socket

import relay_support
from client_support import STOP_LIMIT_MS, ClientTestCase, uri_answer, wait_until
from relay_support import Lateness
from ws_raw import BINARY, CLOSE

# Sanitizers make threads slow to create.
START_LIMIT_US = 50000 if relay_support.SANITIZED else 1000
OPTIONS = {"connect_timeout_ms": 60000}


def hold_after(*steps):
    """A script that takes the steps (bytes to send, or None: read a request head) and stalls."""
    def script(connection, _):
        for step in steps:
            if step is None:
                connection.read_head()
            else:
                connection.send(step)
        connection.hold()
    return script


class Stopping(ClientTestCase):
    def full_backlog(self):
        """The URL of a port whose SYNs are not answered."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            self.addCleanup(filler.close)
            filler.connect_ex(sock.getsockname())
        return f"ws://127.0.0.1:{sock.getsockname()[1]}/session/t0"

    def phases(self):
        accepting = self.server(hold_after())
        reading = self.server(hold_after(None))
        half = self.server(hold_after(None, b"HTTP/1.1 200 OK\r\nContent-Le"))
        half_body = self.server(hold_after(None, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"))
        half_upgrade = self.server(hold_after(None, b"HTTP/1.1 101 Switching"))
        return {
            "name lookup": ("https://relay.invalid/session/t0", None, "accessing"),
            "TCP connect": (self.full_backlog(), None, "connecting"),
            "TLS, nothing said": (accepting.url("https"), accepting, "accessing"),
            "access, no answer": (reading.url(), reading, "accessing"),
            "access, half a head": (half.url(), half, "accessing"),
            "access, half a body": (half_body.url(), half_body, "accessing"),
            "websocket TCP": (self.access_to(self.full_backlog()).url(), None, "connecting"),
            "websocket TLS": (self.access_to(accepting.url("wss")).url(), accepting, "connecting"),
            "upgrade, no answer": (reading.url("ws"), reading, "connecting"),
            "upgrade, half a head": (half_upgrade.url("ws"), half_upgrade, "connecting"),
        }

    def assert_stops(self, driver):
        with Lateness() as late:
            took_ms = driver.call("stop 0")["us"] / 1000
        self.assertLess(took_ms, STOP_LIMIT_MS + late.margin_ms())
        self.assertEqual(driver.stats()["state"], "idle")

    def start_and_stall(self, driver, server, state):
        """Starts the client; returns when it waits for the server to say something. The time that
        the start took, in µs."""
        mark = driver.mark()
        count = len(server.accepted) if server else 0
        took_us = driver.start()["us"]
        driver.state(state, mark)
        if server:
            wait_until(lambda: len(server.accepted) > count and server.accepted[-1].heard.is_set(),
                       "the client's first bytes")
        return took_us

    def test_start_returns_at_once_and_stop_ends_every_phase(self):
        starts_us = []
        for phase, (url, server, state) in self.phases().items():
            with self.subTest(phase=phase):
                driver = self.driver(url, **OPTIONS)
                starts_us.append(self.start_and_stall(driver, server, state))
                self.assert_stops(driver)
                self.assertEqual(driver.events()[-1]["event"], "idle")
                self.start_and_stall(driver, server, state)  # it can be used again
                self.assert_stops(driver)
                driver.end()
        # One of ten on a busy machine shows what a start takes.
        self.assertLess(min(starts_us), START_LIMIT_US)

    def test_stop_ends_the_wait_before_the_next_attempt(self):
        server = self.server(lambda *_: None, listen=False)
        driver = self.driver(server.url("ws"), reconnect_delay_ms=60000,
                             reconnect_delay_max_ms=60000)
        driver.start()
        driver.state("waiting")
        self.assert_stops(driver)

    def test_stop_ends_a_connection_with_close_1000(self):
        server = self.ws_server()
        driver = self.connected(server.url)
        self.assert_stops(driver)
        wait_until(lambda: server.closed, "the end")
        self.assertEqual(server.closed[0][0], 1000)

    def test_stop_ends_a_connection_whose_peer_never_reads(self):
        def script(connection, _):
            connection.upgrade()
            connection.finished.wait(60)
        server = self.server(script)
        driver = self.connected(server.url("ws"), stall_timeout_ms=60000)
        driver.ask("send binary 0 40 200000", "accepted")
        self.assertEqual(driver.call("drain 200")["result"], -110)
        self.assert_stops(driver)

    def test_linger_waits_for_the_peers_close_and_no_longer(self):
        def script(connection, number):
            connection.upgrade()
            frame = connection.read_frame()
            self.assertEqual((frame[0], frame[1]), (CLOSE, b"\x03\xe8"))
            if number == 0:
                connection.send_frame(BINARY, b"last words")
                connection.send_frame(CLOSE, frame[1])
            connection.hold()
        server = self.server(script)
        driver = self.connected(server.url("ws"))
        took_ms = driver.call("stop 5000")["us"] / 1000
        self.assertLess(took_ms, 2000)
        self.assertEqual(driver.messages()[0]["len"], 10)
        mark = driver.mark()
        driver.start()
        driver.state("connected", mark)
        with Lateness() as late:
            took_ms = driver.call("stop 300")["us"] / 1000
        self.assertGreaterEqual(took_ms, 299)
        self.assertLess(took_ms, 300 + STOP_LIMIT_MS + late.margin_ms())

    def test_stop_twice_and_without_start_is_harmless(self):
        driver = self.driver("ws://127.0.0.1:9/")
        driver.call("stop 0")
        driver.start()
        self.assertEqual(driver.call("start")["result"], -114)
        driver.call("stop 0")
        driver.call("stop 0")
        self.assertEqual(driver.ask("send text 0 1 8", "accepted")["result"], -108)

    def test_each_stalled_phase_ends_the_attempt_with_its_name(self):
        missing = {
            "TCP connect": "no TCP connection",
            "TLS, nothing said": "no end of the TLS handshake",
            "access, no answer": "no answer to the access request",
            "access, half a head": "no answer to the access request",
            "access, half a body": "no answer to the access request",
            "websocket TCP": "no TCP connection",
            "websocket TLS": "no end of the TLS handshake",
            "upgrade, no answer": "no answer to the WebSocket handshake",
            "upgrade, half a head": "no answer to the WebSocket handshake",
        }
        for phase, (url, _, _) in self.phases().items():
            if phase not in missing:
                continue
            with self.subTest(phase=phase):
                driver = self.driver(url, connect_timeout_ms=300, no_reconnect=1)
                with Lateness() as late:
                    driver.start()
                    event = driver.state("failed")
                self.assertEqual(event["fault"], "timeout")
                self.assertIn(missing[phase] + " within 300 ms", event["text"])
                begin = driver.events()[0]
                self.assertGreaterEqual(event["at_ms"] - begin["at_ms"], 299)
                self.assertLess(event["at_ms"] - begin["at_ms"],
                                300 + STOP_LIMIT_MS + late.margin_ms())

    def test_a_slow_drip_does_not_stretch_the_attempt(self):
        def script(connection, _):
            connection.read_head()
            answer = uri_answer("ws://127.0.0.1:9/")
            for byte in answer:
                connection.send(bytes([byte]))
                if connection.finished.wait(0.02):
                    return
        driver = self.driver(self.server(script).url(), connect_timeout_ms=300, no_reconnect=1)
        driver.start()
        self.assertEqual(driver.state("failed")["fault"], "timeout")

    def test_waits_can_be_cancelled_and_allowed_again(self):
        def script(connection, _):
            connection.upgrade()
            connection.finished.wait(60)
        driver = self.connected(self.server(script).url("ws"), stall_timeout_ms=60000,
                                queue_bytes_max=100000)
        while driver.call("wait_room 50000 0 200")["result"] == 0:
            driver.ask("send binary 0 1 50000", "accepted")
        driver.call("cancel 1")
        self.assertEqual(driver.call("wait_room 50000 0 10000")["result"], -125)
        self.assertEqual(driver.call("drain 10000")["result"], -125)
        driver.call("cancel 0")
        self.assertEqual(driver.call("drain 100")["result"], -110)
        driver.call("flush")


if __name__ == "__main__":
    relay_support.main()
