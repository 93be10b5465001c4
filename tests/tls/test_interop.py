"""Clients of other people's making over TLS, each with what it is used for.

curl and openssl s_client on the access API, python3-websockets, Node's ws, headless Chromium, and
GStreamer with relaysink; programs that are not installed are skipped with that reason.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

import relay_support
import tls_support
from relay_support import BUILD, WAIT_S, wait_until
from tls_support import EMULATED, KERNEL, TlsTestCase, authority, scaled, tls12_context
from ws_raw import BINARY, encode_frame

BULK_BYTES = scaled(110, 20, 6) * 1024 * 1024
BULK_MESSAGE = scaled(10, 2, 1) * 1024 * 1024  # 10 MiB is the largest that is relayed
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def run(*arguments, data=None, timeout_s=WAIT_S, **environment):
    return subprocess.run(arguments, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **environment}, timeout=timeout_s, check=False)


def missing(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


class Curl(TlsTestCase):
    def curl(self, relay, path, *arguments):
        done = run("curl", "--silent", "--show-error", "--cacert", authority().ca_file, *arguments,
                   "--write-out", "\n%{http_code} %{ssl_verify_result} %{http_version}",
                   f"https://localhost:{relay.access_port}{path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, codes = done.stdout.rpartition(b"\n")
        return body, codes.decode().split()

    def test_curl_gets_a_code_by_post_and_an_answer_by_get(self):
        relay = self.start(transport=None if not KERNEL else tls_support.TRANSPORT)
        versions = [("--tlsv1.3",)] if KERNEL else [("--tlsv1.3",), ("--tls-max", "1.2")]
        for version in versions:
            with self.subTest(version=version):
                body, codes = self.curl(relay, "/session/t0", *version, "-X", "POST", "-H",
                                        f"Authorization: {relay.token('t0')}")
                self.assertEqual(codes, ["200", "0", "1.1"])
                self.assertIn("code=", json.loads(body)["uri"])
                body, codes = self.curl(relay, "/status", *version)
                self.assertIn(codes[0], ("401", "403", "404"))
                # Two requests on one connection, and one that is refused.
                done = run("curl", "-s", "--cacert", authority().ca_file, *version,
                           *2 * [f"https://localhost:{relay.access_port}/bids/deny"])
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_curl_verifies(self):
        relay = self.start()
        for arguments in ((), ("--cacert", authority().ca_file, "--resolve",
                               f"other.example:{relay.access_port}:127.0.0.1")):
            host = "other.example" if arguments else "localhost"
            done = run("curl", "-s", "-S", *arguments, f"https://{host}:{relay.access_port}/status",
                       CURL_CA_BUNDLE="", SSL_CERT_FILE="/nowhere", SSL_CERT_DIR="/nowhere")
            self.assertIn(done.returncode, (60, 77), done.stderr)


class SClientTalks(TlsTestCase):
    def test_s_client_verifies_asks_and_sees_a_clean_end(self):
        relay = self.start(transport=None if not KERNEL else tls_support.TRANSPORT)
        request = (f"POST /session/t0 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                   f"Connection: close\r\nAuthorization: {relay.token('t0')}\r\n\r\n").encode()
        for version in ("-tls1_3",) if KERNEL else ("-tls1_3", "-tls1_2"):
            with self.subTest(version=version):
                done = run("openssl", "s_client", "-connect", f"localhost:{relay.access_port}",
                           "-servername", "localhost", "-CAfile", authority().ca_file, version,
                           "-verify_return_error", "-verify_hostname", "localhost", "-ign_eof",
                           "-alpn", "http/1.1", data=request)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(b"HTTP/1.1 200", done.stdout)
                self.assertIn(b"Verify return code: 0", done.stdout)
                self.assertIn(b"ALPN protocol: http/1.1", done.stdout)
                self.assertTrue(done.stdout.rstrip().endswith(b"closed"), done.stdout[-200:])


class Websockets(TlsTestCase):
    def test_python_websockets_in_both_directions(self):
        for context in (None,) if KERNEL else (None, tls12_context()):
            relay = self.start(context=context,
                               transport="user" if context else tls_support.TRANSPORT)
            peers = [self.track(relay.peer("t0")) for _ in range(3)]
            messages = ["grüße", b"", b"x", os.urandom(100000), "a" * 70000,
                        os.urandom(scaled(3000000, 1000000, 300000))]
            for sender in peers:
                for message in messages:
                    sender.send(message)
                for receiver in peers:
                    if receiver is not sender:
                        self.assertEqual(receiver.recv_many(len(messages)), messages)
            peers[0].ping()
            for peer in peers:
                peer.close()
                self.assertEqual(peer.ws.close_code, 1000)


class Bulk(TlsTestCase):
    """More than 100 MB up and down through one connection of each kind."""

    def test_bulk_each_way_is_identical(self):
        for context in (None,) if KERNEL else (None, tls12_context()):
            relay = self.start(context=context, RELAY_QUEUE_AGE="0s",
                               transport="user" if context else tls_support.TRANSPORT)
            viewer, publisher = (self.track(relay.viewer("bulk")),
                                 self.track(relay.publisher("bulk")))
            up, down, total = hashlib.sha256(), hashlib.sha256(), 0
            while total < BULK_BYTES:
                # The mask is zero: masking in Python would be most of the time.
                payload = os.urandom(BULK_MESSAGE)
                sender = threading.Thread(target=publisher.send, args=(
                    encode_frame(BINARY, payload, mask=b"\0\0\0\0"),))
                sender.start()
                down.update(viewer.message(timeout_s=10 * WAIT_S)[1])
                sender.join()
                up.update(payload)
                total += len(payload)
            self.assertEqual(up.digest(), down.digest())
            print(f"{total} bytes each way identical, {viewer.sock.version()}, "
                  f"{tls_support.TRANSPORT if not context else 'user'}")
            for client in (viewer, publisher):
                client.kill()


NODE_SCRIPT = """
const WebSocket = require("ws");
const [uri, ca] = process.argv.slice(2);
const ws = new WebSocket(uri, {ca: require("fs").readFileSync(ca), perMessageDeflate: false});
ws.on("message", (data, binary) => ws.send(data, {binary}));
ws.on("open", () => console.log("open"));
ws.on("error", (error) => { console.log("error " + error.message); process.exit(1); });
ws.on("close", (code) => { console.log("close " + code); process.exit(0); });
"""


class Node(TlsTestCase):
    """ws of npm echoes what it hears."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("node") or not shutil.which("npm"):
            raise unittest.SkipTest("node and npm are not installed")
        if EMULATED:
            raise unittest.SkipTest("node is tried natively only")
        cls.folder = tempfile.mkdtemp(prefix="relay-node-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        done = run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", cls.folder,
                   "ws@8", timeout_s=90)
        if done.returncode != 0:
            raise unittest.SkipTest("npm cannot install ws here: "
                                    + done.stderr.decode(errors="replace").strip()[-200:])

    def test_ws_echoes_and_closes_cleanly(self):
        relay = self.start()
        process = subprocess.Popen(
            ["node", "-e", NODE_SCRIPT, "script", relay.uri("t0"), authority().ca_file],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "NODE_PATH": os.path.join(self.folder, "node_modules")})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "open\n")
        client = self.track(relay.raw("t0"))
        for message in ("grüße", os.urandom(10), os.urandom(1000000), b""):
            client.send_message(message)
            text = message.encode() if isinstance(message, str) else message
            self.assertEqual(client.message()[1], text)
        client.kill()
        relay.stop()
        self.assertEqual(process.stdout.read(), "close 1001\n")
        self.assertEqual(process.wait(WAIT_S), 0)


