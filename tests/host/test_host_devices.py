"""Serial devices and programs as members of feeds, without websocat and socat.

Method: a pseudo terminal for the device, shell scripts for programs.
"""

import json
import os
import pathlib
import pty
import signal
import tempfile
import tty

import host_support
import relay_support
from host_support import HostTestCase
from ws_raw import BINARY, TEXT


class Devices(HostTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "rules.json"

    def write(self, *rules):
        self.file.write_text(json.dumps(rules), encoding="utf-8")

    def started(self, *rules):
        self.write(*rules)
        return self.start(RELAY_HOST_RULES=str(self.file))

    def terminal(self):
        master, slave = pty.openpty()
        tty.setraw(slave)
        return master, slave, os.ttyname(slave)

    def test_lines_of_a_serial_device_are_messages_both_ways_also_after_it_was_unplugged(self):
        link = self.folder / "ttyUSB0"
        master, slave, name = self.terminal()
        link.symlink_to(name)
        host = self.started({"stream": "data", "serial": str(link), "speed": 57600})
        local = self.track(host.local("data"))
        host.wait_log("device opened")
        os.write(master, b'{"position":1}\r\n{"posi')
        self.assertEqual(local.message(), (TEXT, b'{"position":1}'))
        os.write(master, b'tion":2}\n\xff\n')
        self.assertEqual(local.message(), (TEXT, b'{"position":2}'))
        self.assertEqual(local.message(), (BINARY, b"\xff"))
        local.send_message('{"set":"speed"}')
        heard = b""
        while not heard.endswith(b"\n"):
            heard += os.read(master, 100)
        self.assertEqual(heard, b'{"set":"speed"}\n')
        os.close(master)
        os.close(slave)
        host.wait_log("device lost")
        link.unlink()
        master, slave, name = self.terminal()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        link.symlink_to(name)
        relay_support.wait_until(lambda: host.errors.count("device opened") == 2,
                                 "the device to be opened again", 3 * relay_support.WAIT_S)
        os.write(master, b"again\n")
        self.assertEqual(local.message(), (TEXT, b"again"))

    def test_a_program_is_started_again_and_ends_with_its_rule(self):
        pid_file = self.folder / "pid"
        script = (f"echo $$ > {pid_file}; echo hello; while read line; do "
                  'if [ "$line" = end ]; then exit 0; fi; echo "heard $line"; done')
        rule = {"stream": "data", "exec": ["sh", "-c", script]}
        host = self.started(rule, {"id": "0", "stream": "x", "destination": "ws://127.0.0.1:9/"})
        relay_support.wait_until(pid_file.exists, "the program")
        local = self.track(host.local("data"))
        local.send_message("you")
        while local.message() != (TEXT, b"heard you"):
            pass  # it may have said hello after the local program came
        local.send_message("end")
        self.assertEqual(local.message(), (TEXT, b"hello"))
        host.process.send_signal(signal.SIGHUP)
        relay_support.wait_until(lambda: "rules read" in host.errors, "the rules")
        local.send_message("me")
        self.assertEqual(local.message(), (TEXT, b"heard me"), "the same rule keeps it")
        pid = int(pid_file.read_text(encoding="ascii"))
        self.write()
        host.process.send_signal(signal.SIGHUP)
        relay_support.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the program to end")

    def test_programs_end_with_the_host(self):
        pid_file = self.folder / "pid"
        host = self.started({"stream": "data", "exec": [
            "sh", "-c", f"trap '' TERM; echo $$ > {pid_file}; while :; do sleep 1; done"]})
        relay_support.wait_until(lambda: pid_file.exists() and pid_file.read_text(encoding="ascii"),
                                 "the program")
        host.stop()
        pid = int(pid_file.read_text(encoding="ascii"))
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_programs_cannot_be_posted(self):
        host = self.start()
        mark = self.folder / "mark"
        host.put({"id": "0", "stream": "data", "exec": ["touch", str(mark)], "serial": "x"})
        self.assertEqual(host.request("GET", "/api/destinations/0").status, 200)
        host.local("data").kill()
        self.assertFalse(mark.exists())


if __name__ == "__main__":
    host_support.main()
