"""Fixtures of the tests of `relay host`: a started host, its HTTP API, local programs on /ws and
publishers on /ts. Destinations are the servers of tests/client/client_support.py.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(os.environ["RELAY_SOURCE"]) / "tests" / "client"))

import client_support  # noqa: E402  # pylint: disable=wrong-import-position
import relay_support  # noqa: E402
from relay_support import TIME_SCALE, WAIT_S  # noqa: E402
from ws_raw import RawClient  # noqa: E402

STOP_LIMIT_S = 2.0 * TIME_SCALE


class Host:
    """A running `relay host`. Options are environment variables; None leaves one out."""

    def __init__(self, wait=True, **options):
        self.reserved = relay_support.ReservedPort()
        self.port = self.reserved.number
        environment = {"VW_PORT": str(self.port), "RELAY_HOST_LOG_LEVEL": "debug", **options}
        self.errors = ""
        self.process = subprocess.Popen(
            [relay_support.relay_binary(), "host"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=relay_support.relay_environment(**environment),
            preexec_fn=relay_support.die_with_parent)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            relay_support.wait_until(lambda: "host is ready" in self.errors, "the host to listen")

    def _read(self):
        for line in self.process.stderr:
            self.errors += line.decode("utf-8", "replace")

    def wait_log(self, text):
        relay_support.wait_until(lambda: text in self.errors, f"{text!r} in the log")

    def connects(self):
        """Connections to destinations so far; told from the level info on."""
        return self.errors.count("destination connected")

    def open(self, host="127.0.0.1"):
        return RawClient(self.port, host=host, timeout_s=WAIT_S)

    def request(self, method, path, body=b"", headers=()):
        """One request as it is written; the reply as ws_raw.HttpReply."""
        body = body.encode() if isinstance(body, str) else body
        with self.open() as client:
            lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
            if body:
                lines.append(f"Content-Length: {len(body)}")
            client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            return client.reply(head_only=method == "HEAD")

    def put(self, rule, kind="destinations"):
        """A rule as curl posts it."""
        reply = self.request("POST", f"/api/{kind}", json.dumps(rule))
        assert reply.status == 200, reply
        return json.loads(reply.body)

    def rule(self, number, stream, destination, **more):
        return self.put({"id": str(number), "stream": stream, "destination": destination, **more})

    def delete(self, name, kind="destinations"):
        return self.request("DELETE", f"/api/{kind}/{name}")

    def local(self, feed):
        """A local program on /ws/{feed}."""
        client = self.open()
        client.upgrade(f"/ws/{feed}", host=f"localhost:{self.port}")
        return client

    def publisher(self, feed, headers=("Transfer-Encoding: chunked",)):
        client = self.open()
        client.send("\r\n".join([f"POST /ts/{feed} HTTP/1.1", "Host: localhost", *headers])
                    .encode() + b"\r\n\r\n")
        return client

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def stop(self, by=signal.SIGTERM):
        """Ends it as systemd would, and checks that it went well."""
        start = time.monotonic()
        self.process.send_signal(by)
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("relay host did not end: " + self.errors[-4000:]) from None
        took_s = time.monotonic() - start
        self.kill()
        assert self.process.returncode == 0, f"{self.process.returncode}: {self.errors[-4000:]}"
        assert not relay_support.SANITIZER_REPORT.search(self.errors), self.errors[-8000:]
        assert took_s < STOP_LIMIT_S, f"took {took_s:.1f} s to stop"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(WAIT_S)
        self.process.stdout.close()
        self.process.stderr.close()
        self.reserved.release()


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"


class HostTestCase(unittest.TestCase):
    """Each test starts the hosts it needs; they are stopped and checked when it ends."""

    maxDiff = None

    def start(self, **options):
        host = Host(**options)
        self.addCleanup(self._stop, host)
        return host

    def _stop(self, host):
        outcome = getattr(self, "_outcome", None)
        if host.process.returncode is None and (outcome is None or outcome.success):
            host.stop()
        else:
            host.kill()

    def track(self, client):
        self.addCleanup(client.kill)
        return client

    def destination(self, **options):
        """A relay that records what it hears: `.messages`, `.connections`, `.closed`."""
        server = client_support.WsServer(**options)
        self.addCleanup(server.close)
        return server

    def late_destination(self):
        """A server that refuses connections until it is started, and the payloads that it hears."""
        heard = []

        def serve(connection, _):
            connection.upgrade()
            while True:
                heard.append(connection.read_frame()[1])

        server = client_support.RawServer(serve, listen=False)
        self.addCleanup(server.close)
        return server, heard

    def connected(self, host, number, stream, server=None, **more):
        """A destination to which the host has connected, as both sides know."""
        server = server or self.destination()
        before = len(server.connections), host.connects()
        host.rule(number, stream, server.url, **more)
        relay_support.wait_until(
            lambda: len(server.connections) > before[0] and host.connects() > before[1],
            "the host to connect")
        return server

    def heard(self, server, count):
        relay_support.wait_until(lambda: len(server.messages) >= count,
                                 lambda: f"{count} messages; {len(server.messages)} came")
        return server.messages[:count]


def main():
    """As relay_support.main, for tests that need no server of ours."""
    relay_support.main()


def can_connect(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
