"""A client whose process, or whose whole machine, was frozen: what nobody could read in time is not
late. Method: SIGSTOP for longer than the limit in question, SIGCONT, and a peer that does its part
only afterwards, within the limit (as one that was frozen too). tests/e2e/test_freeze.py does the
same with the server.
"""

import contextlib
import os
import signal
import threading
import time
import unittest

import relay_support
from client_support import ClientTestCase, uri_answer
from relay_support import TIME_SCALE
from ws_raw import PING, PONG, TEXT

FREEZE_S = 3
LIMIT_MS = 2000 * TIME_SCALE  # of the client, below the freeze
AFTER_S = 0.3                 # what the peer takes once the client runs again
FAST = {"reconnect_delay_ms": 20, "reconnect_delay_max_ms": 100}


@contextlib.contextmanager
def stopped(driver):
    os.kill(driver.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, driver.process.pid, os.WSTOPPED | os.WNOWAIT)
    yield
    os.kill(driver.process.pid, signal.SIGCONT)


def freeze(driver, seconds=FREEZE_S * TIME_SCALE):
    with stopped(driver):
        time.sleep(seconds)


class Freezing(ClientTestCase):
    def frozen_while_waiting(self, script, **options):
        """Runs the script; its `thaw` freezes the client until the peer may go on."""
        drivers = []
        ready = threading.Event()

        def thaw(connection=None):
            ready.wait(relay_support.WAIT_S)
            if connection is not None:  # what it hears makes the client look at what it has sent
                connection.send_frame(TEXT, b"look")
                drivers[0].wait(lambda line: "message" in line, "the message")
            freeze(drivers[0])
            time.sleep(AFTER_S)

        server = self.server(lambda connection, number: script(connection, number, thaw))
        drivers.append(self.driver(server.url(options.pop("scheme", "ws")), **FAST, **options))
        drivers[0].start()
        ready.set()
        return server, drivers[0]

    def assert_kept(self, driver):
        self.assertEqual([event for event in driver.events() if event["fault"] != "none"], [])
        self.assertEqual(driver.stats()["connects"], 1)

    def test_what_came_while_the_client_was_frozen_is_old(self):
        server = self.ws_server()
        age_ms = 300 * TIME_SCALE
        driver = self.driver(server.url, receive_queue_bytes_max=1 << 20,
                             receive_age_max_ms=age_ms, **FAST)
        driver.start()
        driver.state("connected")
        relay_support.wait_until(lambda: server.connections, "the connection")
        with stopped(driver):
            server.send("stale")
            time.sleep(3 * age_ms / 1000)
        relay_support.wait_until(lambda: driver.stats()["messages_received"] == 1, "the message")
        server.send("fresh")
        line = driver.ask(f"receive {int(relay_support.WAIT_S * 1000)}", "received")
        self.assertEqual((line["text"], line["gap"]), ("fresh", True))
        self.assertEqual(driver.stats()["receive_drops_age"], 1)

    def test_a_pong_that_was_not_yet_sent_is_not_late(self):
        answered = threading.Event()

        def script(connection, _, thaw):
            connection.upgrade()
            pings = 0
            while True:
                opcode, payload, _, _ = connection.read_frame()
                if opcode == PING:
                    pings += 1
                    if pings == 2:
                        thaw(connection)
                    connection.send_frame(PONG, payload)
                    if pings == 4:
                        answered.set()

        _, driver = self.frozen_while_waiting(script, stall_timeout_ms=LIMIT_MS,
                                              ping_interval_ms=100)
        self.assertTrue(answered.wait(relay_support.WAIT_S), driver.events())
        self.assert_kept(driver)

    def test_a_pong_that_waits_unread_is_read_first(self):
        answered = threading.Event()

        def script(connection, _, thaw):
            connection.upgrade()
            pings = 0
            while True:
                opcode, payload, _, _ = connection.read_frame()
                if opcode != PING:
                    continue
                pings += 1
                if pings == 2:
                    threading.Timer(FREEZE_S / 2, connection.send_frame, (PONG, payload)).start()
                    thaw(connection)
                else:
                    connection.send_frame(PONG, payload)
                if pings == 4:
                    answered.set()

        _, driver = self.frozen_while_waiting(script, stall_timeout_ms=LIMIT_MS,
                                              ping_interval_ms=100)
        self.assertTrue(answered.wait(relay_support.WAIT_S), driver.events())
        self.assert_kept(driver)

    def test_a_reader_that_was_frozen_too_is_not_stalled(self):
        heard = threading.Event()

        def script(connection, _, thaw):
            connection.upgrade()
            connection.read_frame()
            wait_for_backlog()
            thaw(connection)
            for _ in range(59):
                connection.read_frame()
            heard.set()
            connection.hold()

        def wait_for_backlog():
            relay_support.wait_until(lambda: clients[0].stats()["messages_sent"] > 0, "a backlog")

        clients = []
        _, driver = self.frozen_while_waiting(script, stall_timeout_ms=LIMIT_MS, no_pings=1)
        clients.append(driver)
        driver.state("connected")
        driver.ask("send binary 0 60 100000", "accepted")
        self.assertTrue(heard.wait(relay_support.WAIT_S), driver.events())
        self.assert_kept(driver)

    def test_an_attempt_goes_on_where_it_was(self):
        def websocket(connection, _, thaw):
            _, fields = connection.read_head()
            thaw()
            connection.buffer = b"\r\n".join(
                [b"GET / HTTP/1.1"] + [f"{name}: {value}".encode()
                                       for name, value in fields.items()]) + b"\r\n\r\n"
            connection.upgrade()
            connection.hold()

        _, driver = self.frozen_while_waiting(websocket, connect_timeout_ms=LIMIT_MS)
        driver.state("connected")
        self.assert_kept(driver)

    def test_an_access_request_goes_on_where_it_was(self):
        def session(connection, _):
            connection.upgrade()
            connection.hold()

        websocket = self.server(session)

        def access(connection, _, thaw):
            connection.read_head()
            thaw()
            connection.send(uri_answer(websocket.url("ws")))

        _, driver = self.frozen_while_waiting(access, scheme="http", connect_timeout_ms=LIMIT_MS)
        driver.state("connected")
        self.assert_kept(driver)

    def test_what_waits_for_room_or_an_end_waits_on(self):
        released = threading.Event()

        def script(connection, _):
            connection.upgrade()
            released.wait(relay_support.WAIT_S)
            with contextlib.suppress(ConnectionError):
                connection.hold()

        driver = self.connected(self.server(script).url("ws"), no_pings=1, stall_timeout_ms=60000)
        self.addCleanup(released.set)
        driver.ask("send binary 0 60 100000", "accepted")
        mark = driver.mark()
        driver.say(f"drain {LIMIT_MS}")
        freeze(driver)
        time.sleep(AFTER_S)
        released.set()
        line = driver.wait(lambda line: "done" in line, "the end of the drain", mark)
        self.assertEqual(line["result"], 0)

    def test_limits_hold_when_nothing_was_frozen(self):
        """The clock that stands still in a freeze stands still in none."""
        def script(connection, _):
            connection.read_head()
            connection.hold()

        began = time.monotonic()
        driver = self.driver(self.server(script).url("ws"), connect_timeout_ms=1500, **FAST)
        driver.start()
        self.assertEqual(driver.state("waiting")["fault"], "timeout")
        self.assertLess(time.monotonic() - began, 1.5 + 1 * TIME_SCALE)
        self.assertGreaterEqual(time.monotonic() - began, 1.5)


if __name__ == "__main__":
    unittest.main()
