"""A connection outlives the token that it was opened with, when the token file has a newer one
before the end; without one it ends with the token.

Method: `relay client file --latency`, which speaks relay.v1, with tokens that live for seconds, and
a publisher that goes on talking.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import relay_support
from relay_support import RelayTestCase, main, wait_until
from ws_raw import TEXT

LIFETIME_S = 8


class Renewal(RelayTestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="renewal-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.relay = self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_token(self, lifetime_s, booking_id="b"):
        """As one that renews tokens should: the file is never half a token."""
        with open(self.path("token.new"), "w", encoding="ascii") as file:
            file.write(self.relay.token("t", ("read",), lifetime_s=lifetime_s,
                                        booking_id=booking_id))
        os.chmod(self.path("token.new"), 0o600)
        os.rename(self.path("token.new"), self.path("token"))

    def client(self):
        self.write_token(LIFETIME_S)
        process = subprocess.Popen(
            [relay_support.relay_binary(), "client", "file", "--latency",
             f"--session=http://127.0.0.1:{self.relay.access_port}/session/t",
             f"--token-file={self.path('token')}", f"--file={self.path('copy')}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=relay_support.relay_environment(), preexec_fn=relay_support.die_with_parent)
        self.addCleanup(relay_support.end_program, process)
        self.relay.wait_line("new connection")
        return process

    def heard(self):
        if not os.path.exists(self.path("copy")):
            return ""
        with open(self.path("copy"), encoding="utf-8") as file:
            return file.read()

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=relay_support.WAIT_S)
        return errors.decode()

    def test_a_newer_token_keeps_the_connection(self):
        process = self.client()
        ends = time.time() + LIFETIME_S
        publisher = self.track(self.relay.publisher("t"))
        self.write_token(3600)
        while time.time() < ends + 2:  # it is the token's time that is to pass
            publisher.barrier()
            time.sleep(0.1)
        publisher.send_frame(TEXT, b"still here")
        wait_until(lambda: "still here" in self.heard(), "the message after the first token's end")
        errors = self.stop(process)
        self.assertEqual(errors.count('"state":"connected"'), 1, errors)
        self.assertNotIn("4401", errors)

    def test_one_of_another_booking_is_told(self):
        process = self.client()
        self.write_token(3600, booking_id="another")
        self.relay.wait_counter("closed_expired", 1)
        errors = self.stop(process)
        self.assertIn("the relay did not take the new token", errors)

    def test_without_one_it_ends_with_the_token(self):
        process = self.client()
        self.relay.wait_counter("closed_expired", 1)
        errors = self.stop(process)
        self.assertIn("4401", errors)


if __name__ == "__main__":
    main()
