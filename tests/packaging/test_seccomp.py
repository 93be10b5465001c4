"""The seccomp profile for containers lets the server do its work, and no more than that.

Method: libseccomp puts the server behind it; then without io_uring, as the runtimes' own profiles.
"""

import ctypes
import json
import os
import subprocess
import sys
import unittest

import relay_support
from relay_support import AUDIENCE, RelayTestCase, relay_run
from ws_raw import TEXT

PROFILE = os.path.join(relay_support.SOURCE, "container", "seccomp.json")
BEHIND = (sys.executable, os.path.join(os.path.dirname(relay_support.__file__),
                                       "seccomp_profile.py"), PROFILE)
URING = ("io_uring_setup", "io_uring_enter", "io_uring_register")


def why_not():
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return "no libseccomp here (package libseccomp2)"
    if relay_support.SANITIZED:
        return "sanitizers need calls that a relay does not"
    return None


@unittest.skipIf(why_not(), str(why_not()))
class Seccomp(RelayTestCase):
    def test_a_server_works_behind_it(self):
        relay = self.start(launcher=(*BEHIND, "--"))
        viewer = self.track(relay.viewer())
        publisher = self.track(relay.publisher())
        publisher.send_frame(TEXT, b"hello")
        self.assertEqual(viewer.frame().payload, b"hello")

    def test_without_io_uring_the_first_line_names_the_flag(self):
        without = [word for name in URING for word in ("--without", name)]
        done = relay_run("serve", launcher=(*BEHIND, *without, "--"), RELAY_AUDIENCE=AUDIENCE,
                         RELAY_URL="ws://relay.test", RELAY_SECRET="s", RELAY_STORE="memory",
                         RELAY_LOG_FILE="stdout", RELAY_PORT_ACCESS="0", RELAY_PORT_RELAY="0")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done)
        self.assertIn("--security-opt seccomp=seccomp.json", done.stderr)

    def test_namespaces_and_keys_are_refused(self):
        script = ("import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); "
                  "print(libc.unshare(0x10000000), ctypes.get_errno())")
        done = subprocess.run([*BEHIND, "--", sys.executable, "-c", script], text=True, timeout=60,
                              capture_output=True, check=False)
        self.assertEqual(done.stdout.split(), ["-1", "1"], done)

    def test_it_is_as_runtimes_read_it(self):
        with open(PROFILE, encoding="ascii") as file:
            profile = json.load(file)
        self.assertEqual(profile["defaultAction"], "SCMP_ACT_ERRNO")
        allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"
                   and "args" not in rule for name in rule["names"]}
        self.assertLessEqual(set(URING), allowed)
        self.assertFalse(allowed & {"mount", "ptrace", "bpf", "kexec_load", "init_module",
                                    "unshare", "setns", "userfaultfd", "keyctl"})


if __name__ == "__main__":
    relay_support.main()
