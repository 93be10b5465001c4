"""What tests ask of the admin listener of a relay."""

import http.client
import subprocess

from relay_support import WAIT_S, Reply


def admin_address(relay):
    host, _, port = relay.listening["admin"].rpartition(":")
    return host, int(port)


def ask(relay, target, method="GET", headers=None):
    connection = http.client.HTTPConnection(*admin_address(relay), timeout=WAIT_S)
    try:
        connection.request(method, target, headers=headers or {})
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


def samples(text):
    """Value by sample, without comments."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if line and not line.startswith("#")}


def metrics(relay):
    return samples(ask(relay, "/metrics").body.decode())


def check_by_promtool(text):
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          check=False, timeout=WAIT_S)
