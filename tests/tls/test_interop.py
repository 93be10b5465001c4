"""Clients of other people's making over TLS: each with every suite of TLS 1.3, and with TLS 1.2.

curl and openssl s_client on the access API, python3-websockets, Node's ws, headless Chromium, and
GStreamer with relaysink; programs that are not installed are skipped with that reason.
RELAY_TEST_CHOICE=full asks for all of it on an emulated processor too, which else does a choice.
"""

import ctypes
import glob
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import relay_support
import tls_support
from relay_support import BUILD, SANITIZED, WAIT_S, wait_until
from tls_support import (EMULATED, SUITES, TRANSPORT, TlsTestCase, authority, client_context,
                         scaled, tls12_context)
from ws_raw import BINARY, encode_frame

FULL = not EMULATED or os.environ.get("RELAY_TEST_CHOICE") == "full"
TLS_1_2 = "TLS 1.2"
KINDS = (*SUITES, TLS_1_2) if FULL else SUITES[:1]
CIPHER_12 = "ECDHE-ECDSA-AES128-GCM-SHA256"
MIB = 1024 * 1024
BULK_BYTES = (20 if SANITIZED else 110) * MIB
BULK_MESSAGE = scaled(10, 2, 4) * MIB  # 10 MiB is the largest that is relayed
BULK_STEP = 4099  # from one message to the next in the block both are cut from
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NODE_MODULES = "/usr/share/nodejs"  # where the distribution's packages are
_libssl = ctypes.CDLL("libssl.so.3")


def context_of(kind):
    """A context that offers this suite of TLS 1.3 and nothing else. Python has no call for that, so
    OpenSSL is asked for it behind the object's head; the tests look at what was agreed on."""
    if kind == TLS_1_2:
        return tls12_context(CIPHER_12)
    context = client_context(minimum=ssl.TLSVersion.TLSv1_3)
    inner = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    assert _libssl.SSL_CTX_set_ciphersuites(inner, kind.encode()) == 1
    return context


def transport_of(kind):
    return "user" if kind == TLS_1_2 else TRANSPORT


def openssl_config(folder, kind):
    """For programs that have no option for it: OpenSSL's own configuration. Returns its name."""
    wanted = "MaxProtocol = TLSv1.2" if kind == TLS_1_2 else f"Ciphersuites = {kind}"
    path = os.path.join(folder, "openssl.cnf")
    with open(path, "w", encoding="ascii") as file:
        file.write("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\n"
                   f"system_default = defaults\n[defaults]\n{wanted}\n")
    return path


def run(*arguments, data=None, **environment):
    return subprocess.run(arguments, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **environment}, timeout=relay_support.TEST_HANGS_S,
                          check=False)


