"""practable/relay itself, built by the ordinary Go client from its released module.

Its go.mod has a replace directive, which `go install …@version` refuses; a scratch module that
requires it builds (go_build).

RELAY_INTEROP_VERSION: another release. RELAY_INTEROP_BINARY: a program that is built already.
"""

import os
import signal
import socket
import subprocess
import tempfile

import go_build
import relay_support
from relay_support import AUDIENCE, Relay, ReservedPort, die_with_parent, relay_environment

MODULE = "github.com/practable/relay"
VERSION = os.environ.get("RELAY_INTEROP_VERSION", "v0.9.3")
HANGS_S = 1200  # a fetch and build of everything it depends on


def _build(target):
    what = f"{MODULE}@{VERSION}"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        go_build.go(folder, what, HANGS_S, "mod", "init", "scratch")
        go_build.go(folder, what, HANGS_S, "get", f"{MODULE}/cmd/relay@{VERSION}")
        built = os.path.join(folder, "relay")
        go_build.go(folder, what, HANGS_S, "build", "-o", built, f"{MODULE}/cmd/relay")
        os.replace(built, target)


def binary():
    """The path of the program; raises go_build.NotAvailable."""
    return os.environ.get("RELAY_INTEROP_BINARY") or go_build.build_once(
        go_build.cache(VERSION) / "relay", _build)


def main():
    go_build.main(binary)


class Program:
    """A running command; killed at the end, whatever happens."""

    def __init__(self, program, *arguments, **options):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT,
                                        env=relay_environment(**options),
                                        preexec_fn=die_with_parent)

    def tail(self):
        self.log.seek(0)
        return self.log.read()[-4000:].decode("utf-8", "replace")

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.log.close()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def free_port():
    """For a program that does not share its port: free now, and by then hopefully still."""
    port = ReservedPort()
    port.release()
    return port.number


class PractableRelay(Relay):
    """`relay serve` of practable/relay, with the tokens and requests of Relay."""

    def __init__(self, audience=AUDIENCE, access_port=None):
        self.secret = "the secret of both relays"
        self.bookings = iter(range(1, 1 << 30))
        self.access_port, self.relay_port = access_port or free_port(), free_port()
        self.url = f"ws://127.0.0.1:{self.relay_port}"
        self.program = Program(
            binary(), "serve", RELAY_AUDIENCE=audience, RELAY_URL=self.url,
            RELAY_SECRET=self.secret, RELAY_PORT_ACCESS=str(self.access_port),
            RELAY_PORT_RELAY=str(self.relay_port), RELAY_PORT_PROFILE=str(free_port()),
            RELAY_LOG_FILE="stdout", RELAY_LOG_LEVEL="warn", RELAY_STATS_EVERY="1s",
            RELAY_STORE="memory")
        self.process = self.program.process
        try:
            relay_support.wait_until(
                lambda: listens(self.access_port) and listens(self.relay_port),
                "practable/relay to listen")
        except TimeoutError:
            tail = self.program.tail()
            self.kill()
            raise AssertionError("practable/relay did not start: " + tail) from None

    def kill(self):
        self.program.close()

    def stop(self, by=signal.SIGINT):
        self.kill()
