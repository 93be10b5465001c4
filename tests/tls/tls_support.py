"""Fixtures of the TLS tests: certificates, a relay that serves TLS, clients of Python's ssl module.

RELAY_TEST_TLS says which transport TLS 1.3 connections must use: "user" (the default; kernel TLS is
switched off where there is one) or "kernel". Every server is asked for its counters when it stops,
so records that took the other way fail the test.
"""

import atexit
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

import relay_support
import ws_peer
from relay_support import SANITIZED, WAIT_S, Relay, RelayTestCase
from ws_raw import RawClient

TRANSPORT = os.environ.get("RELAY_TEST_TLS", "user")
assert TRANSPORT in ("user", "kernel"), TRANSPORT
KERNEL = TRANSPORT == "kernel"
EMULATED = os.environ.get("RELAY_TEST_EMULATED") == "1"  # a processor in software: sizes shrink
COUNTER = "tls_kernel" if KERNEL else "tls_user"
TCP_ULP = 31
CA_CONFIG = """[ca]
default_ca = relay
[relay]
database = {folder}/index
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = {names}
"""
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def scaled(plain, sanitized, emulated):
    """A size for the machine this runs on."""
    return emulated if EMULATED else sanitized if SANITIZED else plain


def kernel_has_tls():
    """On a socket that is not connected the kernel complains of that only if it knows the name."""
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError as error:
            return error.errno == 107  # ENOTCONN
    return True


def openssl(*arguments, data=None):
    done = subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=WAIT_S, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments}: {done.stderr.decode()}")
    return done.stdout


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="relay-tls-")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.ca_file = self.path("ca.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path("ca.key"), "-out", self.ca_file, "-days", "3650",
                "-subj", "/CN=relay test authority")

    def path(self, name):
        return os.path.join(self.folder, name)

    def pair(self, name, names="DNS:localhost,IP:127.0.0.1", key="ec",
             start="20200101000000Z", end="20990101000000Z"):
        """(certificate file, key file); the common name is `name`. (`openssl ca`, because no
        other command of every OpenSSL 3 sets an end in the past.)"""
        cert, private, request, config = (
            self.path(name + suffix) for suffix in (".pem", ".key", ".csr", ".cnf"))
        kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}[key]
        openssl("req", "-new", "-newkey", *kind, "-nodes", "-keyout", private, "-out", request,
                "-subj", f"/CN={name}")
        for path, text in ((self.path("index"), ""), (self.path("index.attr"), ""),
                           (config, CA_CONFIG.format(folder=self.folder, names=names))):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        openssl("ca", "-batch", "-config", config, "-in", request, "-out", cert,
                "-notext", "-startdate", start, "-enddate", end)
        return cert, private


_shared = {}


def authority():
    if "authority" not in _shared:
        _shared["authority"] = Authority()
    return _shared["authority"]


def default_pair():
    """One certificate for all tests that do not care: making them takes time."""
    if "pair" not in _shared:
        _shared["pair"] = authority().pair("default")
    return _shared["pair"]


def client_context(minimum=None, maximum=None, ciphers=None, ca_file=None):
    context = ssl.create_default_context(cafile=ca_file or authority().ca_file)
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return context


def tls12_context(ciphers=None):
    return client_context(maximum=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)


class TlsClient(RawClient):
    """RawClient inside TLS. An end of the stream without close_notify raises ssl.SSLEOFError."""

    def __init__(self, port, context=None, server_name="localhost", session=None, **options):
        super().__init__(port, **options)
        try:
            self.sock = (context or client_context()).wrap_socket(
                self.sock, server_hostname=server_name, suppress_ragged_eofs=False,
                session=session)
        except BaseException:
            self.sock.close()
            raise

    def exchange(self):
        """An answer, whichever: then the server has chosen the transport."""
        self.send(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        return self.reply()

    def certificate_name(self):
        subject = self.sock.getpeercert()["subject"]
        return next(value for pairs in subject for key, value in pairs if key == "commonName")


class TlsRelay(Relay):
    """`relay serve` with certificates. stop() checks which transport the records took."""

    ORIGIN = "wss://localhost"

    def __init__(self, pairs=None, context=None, transport=TRANSPORT, **options):
        pairs = pairs or [default_pair()]
        self.context = context or client_context()
        self.transport = transport
        self.has_answered = False  # then some connection has taken a transport
        ktls = "auto" if KERNEL else "off" if kernel_has_tls() else "auto"
        super().__init__(**{
            "RELAY_KTLS": ktls,
            "RELAY_TLS_CERT": ",".join(cert for cert, _ in pairs),
            "RELAY_TLS_KEY": ",".join(key for _, key in pairs), **options})

    def stop(self, *arguments, **options):
        counters = super().stop(*arguments, **options)
        if self.transport is not None:
            other = {"user": "tls_kernel", "kernel": "tls_user"}[self.transport]
            assert counters[other] == 0, f"{counters[other]} connections took the other transport"
            assert counters[f"tls_{self.transport}"] > 0 or not self.has_answered
        return counters

    def request(self, method, target, headers=None, body=None, port=None):
        connection = http.client.HTTPSConnection("localhost", port or self.access_port,
                                                 timeout=WAIT_S, context=self.context)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            reply = connection.getresponse()
            self.has_answered = True
            return relay_support.Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def connect(self, context=None, port=None, **options):
        return TlsClient(port or self.relay_port, context or self.context, timeout_s=WAIT_S,
                         **options)

    def raw(self, *arguments, rcvbuf=None, headers=(), context=None, **changes):
        client = self.connect(context, rcvbuf=rcvbuf)
        try:
            client.upgrade(self.target(*arguments, **changes), headers)
            self.has_answered = True
        except BaseException:
            client.kill()
            raise
        return client

    def peer(self, *arguments, **changes):
        return ws_peer.Peer(self.uri(*arguments, **changes), timeout_s=WAIT_S, tls=self.context)


class TlsTestCase(RelayTestCase):
    def start(self, **options):
        relay = TlsRelay(**options)
        self.addCleanup(self._stop, relay)
        return relay

    def round_trip(self, relay, context=None, size=70000):
        """One message from a new publisher to a new viewer; returns the viewer's cipher."""
        viewer = self.track(relay.viewer("trip", context=context))
        publisher = self.track(relay.publisher("trip", context=context))
        payload = os.urandom(size)
        publisher.send_message(payload)
        self.assertEqual(viewer.message()[1], payload)
        cipher = viewer.sock.cipher()
        for client in (viewer, publisher):
            client.kill()
        return cipher


def main():
    relay_support.main()
