"""A client made of the Go libraries on which practable/relay and its hosts stand: golang-jwt,
net/http, gorilla/websocket and crypto/tls (gopeer/main.go).

Built by go_build.
"""

import base64
import hashlib
import json
import os
import pathlib
import queue
import subprocess
import threading

import go_build
from relay_support import WAIT_S, die_with_parent

SOURCE = pathlib.Path(__file__).resolve().parent / "gopeer"
BUILD_HANGS_S = 1200


def _target():
    """One for each state of the sources."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return go_build.cache(digest.hexdigest()[:16]) / "gopeer"


def _build(target):
    made = target.with_suffix(f".{os.getpid()}")
    go_build.go(SOURCE, "tests/interop/gopeer", BUILD_HANGS_S, "build", "-buildvcs=false",
                "-o", made, ".", CGO_ENABLED="0", GOFLAGS="-mod=readonly")
    os.replace(made, target)


def binary():
    """The path of the program; raises go_build.NotAvailable."""
    return go_build.build_once(_target(), _build)


def main():
    go_build.main(binary)


def run(*arguments):
    return subprocess.run([binary(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=WAIT_S, check=False)


class GoPeer:
    """A running `gopeer connect` or `gopeer dial`: what it prints arrives by next()."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([binary(), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        self.said = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.put(json.loads(line))
        self.said.put({"end": True})

    def next(self, timeout_s=WAIT_S):
        """The next thing it said, as a dictionary."""
        try:
            said = self.said.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError("gopeer said nothing in time") from None
        if said == {"end": True}:
            raise AssertionError("gopeer ended: " + self.process.stderr.read())
        return said

    def message(self, timeout_s=WAIT_S):
        """The next message: text as str, binary as bytes."""
        said = self.next(timeout_s)
        data = base64.b64decode(said["data"] or "")
        return data.decode() if said["type"] == "text" else data

    def send(self, message):
        data = message.encode() if isinstance(message, str) else message
        self.process.stdin.write(json.dumps({
            "type": "text" if isinstance(message, str) else "binary",
            "data": base64.b64encode(data).decode()}) + "\n")
        self.process.stdin.flush()

    def goodbye(self):
        """Ends its input: it closes with 1000."""
        self.process.stdin.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass  # what was not flushed to a program that is gone
