"""New certificates while the server runs: on SIGHUP and when the files change.

Method: connections and handshakes that go on all the while; none of them may fail.
"""

import os
import shutil
import signal
import threading

import tls_support
from relay_support import WAIT_S, wait_until
from tls_support import TlsTestCase, authority, scaled

NOTICE_S = 6  # within which a changed file is seen


class Reload(TlsTestCase):
    def setUp(self):
        self.folder = os.path.join(authority().folder, self.id().rpartition(".")[2])
        os.makedirs(self.folder, exist_ok=True)
        self.files = os.path.join(self.folder, "cert.pem"), os.path.join(self.folder, "cert.key")

    def install(self, pair):
        """Each file replaced at once, as certificate tools do it."""
        for source, target in zip(pair, self.files):
            shutil.copy(source, target + ".new")
            os.rename(target + ".new", target)

    def serve(self, name, **options):
        self.install(authority().pair(name))
        return self.start(pairs=[self.files], **options)

    def name(self, relay):
        client = relay.connect(port=relay.access_port)
        try:
            client.exchange()
            return client.certificate_name()
        finally:
            client.kill()

    def test_sighup_under_load_drops_nobody_and_fails_no_handshake(self):
        relay = self.serve("old")
        pairs = {name: authority().pair(name) for name in ("new-1", "new-2")}
        viewer, publisher = self.track(relay.viewer("t0")), self.track(relay.publisher("t0"))
        stop = threading.Event()
        names, failures = [], []

        def shake_hands():
            while not stop.is_set():
                try:
                    names.append(self.name(relay))
                except OSError as error:
                    failures.append(error)

        threads = [threading.Thread(target=shake_hands) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for round_number in range(scaled(6, 4, 2)):
                name = f"new-{round_number % 2 + 1}"
                self.install(pairs[name])
                since = len(relay.lines)
                relay.process.send_signal(signal.SIGHUP)
                relay.wait_line("certificates reloaded", since)
                self.assertEqual(self.name(relay), name)
                enough = len(names) + 10  # handshakes go on between two changes
                wait_until(lambda enough=enough: failures or len(names) >= enough, "handshakes")
                payload = os.urandom(100000)
                publisher.send_message(payload)
                self.assertEqual(viewer.message()[1], payload)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(names) - {"old", "new-1", "new-2"}, set())
        self.assertEqual(relay.counters()["tls_failed"], 0)

    def test_changed_files_are_noticed(self):
        relay = self.serve("before")
        live = self.track(relay.raw("t0"))
        self.install(authority().pair("after"))
        relay.wait_line("certificates reloaded", timeout_s=NOTICE_S * tls_support.relay_support
                        .TIME_SCALE)
        self.assertEqual(self.name(relay), "after")
        self.assertEqual(live.barrier(), [])
        self.assertEqual(live.certificate_name(), "before")

    def test_changed_files_are_noticed_however_often_counters_are_asked_for(self):
        relay = self.serve("busy")
        self.install(authority().pair("rested"))
        wait_until(lambda: relay.counters() and relay.lines_of("certificates reloaded"),
                   "the new files", NOTICE_S * tls_support.relay_support.TIME_SCALE)
        self.assertEqual(self.name(relay), "rested")

    def refused(self, relay, reason):
        since = len(relay.lines)
        relay.process.send_signal(signal.SIGHUP)
        line = relay.wait_line("certificates not reloaded, the old ones stay in use", since)
        self.assertIn(reason, line["error"])
        self.assertEqual(self.name(relay), "good")

    def test_a_bad_pair_is_refused_with_the_reason_and_the_old_one_stays(self):
        relay = self.serve("good")
        live = self.track(relay.raw("t0"))
        good = authority().pair("good")
        other = authority().pair("other")
        expired = authority().pair("expired", end="20210101000000Z")
        early = authority().pair("early", start="20980101000000Z")
        with open(good[1], encoding="ascii") as file:
            secret = "".join(file.read().splitlines()[1:-1])

        self.install((good[0], other[1]))
        self.refused(relay, "key")
        self.install(expired)
        self.refused(relay, "expired")
        self.install(early)
        self.refused(relay, "is not valid yet, from 2098-01-01T00:00:00Z")
        self.install(good)
        with open(self.files[0], "w", encoding="ascii") as file:
            file.write("this is no certificate\n")
        self.refused(relay, self.files[0])
        os.unlink(self.files[0])
        self.refused(relay, "No such file")
        with open(self.files[1], "r+", encoding="ascii") as file:
            file.truncate(60)
        shutil.copy(good[0], self.files[0])
        self.refused(relay, self.files[1])

        self.assertEqual(live.barrier(), [])
        self.install(other)
        since = len(relay.lines)
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_line("certificates reloaded", since)
        self.assertEqual(self.name(relay), "other")
        log = "\n".join(relay.output) + relay.errors
        self.assertFalse(any(secret[at:at + 24] in log for at in range(0, len(secret) - 24, 8)))


class Start(TlsTestCase):
    """What is wrong at the start is said, and nothing starts."""

    def run_with(self, cert, key, **options):
        done = tls_support.relay_support.relay_run(
            "serve", RELAY_AUDIENCE="https://a", RELAY_URL="wss://x", RELAY_SECRET="s" * 32,
            RELAY_PORT_ACCESS="0", RELAY_PORT_RELAY="0", RELAY_LOG_FILE="stderr",
            RELAY_STORE="memory", RELAY_TLS_CERT=cert, RELAY_TLS_KEY=key, timeout_s=WAIT_S,
            **options)
        self.assertNotEqual(done.returncode, 0)
        return done.stdout + done.stderr

    def test_bad_files_stop_the_start_with_their_name_and_reason(self):
        cert, key = tls_support.default_pair()
        other = authority().pair("stranger")
        expired = authority().pair("overdue", end="20210101000000Z")
        early = authority().pair("premature", start="20980101000000Z")
        for files, texts in (((cert, "/nowhere/x.key"), ("/nowhere/x.key", "No such file")),
                             (("/nowhere/x.pem", key), ("/nowhere/x.pem", "No such file")),
                             ((cert, other[1]), ("key",)),
                             (expired, ("expired",)),
                             (early, ("is not valid yet", "2098-01-01")),
                             ((key, key), (key,)),
                             ((cert, cert), (cert,)),
                             ((f"{cert},{cert}", key), ("same number",)),
                             ((cert, ""), ("RELAY_TLS_KEY",)),
                             (("", key), ("RELAY_TLS_CERT",))):
            with self.subTest(files=files):
                output = self.run_with(*files)
                for text in texts:
                    self.assertIn(text, output)

    def test_bad_choices_stop_the_start(self):
        cert, key = tls_support.default_pair()
        for options in ({"RELAY_TLS_MIN": "1.1"}, {"RELAY_KTLS": "perhaps"},
                        {"RELAY_TLS_TICKETS": "9"}):
            with self.subTest(options=options):
                self.assertIn(next(iter(options)), self.run_with(cert, key, **options))

    def test_credentials_of_systemd_are_found_by_name(self):
        cert, key = tls_support.default_pair()
        folder = os.path.join(authority().folder, "credentials")
        os.makedirs(folder)
        shutil.copy(cert, os.path.join(folder, "cert"))
        shutil.copy(key, os.path.join(folder, "key"))
        self.round_trip(self.start(pairs=[("cert", "key")], CREDENTIALS_DIRECTORY=folder))


if __name__ == "__main__":
    tls_support.main()
