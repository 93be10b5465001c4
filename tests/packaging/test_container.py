"""The container file: two stages, no root, and a health check that tells a server from a dead port.

Method: its text; the health check against a server of this machine. Images are not built here.
"""

import os
import re
import shutil
import subprocess
import unittest

import relay_support
from relay_support import RelayTestCase

FOLDER = os.path.join(relay_support.SOURCE, "container")


class Container(RelayTestCase):
    def health(self, port):
        return subprocess.run([os.path.join(FOLDER, "health-check")], check=False, timeout=60,
                              env={**os.environ, "RELAY_PORT_ACCESS": str(port)}).returncode

    def test_stages_user_and_state(self):
        with open(os.path.join(FOLDER, "Containerfile"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(len(re.findall(r"^FROM ", text, re.MULTILINE)), 2)
        last = text.rsplit("\nFROM ", 1)[1]
        self.assertRegex(last, r"(?m)^USER 10001:10001$")
        self.assertRegex(last, r"(?m)^HEALTHCHECK ")
        self.assertRegex(last, r"(?m)^VOLUME /var/lib/relay$")
        self.assertRegex(last, r'(?m)^ENTRYPOINT \["/usr/bin/relay"\]$')

    @unittest.skipUnless(shutil.which("perl"), "no perl here")
    def test_health_is_that_of_the_server(self):
        relay = self.start()
        self.assertEqual(self.health(relay.access_port), 0)
        relay.stop()
        port = relay_support.ReservedPort()
        self.addCleanup(port.release)
        self.assertEqual(self.health(port.number), 1)


if __name__ == "__main__":
    relay_support.main()
