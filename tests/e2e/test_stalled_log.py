"""A log whose reader stalls holds up neither the service nor its end.

Method: the log is a FIFO of one page whose reader stops reading. What hangs without poll(2) telling
of it, as a disk does: tests/unit/base/log_output_test.c.
"""

import fcntl
import os
import signal
import tempfile
import time

import relay_support
from relay_support import WAIT_S, RelayTestCase, wait_until

LINES = 100
STOP_S = 1 + 2 * relay_support.TIME_SCALE  # the log's second, and the server's own


class StalledLog(RelayTestCase):
    def test_service_and_end_go_on(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "log")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        relay = self.start(wait=False, RELAY_LOG_FILE=path)
        heard = bytearray()

        def listens():
            try:
                heard.extend(os.read(reader, 4096))
            except BlockingIOError:
                pass
            return b'"listening"' in heard

        wait_until(listens, "the server")
        viewer = self.track(relay.viewer())
        for number in range(LINES):
            with relay.raw() as publisher:
                publisher.send_message(b"%d" % number)
                self.assertEqual(viewer.message()[1], b"%d" % number)
        began = time.monotonic()
        relay.process.send_signal(signal.SIGTERM)
        self.assertEqual(relay.process.wait(WAIT_S), 0)
        self.assertLess(time.monotonic() - began, STOP_S)
        with open(reader, "rb", closefd=False) as rest:
            lines = rest.read().splitlines()
        self.assertTrue(all(line.startswith(b"{") and line.endswith(b"}") for line in lines))
        relay.kill()


if __name__ == "__main__":
    relay_support.main()
