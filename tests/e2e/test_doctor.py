"""relay doctor finds planted faults and names their cures, and finds none where there is none.

Method: a running relay whose options the doctor gets too, with one of them wrong at a time.
"""

import json
import os
import tempfile

import relay_support
from relay_support import RelayTestCase, relay_run


class Doctor(RelayTestCase):
    def setUp(self):
        self.relay = self.start(RELAY_AUDIENCE=None)

    def start(self, **options):
        """The public URL is the relay's own address, as a doctor must be able to reach it."""
        port = relay_support.ReservedPort()
        self.addCleanup(port.release)
        self.audience = f"http://127.0.0.1:{port.number}"
        return super().start(**{**options, "RELAY_AUDIENCE": self.audience,
                                "RELAY_PORT_ACCESS": str(port.number)})

    def findings(self, *arguments, status=1, **changes):
        options = {"RELAY_AUDIENCE": self.audience, "RELAY_URL": self.relay.url,
                   "RELAY_SECRET": self.relay.secret, "RELAY_CONNECTIONS_MAX": "100",
                   "RELAY_PORT_ACCESS": str(self.relay.listening["access_port"]),
                   "RELAY_PORT_RELAY": str(self.relay.listening["relay_port"]), **changes}
        done = relay_run("doctor", "--json", *arguments, **options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return {each["check"]: each for each in json.loads(done.stdout)["findings"]}

    def expect_fault(self, found, check, text, cure):
        self.assertEqual(found[check]["state"], "fault", found)
        self.assertIn(text, found[check]["text"])
        self.assertIn(cure, found[check]["cure"])

    def test_a_healthy_relay_has_no_faults(self):
        found = self.findings(status=0)
        self.assertEqual(found["round_trip"]["text"],
                         "a token opened a WebSocket at the public URL")
        self.assertEqual(found["io_uring"]["state"], "ok")
        self.assertEqual(found["port_access"]["state"], "warning")  # relay itself has it
        text = relay_run("doctor", RELAY_AUDIENCE=self.audience, RELAY_URL=self.relay.url,
                         RELAY_SECRET=self.relay.secret).stdout
        self.assertIn("ok       io_uring", text)

    def test_another_secret(self):
        self.expect_fault(self.findings(RELAY_SECRET="another"), "round_trip", "401", "SIGHUP")

    def test_a_relay_that_is_down(self):
        self.relay.stop()
        self.expect_fault(self.findings(), "round_trip", "", "systemctl start relay")

    def test_a_name_without_address(self):
        self.expect_fault(self.findings(RELAY_URL="wss://no-such-name.invalid"), "dns",
                          "no-such-name.invalid", "A or AAAA record")

    def test_a_certificate_that_is_not_there(self):
        self.expect_fault(self.findings(RELAY_TLS_CERT="/nowhere/c.pem",
                                        RELAY_TLS_KEY="/nowhere/k.pem"),
                          "certificate", "/nowhere/c.pem", "RELAY_TLS_CERT")

    def test_a_faulty_file_and_few_descriptors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "relay.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write("RELAY_PROT_ACCESS=1\n")
            self.expect_fault(self.findings("--config", path), "options",
                              "relay.conf:1: RELAY_PROT_ACCESS is no option", "--check-config")
        found = self.findings(status=0, RELAY_CONNECTIONS_MAX="1000000")
        self.assertEqual(found["descriptors"]["state"], "warning")
        self.assertIn("LimitNOFILE", found["descriptors"]["cure"])

    def test_without_options_the_machine_is_looked_at(self):
        done = relay_run("doctor", "--json")
        self.assertEqual(done.returncode, 1)
        checks = {each["check"] for each in json.loads(done.stdout)["findings"]}
        self.assertEqual(checks, {"options", "kernel", "io_uring", "kernel_tls", "descriptors",
                                  "clock", "handover"})


if __name__ == "__main__":
    relay_support.main()
