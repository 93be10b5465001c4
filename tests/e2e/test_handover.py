"""A hand-over to a new program: what it gets, what stays and drains, and that a program which
cannot take over changes nothing.

Method: the relay again, from another file at the same path; and scripts in its place that check
their options and speak the first steps of docs/handover.md, then crash, hang or say nonsense.
"""

import itertools
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import relay_support
from fake_systemd import Systemd
from relay_support import TIME_SCALE, Relay, RelayTestCase, WAIT_S, relay_run, wait_until
from held_thread import HeldThread
from succession import HANDED_OVER, REFUSED, TRIES, Succession, SuccessionTestCase
from ws_raw import TEXT, RawClient

LOOPS = 25
LOOPERS = 4

# A program that goes along for some steps. Its options are valid.
SCRIPT = '''#!{python}
import os, socket, struct, sys, time
if "--check-config" in sys.argv:
    sys.exit(0)
def record(kind, fields=()):
    body = b"".join(struct.pack("<HHI", i, 0, len(v)) + v for i, v in fields)
    return struct.pack("<HHI", kind, 0, len(body)) + body
channel = socket.socket(fileno=int(os.environ["RELAY_HANDOVER_SOCKET"]))
hello, prepared, taken = record(1), record(4), record(5)
{steps}
{end}
'''
# Each goes as far as the line says; what follows is up to the end.
STEPS = {
    "nothing": "",
    "hello": "channel.send(hello)",
    "sockets": "channel.send(hello); channel.recv(4096); channel.recv(4096)",
    "prepared": "channel.send(hello); channel.recv(4096); channel.recv(4096); "
                "channel.send(prepared)",
    "state": "channel.send(hello); channel.recv(4096); channel.recv(4096); "
             "channel.send(prepared); channel.recv(4096)",
    "connections": "channel.send(hello); channel.recv(4096); channel.recv(4096); "
                   "channel.send(prepared); channel.recv(4096); channel.send(taken); "
                   "[channel.recv(4096) for _ in range(3)]",
}
STEPS_OF_ANOTHER_TIME = {
    "newer": "channel.send(record(1, [(2, struct.pack('<Q', 999))]))",
}
ENDS = {
    "crash": "os.abort()",
    "nonsense": "channel.send(b'no record'); time.sleep(60)",
    "other": "channel.send(record(99)); time.sleep(60)",
    "hang": "time.sleep(60)",
}


REASONS = {"crash": "it ended", "nonsense": "not expected", "other": "not expected",
           "hang": "it took too long"}
HANG_S = 30.0 * TIME_SCALE  # each of two waits has 10


def script(step, end):
    steps = {**STEPS, **STEPS_OF_ANOTHER_TIME}[step]
    return SCRIPT.format(python=sys.executable, steps=steps, end=ENDS[end])


def again(ask):
    """The answer; what the old program had taken in before it was over is asked again."""
    reply = ask()
    while reply.status == 503:
        reply = ask()
    return reply


def joined(relay, target):
    """A client with the answer to its upgrade."""
    while True:
        client = RawClient(relay.relay_port, timeout_s=WAIT_S)
        try:
            client.ask_upgrade(target)
            reply = client.reply(head_only=True)
        except BaseException:
            client.kill()
            raise
        if reply.status != 503:
            return client, reply
        client.kill()