class InteropTestCase(TlsTestCase):
    def each_kind(self, check, **options):
        """check(kind, a server for it); the server is stopped, and its counters are judged, before
        the next one starts."""
        for kind in KINDS:
            with self.subTest(kind=kind):
                relay = self.start(context=context_of(kind), transport=transport_of(kind),
                                   **options)
                check(kind, relay)
            self.doCleanups()

    def folder(self):
        folder = tempfile.mkdtemp(prefix="relay-interop-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder


class Curl(InteropTestCase):
    def curl(self, relay, path, *arguments):
        done = run("curl", "--silent", "--show-error", "--cacert", authority().ca_file, *arguments,
                   "--write-out", "\n%{http_code} %{ssl_verify_result} %{http_version}",
                   f"https://localhost:{relay.access_port}{path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, codes = done.stdout.rpartition(b"\n")
        return body, codes.decode().split()

    def test_curl_gets_a_code_by_post_and_an_answer_by_get(self):
        self.each_kind(self.post_and_get)

    def post_and_get(self, kind, relay):
        version = (("--tls-max", "1.2") if kind == TLS_1_2
                   else ("--tlsv1.3", "--tls13-ciphers", kind))
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


class SClientTalks(InteropTestCase):
    def test_s_client_verifies_asks_and_sees_a_clean_end(self):
        self.each_kind(self.ask)

    def ask(self, kind, relay):
        request = (f"POST /session/t0 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                   f"Connection: close\r\nAuthorization: {relay.token('t0')}\r\n\r\n")
        version = (("-tls1_2", "-cipher", CIPHER_12) if kind == TLS_1_2
                   else ("-tls1_3", "-ciphersuites", kind))
        done = run("openssl", "s_client", "-connect", f"localhost:{relay.access_port}",
                   "-servername", "localhost", "-CAfile", authority().ca_file, *version,
                   "-verify_return_error", "-verify_hostname", "localhost", "-ign_eof",
                   "-alpn", "http/1.1", data=request.encode())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"HTTP/1.1 200", done.stdout)
        self.assertIn(b"Verify return code: 0", done.stdout)
        self.assertIn(b"ALPN protocol: http/1.1", done.stdout)
        cipher = CIPHER_12 if kind == TLS_1_2 else kind
        self.assertIn(f"Cipher is {cipher}".encode(), done.stdout)
        self.assertTrue(done.stdout.rstrip().endswith(b"closed"), done.stdout[-200:])


class Websockets(InteropTestCase):
    def test_python_websockets_in_both_directions(self):
        self.each_kind(self.talk)

    def talk(self, _, relay):
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


class Bulk(InteropTestCase):
    """More than 100 MB up and down through one connection of each kind (Python's ssl module).

    What Python does for a byte would be most of the time on an emulated processor. So the mask is
    zero, the messages are windows on one random block, each a little further on, and what is
    heard is compared with what was said instead of hashing both.
    """

    def hear(self, sock, size, room):
        """Exactly `size` bytes into `room`."""
        view, filled = memoryview(room), 0
        sock.settimeout(2 * WAIT_S)
        while filled < size:
            count = sock.recv_into(view[filled:size])
            self.assertGreater(count, 0, "the stream ended")
            filled += count

    def say(self, sock, head, payload):
        sock.settimeout(10 * WAIT_S)
        sock.sendall(head)
        sock.sendall(payload)

    def test_bulk_each_way_is_identical(self):
        self.each_kind(self.pour, RELAY_QUEUE_AGE="0s", RELAY_PING_INTERVAL="3600s")

    def pour(self, kind, relay):
        head = encode_frame(BINARY, b"", mask=b"\0\0\0\0", length=BULK_MESSAGE)
        relayed_head = encode_frame(BINARY, b"", mask=b"", length=BULK_MESSAGE)
        count = -(-BULK_BYTES // BULK_MESSAGE)
        block = memoryview(os.urandom(BULK_MESSAGE + count * BULK_STEP))
        room = bytearray(len(relayed_head) + BULK_MESSAGE)
        viewer, publisher = (self.track(relay.viewer("bulk")),
                             self.track(relay.publisher("bulk")))
        self.assertEqual(viewer.buffer, b"")
        began = time.monotonic()
        for number in range(count):
            payload = block[number * BULK_STEP:number * BULK_STEP + BULK_MESSAGE]
            sender = threading.Thread(target=self.say, args=(publisher.sock, head, payload))
            sender.start()
            self.hear(viewer.sock, len(room), room)
            sender.join()
            self.assertTrue(room.startswith(relayed_head), room[:16])
            self.assertTrue(room.endswith(payload), f"message {number} is not what was sent")
        for client in (viewer, publisher):
            self.assertEqual(client.sock.cipher()[0], CIPHER_12 if kind == TLS_1_2 else kind)
            client.kill()
        print(f"{count * BULK_MESSAGE} bytes each way identical in "
              f"{time.monotonic() - began:.1f} s, {kind}, records in {transport_of(kind)}",
              flush=True)


NODE_SCRIPT = """
const WebSocket = require("ws");
const [uri, ca, maxVersion, ciphers] = process.argv.slice(2);
const ws = new WebSocket(uri, {ca: require("fs").readFileSync(ca), perMessageDeflate: false,
                               maxVersion, ciphers});
ws.on("message", (data, binary) => ws.send(data, {binary}));
ws.on("open", () => console.log("open " + ws._socket.getCipher().name));
ws.on("error", (error) => { console.log("error " + error.message); process.exit(1); });
ws.on("close", (code) => { console.log("close " + code); process.exit(0); });
"""


class Node(InteropTestCase):
    """ws echoes what it hears."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("node"):
            raise unittest.SkipTest("node is not installed")
        if not os.path.isdir(os.path.join(NODE_MODULES, "ws")):
            raise unittest.SkipTest("node-ws is not installed")

    def test_ws_echoes_and_closes_cleanly(self):
        self.each_kind(self.echo, RELAY_CODE_TTL="300s")  # emulated, node takes long to start

    def echo(self, kind, relay):
        version, cipher = ("TLSv1.2", CIPHER_12) if kind == TLS_1_2 else ("TLSv1.3", kind)
        process = subprocess.Popen(
            ["node", "-e", NODE_SCRIPT, "script", relay.uri("t0"), authority().ca_file,
             version, cipher],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "NODE_PATH": NODE_MODULES})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), f"open {cipher}\n")
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


class Browser(InteropTestCase):
    """A page in headless Chromium echoes what it hears. The suite of TLS 1.3 is the browser's and
    the server's to choose: there is no option for it."""

    @classmethod
    def setUpClass(cls):
        cls.browser = next((name for name in BROWSERS if shutil.which(name)), None)
        if cls.browser is None:
            raise unittest.SkipTest("chromium is not installed")

    def key_hash(self):
        """What Chromium wants in order to trust one certificate: the hash of its public key."""
        public = tls_support.openssl("x509", "-in", tls_support.default_pair()[0], "-pubkey",
                                     "-noout")
        der = tls_support.openssl("pkey", "-pubin", "-outform", "der", data=public)
        return tls_support.openssl("base64", "-A", data=hashlib.sha256(der).digest()).decode()

    def echo(self, folder, version, **server):
        # An emulated processor takes a minute to show the page.
        relay = self.start(RELAY_CODE_TTL="300s", RELAY_PING_INTERVAL="400s", **server)
        page = os.path.join(folder, "page.html")
        client = self.track(relay.raw("t0"))
        self.assertEqual(client.sock.version(), version)
        with open(page, "w", encoding="ascii") as file:
            file.write(BROWSER_PAGE.replace("URI", relay.uri("t0")))
        process = subprocess.Popen(
            [self.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={folder}/profile", "--remote-debugging-port=0",
             f"--ignore-certificate-errors-spki-list={self.key_hash()}", f"file://{page}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.addCleanup(process.wait)
        # The browser is a script's child.
        self.addCleanup(os.killpg, process.pid, signal.SIGKILL)
        self.assertEqual(client.message(timeout_s=max(60, 4 * WAIT_S))[1], b"open")
        for message in ("grüße", os.urandom(10), os.urandom(300000)):
            client.send_message(message)
            text = message.encode() if isinstance(message, str) else message
            self.assertEqual(client.message()[1], text)
        relay.wait_line("new connection", where=lambda line: "Chrome" in line["user_agent"])

    def test_a_page_echoes_over_wss(self):
        self.echo(self.folder(), "TLSv1.3")

    @unittest.skipUnless(FULL, "in the full matrix only")
    def test_a_page_echoes_over_wss_with_tls_1_2(self):
        """The server offers no more: not every Chromium can be asked for it."""
        folder = self.folder()
        self.echo(folder, "TLSv1.2", transport="user", OPENSSL_CONF=openssl_config(folder, TLS_1_2))


class Gstreamer(InteropTestCase):
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
        self.each_kind(self.deliver)

    def deliver(self, kind, relay):
        folder = self.folder()
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
                 "GST_REGISTRY": os.path.join(folder, "registry"),
                 "OPENSSL_CONF": openssl_config(folder, kind)})
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
    @unittest.skipUnless(shutil.which("testssl"), "testssl is not installed")
    @unittest.skipUnless(FULL, "in the full matrix only")
    def test_testssl_finds_nothing_weak(self):
        """Only what the scripted checks of test_handshake.py do not see, and what is quick."""
        relay = self.start(transport=None, RELAY_HANDSHAKE_TIMEOUT="60s")
        report = os.path.join(authority().folder, "testssl.json")
        run("testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1",
            "--jsonfile", report, "--add-ca", authority().ca_file, "-p", "-s",
            "-R", "-C", "-H", "-I", "-T", "-O", "-B", f"localhost:{relay.access_port}")
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
