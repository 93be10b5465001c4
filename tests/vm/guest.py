"""Runs in the guest of run.py: the TLS tests that must see kernel TLS, in one Python process.

Loading Python takes an emulated processor seconds, and so does each start of a server; so the tests
are chosen here, and tls_support.EMULATED makes their sizes small.
"""

import importlib
import os
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
    "test_interop": ["Curl.test_curl_gets_a_code_by_post_and_an_answer_by_get", "SClientTalks",
                     "Websockets", "Bulk", "Gstreamer"],
    "test_reload": ["Reload.test_sighup_under_load_drops_nobody_and_fails_no_handshake"],
    "test_memory": ["Idle", "Handshakes"],
}


class TimedResult(unittest.TextTestResult):
    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        self.stream.writeln(f"    {time.monotonic() - self.started:.1f} s")
        super().stopTest(test)


def main():
    started = time.monotonic()
    suite = unittest.TestSuite()
    chosen = sys.argv[1:]
    for module, names in TESTS.items():
        loaded = importlib.import_module(module)
        for name in names:
            if not chosen or any(f"{module}.{name}".startswith(prefix) for prefix in chosen):
                suite.addTests(unittest.defaultTestLoader.loadTestsFromName(name, loaded))
    print(f"kernel {os.uname().release}: {suite.countTestCases()} tests", flush=True)
    runner = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=TimedResult)
    result = runner.run(suite)
    print(f"kernel {os.uname().release}: {result.testsRun} tests in "
          f"{time.monotonic() - started:.0f} s", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > len(result.skipped) else 1)


if __name__ == "__main__":
    main()