BROWSER_PAGE = """<!doctype html><title>relay</title><body>waiting<script>
const ws = new WebSocket("URI");
ws.binaryType = "arraybuffer";
ws.onopen = () => ws.send("open");
ws.onmessage = (event) => ws.send(event.data);
ws.onclose = (event) => { document.body.textContent = "close " + event.code; };
</script></body>"""


class Browser(TlsTestCase):
    """A page in headless Chromium echoes what it hears."""

    @classmethod
    def setUpClass(cls):
        cls.browser = next((name for name in BROWSERS if shutil.which(name)), None)
        if cls.browser is None or EMULATED:
            raise unittest.SkipTest("no chromium is installed" if cls.browser is None
                                    else "chromium is tried natively only")

    def key_hash(self):
        """What Chromium wants in order to trust one certificate: the hash of its public key."""
        public = tls_support.openssl("x509", "-in", tls_support.default_pair()[0], "-pubkey",
                                     "-noout")
        der = tls_support.openssl("pkey", "-pubin", "-outform", "der", data=public)
        return tls_support.openssl("base64", "-A", data=hashlib.sha256(der).digest()).decode()

    def test_a_page_echoes_over_wss(self):
        relay = self.start()
        folder = tempfile.mkdtemp(prefix="relay-browser-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        page = os.path.join(folder, "page.html")
        client = self.track(relay.raw("t0"))
        with open(page, "w", encoding="ascii") as file:
            file.write(BROWSER_PAGE.replace("URI", relay.uri("t0")))
        process = subprocess.Popen(
            [self.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={folder}/profile", "--remote-debugging-port=0",
             f"--ignore-certificate-errors-spki-list={self.key_hash()}", f"file://{page}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(client.message(timeout_s=60)[1], b"open")
        for message in ("grüße", os.urandom(10), os.urandom(300000)):
            client.send_message(message)
            text = message.encode() if isinstance(message, str) else message
            self.assertEqual(client.message()[1], text)
        agents = {line["user_agent"] for line in relay.lines_of("new connection")}
        self.assertTrue(any("Chrome" in agent for agent in agents), agents)


class Gstreamer(TlsTestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(os.path.join(BUILD, "gst", "libgstrelay.so")):
            raise unittest.SkipTest("relaysink is not built here")
        if not shutil.which("gst-launch-1.0"):
            raise unittest.SkipTest("gst-launch-1.0 is not installed")
        cls.core = glob.glob("/usr/lib/*/gstreamer-1.0/libgstcoreelements.so")
        if not cls.core:
            raise unittest.SkipTest("GStreamer's core elements are not installed")
        if "address" in relay_support.cache_value("RELAY_SANITIZE"):
            raise unittest.SkipTest("gst-launch-1.0 cannot load a sanitized plugin")

    def test_relaysink_delivers_a_file_byte_for_byte(self):
        relay = self.start()
        folder = tempfile.mkdtemp(prefix="relay-gst-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        payload = os.urandom(scaled(8000000, 2000000, 500000))
        for name, data in (("data", payload), ("token", relay.token("t0").encode())):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        # Of the system's plugins the one that is needed: looking at all takes an emulated processor
        # half a minute.
        os.symlink(self.core[0], os.path.join(folder, "libgstcoreelements.so"))
        viewer = self.track(relay.viewer("t0"))
        process = subprocess.Popen(
            ["gst-launch-1.0", "-q", "filesrc", f"location={folder}/data", "blocksize=50000", "!",
             "relaysink", f"location=https://localhost:{relay.access_port}/session/t0",
             f"token-file={folder}/token", f"tls-ca-file={authority().ca_file}",
             "wait-for-connection=true", "framing=buffer"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "GST_PLUGIN_PATH": os.path.join(BUILD, "gst"),
                 "GST_PLUGIN_SYSTEM_PATH": folder, "GST_PLUGIN_SYSTEM_PATH_1_0": folder,
                 "GST_REGISTRY": os.path.join(folder, "registry")})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        heard = bytearray()
        while len(heard) < len(payload):
            heard += viewer.message(timeout_s=2 * WAIT_S)[1]
        self.assertEqual(heard, payload)
        self.assertEqual(process.wait(WAIT_S), 0, process.stdout.read())
        wait_until(lambda: relay.lines_of("connection closed"), "the sink's end")


class Scanner(TlsTestCase):
    @missing("testssl")
    def test_testssl_finds_nothing_weak(self):
        """Only what the scripted checks of test_handshake.py do not see, and what is quick."""
        if EMULATED:
            self.skipTest("testssl is run natively only")
        relay = self.start(transport=None, RELAY_HANDSHAKE_TIMEOUT="60s")
        report = os.path.join(authority().folder, "testssl.json")
        run("testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1",
            "--jsonfile", report, "--add-ca", authority().ca_file, "-p", "-s",
            "-R", "-C", "-H", "-I", "-T", "-O", "-B", f"localhost:{relay.access_port}",
            timeout_s=200)
        with open(report, encoding="utf-8") as file:
            findings = json.load(file)
        self.assertGreater(len(findings), 10)
        bad = [finding for finding in findings
               if finding["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
        self.assertEqual(bad, [])
        offered = {finding["id"]: finding["finding"] for finding in findings}
        self.assertIn("not offered", offered["TLS1"])
        self.assertIn("not offered", offered["TLS1_1"])
        self.assertIn("offered", offered["TLS1_3"])


if __name__ == "__main__":
    tls_support.main()
