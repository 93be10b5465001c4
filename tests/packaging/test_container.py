"""The container file: two stages, no root, and a health check that asks the admin listener.

Method: its text; the health check against a server of this machine. Images are not built here.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import relay_support
from relay_support import RelayTestCase

FOLDER = os.path.join(relay_support.SOURCE, "container")
ALARM = -signal.SIGALRM  # what no answer in time ends


class HeldProcess:
    """A process that does not run."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


class Container(RelayTestCase):
    def health(self, *arguments, **options):
        environment = {name: text for name, text in os.environ.items()
                       if not name.startswith("RELAY_")}
        return subprocess.run([os.path.join(FOLDER, "health-check"), *arguments], check=False,
                              timeout=60, env={**environment, **options}).returncode

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
    def test_health_is_that_of_the_workers(self):
        relay = self.start(RELAY_ADMIN_LISTEN="127.0.0.1:0")
        admin = relay.listening["admin"]
        self.assertEqual(self.health(RELAY_ADMIN_LISTEN=admin), 0)
        self.assertEqual(self.health("/readyz", RELAY_ADMIN_LISTEN=admin), 0)
        self.assertEqual(self.health("/nothing", RELAY_ADMIN_LISTEN=admin), 1)
        port = f"127.0.0.1:{relay.access_port}"
        self.assertEqual(self.health(RELAY_ADMIN_LISTEN=port), 1, "no admin listener")
        relay.stop()
        self.assertEqual(self.health(RELAY_ADMIN_LISTEN=admin), 1)

    @unittest.skipUnless(shutil.which("perl"), "no perl here")
    def test_health_without_an_admin_listener_is_an_answer(self):
        relay = self.start(RELAY_ADMIN_LISTEN="off")
        self.assertEqual(self.health(RELAY_ADMIN_LISTEN="off",
                                     RELAY_PORT_ACCESS=str(relay.access_port)), 0)
        port = relay_support.ReservedPort()
        self.addCleanup(port.release)
        self.assertEqual(self.health(RELAY_ADMIN_LISTEN="off",
                                     RELAY_PORT_ACCESS=str(port.number)), 1)

    @unittest.skipUnless(shutil.which("perl"), "no perl here")
    def test_health_reads_the_file_of_options(self):
        with tempfile.TemporaryDirectory() as folder:
            config, socket = (os.path.join(folder, name) for name in ("relay.conf", "admin.sock"))
            with open(config, "w", encoding="utf-8") as file:
                file.write(f'# the admin listener\nRELAY_ADMIN_LISTEN="{socket}"\n')
            relay = self.start(launcher=("env", "-u", "RELAY_ADMIN_LISTEN"), RELAY_CONFIG=config)
            self.assertEqual(relay.listening["admin"], socket)
            self.assertEqual(self.health(RELAY_CONFIG=config), 0)
            with HeldProcess(relay.process.pid):
                self.assertEqual(self.health(RELAY_CONFIG=config), ALARM)
            self.assertEqual(self.health("/readyz", RELAY_CONFIG=config), 0)
            relay.stop()
            self.assertEqual(self.health(RELAY_CONFIG=config), 1)


if __name__ == "__main__":
    relay_support.main()
