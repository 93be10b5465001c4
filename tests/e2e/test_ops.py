"""The files of ops/: promtool accepts the alerts, they fire when they should, and no dashboard or
alert asks for a metric that the relay does not have.

Method: promtool, where it is installed; the names in expressions against a scrape of a relay.
"""

import json
import os
import re
import shutil
import subprocess
import unittest

import relay_support
from relay_support import SOURCE, WAIT_S, RelayTestCase
from test_admin import ask

OPS = os.path.join(SOURCE, "ops")
NAME = re.compile(r"\b(?:relay|process)_[a-z_]+")
# Only with TLS, on kernels that tell, or made by Prometheus itself.
NOT_ALWAYS_THERE = {"relay_tls_certificate_not_after_seconds"}
needs_promtool = unittest.skipUnless(shutil.which("promtool"),
                                     "promtool is not installed (package prometheus)")


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False,
                          cwd=OPS, timeout=10 * WAIT_S)


def expressions(value):
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("expr", "query") and isinstance(each, str):
                yield each
            else:
                yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)


class Ops(RelayTestCase):
    @needs_promtool
    def test_alerts_are_rules(self):
        result = promtool("check", "rules", "relay-alerts.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    @needs_promtool
    def test_alerts_fire_when_they_should(self):
        result = promtool("test", "rules", "relay-alerts-test.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    @needs_promtool
    def test_the_scrape_is_a_configuration(self):
        result = promtool("check", "config", "relay-scrape.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_dashboard_and_alerts_know_only_metrics_that_there_are(self):
        with open(os.path.join(OPS, "relay-dashboard.json"), encoding="utf-8") as file:
            asked = " ".join(expressions(json.load(file)))
        with open(os.path.join(OPS, "relay-alerts.yml"), encoding="utf-8") as file:
            asked += file.read()
        relay = self.start(RELAY_ADMIN_LISTEN="127.0.0.1:0")
        publisher = self.track(relay.publisher("lab"))
        publisher.send_frame(2, b"x")
        relay_support.wait_until(
            lambda: b"relay_topic_last_message_age" in ask(relay, "/metrics").body, "a message")
        there = set(NAME.findall(ask(relay, "/metrics").body.decode()))
        wanted = set(NAME.findall(asked)) - NOT_ALWAYS_THERE
        self.assertGreater(len(wanted), 20)
        self.assertEqual(wanted - there, set())


if __name__ == "__main__":
    relay_support.main()
