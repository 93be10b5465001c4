"""The units of systemd: without a complaint of systemd itself, and as closed as they claim to be.

Method: systemd-analyze, offline, on the units of the build, in a root of their own.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["RELAY_BUILD"])
SOURCE = pathlib.Path(os.environ["RELAY_SOURCE"])
UNITS = BUILD / "service"
NAMES = ("relay.service", "relay.socket", "relay-host@.service", "relaysink@.service")
EXPOSURE_MAX = {"relay.service": 12, "relay-host@.service": 22, "relaysink@.service": 37}


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=300, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})


def why_no_offline_analysis():
    """systemd-analyze of Debian 11 and older knows no --offline."""
    if shutil.which("systemd-analyze") is None:
        return "no systemd-analyze here (package systemd)"
    help_text = run("systemd-analyze", "--help").stdout
    return None if "--offline" in help_text else "this systemd-analyze has no --offline"


class Units(unittest.TestCase):
    def text(self, name):
        return (UNITS / name).read_text(encoding="utf-8")

    def test_exposure_is_below_the_bound(self):
        if reason := why_no_offline_analysis():
            self.skipTest(reason)
        for name, bound in EXPOSURE_MAX.items():
            with self.subTest(name=name):
                done = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                           f"--threshold={bound}", str(UNITS / name))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_systemd_understands_them(self):
        if reason := why_no_offline_analysis():
            self.skipTest(reason)
        with tempfile.TemporaryDirectory() as folder:
            for name in NAMES:
                # Programs and pages need not be installed here.
                text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", self.text(name),
                              flags=re.MULTILINE)
                pathlib.Path(folder, name).write_text(
                    re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
            done = run("systemd-analyze", "verify", "--man=no",
                       *(f"{folder}/{name}" for name in NAMES))
            ours = [line for line in done.stderr.splitlines()
                    if re.match(r".*(relay|relaysink)", line)]
            self.assertEqual(ours, [])

    def test_no_unit_has_a_capability_or_a_secret(self):
        for name in NAMES[:1] + NAMES[2:]:
            text = self.text(name)
            for line in ("CapabilityBoundingSet=\n", "AmbientCapabilities=\n", "DynamicUser=yes\n",
                         "NoNewPrivileges=yes\n"):
                self.assertIn(line, text)
            self.assertNotRegex(text, r"(?m)^(Environment|ExecStart)=.*(SECRET|TOKEN)=")

    def test_the_server_has_what_it_was_promised(self):
        text = self.text("relay.service")
        for line in ("Type=notify", "WatchdogSec=30s", "LoadCredential=secret:",
                     "StateDirectory=relay", "LimitNOFILE=1048576",
                     "ExecReload=/bin/sh -c 'kill -HUP $$MAINPID'",
                     "ExecStop=/bin/sh -c 'kill -TERM $$MAINPID; "):
            self.assertIn(line, text)
        self.assertIn("ListenStream=443", self.text("relay.socket"))
        self.assertIn("WantedBy=sockets.target relay.service\n", self.text("relay.socket"))
        self.assertEqual((SOURCE / "service/modules-load.conf").read_text("utf-8").split(), ["tls"])

    def test_each_path_was_filled_in(self):
        for name in NAMES:
            self.assertNotIn("@CMAKE", self.text(name))


if __name__ == "__main__":
    unittest.main(verbosity=2)
