"""Messages that wait for the application: in order, bounded, and never handed out too late.

Method: the driver calls relay_client_receive on command; python3-websockets sends.
"""

import time

import relay_support
from client_support import ClientTestCase, wait_until

ECANCELED, ETIMEDOUT, ESHUTDOWN = -125, -110, -108
ROOM = 1 << 20


class Receiving(ClientTestCase):
    def connected(self, **options):
        server = self.ws_server()
        options.setdefault("receive_queue_bytes_max", ROOM)
        driver = self.driver(server.url, reconnect_delay_ms=10, **options)
        driver.start()
        driver.state("connected")
        wait_until(lambda: server.connections, "the connection")
        return server, driver

    def receive(self, driver, timeout_ms=relay_support.WAIT_S * 1000):
        return driver.ask(f"receive {int(timeout_ms)}", "received")

    def take(self, driver, count):
        return [(line["text"], line["gap"]) for line in
                (self.receive(driver) for _ in range(count))]

    def wait_queued(self, driver, field, count):
        wait_until(lambda: driver.stats()[field] >= count, f"{count} {field}")

    def test_messages_come_whole_in_order_and_with_their_type(self):
        server, driver = self.connected()
        for message in ("one", b"two", ""):
            server.send(message)
        heard = [self.receive(driver) for _ in range(3)]
        self.assertEqual([(line["type"], line["text"], line["gap"]) for line in heard],
                         [("text", "one", True), ("binary", "two", False), ("text", "", False)])
        self.assertEqual(driver.messages(), [])
        self.assertEqual(driver.stats()["messages_received"], 3)

    def test_waits_end_with_their_time_or_when_they_are_cancelled(self):
        _, driver = self.connected()
        self.assertEqual(self.receive(driver, 1)["received"], ETIMEDOUT)
        driver.call("cancel 1")
        self.assertEqual(self.receive(driver)["received"], ECANCELED)
        driver.call("cancel 0")
        self.assertEqual(self.receive(driver, 1)["received"], ETIMEDOUT)

    def test_what_waited_too_long_is_dropped_and_told(self):
        server, driver = self.connected(receive_age_max_ms=100)
        server.send("stale")
        self.wait_queued(driver, "receive_queue_messages", 1)
        time.sleep(0.15)  # its age is what is tested
        self.assertEqual(self.receive(driver, 1)["received"], ETIMEDOUT)
        server.send("fresh")
        self.assertEqual(self.take(driver, 1), [("fresh", True)])
        self.assertEqual(driver.stats()["receive_drops_age"], 1)

    def test_the_oldest_make_room_and_the_loss_is_told(self):
        server, driver = self.connected()
        driver.call("set_receive_queue 5000 0")
        for number in range(100):
            server.send(f"{number:0100d}")
        self.wait_queued(driver, "messages_received", 100)
        left = driver.stats()["receive_queue_messages"]
        self.assertLess(left, 50)
        heard = self.take(driver, left)
        self.assertEqual([int(text) for text, _ in heard], list(range(100 - left, 100)))
        self.assertEqual([gap for _, gap in heard], [True] + [False] * (left - 1))
        self.assertEqual(driver.stats()["receive_drops_overflow"], 100 - left)

    def test_a_reconnect_is_a_gap_and_loses_nothing_that_came(self):
        server, driver = self.connected()
        server.send("before")
        self.wait_queued(driver, "receive_queue_messages", 1)
        mark = driver.mark()
        server.close_peer(1001)
        driver.state("connected", mark)
        wait_until(lambda: len(server.connections) == 2, "the second connection")
        server.send("after")
        self.assertEqual(self.take(driver, 2), [("before", True), ("after", True)])

    def test_what_came_before_the_end_is_still_handed_out(self):
        server, driver = self.connected(no_reconnect=1)
        server.send("last")
        self.wait_queued(driver, "receive_queue_messages", 1)
        server.close_peer(1000)
        driver.state("failed")
        self.assertEqual(self.take(driver, 1), [("last", True)])
        self.assertEqual(self.receive(driver)["received"], ESHUTDOWN)


if __name__ == "__main__":
    relay_support.main()
