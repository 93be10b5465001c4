"""`relay client file`: lines, base64, rotation, exit status; what scripts of today rely on.

Method: the tool against python3-websockets. The log goes to a file or to standard output.
"""

import base64
import json
import os
import re
import resource
import signal
import subprocess

import relay_support
from client_support import (CLI, STOP_LIMIT_MS, TOKEN, Certificates, ClientTestCase, http_answer,
                            uri_answer, wait_until)

LINE = re.compile(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d*[1-9])?(?:Z|[+-]\d\d:\d\d))\] (.*)")


class File(ClientTestCase):
    def tool(self, *arguments, **environment):
        environment.setdefault("RELAY_CLIENT_TOKEN", TOKEN)
        process = subprocess.Popen([CLI, "file", *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   restore_signals=False,  # SIGXFSZ stays ignored
                                   env=relay_support.relay_environment(**environment))
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        if not process.stdout.closed:
            process.communicate()

    def stop(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        out, err = process.communicate(timeout=relay_support.WAIT_S)
        self.assertEqual(process.returncode, 0, err)
        return out, err

    def connected(self, *arguments, **environment):
        server = self.ws_server()
        environment.setdefault("RELAY_CLIENT_SESSION", self.access_to(server.url).url())
        process = self.tool(*arguments, **environment)
        wait_until(lambda: server.connections, "the connection")
        return server, process

    def run_tool(self, *arguments, **environment):
        return subprocess.run([CLI, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=relay_support.WAIT_S,
                              env=relay_support.relay_environment(**environment), check=False)

    def path(self, name="messages.log"):
        return os.path.join(self.folder, name)

    def read(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_lines_with_local_time(self):
        path = self.path()
        for zone, end in (("UTC", "Z"), ("<+0530>-5:30", "+05:30"), ("<-0330>3:30", "-03:30")):
            server, process = self.connected(RELAY_CLIENT_FILE=path, TZ=zone)
            server.send('There was a "bright" spark')
            server.send(b"\x00\xff\x01")
            server.send("")
            wait_until(lambda: len(self.read(path)) == 3, "three lines")
            matches = [LINE.fullmatch(line) for line in self.read(path)]
            self.assertTrue(all(matches), self.read(path))
            self.assertEqual([match[2] for match in matches],
                             ['There was a "bright" spark',
                              base64.b64encode(b"\x00\xff\x01").decode(), ""])
            self.assertTrue(all(match[1].endswith(end) for match in matches), self.read(path))
            out, err = self.stop(process)
            self.assertEqual(out, b"")
            self.assertEqual({json.loads(line)["level"] for line in err.splitlines()}, {"info"})
            os.remove(path)

    def test_binary_mode_writes_bytes_and_nothing_else(self):
        server, process = self.connected(RELAY_CLIENT_MODE="binary")
        data = bytes(range(256)) * 4000
        server.send(data)
        server.send("text as well")
        self.assertEqual(process.stdout.read(len(data) + 12), data + b"text as well")
        self.stop(process)

    def test_dash_and_nothing_are_standard_output(self):
        for file in ("-", "", None):
            server, process = self.connected(RELAY_CLIENT_FILE=file)
            server.send("hello")
            self.assertTrue(LINE.fullmatch(process.stdout.readline().decode().rstrip("\n")))
            self.stop(process, signal.SIGINT)

    def test_rotation_loses_nothing_and_appends(self):
        path = self.path()
        with open(path, "w", encoding="utf-8") as file:
            file.write("before\n")
        server, process = self.connected(RELAY_CLIENT_FILE=path)
        rotated = []
        for number in range(200):
            server.send(f"n{number}")
            if number % 50 == 25:
                rotated.append(self.path(f"messages.log.{number}"))
                os.rename(path, rotated[-1])
                process.send_signal(signal.SIGHUP)
                wait_until(lambda: os.path.exists(path), "the new file")
        wait_until(lambda: any(line.endswith(" n199") for line in self.read(path)), "the last")
        lines = [line for name in [*rotated, path] for line in self.read(name)]
        self.assertEqual(lines[0], "before")
        self.assertEqual([line.split(" ")[1] for line in lines[1:]],
                         [f"n{number}" for number in range(200)])
        self.stop(process)

    def test_a_rotation_that_fails_keeps_the_old_file(self):
        folder = self.path("logs")
        os.mkdir(folder)
        path = os.path.join(folder, "messages.log")
        server, process = self.connected(RELAY_CLIENT_FILE=path)
        moved = self.path("moved")
        os.rename(folder, moved)
        process.send_signal(signal.SIGHUP)
        self.assertIn(b"cannot reopen", self.error_line(process))
        server.send("still here")
        wait_until(lambda: self.read(os.path.join(moved, "messages.log")), "the line")
        self.stop(process)

    def error_line(self, process):
        while True:
            line = process.stderr.readline()
            self.assertNotEqual(line, b"", "the log ended")
            if json.loads(line)["level"] == "error":
                return line

    def test_new_files_have_the_mode_of_the_umask(self):
        path = self.path()
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        _, process = self.connected(RELAY_CLIENT_FILE=path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
        self.stop(process)

    def test_a_refused_token_is_an_error_in_the_log_and_retried(self):
        def script(connection, number):
            connection.read_head()
            connection.send(http_answer(401, b'"Token Wrong Topic"') if number == 0
                            else uri_answer(server.url))
        server = self.ws_server()
        process = self.tool(RELAY_CLIENT_SESSION=self.server(script).url())
        line = json.loads(self.error_line(process))
        self.assertEqual((line["fault"], line["http_status"]), ("refused", 401))
        self.assertIn("Token Wrong Topic", line["msg"])
        self.assertGreater(line["retry_in_ms"], 20000)
        self.stop(process)

    def test_the_server_may_come_later_and_go(self):
        first = self.ws_server()
        process = self.tool(RELAY_CLIENT_SESSION=self.access_to(first.url).url())
        wait_until(lambda: first.connections, "the connection")
        first.close_peer(1001)
        wait_until(lambda: len(first.connections) == 2, "the second connection")
        first.send("again")
        self.assertIn(b"] again\n", process.stdout.readline())
        self.stop(process)

    def test_a_reader_that_sleeps_does_not_hold_the_stop_up(self):
        server, process = self.connected(RELAY_CLIENT_MODE="binary")
        server.send(b"x" * 1000000)  # the pipe takes 64 KiB
        process.stdout.read(1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(STOP_LIMIT_MS / 1000 + relay_support.WAIT_S), 0)

    def test_nothing_is_ever_sent(self):
        server, process = self.connected()
        server.send("a question?")
        process.stdout.readline()
        self.stop(process)
        wait_until(lambda: server.closed, "the end")
        self.assertEqual(server.messages, [])
        self.assertEqual(server.closed[0][0], 1000)

    def test_development_logs_text_on_standard_output(self):
        server, process = self.connected(RELAY_CLIENT_DEVELOPMENT="true",
                                         RELAY_CLIENT_FILE=self.path())
        server.send("twelve bytes")
        wait_until(lambda: self.read(self.path()), "the line")
        out, err = self.stop(process)
        self.assertEqual(err, b"")
        self.assertIn(b"size=12", out)
        self.assertNotIn(b"twelve bytes", out)
        self.assertNotIn(TOKEN.encode(), out)

    def test_faults_of_the_configuration(self):
        session = "http://127.0.0.1:9/session/t0"
        cases = (
            ({}, "RELAY_CLIENT_SESSION not set\nRELAY_CLIENT_TOKEN not set\n"),
            ({"RELAY_CLIENT_SESSION": session}, "RELAY_CLIENT_TOKEN not set\n"),
            ({"RELAY_CLIENT_TOKEN": TOKEN}, "RELAY_CLIENT_SESSION not set\n"),
            ({"RELAY_CLIENT_SESSION": session, "RELAY_CLIENT_TOKEN": TOKEN,
              "RELAY_CLIENT_MODE": "hex"},
             "RELAY_CLIENT_MODE must be text or binary, not hex\n"),
            ({"RELAY_CLIENT_SESSION": session, "RELAY_CLIENT_TOKEN": TOKEN,
              "RELAY_CLIENT_FILE": "/nonexistent/x.log"},
             "cannot open RELAY_CLIENT_FILE=/nonexistent/x.log: No such file or directory\n"),
        )
        for environment, output in cases:
            done = self.run_tool("file", **environment)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (1, output, ""))

    def test_a_full_disk_leaves_no_torn_line(self):
        for room in (40, 0):  # a write that is cut short; one that is refused
            with self.subTest(room=room):
                self.check_full_disk(room)

    def check_full_disk(self, room):
        path = self.path(f"full-{room}.log")
        server, process = self.connected(RELAY_CLIENT_FILE=path)
        server.send("before")
        wait_until(lambda: len(self.read(path)) == 1, "the first line")
        limit = os.path.getsize(path) + room
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        server.send("x" * 100)
        line = process.stderr.readline()
        while b"cannot write the file" not in line:
            self.assertTrue(line)
            line = process.stderr.readline()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        server.send("after")
        wait_until(lambda: len(self.read(path)) == 2, "the line after")
        self.assertEqual([LINE.fullmatch(line)[2] for line in self.read(path)],
                         ["before", "after"])
        self.stop(process)

    def test_an_insecure_connection_is_warned_of(self):
        server, process = self.connected("--insecure")
        server.close_peer(1000)
        _, err = self.stop(process)
        first = json.loads(err.splitlines()[0])
        self.assertEqual(first["level"], "warning")
        self.assertIn("--insecure", first["msg"])

    def test_a_location_that_is_not_encrypted_is_used_with_a_warning(self):
        """Units that have http://10.0.0.5:3000/… today go on working."""
        for session in ("http://relay.invalid/session/t0", "ws://relay.invalid/session/t0"):
            process = self.tool(RELAY_CLIENT_SESSION=session)
            warning = json.loads(process.stderr.readline())
            self.assertEqual(warning["level"], "warning")
            self.assertIn("not encrypted", warning["msg"])
            self.assertIn("retry_in_ms", json.loads(process.stderr.readline()))
            self.stop(process)

    def test_only_what_is_not_encrypted_goes_unverified(self):
        """An http:// session may answer with a wss:// address, as behind a proxy for TLS."""
        tls = Certificates(self.folder).context("self", signed=False)
        server = self.ws_server(tls=tls)
        access = self.access_to(server.url)
        # No loopback address by its looks, but one by where it leads.
        process = self.tool(RELAY_CLIENT_SESSION=f"http://0.0.0.0:{access.port}/session/t0")
        self.assertIn("not encrypted", json.loads(process.stderr.readline())["msg"])
        fault = json.loads(process.stderr.readline())
        self.assertEqual(fault.get("fault"), "tls", fault)
        self.assertIn("self-signed", fault["msg"])
        self.assertEqual(server.connections, [])
        self.stop(process)

    def test_without_an_interface(self):
        done = self.run_tool()
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, "error: you must specify an interface e.g. file, or -h (help)\n", ""))
        done = self.run_tool("-h")
        self.assertEqual(done.returncode, 0)
        self.assertIn("file", done.stdout)
        done = self.run_tool("fax")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn('unknown interface "fax"', done.stderr)
        for interface in ("file", "pipe"):
            done = self.run_tool(interface, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("RELAY_CLIENT_TOKEN_FILE", done.stdout)


if __name__ == "__main__":
    relay_support.main()
