"""`relay client pipe`: standard input to messages and back, without losing what was accepted.

Method: the tool against python3-websockets and scripted sockets.
"""

import os
import signal
import subprocess
import threading
import time

import relay_support
from client_support import CLI, TOKEN, ClientTestCase, http_answer, uri_answer, wait_until
from ws_raw import TEXT

MAX_AGE_S = 1 * relay_support.TIME_SCALE


class Pipe(ClientTestCase):
    def tool(self, url, *arguments, **environment):
        process = subprocess.Popen(
            [CLI, "pipe", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=relay_support.relay_environment(
                RELAY_CLIENT_SESSION=url, RELAY_CLIENT_TOKEN=TOKEN, **environment))
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        process.wait()

    def finish(self, process, data=b"", timeout_s=relay_support.WAIT_S):
        """Ends standard input; (exit status, stdout, stderr)."""
        out, err = process.communicate(data, timeout=timeout_s)
        return process.returncode, out, err

    def assert_heard(self, server, messages):
        """The server's library may answer the Close before its handler has seen all messages."""
        wait_until(lambda: len(server.messages) >= len(messages), "the messages")
        self.assertEqual(server.messages, messages)

    def test_lines_become_messages_and_the_end_ends(self):
        server = self.ws_server()
        process = self.tool(server.url)
        lines = ["first", "", "grüße", "x" * 300000, "with\rreturn\r", "last without an end"]
        status, out, err = self.finish(process, "\n".join(lines).encode())
        self.assertEqual((status, out, err), (0, b"", b""))
        self.assert_heard(server, lines)
        wait_until(lambda: server.closed, "the end")
        self.assertEqual(server.closed[0][0], 1000)

    def test_lines_that_are_not_utf8_become_binary_messages(self):
        """As relaysink sends them: as text they would end the connection (RFC 6455 §8.1)."""
        server = self.ws_server()
        process = self.tool(server.url)
        status, out, err = self.finish(process, "grüße\n".encode() + b"27.4 \xb0C\n\xe2\x82\nplain")
        self.assertEqual((status, out), (0, b""))
        self.assertEqual(err.count(b"not UTF-8"), 1, err)
        self.assert_heard(server, ["grüße", b"27.4 \xb0C", b"\xe2\x82", "plain"])

    def test_binary_chunks(self):
        server = self.ws_server()
        process = self.tool(server.url, "--binary", "--chunk", "1000")
        data = os.urandom(100500)
        self.assertEqual(self.finish(process, data)[0], 0)
        wait_until(lambda: sum(map(len, server.messages)) >= len(data), "all bytes")
        self.assertEqual(b"".join(server.messages), data)
        self.assertTrue(all(isinstance(m, bytes) and 0 < len(m) <= 1000 for m in server.messages))

    def test_what_waited_too_long_is_not_sent(self):
        frames = []

        def script(connection, _):
            connection.upgrade()
            frame = connection.read_frame()
            while frame[0] != TEXT:  # a ping
                frame = connection.read_frame()
            frames.append(frame)
            connection.hold()

        server = self.server(script, listen=False)
        process = self.tool(server.url("ws"), "--send-max-age", f"{MAX_AGE_S}s")
        process.stdin.write(b"stale\n")
        process.stdin.flush()
        time.sleep(3 * MAX_AGE_S)  # its age is what is tested
        server.start()

        def arrives():  # what is written before the next attempt may grow old as well
            process.stdin.write(b"fresh\n")
            process.stdin.flush()
            return frames

        wait_until(arrives, "a message")
        self.assertEqual(frames[0][:2], (TEXT, b"fresh"))

    def test_what_came_while_it_was_stopped_is_not_written(self):
        server = self.ws_server()
        process = self.tool(server.url, "--max-age", f"{MAX_AGE_S}s")
        wait_until(lambda: server.connections, "the connection")
        server.send("first")
        self.assertEqual(process.stdout.readline(), b"first\n")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        server.send("stale")
        time.sleep(3 * MAX_AGE_S)
        process.send_signal(signal.SIGCONT)
        server.ping()  # it runs, and has read what came before
        server.send("fresh")
        self.assertEqual(process.stdout.readline(), b"fresh\n")

    def test_messages_become_lines(self):
        server = self.ws_server()
        process = self.tool(server.url)
        wait_until(lambda: server.connections, "the connection")
        server.send("one")
        server.send("")
        server.send(b"\x00raw")
        server.send("two")
        self.assertEqual(process.stdout.read(13), b"one\n\n\x00rawtwo\n"[:13])
        self.finish(process)

    def test_binary_output_has_nothing_added(self):
        server = self.ws_server()
        process = self.tool(server.url, "--binary")
        wait_until(lambda: server.connections, "the connection")
        server.send("text")
        server.send(b"\x01\x02")
        self.assertEqual(process.stdout.read(6), b"text\x01\x02")
        self.finish(process)

    def test_no_receive_and_no_send(self):
        server = self.ws_server()
        process = self.tool(server.url, "--no-receive")
        wait_until(lambda: server.connections, "the connection")
        server.send("unwanted")
        self.assertEqual(self.finish(process, b"wanted\n")[:2], (0, b""))
        self.assert_heard(server, ["wanted"])

        process = self.tool(server.url, "--no-send")
        wait_until(lambda: len(server.connections) == 2, "the connection")
        process.stdin.close()
        server.send("still here")
        self.assertEqual(process.stdout.readline(), b"still here\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(relay_support.WAIT_S), 0)
        self.assert_heard(server, ["wanted"])

    def test_linger_and_keep_go_on_receiving(self):
        server = self.ws_server()
        process = self.tool(server.url, "--linger", "700ms")
        process.stdin.write(b"question\n")
        process.stdin.close()
        begin = time.monotonic()
        wait_until(lambda: server.messages, "the question")
        server.send("answer")
        self.assertEqual(process.stdout.readline(), b"answer\n")
        self.assertEqual(process.wait(relay_support.WAIT_S), 0)
        self.assertGreater(time.monotonic() - begin, 0.65)

        process = self.tool(server.url, "--keep")
        process.stdin.write(b"question\n")
        process.stdin.close()
        wait_until(lambda: len(server.messages) == 2, "the question")
        server.send("answer")
        self.assertEqual(process.stdout.readline(), b"answer\n")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(relay_support.WAIT_S), 0)

    def test_input_waits_for_a_slow_server_and_nothing_is_lost(self):
        gate = threading.Event()
        heard = []

        def script(connection, _):
            connection.upgrade()
            gate.wait(60)
            while True:
                opcode, payload, _, _ = connection.read_frame()
                if opcode == TEXT:
                    heard.append(payload)
                elif opcode == 8:
                    connection.send_frame(8, payload)
        server = self.server(script)
        self.addCleanup(gate.set)
        process = self.tool(server.url("ws"))
        lines = [b"%06d" % number + b"." * 9993 for number in range(3000)]  # 30 MB
        written = []

        def write():
            for line in lines:
                process.stdin.write(line + b"\n")
                written.append(line)
            process.stdin.close()
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        # The queue holds 8 MiB; then standard input is not read any more.
        wait_until(lambda: len(written) > 700, "the queue to fill")
        stuck = len(written)
        for _ in range(50):
            time.sleep(0.01)
            if len(written) > stuck:
                stuck = len(written)
        self.assertLess(stuck, 2000)
        self.assertTrue(writer.is_alive())
        gate.set()
        self.assertEqual(process.wait(relay_support.WAIT_S), 0)
        self.assertEqual(heard, lines)

    def test_a_lost_connection_loses_nothing_that_waits(self):
        heard = []

        def script(connection, number):
            connection.upgrade()
            if number == 0:
                heard.append(connection.read_frame()[1])
                wait_until(written.is_set, "the input")
                connection.sock.close()
                return
            while True:
                opcode, payload, _, _ = connection.read_frame()
                if opcode == TEXT:
                    heard.append(payload)
                elif opcode == 8:
                    connection.send_frame(8, payload)
        written = threading.Event()
        server = self.server(script)
        process = self.tool(server.url("ws"))
        process.stdin.write(b"1\n")
        process.stdin.flush()
        wait_until(lambda: heard, "the first line")
        written.set()
        server.accepted[0].finished.wait(10)
        # The tool has seen the end before it has the next line, which waits for the reconnect.
        wait_until(lambda: len(server.accepted) == 2, "the second connection")
        status, _, _ = self.finish(process, b"2\n3\n")
        self.assertEqual(status, 0)
        self.assertEqual(heard, [b"1", b"2", b"3"])

    def test_input_before_the_server_is_there(self):
        server = self.server(lambda *_: None, listen=False)
        heard = []

        def script(connection, _):
            connection.upgrade()
            while True:
                opcode, payload, _, _ = connection.read_frame()
                heard.append((opcode, payload))
                if opcode == 8:
                    connection.send_frame(8, payload)
        server.script = script
        process = self.tool(server.url("ws"))
        process.stdin.write(b"early\n")
        process.stdin.close()
        self.assertIn(b"Connection refused", process.stderr.readline())
        server.start()
        self.assertEqual(process.wait(relay_support.WAIT_S), 0)
        self.assertEqual(heard[0], (TEXT, b"early"))

    def test_exit_status_when_it_gives_up(self):
        def script(connection, _):
            connection.read_head()
            connection.send(http_answer(403, b'"no"'))
        process = self.tool(self.server(script).url(), "--retries", "0")
        process.stdin.write(b"unsent\n")
        process.stdin.flush()
        self.assertEqual(process.wait(relay_support.WAIT_S), 2)
        self.assertIn(b'"http_status":403', process.stderr.read())

    def test_exit_status_when_stopped_with_messages_unsent(self):
        server = self.server(lambda *_: None, listen=False)
        process = self.tool(server.url("ws"))
        # More than a pipe holds, so when it is written the first lines are accepted.
        process.stdin.write(b"x" * 999 * 200 + b"\n" + (b"x" * 999 + b"\n") * 200)
        process.stdin.close()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(relay_support.WAIT_S), 4)
        self.assertRegex(process.stderr.read(), rb'"messages_unsent":[1-9]')

    def test_exit_status_when_nobody_reads_the_output(self):
        server = self.ws_server()
        process = self.tool(server.url)
        wait_until(lambda: server.connections, "the connection")
        process.stdout.close()
        server.send("to nobody")
        self.assertEqual(process.wait(relay_support.WAIT_S), 3)
        self.assertIn(b"Broken pipe", process.stderr.read())

    def test_exit_status_of_wrong_options(self):
        for arguments, cause in ((["--chunk", "0"], b"between 1 and 10485760"),
                                 (["--linger", "soon"], b"cannot parse duration"),
                                 (["--log-level", "loud"], b"RELAY_CLIENT_LOG_LEVEL"),
                                 (["--nonsense"], b"unknown option")):
            status, _, err = self.finish(self.tool("ws://127.0.0.1:9/", *arguments))
            self.assertEqual(status, 1)
            self.assertIn(cause, err)
            self.assertEqual(err.count(b"\n"), 1)

    def test_a_line_that_is_too_long_is_a_fault_after_what_came_before(self):
        server = self.ws_server()
        process = self.tool(server.url)
        status, _, err = self.finish(process, b"before\n" + b"x" * (10 * 1024 * 1024 + 1) + b"\n")
        self.assertEqual(status, 3)
        self.assertIn(b"longer than 10 MiB", err)
        self.assert_heard(server, ["before"])

    def test_the_longest_line_passes(self):
        server = self.ws_server()
        process = self.tool(server.url)
        self.assertEqual(self.finish(process, b"x" * (10 * 1024 * 1024) + b"\n")[0], 0)
        wait_until(lambda: server.messages, "the line")
        self.assertEqual(len(server.messages[0]), 10 * 1024 * 1024)

    def test_a_token_file_can_be_replaced_while_it_runs(self):
        server = self.ws_server()
        path = os.path.join(self.folder, "token")
        with open(path, "w", encoding="ascii") as file:
            file.write("eyJ.new.token\n")

        def script(connection, _):
            _, fields = connection.read_head()
            good = fields["authorization"] == "eyJ.new.token"
            connection.send(uri_answer(server.url) if good else http_answer(401, b'"no"'))
        process = subprocess.Popen(
            [CLI, "pipe", "--token-file", path, "--session", self.server(script).url()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=relay_support.relay_environment())
        self.addCleanup(self.end, process)
        self.assertEqual(self.finish(process, b"hello\n")[0], 0)
        self.assert_heard(server, ["hello"])


if __name__ == "__main__":
    relay_support.main()
