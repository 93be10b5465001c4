"""Cancellations outlive the process: a restart, a kill -9 at any moment, a disk that fails.

Method: the store in a temporary folder; the process is ended in every way; a limit of file sizes
of zero (prlimit) stands for a full disk, a small tmpfs too where this user may mount one.
"""

import glob
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import relay_support
from bookings import Desk, ask_upgrade, session, target_of
from relay_support import Relay, RelayTestCase
from rows import row

SECRET = "a secret that both lives of the relay know"
CROWD = 1000
CLERKS = 4
FAILING = "bookings cannot be stored: denials hold in memory only, a restart would forget them"
AGAIN = "bookings can be stored again, and what could not be is"
FULL = ("prlimit", "--fsize=0:")


def limit_files(relay, size):
    """At zero no file can be written, as on a full disk; the log goes to a pipe."""
    resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class StoreCase(RelayTestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="relay-store-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "relay.db")

    def start_with_store(self, **options):
        return self.start(**{"RELAY_STORE": self.path, "RELAY_SECRET": SECRET, **options})


class Restart(StoreCase):
    @row("Faults",
         "the lists after a restart",
         "forgotten: cancelled bookings are let in again",
         "kept",
         "F")
    def test_both_lists_survive_a_restart(self):
        relay = self.start_with_store()
        desk = Desk(relay)
        desk.deny("denied")
        desk.deny("taken back")
        desk.allow("taken back")
        desk.allow("allowed")
        session(relay, "came by")
        desk.deny('odd "name" Übung')
        desk.deny("brief", lifetime_s=1)
        expiry = time.time() + 1
        relay.stop()
        relay_support.wait_until(lambda: time.time() > expiry + 1, "the brief one to expire")
        relay = self.start_with_store()
        desk = Desk(relay)
        self.assertEqual(desk.listed("deny"), {"denied", 'odd "name" Übung'})
        self.assertEqual(desk.listed("allow"), {"taken back", "allowed", "came by"})
        self.assertEqual(session(relay, "denied").status, 400)
        self.assertEqual(session(relay, "taken back").status, 200)

    @row("/session", "codes after a restart", "forgotten")
    def test_codes_do_not_survive(self):
        relay = self.start_with_store()
        target = target_of(session(relay, "b"))
        relay.stop()
        self.assertEqual(ask_upgrade(self.start_with_store(), target).status, 401)

    def test_the_folder_is_made_and_closed_to_others(self):
        path = os.path.join(self.folder, "new", "relay.db")
        relay = self.start_with_store(RELAY_STORE=path)
        Desk(relay).deny("b")
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o007, 0)

    def test_a_file_that_is_no_database_is_a_clear_refusal_to_start(self):
        with open(self.path, "wb") as file:
            file.write(b"this is not a database, but long enough to be taken for one " * 20)
        before = pathlib.Path(self.path).read_bytes()
        result = relay_support.relay_run(
            "serve", RELAY_STORE=self.path, RELAY_SECRET=SECRET, RELAY_AUDIENCE="https://a",
            RELAY_URL="ws://a", RELAY_PORT_ACCESS="0", RELAY_PORT_RELAY="0",
            RELAY_LOG_FILE="stdout")
        self.assertEqual(result.returncode, 1)
        self.assertIn("RELAY_STORE", result.stdout + result.stderr)
        self.assertEqual(pathlib.Path(self.path).read_bytes(), before)

    def test_a_damaged_log_of_changes_does_not_stop_the_start(self):
        relay = self.start_with_store()
        Desk(relay).deny("kept")
        relay.stop()
        with open(self.path + "-wal", "wb") as wal:
            wal.write(os.urandom(4096))
        self.assertIn("kept", Desk(self.start_with_store()).listed("deny"))


