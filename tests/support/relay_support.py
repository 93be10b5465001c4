"""Fixtures of the end-to-end tests: a started `relay serve`, tokens that our code did not make,
and clients (ws_raw.RawClient on a plain socket, ws_peer.Peer on python3-websockets).

A test program takes RELAY_BUILD and RELAY_SOURCE from the environment, runs alone or beside
others, and ends with relay_support.main(): exit status 77 when every test was skipped.
"""

import base64
import ctypes
import faulthandler
import hashlib
import hmac
import http.client
import itertools
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import weakref
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import jwt

import ws_peer
from ws_raw import RawClient

BUILD = os.environ.get("RELAY_BUILD", "")
SOURCE = os.environ.get("RELAY_SOURCE", "")
AUDIENCE = "https://relay.test/access"
SANITIZER_REPORT = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:")
STOP_LIMIT_S = 5.0  # what the program promises
TRIES_TO_SPREAD = 400


def cache_value(name):
    """A variable of the build that is tested; "" when it has none."""
    try:
        with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
            for line in cache:
                key, _, value = line.strip().partition("=")
                if key.partition(":")[0] == name:
                    return value
    except OSError:
        pass
    return ""


SANITIZED = bool(cache_value("RELAY_SANITIZE"))
# A machine emulated in software says by itself how slow it is.
TIME_SCALE = float(os.environ.get("RELAY_TEST_TIME_SCALE") or (5.0 if SANITIZED else 1.0))
WAIT_S = 10.0 * TIME_SCALE
TEST_HANGS_S = 300.0 * TIME_SCALE  # of one test, each of whose waits has a deadline of its own


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_parent(by=signal.SIGKILL):
    """For a child before its exec: no program outlives a test program that is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, by)


def end_group_with_parent():
    """The same for `timeout COMMAND`, which passes SIGTERM on to all processes of the command."""
    die_with_parent(signal.SIGTERM)


def why_no_server():
    """What `relay serve` says of a machine that refuses io_uring to it; None on all others."""
    try:
        with Relay():
            return None
    except TimeoutError as fault:
        said = re.search("[^\n]*io_uring[^\n]*", str(fault))
        return said and said.group(0)


class WatchedResult(unittest.TextTestResult):
    """Ends the program, with a traceback of each thread, when one test hangs. How long all of them
    take is the machine's affair."""

    def startTest(self, test):
        faulthandler.dump_traceback_later(TEST_HANGS_S, exit=True)
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        faulthandler.dump_traceback_later(TEST_HANGS_S, exit=True)


class WatchedRunner(unittest.TextTestRunner):
    resultclass = WatchedResult


def main():
    """Runs the calling program's tests. Exit status 77 when all of them were skipped, or when no
    server can run here."""
    if reason := why_no_server():
        print(f"skipped: {reason}")
        sys.exit(77)
    program = unittest.main(module="__main__", exit=False, verbosity=2, argv=sys.argv,
                            testRunner=WatchedRunner)
    faulthandler.cancel_dump_traceback_later()
    result = program.result
    if result.wasSuccessful() and result.testsRun == len(result.skipped) > 0:
        print("skipped: " + "; ".join(sorted({reason for _, reason in result.skipped})))
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)


