"""A new program that is killed, or hangs, at any step of a hand-over: the old one goes on, no
connection notices, and systemd has a main process that lives.

Method: the relay itself takes over, with tests/support/handover_step.c preloaded, which records the
steps of a good hand-over and then gives the program a signal at each of them.
"""

import os
import shlex
import signal
import tempfile
import threading
import unittest

import relay_support
from fake_systemd import Manager
from relay_support import TIME_SCALE, WAIT_S, wait_until
from succession import TRIES, Succession, SuccessionTestCase
from succession_crowd import LONG, Crowd
from ws_raw import RawClient

LIBRARY = os.path.join(relay_support.BUILD, "tests/handover_step.so")
COMMITTED = "sent 5 3"  # TAKEN, the answer to GO: from then on the new program serves
HANG_S = 30.0 * TIME_SCALE  # each of two waits has 10
LANES = 8
TOPICS, MEMBERS, PERIOD_S = 2, 3, 0.1

SCRIPT = '''#!/bin/sh
case "$*" in *--check-config*) ;; *)
export LD_PRELOAD={library} ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
export RELAY_TEST_STEPS={steps} RELAY_TEST_STEP={step} RELAY_TEST_SIGNAL={number}
esac
exec {program} "$@"
'''


class Stage:
    """A relay under systemd with a crowd, and a connection between two requests."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.steps = os.path.join(self.folder.name, "steps")
        self.manager = Manager(self.folder.name)
        self.denied = []
        self.relay = Succession(NOTIFY_SOCKET=self.manager.path, RELAY_WORKERS="2",
                                RELAY_STORE=os.path.join(self.folder.name, "relay.db"),
                                RELAY_HANDSHAKE_TIMEOUT="1h",  # also between two requests
                                **LONG)
        self.crowd = Crowd(self.relay, TOPICS, MEMBERS, PERIOD_S)
        self.idle = RawClient(self.relay.access_port, timeout_s=WAIT_S)

    def __enter__(self):
        self.crowd.__enter__()
        try:
            self.crowd.await_round()
            self.ask_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def stop(self):
        self.crowd.__exit__()
        self.relay.stop()

    def __exit__(self, *_):
        self.crowd.__exit__()
        self.idle.kill()
        self.relay.kill()
        self.manager.close()
        self.folder.cleanup()

    def ask_idle(self):
        self.idle.send(b"GET /swagger.json HTTP/1.1\r\nHost: x\r\n\r\n")
        assert self.idle.reply().status == 200

    def replace(self, step="", number=0):
        with open(self.steps, "w", encoding="ascii"):
            pass
        self.relay.replace(SCRIPT.format(
            library=shlex.quote(LIBRARY), steps=shlex.quote(self.steps), step=shlex.quote(step),
            number=int(number), program=shlex.quote(relay_support.relay_binary())))

    def reached(self):
        with open(self.steps, encoding="ascii") as file:
            return file.read().splitlines()

    def check(self):
        """Nothing has noticed anything, and all goes on."""
        self.crowd.await_round()
        assert self.crowd.faults() == [], self.crowd.faults()
        self.ask_idle()
        self.manager.await_main(self.relay.process.pid)
        self.denied.append(f"b{len(self.denied)}")
        assert self.relay.deny(self.denied[-1]).status == 204
        assert self.relay.denied() == sorted(self.denied)

    def hand_over(self):
        line = self.relay.hand_over()
        assert (line["moved"], line["stayed"]) == (len(self.crowd.members) + 1, 0), line
        self.check()

    def fail_at(self, step, number):
        self.replace(step, number)
        for _ in range(TRIES):  # a machine that starves it may not let it come so far in time
            reason = self.relay.refused(timeout_s=HANG_S)
            if step in self.reached() or "it took too long" not in reason:
                break
        assert step in self.reached(), f"{reason}, after {self.reached()[-1:]}"
        self.check()


@unittest.skipUnless(os.path.exists(LIBRARY), "the thread sanitizer bears nothing in front of it")
class Steps(SuccessionTestCase):
    def steps(self):
        """All before the commit, each once."""
        with Stage() as stage:
            stage.replace()
            stage.hand_over()
            reached = stage.reached()
            stage.stop()
        self.assertIn(COMMITTED, reached)
        steps = reached[:reached.index(COMMITTED)]
        self.assertEqual(len(set(steps)), len(steps))
        self.assertGreaterEqual(set(steps), {
            "start", "send 1 1", "sent 1 1", "received 2 1", "sent 4 1", "received 2 2", "read 2",
            "sent 5 1", "received 6 1", "received 2 4", "read 4", "sent 5 2", "received 7 1"})
        return steps

    def end_at(self, steps, number):
        with Stage() as stage:
            for step in steps:
                try:
                    stage.fail_at(step, number)
                except BaseException as fault:
                    raise AssertionError(f"at {step}: {fault!r}") from fault
            stage.relay.replace()
            stage.hand_over()  # and a good one is taken still
            stage.stop()

    def test_killed(self):
        self.end_at(self.steps(), signal.SIGKILL)

    def test_hangs(self):
        """Several relays at once: each step takes as long as a hand-over may."""
        steps, faults = self.steps(), []

        def run(some):
            try:
                self.end_at(some, signal.SIGSTOP)
            except BaseException as fault:  # whatever it is, the test fails with it
                faults.append(repr(fault))

        threads = [threading.Thread(target=run, args=(steps[lane::LANES],))
                   for lane in range(LANES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def test_killed_after_the_commit_it_ends_as_any_relay_and_the_old_one_too(self):
        with Stage() as stage:
            stage.replace(COMMITTED, signal.SIGKILL)
            stage.relay.process.send_signal(signal.SIGUSR2)
            self.assertEqual(stage.relay.process.wait(WAIT_S), 1)  # so that systemd starts another
            wait_until(lambda: len(stage.crowd.faults()) >= TOPICS * MEMBERS, "the ends")
            self.assertEqual(len(stage.relay.lines_of("handed over")), 1)


if __name__ == "__main__":
    relay_support.main()