class Killed(StoreCase):
    def deny_many(self, relay, own, answered):
        """One connection for each request, as booking systems do it."""
        desk = Desk(relay)
        for number in range(CROWD // CLERKS):
            booking = f"{own}-{number}"
            try:
                if desk.act("deny", booking, lifetime_s=3600).status == 204:
                    answered.append(booking)
            except OSError:
                return

    def kill_after(self, count):
        relay = Relay(RELAY_STORE=self.path, RELAY_SECRET=SECRET, RELAY_LOG_LEVEL="warn")
        answered = []
        clerks = [threading.Thread(target=self.deny_many, args=(relay, own, answered))
                  for own in range(CLERKS)]
        try:
            for clerk in clerks:
                clerk.start()
            relay_support.wait_until(
                lambda: len(answered) >= count or not any(map(threading.Thread.is_alive, clerks)),
                "the first denials to be answered", 60 * relay_support.TIME_SCALE)
        finally:
            relay.process.kill()
            for clerk in clerks:
                clerk.join()
            relay.kill()
        return set(answered)

    @row("Faults", "kill -9 while 1,000 denials are being made", "all are forgotten",
         "every one that was answered with 204 is there after the start", "F")
    def test_every_answered_denial_is_there(self):
        for count in (1, 150, CROWD // 2):
            with self.subTest(after=count):
                for path in glob.glob(self.path + "*"):
                    os.unlink(path)
                answered = self.kill_after(count)
                relay = self.start_with_store(RELAY_LOG_LEVEL="warn")
                missing = answered - Desk(relay).listed("deny")
                relay.stop()
                print(f"{len(answered)} answered")
                self.assertGreaterEqual(len(answered), count)
                self.assertEqual(missing, set())


class FailingDisk(StoreCase):
    def check_failing(self, relay, spoil, heal):
        desk = Desk(relay)
        desk.deny("before")
        client = self.track(relay.raw(booking_id="cut"))
        spoil()
        reply = desk.act("deny", "cut")
        self.assertEqual(reply.status, 503, reply.body)
        self.assertEqual(reply.json()["code"], "503")
        self.assertEqual(client.expect_close()[0], 4403)
        self.assertEqual(session(relay, "cut").status, 400)
        self.assertIn("cut", desk.listed("deny"))
        relay.wait_line(FAILING)
        self.assertEqual(session(relay, "somebody").status, 200)
        lines = len(relay.output)
        for _ in range(50):
            self.assertEqual(desk.act("deny", "cut").status, 503)
        self.assertLess(len(relay.lines_of(FAILING)), 3)
        self.assertGreater(relay.counters()["store_failures"], 50)
        self.assertLess(len(relay.output) - lines, 150)
        heal()
        # Nobody asks again: what was answered 503 is written before this is said.
        relay.wait_line(AGAIN, timeout_s=relay_support.WAIT_S + 10)
        on_disk = sqlite3.connect(self.path)
        self.addCleanup(on_disk.close)
        self.assertEqual(on_disk.execute("SELECT list FROM bookings WHERE id = 'cut'").fetchall(),
                         [(0,)])
        desk.deny("after")
        relay.stop()
        listed = Desk(self.start_with_store()).listed("deny")
        self.assertLessEqual({"before", "after", "cut"}, listed)

    @row("/bids",
         "the disk is full",
         "there is no disk",
         "503: denied in memory, said loudly; live connections are cut all the same",
         "F")
    def test_a_disk_that_takes_nothing(self):
        relay = self.start_with_store()
        self.check_failing(relay, lambda: limit_files(relay, 0),
                           lambda: limit_files(relay, resource.RLIM_INFINITY))

    def test_a_full_disk(self):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", self.folder],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("a small file system cannot be mounted here: "
                          + mounted.stderr.decode(errors="replace").strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=False)
        filler = os.path.join(self.folder, "filler")

        def fill():
            with open(filler, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 4096)
                except OSError:
                    pass
            # The log of changes may have room in its last page: denials of long names use it up.
            desk = Desk(relay)
            for number in range(400):
                if desk.act("deny", f"filler-{number}-" + "x" * 200).status != 204:
                    return
            raise AssertionError("the disk does not get full")

        relay = self.start_with_store()
        self.check_failing(relay, fill, lambda: os.unlink(filler))

    def test_a_disk_that_becomes_read_only(self):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.folder],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("a file system cannot be mounted here: "
                          + mounted.stderr.decode(errors="replace").strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=False)
        relay = self.start_with_store()
        desk = Desk(relay)
        desk.deny("before")
        relay.stop()
        remount = ["mount", "-o", "remount,ro", self.folder]
        subprocess.run(remount, check=True, capture_output=True)
        self.check_started_failing(self.start_with_store())

    def check_started_failing(self, relay):
        """The old denials hold, new ones too, and nobody is told that they are on the disk."""
        relay.wait_line(FAILING)
        desk = Desk(relay)
        self.assertEqual(session(relay, "before").status, 400)
        self.assertEqual(desk.act("deny", "new").status, 503)
        self.assertEqual(desk.listed("deny"), {"before", "new"})
        self.assertEqual(session(relay, "somebody").status, 200)

    @row("/bids", "a start on a full or read-only disk", "there is no disk",
         "what is stored holds; new denials are answered 503 until the disk takes them", "F")
    @unittest.skipIf("thread" in relay_support.cache_value("RELAY_SANITIZE"),
                     "the thread sanitizer cannot start where no file may grow")
    def test_a_disk_that_is_full_at_the_start(self):
        for options in ({}, {"RELAY_STORE": None, "STATE_DIRECTORY": self.folder}):
            with self.subTest(options=options):
                for path in glob.glob(self.path + "*"):
                    os.unlink(path)
                relay = self.start_with_store()
                Desk(relay).deny("before")
                relay.stop()
                relay = self.start_with_store(launcher=FULL, **options)
                self.check_started_failing(relay)
                limit_files(relay, resource.RLIM_INFINITY)
                relay.wait_line(AGAIN, timeout_s=relay_support.WAIT_S + 10)
                Desk(relay).deny("later")
                relay.stop()
                self.assertEqual(Desk(self.start_with_store()).listed("deny"),
                                 {"before", "new", "later"})

    def test_a_stop_writes_what_could_not_be(self):
        relay = self.start_with_store()
        limit_files(relay, 0)
        self.assertEqual(Desk(relay).act("deny", "b").status, 503)
        limit_files(relay, resource.RLIM_INFINITY)
        relay.stop()
        self.assertEqual(Desk(self.start_with_store()).listed("deny"), {"b"})

    def test_another_program_that_locks_the_file(self):
        """SQLite's lock stands for any failure to write; it works without rights to mount."""
        relay = self.start_with_store()
        lock = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.addCleanup(lock.close)
        desk = Desk(relay)
        desk.deny("before")
        client = self.track(relay.raw(booking_id="cut"))
        others = self.track(relay.raw())
        lock.execute("BEGIN EXCLUSIVE")
        replies = []
        denial = threading.Thread(target=lambda: replies.append(desk.act("deny", "cut")))
        denial.start()
        # Cut at once, though the disk has not answered; and the loops wait for nothing.
        self.assertEqual(client.expect_close(1.0 * relay_support.TIME_SCALE)[0], 4403)
        self.assertEqual(session(relay, "cut").status, 400)
        others.barrier(1.0 * relay_support.TIME_SCALE)
        denial.join()
        self.assertEqual(replies[0].status, 503, replies[0].body)
        lock.execute("ROLLBACK")
        relay.wait_line(AGAIN, timeout_s=relay_support.WAIT_S + 10)
        relay.stop()
        self.assertIn("cut", Desk(self.start_with_store()).listed("deny"))