def wait_until(condition, what, timeout_s=WAIT_S):
    """Asks again until the condition holds and returns its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.01)


class Lateness:
    """How late this machine wakes a thread, while a `with` lasts: what is promised in milliseconds
    is judged on a busy machine by what it would be on a quiet one."""

    NAP_S = 0.005

    def __enter__(self):
        self.worst_s, self.ending = 0.0, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self):
        while not self.ending.is_set():
            before = time.monotonic()
            time.sleep(self.NAP_S)
            self.worst_s = max(self.worst_s, time.monotonic() - before - self.NAP_S)

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def margin_ms(self):
        """For a handful of wakes in a row, each of which may be as late."""
        return 5000 * self.worst_s


def has_ipv6():
    with socket.socket(socket.AF_INET6) if socket.has_ipv6 else socket.socket() as sock:
        try:
            sock.bind(("::1", 0))
            return True
        except OSError:
            return False


needs_ipv6 = unittest.skipUnless(has_ipv6(), "this machine has no IPv6 loopback")


class ReservedPort:
    """A TCP port that stays ours. The socket is bound, never listens, and lets the server have the
    port too (SO_REUSEADDR, SO_REUSEPORT); who asks for any free port is not given this one."""

    def __init__(self):
        try:
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            address = "::"
        except OSError:  # no IPv6 here
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            address = "0.0.0.0"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.sock.bind((address, 0))
        self.number = self.sock.getsockname()[1]

    def release(self):
        self.sock.close()


def release_all(ports):
    for port in ports:
        port.release()


def forge_token(header, claims, secret, digest=hashlib.sha256):
    """A token of any header and claims with an HMAC signature: what no library would make."""
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    text = ".".join(encode(part if isinstance(part, bytes) else json.dumps(part).encode())
                    for part in (header, claims))
    signature = hmac.new(secret.encode(), text.encode(), digest).digest()
    return f"{text}.{encode(signature)}"


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class Relay:
    """A running `relay serve`. Options are given by environment name; None leaves one out."""

    ORIGIN = "ws://127.0.0.1"

    def __init__(self, wait=True, launcher=(), binary=None, **options):
        self.secret = options.get("RELAY_SECRET") or secrets.token_hex(16)
        reserved = [ReservedPort(), ReservedPort()]
        # Beyond the end of the process: while a server restarts, no client of another test, and no
        # try of its own clients to come back, may be given its port as theirs.
        weakref.finalize(self, release_all, reserved)
        self.access_port, self.relay_port = (port.number for port in reserved)
        self.url = f"{self.ORIGIN}:{self.relay_port}"
        environment = {
            "RELAY_AUDIENCE": AUDIENCE, "RELAY_URL": self.url, "RELAY_SECRET": self.secret,
            "RELAY_PORT_ACCESS": str(self.access_port), "RELAY_PORT_RELAY": str(self.relay_port),
            "RELAY_LOG_FILE": "stdout", "RELAY_STORE": "memory", "RELAY_ADMIN_LISTEN": "off",
            "RELAY_LOG_LEVEL": "info", "RELAY_LOG_FORMAT": "json",
            "RELAY_WORKERS": "2",
            # A ping comes when a test asks for it, not when a machine is slow.
            "RELAY_PING_INTERVAL": "1h", **options}
        self.lines = []  # parsed log lines, in order
        self.output = []  # every line of stdout
        self.errors = ""
        self.arrived = threading.Condition()
        self.bookings = itertools.count(1)
        self.process = subprocess.Popen(
            [*launcher, binary or relay_binary(), "serve"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=relay_environment(**environment),
            preexec_fn=die_with_parent)
        self.readers = [threading.Thread(target=self._read_output, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()
        try:
            if wait:
                self.listening = self.wait_line("listening")
        except BaseException:
            self.kill()
            raise

    def _read_output(self):
        for line in self.process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\n")
            with self.arrived:
                self.output.append(text)
                try:
                    parsed = json.loads(text)
                    if isinstance(parsed, dict):
                        # The counters stand in an object of their own.
                        self.lines.append({**parsed, **parsed.get("counters", {})})
                except ValueError:
                    pass
                self.arrived.notify_all()
        with self.arrived:
            self.arrived.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors += line.decode("utf-8", "replace")

    # Log

    def lines_of(self, message, since=0):
        with self.arrived:
            return [line for line in self.lines[since:] if line.get("msg") == message]

    def lines_with_option(self, option):
        """Alarms: lines about a bound, which name the option that cures it."""
        with self.arrived:
            return [line for line in self.lines if line.get("option") == option]

    def alarms(self, option):
        """Those about a bound, once there is one."""
        return wait_until(lambda: self.lines_with_option(option), f"an alarm about {option}")

    def wait_line(self, message, since=0, where=lambda line: True, timeout_s=WAIT_S):
        """The first log line of that message, from number `since` on, that `where` accepts."""
        deadline = time.monotonic() + timeout_s
        with self.arrived:
            while True:
                for line in self.lines[since:]:
                    if line.get("msg") == message and where(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or self.process.poll() is not None and not self.readers[0].is_alive():
                    raise TimeoutError(f"no log line {message!r}; the last ones:\n"
                                       + "\n".join(self.output[-10:]) + "\n" + self.errors[-4000:])
                self.arrived.wait(min(left, 0.2))

    def counters(self):
        """The counters as they are now (SIGUSR1)."""
        since = len(self.lines)
        self.process.send_signal(signal.SIGUSR1)
        return self.wait_line("counters", since)

    def wait_counter(self, name, value, timeout_s=WAIT_S):
        """Waits until a counter has reached a value, and returns all of them."""
        def reached():
            counters = self.counters()
            if name not in counters:
                raise KeyError(f"{name} is not among {sorted(counters)}")
            return counters if counters[name] >= value else None

        return wait_until(reached, f"counter {name} to reach {value}", timeout_s)

    # Process

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, by=signal.SIGTERM):
        """Ends the server as an operator would and checks that it went well: in time, status 0, no
        report of a sanitizer, nothing left behind. Returns the final counters."""
        try:
            start = time.monotonic()
            self.process.send_signal(by)
            try:
                self.process.wait(STOP_LIMIT_S * TIME_SCALE + 5)
            except subprocess.TimeoutExpired:
                raise AssertionError("relay serve did not end: " + self.tail()) from None
            took_s = time.monotonic() - start
            self._join_readers()
            if self.process.returncode != 0 or SANITIZER_REPORT.search(self.errors):
                raise AssertionError(f"exit status {self.process.returncode}: " + self.tail())
            assert took_s <= STOP_LIMIT_S * TIME_SCALE, f"took {took_s:.1f} s to stop"
            stopped = self.wait_line("stopped")
            left = {name: value for name, value in stopped.items() if is_leak_field(name) and value}
            assert not left, f"left behind: {left}"
            return stopped
        finally:
            self.kill()

    def tail(self):
        return "\n".join(self.output[-10:]) + "\n" + self.errors[-8000:]

    def kill(self):
        """Ends the process, whatever its state. The ports stay reserved for one that follows it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._join_readers()

    def _join_readers(self):
        for reader in self.readers:
            reader.join(WAIT_S)
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if self.process.poll() is None and failure is None:
            self.stop()
        else:
            self.kill()

    # Access

    def claims(self, topic="t0", scopes=("read", "write"), lifetime_s=300, **changes):
        """Claims as booking systems make them. A change to None leaves the claim out."""
        now = int(time.time())
        claims = {"booking_id": f"booking-{next(self.bookings)}", "topic": topic,
                  "prefix": "session", "scopes": list(scopes), "aud": [AUDIENCE],
                  "exp": now + lifetime_s, "nbf": now - 1, "iat": now - 1, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims, secret=None, algorithm="HS256"):
        token = jwt.encode(claims, secret or self.secret, algorithm=algorithm)
        return token if isinstance(token, str) else token.decode()

    def token(self, *arguments, **changes):
        return self.sign(self.claims(*arguments, **changes))

    def request(self, method, target, headers=None, body=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.access_port,
                                                timeout=WAIT_S)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def session(self, topic, token, **options):
        """POST /session/{topic} as every client does it."""
        return self.request("POST", "/session/" + quote(topic, safe=""),
                            {"Authorization": token}, **options)

    def uri(self, topic="t0", *arguments, **changes):
        """A WebSocket address with a fresh one-time code."""
        reply = self.session(topic, self.token(topic, *arguments, **changes))
        assert reply.status == 200, f"{reply.status} {reply.body!r}"
        return reply.json()["uri"]

    def target(self, *arguments, **changes):
        """The same as a request target, for RawClient."""
        parts = urlsplit(self.uri(*arguments, **changes))
        return f"{parts.path}?{parts.query}"

    # Clients

    def raw(self, *arguments, rcvbuf=None, headers=(), **changes):
        """A RawClient with an open WebSocket: raw(topic, scopes, booking_id=…)."""
        client = RawClient(self.relay_port, rcvbuf=rcvbuf, timeout_s=WAIT_S)
        try:
            client.upgrade(self.target(*arguments, **changes), headers)
        except BaseException:
            client.kill()
            raise
        return client

    def viewer(self, topic="t0", **changes):
        return self.raw(topic, ("read",), **changes)

    def publisher(self, topic="t0", **changes):
        return self.raw(topic, ("write",), **changes)

    def peer(self, *arguments, **changes):
        return ws_peer.Peer(self.uri(*arguments, **changes), timeout_s=WAIT_S)

    def worker_of(self, booking_id):
        """The worker that holds the connection of a booking, from the log."""
        return self.wait_line("new connection",
                              where=lambda line: line.get("booking_id") == booking_id)["worker"]

    def raw_with_worker(self, *arguments, **changes):
        booking_id = f"spread-{next(self.bookings)}"
        client = self.raw(*arguments, booking_id=booking_id, **changes)
        try:
            return client, self.worker_of(booking_id)
        except BaseException:
            client.kill()
            raise

    def raw_on_workers(self, count, *arguments, **changes):
        """`count` clients on as many different workers, in the order of the workers, with
        RELAY_PLACEMENT=accept. Which worker accepts is the kernel's choice, so extra ones are
        opened and closed again."""
        found = {}
        for _ in range(TRIES_TO_SPREAD):
            client, worker = self.raw_with_worker(*arguments, **changes)
            if worker in found:
                client.kill()
            else:
                found[worker] = client
            if len(found) == count:
                return [found[worker] for worker in sorted(found)]
        for client in found.values():
            client.kill()
        raise AssertionError(f"{TRIES_TO_SPREAD} connections reached {len(found)} workers only")


