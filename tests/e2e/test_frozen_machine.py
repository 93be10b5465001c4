"""A machine that stands still (a snapshot, a migration) holds server and client up alike: a client
that runs again first must not blame the server for it.

Method: SIGSTOP on the server until the client's ping waits for its pong, then on the client for
longer than its stall timeout; SIGCONT on the client, and a second later on the server. Each limit
of the client on its own: tests/client/test_freezing.py.
"""

import os
import signal
import threading
import time

import relay_support
from relay_support import RelayTestCase
from ws_raw import TEXT

PING_S = 5    # of the client library
STALL_S = 10  # the same


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


class FrozenMachine(RelayTestCase):
    def test_the_connection_lives_on(self):
        relay = self.start(RELAY_WORKERS="1")
        pipe = self.pipe(relay, "data")
        relay.wait_line("new connection")
        stop(relay.process.pid)
        time.sleep(PING_S + 1)
        stop(pipe.pid)
        time.sleep(STALL_S + 2)
        os.kill(pipe.pid, signal.SIGCONT)
        time.sleep(1)
        os.kill(relay.process.pid, signal.SIGCONT)
        publisher = self.track(relay.raw("data"))
        publisher.send_frame(TEXT, b"still here")
        timer = threading.Timer(relay_support.WAIT_S, pipe.kill)
        timer.start()
        self.assertEqual(pipe.stdout.readline(), "still here\n")
        timer.cancel()
        self.assertEqual(relay.stop()["websockets_opened"], 2)  # the pipe's and the publisher's


if __name__ == "__main__":
    relay_support.main()
