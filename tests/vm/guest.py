"""Runs in the guest of run.py: the TLS tests that must see kernel TLS, in one Python process.

Loading Python takes an emulated processor seconds, and so does each start of a server; so the tests
are chosen here, and tls_support.EMULATED makes their sizes small. RELAY_TEST_CHOICE is "short"
(SHORT), "all" (TESTS) or "full" (every module, whole). Success asks for more than passed tests:
none may be skipped but for the reasons below, and a kernel that can follow a KeyUpdate must have
done so.
"""

import importlib
import os
import re
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tls"), os.path.join(HERE, "..", "support")]

TESTS = {
    "test_handshake": ["Transport.test_every_suite_of_tls_1_3_takes_the_expected_transport",
                       "Transport.test_a_client_with_small_fragments_gets_them_from_user_space",
                       "Transport.test_padded_records_are_read",
                       "Transport.test_ktls_off_keeps_records_in_user_space",
                       "Transport.test_ktls_require_serves_only_what_the_kernel_takes",
                       "FinishedAndData", "Resumption.test_tickets_resume_and_none_do_not"],
    "test_rekey": ["KeyUpdate", "SClient"],
    "test_closing": ["CleanEnd", "LastMessage"],
    "test_faults": ["Records", "Handshakes.test_a_reset_after_finished_leaves_nothing"],
    "test_handover": ["Crowd", "Keys"],
    "test_interop": ["Curl.test_curl_gets_a_code_by_post_and_an_answer_by_get", "SClientTalks",
                     "Websockets", "Bulk", "Gstreamer", "Node",
                     "Browser.test_a_page_echoes_over_wss"],
    "test_placement": ["PlacesOverTls.test_members_of_a_topic_share_a_worker_and_lose_nothing",
                       "CutRecords"],
    "test_reload": ["Reload.test_sighup_under_load_drops_nobody_and_fails_no_handshake"],
    "test_splice": ["Splices"],
    "test_memory": ["Idle", "Handshakes"],
    "test_storm": ["Storm.test_tls_1_3_with_records_of_the_default_transport"],
}
# For a machine of which nothing is known: the transport itself, and what only the kernel's records
# can do wrong.
SHORT = {
    "test_handshake": ["Transport.test_every_suite_of_tls_1_3_takes_the_expected_transport",
                       "FinishedAndData.test_frames_in_the_segment_of_the_upgrade"],
    "test_rekey": ["KeyUpdate.test_a_key_update_is_followed_or_refused_politely"],
    "test_closing": ["CleanEnd.test_a_websocket_that_closes_sees_close_notify",
                     "CleanEnd.test_data_ahead_of_close_notify_is_not_lost"],
    "test_faults": ["Records.test_a_bad_tag_ends_the_connection_and_nobody_elses",
                    "Records.test_a_reset_under_a_waiting_send_leaves_nothing"],
    "test_interop": ["Websockets"],
    "test_splice": ["Splices"],
}

# Memory is that of the program, whatever the kernel, and hundreds of emulated handshakes take long:
# with "all" these run in one series only.
ONCE, ONCE_IN = ("test_memory", "test_storm"), "6.12."
MODULES = (*TESTS, "test_limits")
# Reasons to skip that are no loss here; what is not installed is compared with RELAY_TEST_LACKS.
ALLOWED_SKIPS = ("this kernel has TLS", "too slow for the time that a stop gives")
NOT_INSTALLED = re.compile(r"(.+) (?:is|are) not (?:installed|built here)$")
COUNTED = ("tls_kernel", "tls_user", "tls_rekeys", "tls_rekeys_refused")
KERNEL_FOLLOWS = (6, 14)  # from here on a peer's KeyUpdate can be followed


class TimedResult(unittest.TextTestResult):
    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        self.stream.writeln(f"    {time.monotonic() - self.started:.1f} s")
        super().stopTest(test)


def count_servers():
    """Adds up the counters of every server that a test stops."""
    support = importlib.import_module("tls_support")
    total = dict.fromkeys(COUNTED, 0)
    stop = support.TlsRelay.stop

    def stop_and_count(relay, *arguments, **options):
        counters = stop(relay, *arguments, **options)
        for name in COUNTED:
            total[name] += counters[name]
        return counters

    support.TlsRelay.stop = stop_and_count
    return total


def load(chosen, choice):
    """The named tests, else those of the choice."""
    suite = unittest.TestSuite()
    listed = {"short": SHORT, "all": TESTS, "full": dict.fromkeys(MODULES, [None])}[choice]
    elsewhere = choice == "all" and not os.uname().release.startswith(ONCE_IN)
    for module in MODULES:
        names = [] if elsewhere and module in ONCE else listed.get(module, [])
        if any(name.partition(".")[0] == module for name in chosen):
            names = [name.partition(".")[2] or None for name in chosen
                     if name.partition(".")[0] == module]
        elif chosen:
            continue
        loaded = importlib.import_module(module) if names else None
        for name in names:
            found = (unittest.defaultTestLoader.loadTestsFromModule(loaded) if name is None
                     else unittest.defaultTestLoader.loadTestsFromName(name, loaded))
            suite.addTest(found)
    return suite


def complaints(result, chosen, total):
    """What is wrong although no test failed."""
    lacks = os.environ.get("RELAY_TEST_LACKS", "").split(",")
    found = []
    for test, reason in result.skipped:
        program = NOT_INSTALLED.match(reason)
        allowed = program.group(1) in lacks if program else reason in ALLOWED_SKIPS
        print(f"skipped: {test}: {reason}")
        if not allowed:
            found.append(f"{test} was skipped, and must not be: {reason}")
    if result.testsRun <= sum(isinstance(test, unittest.TestCase) for test, _ in result.skipped):
        found.append("no test ran")
    version = tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    if version >= KERNEL_FOLLOWS and any("test_rekey" in str(name) for name in chosen or MODULES):
        if not total["tls_rekeys"] or total["tls_rekeys_refused"]:
            found.append("this kernel can follow a KeyUpdate, and the servers did not")
    return found


def main():
    started = time.monotonic()
    chosen = sys.argv[1:]
    total = count_servers()
    suite = load(chosen, os.environ["RELAY_TEST_CHOICE"])
    release = os.uname().release
    print(f"kernel {release}: {suite.countTestCases()} tests", flush=True)
    runner = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=TimedResult)
    result = runner.run(suite)
    wrong = complaints(result, chosen, total)
    print("\n".join(wrong))
    print("all servers:", ", ".join(f"{name} {value}" for name, value in total.items()))
    print(f"kernel {release}: {result.testsRun} tests, {len(result.skipped)} of them skipped, in "
          f"{time.monotonic() - started:.0f} s", flush=True)
    sys.exit(0 if result.wasSuccessful() and not wrong else 1)


if __name__ == "__main__":
    main()