def is_leak_field(name):
    """Fields of the "stopped" line that must be zero."""
    return name == "topics" or name.endswith(("_leaked", "_open", "_in_use"))


def relay_binary():
    binary = os.path.join(BUILD, "relay")
    if not os.access(binary, os.X_OK):
        raise AssertionError(f"{binary} is not there: build it, or set RELAY_BUILD")
    return binary


def relay_environment(**options):
    """This environment without any RELAY_ variable of the caller, plus the options."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("RELAY_", "VW_", "RELAYHOST_"))}
    environment.update({name: str(value) for name, value in options.items() if value is not None})
    return environment


def relay_run(*arguments, launcher=(), timeout_s=TEST_HANGS_S, **options):
    """Runs the program to its end; options are environment variables."""
    return subprocess.run([*launcher, relay_binary(), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=relay_environment(**options), timeout=timeout_s, check=False)


def end_program(process):
    """Kills a program with pipes if it still runs, and waits for it; for addCleanup."""
    if process.poll() is None:
        process.kill()
    process.communicate()


class RelayTestCase(unittest.TestCase):
    """Each test starts the servers it needs; they are stopped and checked when it ends."""

    maxDiff = None

    def start(self, **options):
        relay = Relay(**options)
        self.addCleanup(self._stop, relay)
        return relay

    def _stop(self, relay):
        # A server is judged only when the test itself went well: otherwise its complaint would
        # hide the first one.
        if relay.process.returncode is None and not self._failed():
            relay.stop()
        else:
            relay.kill()

    def _failed(self):
        outcome = getattr(self, "_outcome", None)
        return outcome is not None and not outcome.success

    def pipe(self, relay, topic):
        """`relay client pipe` on that topic, in both directions."""
        process = subprocess.Popen(
            [relay_binary(), "client", "pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
            env=relay_environment(
                RELAY_CLIENT_SESSION=f"http://127.0.0.1:{relay.access_port}/session/{topic}",
                RELAY_CLIENT_TOKEN=relay.token(topic)))
        self.addCleanup(end_program, process)
        return process

    def track(self, client):
        """The client is closed before its server is stopped."""
        self.addCleanup(client.kill if isinstance(client, RawClient) else client.close)
        return client


class SharedRelayTestCase(RelayTestCase):
    """One server for all tests of a class, for behaviour that leaves no trace in it."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.relay = Relay(**cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.relay.__exit__(None)