class Default(RelayTestCase):
    def test_the_state_folder_of_systemd_is_the_default(self):
        with tempfile.TemporaryDirectory() as folder:
            relay = self.start(RELAY_STORE=None, STATE_DIRECTORY=folder)
            Desk(relay).deny("b")
            self.assertTrue(os.path.exists(os.path.join(folder, "relay.db")))
            relay.stop()

    def test_where_no_file_can_be_made_nobody_is_told_that_it_is_stored(self):
        with tempfile.TemporaryDirectory() as folder:
            place = os.path.join(folder, "file")
            with open(place, "wb"):
                pass
            relay = self.start(RELAY_STORE=None, STATE_DIRECTORY=place)
            self.assertEqual(relay.wait_line(FAILING)["file"], f"{place}/relay.db")
            desk = Desk(relay)
            self.assertEqual(desk.act("deny", "b").status, 503)
            self.assertEqual(session(relay, "b").status, 400)
            os.unlink(place)
            relay_support.wait_until(lambda: desk.act("deny", "c").status == 204, "the folder")
            relay.stop()
            again = self.start(RELAY_STORE=None, STATE_DIRECTORY=place)
            self.assertEqual(Desk(again).listed("deny"), {"b", "c"})

    def test_a_damaged_file_is_a_refusal_to_start_there_too(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "relay.db").write_bytes(b"not a database " * 100)
            result = relay_support.relay_run(
                "serve", STATE_DIRECTORY=folder, RELAY_SECRET=SECRET, RELAY_AUDIENCE="https://a",
                RELAY_URL="ws://a", RELAY_PORT_ACCESS="0", RELAY_PORT_RELAY="0",
                RELAY_LOG_FILE="stdout")
            self.assertEqual(result.returncode, 1)
            self.assertIn("file is not a database", result.stderr)

    def test_memory_keeps_nothing_and_says_204(self):
        relay = self.start(RELAY_STORE="memory")
        Desk(relay).deny("b")
        self.assertEqual(relay.lines_of(FAILING), [])


if __name__ == "__main__":
    relay_support.main()