def children_of(pid):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class SuccessionOfRelays(SuccessionTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def join(self, relay, target):
        client = self.track(RawClient(relay.relay_port, timeout_s=WAIT_S))
        client.upgrade(target, ())
        return client

    def status_of_join(self, relay, target):
        with RawClient(relay.relay_port, timeout_s=WAIT_S) as client:
            client.ask_upgrade(target)
            return client.reply().status

    def cross(self, relay, hand_overs, work):
        """Hand-overs while LOOPERS threads work without a pause: work(index) does one thing."""
        ending, faults, done = threading.Event(), [], [0] * LOOPERS

        def loop(index):
            while not ending.is_set() and not faults:
                try:
                    work(index)
                    done[index] += 1
                except Exception as fault:  # whatever it is, the test fails with it
                    faults.append(repr(fault))

        threads = [threading.Thread(target=loop, args=(index,)) for index in range(LOOPERS)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(hand_overs):
                relay.hand_over()
                before = sum(done)
                wait_until(lambda: sum(done) > before + LOOPERS or faults, "work that goes on")
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        self.assertEqual(faults, [])

    def configured(self, text, **options):
        """A relay whose options beside those of the fixture stand in a file."""
        self.config = os.path.join(self.folder, "relay.conf")
        self.configure(text)
        return self.start(RELAY_CONFIG=self.config, RELAY_WORKERS=None, **options)

    def configure(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)


class Handover(SuccessionOfRelays):
    def test_codes_and_denials_move(self):
        relay = self.start()
        target, denied = relay.target("t0"), relay.target("t0", booking_id="denied")
        self.assertEqual(relay.deny("denied").status, 204)
        relay.replace()
        relay.hand_over()
        self.join(relay, target)
        self.assertEqual(self.status_of_join(relay, target), 401)  # works once
        self.assertEqual(self.status_of_join(relay, denied), 401)  # the denial took it
        self.assertEqual(relay.session("t0", relay.token(booking_id="denied")).status, 400)
        self.assertEqual(relay.denied(), ["denied"])
        relay.wait_before()

    def test_a_denial_before_and_after_closes_what_moved(self):
        relay = self.start()
        clients = {name: self.track(relay.raw("t0", booking_id=name)) for name in "abc"}
        self.assertEqual(relay.deny("a").status, 204)
        relay.hand_over()
        self.assertEqual(relay.deny("b").status, 204)
        for name in "ab":
            self.assertEqual(clients[name].expect_close()[0], 4403)
            clients[name].kill()
        clients["c"].barrier()

    def test_a_denial_that_the_program_before_reads_is_for_the_new_one(self):
        for begun in (True, False):
            with self.subTest(begun=begun):
                relay = self.start(RELAY_ADMIN_LISTEN="127.0.0.1:0")
                port = int(relay.lines_of("listening")[-1]["admin"].rpartition(":")[2])
                request = (f"POST /bids/deny?bid=late&exp={int(time.time()) + 300} HTTP/1.1\r\n"
                           "Host: localhost\r\nRelay-Admin: 1\r\nContent-Length: 0\r\n\r\n")
                at = 20 if begun else 0
                member = self.track(relay.raw("t0", booking_id="late"))
                with RawClient(port, timeout_s=WAIT_S) as client:
                    client.send(request[:at].encode())
                    relay.hand_over()
                    client.send(request[at:].encode())
                    reply = client.reply()
                    self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "1"))
                self.assertEqual(relay.denied(), [])
                member.barrier()

    def test_the_file_of_bookings_goes_with_it(self):
        store = os.path.join(self.folder, "relay.db")
        relay = self.start(RELAY_STORE=store)
        self.assertEqual(relay.deny("before").status, 204)
        relay.hand_over()
        self.assertEqual(relay.deny("after").status, 204)
        relay.wait_before()
        relay.hand_over()
        self.assertEqual(relay.denied(), ["after", "before"])
        relay.stop()
        again = self.start(RELAY_STORE=store, RELAY_SECRET=relay.secret)
        self.assertEqual(again.denied(), ["after", "before"])

    def test_workers_may_become_more_or_fewer(self):
        relay = self.configured("RELAY_WORKERS=2\n")
        for workers in (5, 1, 3, 2):
            self.configure(f"RELAY_WORKERS={workers}\n")
            relay.hand_over()
            self.assertEqual(relay.lines_of("listening")[-1]["workers"], workers)
            for _ in range(20):  # whatever socket the kernel chooses, it is accepted on
                self.assertEqual(relay.session("t0", relay.token()).status, 200)
            relay.wait_before()

    def test_the_admin_listener_moves(self):
        path = os.path.join(self.folder, "admin.sock")
        for where in (path, "127.0.0.1:0"):
            relay = self.start(RELAY_ADMIN_LISTEN=where)
            relay.hand_over()
            relay.wait_before()
            address = relay.lines_of("listening")[-1]["admin"]
            if where == path:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(WAIT_S)
                    client.connect(path)
                    client.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    self.assertIn(b" 200 ", client.recv(4096))
            else:
                port = int(address.rpartition(":")[2])
                self.assertEqual(relay.request("GET", "/readyz", port=port).status, 200)
            relay.stop()
            self.assertFalse(os.path.exists(path))

    def test_a_program_that_is_there_already_is_taken_on_hangup_only_when_it_changed(self):
        relay = self.start()
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_line("log file opened again")
        self.assertEqual(relay.lines_of("handing over"), [])
        relay.replace()
        relay.hand_over(by=signal.SIGHUP)

    def test_two_signals_at_once_are_one_hand_over(self):
        relay = self.start()
        late = self.track(RawClient(relay.access_port))
        late.send(b"GET /sta")  # which keeps the first program for a while
        first, since = relay.process, len(relay.lines)
        first.send_signal(signal.SIGUSR2)
        relay.wait_line("handing over", since)
        first.send_signal(signal.SIGUSR2)
        line = relay.wait_line("handed over", since)
        relay.wait_line("handed over already", since)
        relay.follow(line, since)
        late.kill()
        relay.wait_before()
        self.assertEqual(len(relay.lines_of("listening")), 2)

    def test_systemd_hears_of_the_new_main_process(self):
        systemd = Systemd(self.folder)
        self.addCleanup(systemd.socket.close)
        relay = self.start(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="20000000")
        systemd.hear(lambda message: message.startswith("READY=1"))
        systemd.forget()
        line = relay.hand_over()
        systemd.hear(lambda message: message.startswith("READY=1"))
        told = [each.split("\n")[0] for each in systemd.heard
                if not each.startswith(("WATCHDOG", "STATUS"))]
        self.assertEqual(told, ["RELOADING=1", f"MAINPID={line['pid']}", "READY=1"])
        systemd.hear(lambda message: message == "WATCHDOG=1")
        relay.wait_before()
        systemd.forget()
        relay.stop()
        systemd.hear(lambda message: message.startswith("STOPPING=1"))

    def test_a_refusal_is_told_to_systemd_as_the_end_of_a_reload(self):
        systemd = Systemd(self.folder)
        self.addCleanup(systemd.socket.close)
        relay = self.start(NOTIFY_SOCKET=systemd.path)
        systemd.hear(lambda message: message.startswith("READY=1"))
        relay.replace(script("hello", "crash"))
        relay.refused()
        systemd.hear(lambda message: message.startswith("RELOADING=1"))
        systemd.hear(lambda message: message.startswith("READY=1"))
        self.assertFalse([each for each in systemd.heard if each.startswith("MAINPID")])

    def test_denials_without_a_pause_hold(self):
        relay = self.start(RELAY_STORE=os.path.join(self.folder, "relay.db"),
                           RELAY_HANDOVER_DRAIN="1s")
        denied = []

        def deny_one(booking):
            token = relay.token("t0", booking_id=booking)
            code = again(lambda: relay.session("t0", token)).json()["uri"].partition("?")[2]
            client, reply = joined(relay, f"/session/t0?{code}")
            try:
                assert reply.status == 101, reply
                reply = again(lambda: relay.deny(booking))
                assert reply.status == 204, reply
                assert client.expect_close()[0] == 4403
                denied.append(booking)
            finally:
                client.kill()

        numbers = [itertools.count() for _ in range(LOOPERS)]
        self.cross(relay, 10, lambda index: deny_one(f"{index}.{next(numbers[index])}"))
        self.assertEqual(relay.denied(), sorted(denied))
        relay.stop()
        with Relay(RELAY_STORE=os.path.join(self.folder, "relay.db")) as later:
            self.assertEqual(Succession.denied(later), sorted(denied))

    def test_connections_between_requests_move(self):
        relay = self.start()
        with RawClient(relay.access_port, timeout_s=WAIT_S) as idle, \
                RawClient(relay.access_port, timeout_s=WAIT_S) as new:
            idle.send(b"GET /swagger.json HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(idle.reply().status, 200)
            for _ in range(3):
                self.assertEqual(relay.hand_over()["moved"], 2)
                for client in (idle, new):
                    client.send(b"GET /swagger.json HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertEqual(client.reply().status, 200)
            relay.wait_before()

    def test_requests_without_a_pause_see_nothing_of_many_hand_overs(self):
        relay = self.start(RELAY_STORE=os.path.join(self.folder, "relay.db"),
                           RELAY_HANDOVER_DRAIN="1s")

        def join_one(index):
            topic = f"t{index}"
            reply = again(lambda: relay.session(topic, relay.token(topic)))
            code = reply.json()["uri"].partition("?")[2]
            client, upgrade = joined(relay, f"/session/{topic}?{code}")
            client.kill()
            assert (reply.status, upgrade.status) == (200, 101), (reply, upgrade)

        self.cross(relay, LOOPS, join_one)

    def test_what_it_holds_stays_the_same(self):
        relay = self.start(RELAY_STORE=os.path.join(self.folder, "relay.db"))
        relay.hand_over()
        relay.wait_before()
        before = relay.fds()
        for _ in range(5):
            relay.hand_over()
            relay.wait_before()
        self.assertEqual(relay.fds(), before)


class WhatStays(SuccessionOfRelays):
    def test_a_request_has_the_time_of_the_drain(self):
        relay = self.start(RELAY_HANDOVER_DRAIN=f"{5 * TIME_SCALE:g}s")
        with RawClient(relay.access_port, timeout_s=WAIT_S) as client:
            client.send(b"GET /status HTTP/1.1\r\nHost: x\r\n")
            relay.hand_over()
            client.send(b"\r\n")
            reply = client.reply()
            self.assertEqual(reply.status, 503)
            self.assertEqual(reply.headers["retry-after"], "1")
            client.read_end()
        relay.wait_before()
        with RawClient(relay.access_port, timeout_s=WAIT_S) as client:
            client.send(b"GET /sta")
            relay.hand_over()
            client.read_end()
        relay.wait_before()


class ProgramsThatCannotTakeOver(SuccessionOfRelays):
    crowd = threading.Semaphore(8)

    def serves_as_before(self, relay, target, viewer, publisher):
        publisher.send_message("still here")
        self.assertEqual(viewer.message(), (TEXT, b"still here"))
        self.join(relay, target)
        self.assertEqual(relay.session("t0", relay.token()).status, 200)
        self.assertEqual(relay.deny("someone").status, 204)

    def test_refusals_and_what_was_taken_over_are_counted(self):
        relay = self.start()
        self.track(relay.viewer())
        relay.replace(script("hello", "crash"))
        relay.refused()
        self.assertEqual(relay.counters()["handovers_refused"], 1)
        relay.replace()
        relay.hand_over()
        counters = relay.counters()
        self.assertEqual((counters["connections_taken_over"], counters["handovers_refused"]),
                         (1, 0))

    def test_it_goes_on_whatever_the_new_one_does(self):
        """Many of them at once: those that hang take as long as a hand-over may."""
        faults = []

        def judge(step, end):
            try:
                self.judge(step, end)
            except Exception as fault:  # whatever it is, the test fails with it
                faults.append(f"{step}, {end}: {fault!r}")

        threads = [threading.Thread(target=judge, args=(step, end))
                   for step in STEPS for end in ENDS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def reason(self, relay, end):
        """On a machine that starves it a program may hang before it does what it is to do."""
        for _ in range(TRIES):
            reason = relay.refused(timeout_s=HANG_S)
            if end == "hang" or REASONS["hang"] not in reason:
                break
        return reason

    def judge(self, step, end):
        with self.crowd:
            self.judge_one(step, end)

    def judge_one(self, step, end):
        name = os.path.join(self.folder, f"{step}-{end}.db")
        relay = Succession(RELAY_STORE=name)
        try:
            with relay.viewer() as viewer, relay.publisher() as publisher:
                target = relay.target("t0")
                relay.replace(script(step, end))
                reason = self.reason(relay, end)
                assert REASONS[end] in reason, reason
                self.serves_as_before(relay, target, viewer, publisher)
            relay.replace()
            relay.hand_over()  # and a good one is taken still
            assert relay.denied() == ["someone"]
            relay.stop()
        finally:
            relay.kill()

    def test_invalid_options_are_told(self):
        relay = self.configured("RELAY_WORKERS=2\n")
        self.configure("RELAY_WORKERS=two\n")
        self.assertIn("refuses its options: ", relay.refused())
        self.assertIn("RELAY_WORKERS", relay.refused())

    def test_a_program_that_reads_no_stream_of_this_one_is_told(self):
        relay = self.start()
        relay.replace(script("newer", "hang"))
        self.assertIn("reads version 999", relay.refused())

    def test_a_file_that_is_no_program_is_none(self):
        relay = self.start()
        relay.replace("no program\n")
        self.assertIn("Exec format error", relay.refused())
        os.unlink(relay.program)
        self.assertIn("No such file", relay.refused())

    def test_options_that_need_a_restart_are_refused(self):
        relay = self.configured("RELAY_STORE=memory\n", RELAY_STORE=None)
        target = relay.target("t0")
        self.configure(f"RELAY_STORE={os.path.join(self.folder, 'other.db')}\n")
        reason = relay.refused()
        self.assertIn("RELAY_STORE was changed from \"memory\" to", reason)
        self.join(relay, target)

    def test_too_little_room_for_codes_is_refused(self):
        relay = self.configured("RELAY_CODES_MAX=100\n")
        targets = [relay.target(f"t{number}") for number in range(3)]
        self.configure("RELAY_CODES_MAX=2\n")
        self.assertIn("does not take codes and bookings", relay.refused())
        wait_until(lambda: "RELAY_CODES_MAX" in relay.errors, "the reason on stderr")
        for target in targets:
            self.join(relay, target)

    def test_a_worker_that_hangs_is_waited_for_and_goes_on(self):
        relay = self.start()
        with relay.viewer() as viewer, relay.publisher() as publisher:
            with HeldThread(relay.process.pid, "worker 1"):
                self.assertIn("a worker does not answer", relay.refused(timeout_s=HANG_S))
                self.assertIn("a worker hangs since the last try", relay.refused(timeout_s=HANG_S))
            self.serves_as_before(relay, relay.target("t0"), viewer, publisher)
            relay.hand_over()

    def test_too_few_descriptors_are_a_refusal(self):
        relay = self.start()
        clients = [self.track(relay.raw("t0")) for _ in range(40)]
        before = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (45, before[1]))
        # The new program raises its limit to the hard one.
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (45, 45))
        relay.refused()
        for client in clients:
            client.barrier()

    def test_too_little_memory_for_messages_is_refused_until_there_is_more(self):
        relay = self.configured("RELAY_WORKERS=1\n", RELAY_QUEUE_AGE="0")
        payload = bytes(1 << 20)
        viewers = []
        for topic in range(4):  # 4 * 12 MiB wait
            viewers.append(self.track(relay.raw(f"t{topic}", ("read",), rcvbuf=4096)))
            publisher = self.track(relay.raw(f"t{topic}", ("write",)))
            for _ in range(12):
                publisher.send_message(payload)
            publisher.barrier()
        self.configure("RELAY_WORKERS=1\nRELAY_MESSAGE_MEMORY=16\n")  # 32 for each worker
        self.assertIn("does not take the connections", relay.refused())
        wait_until(lambda: "no memory for messages (RELAY_MESSAGE_MEMORY)" in relay.errors,
                   "the reason on stderr")
        self.configure("RELAY_WORKERS=1\nRELAY_MESSAGE_MEMORY=512\n")
        relay.hand_over()
        for viewer in viewers:
            for _ in range(12):
                self.assertEqual(len(viewer.message()[1]), len(payload))

    def test_memory_that_cannot_be_had_is_a_refusal(self):
        """What is given lies in files in memory, whose size a limit bounds."""
        relay = self.start(RELAY_WORKERS="2")
        before = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
        with relay.viewer() as viewer, relay.publisher() as publisher:
            clients = [self.track(relay.raw("t0")) for _ in range(40)]
            resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (50_000, before[1]))
            reason = relay.refused()
            self.assertIn("the connections cannot be written: it is more than the limit", reason)
            self.assertIn("LimitFSIZE=", reason)
            self.serves_as_before(relay, relay.target("t0"), viewer, publisher)
            resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, before)
            relay.hand_over()
            for client in clients:
                client.barrier()

    def test_a_new_program_with_any_too_small_number_of_descriptors_changes_nothing(self):
        """Also not the admin listener's path, whichever way it ends."""
        path = os.path.join(self.folder, "admin.sock")
        relay = self.start(RELAY_ADMIN_LISTEN=path,
                           RELAY_STORE=os.path.join(self.folder, "relay.db"))
        clients = [self.track(relay.raw("t0")) for _ in range(40)]
        for count in range(4, 40, 2):
            relay.replace(f"#!/bin/sh\nulimit -n {count}\n"
                          f"exec {shlex.quote(relay_support.relay_binary())} \"$@\"\n")
            relay.refused()
            with socket.socket(socket.AF_UNIX) as admin:
                admin.settimeout(WAIT_S)
                admin.connect(path)
                admin.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                self.assertIn(b" 200 ", admin.recv(4096), count)
        for client in clients:
            client.barrier()
        relay.replace()
        relay.hand_over()

    def test_none_begins_in_a_stop(self):
        relay = self.start(RELAY_DRAIN_TIME="1h")
        viewer = self.track(relay.viewer())
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_line("stopping")
        relay.process.send_signal(signal.SIGUSR2)
        relay.wait_line("not handed over: the relay is stopping")
        viewer.barrier()
        relay.process.send_signal(signal.SIGTERM)
        self.assertEqual(viewer.expect_close()[0], 1001)
        viewer.kill()

    def test_a_stop_ends_a_hand_over(self):
        relay = self.start()
        relay.replace(script("prepared", "hang"))
        relay.process.send_signal(signal.SIGUSR2)
        relay.wait_line("handing over")
        relay.stop()
        self.assertEqual(len(relay.lines_of("handed over")), 0)

    def test_a_socket_of_nobody_is_refused(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as lone:
            os.set_inheritable(lone.fileno(), True)
            for number in ("0", "99", "x", str(lone.fileno())):
                done = relay_run("serve", RELAY_HANDOVER_SOCKET=number, RELAY_SECRET="s",
                                 RELAY_AUDIENCE="https://a.example", RELAY_URL="wss://a.example",
                                 RELAY_STORE="memory", RELAY_LOG_FILE="stderr")
                self.assertEqual(done.returncode, 1)
                self.assertIn("no socket of a running relay", done.stderr)


CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


def has_containers():
    try:
        return subprocess.run([*CONTAINER, "true"], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except FileNotFoundError:
        return False


@unittest.skipUnless(has_containers(), "no user may make namespaces here")
class ProgramsThatEndWithTheirContainer(RelayTestCase):
    def refused_in(self, *first, **options):
        relay = Relay(launcher=(*CONTAINER, *first), **options)
        self.addCleanup(relay.kill)
        pid = relay.process.pid
        for _ in range(2 if first else 1):
            (pid,) = children_of(pid)
        os.kill(pid, signal.SIGUSR2)
        return relay, pid

    def test_process_1_hands_nothing_over(self):
        relay, _ = self.refused_in()
        self.assertIn("this is process 1", relay.wait_line(REFUSED)["reason"])

    def test_a_child_of_process_1_does_with_systemd_only(self):
        first = ("sh", "-c", '"$@" & wait', "init")
        relay, pid = self.refused_in(*first)
        self.assertIn("process 1 started this program", relay.wait_line(REFUSED)["reason"])
        since = len(relay.lines)
        os.kill(pid, signal.SIGUSR2)  # and it goes on
        relay.wait_line(REFUSED, since)
        with tempfile.TemporaryDirectory() as folder:
            systemd = Systemd(folder)
            self.addCleanup(systemd.socket.close)
            relay, _ = self.refused_in(*first, NOTIFY_SOCKET=systemd.path)
            relay.wait_line(HANDED_OVER)


if __name__ == "__main__":
    relay_support.main()
