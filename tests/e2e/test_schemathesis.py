"""swagger.json tells the truth: schemathesis derives requests from it, valid ones and others, and
holds the answers of a started server to it.

Method: three runs with a fixed seed: without a token, with one and parameters that are granted, and
with one and all other parameters.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import relay_support
from relay_support import SharedRelayTestCase

# What scripts/setup.sh makes.
TOOLS = os.environ.get("RELAY_PYTHON_TOOLS") or os.path.expanduser("~/.cache/relay/python")
TOOL = shutil.which("schemathesis", path=os.path.join(TOOLS, "bin")) or shutil.which("schemathesis")
EXAMPLES = 10 if relay_support.SANITIZED else 60
TOPIC, FUTURE = "t0", 4000000000

# An exp in the past is valid by its type and refused for its value, as is a bid of 255 characters
# that are more bytes; session_id must be the topic of the token. 204 has no content, and so no type
# of it (RFC 9110 §8.3).
SETTINGS = """
{parameters}
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "404", "422", "503"]

[[operations]]
include-name = ["POST /bids/allow", "POST /bids/deny"]
checks.content_type_conformance.enabled = false
"""
GRANTED = f"""
[parameters]
session_id = "{TOPIC}"
exp = {FUTURE}
"""


class Schemathesis(SharedRelayTestCase):
    options = {"RELAY_LOG_LEVEL": "warn"}

    def check(self, parameters="", headers=()):
        with tempfile.TemporaryDirectory() as folder:
            settings = os.path.join(folder, "schemathesis.toml")
            with open(settings, "w", encoding="utf-8") as file:
                file.write(SETTINGS.format(parameters=parameters))
            origin = f"http://127.0.0.1:{self.relay.access_port}"
            run = subprocess.run(
                [TOOL, "--config-file", settings, "run", f"{origin}/swagger.json", "--url", origin,
                 "--seed", "1", "--max-examples", str(EXAMPLES), "--no-color", "--warnings", "off",
                 "--generation-database", "none", *headers],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False,
                timeout=relay_support.TEST_HANGS_S)
        self.assertEqual(run.returncode, 0, run.stdout[-20000:])
        self.assertRegex(run.stdout, r"Tested: 9\b")  # all but the document itself
        return self.relay.counters()

    def token(self):
        token = self.relay.token(TOPIC, ("read", "relay:admin", "relay:stats"), 3600)
        return "--header", f"Authorization: {token}"

    def test_without_a_token(self):
        before = self.relay.counters()["sessions_granted"]
        self.assertEqual(self.check()["sessions_granted"], before)

    def test_with_a_token_and_parameters_that_are_granted(self):
        before = self.relay.counters()
        after = self.check(GRANTED, self.token())
        for name in ("sessions_granted", "bookings_denied", "bookings_allowed"):
            self.assertGreater(after[name], before[name], name)

    def test_with_a_token_and_any_parameters(self):
        self.check(headers=self.token())


if __name__ == "__main__":
    if TOOL is None:
        print("skipped: no schemathesis; scripts/setup.sh installs it where PyPI can be reached")
        sys.exit(77)
    relay_support.main()
