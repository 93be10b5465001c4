"""Encrypted connections: what is trusted, and what people are told when it is not.

Method: certificates made by the openssl program for each fault, served by Python's ssl module.
"""

import os
import socket
import ssl
import subprocess
import tempfile
import unittest.mock
import warnings

import relay_support
from client_support import Certificates, ClientTestCase, connect_proxy, uri_answer, wait_until


class Tls(ClientTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Freed memory is overwritten: OpenSSL is not instrumented, so no sanitizer sees it read.
        # The thread's cache has to go, as what it holds is spared.
        perturbed = unittest.mock.patch.dict(
            os.environ, GLIBC_TUNABLES="glibc.malloc.perturb=165:glibc.malloc.tcache_count=0")
        perturbed.start()
        cls.addClassCleanup(perturbed.stop)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.certificates = Certificates(folder.name)
        cls.ca_file = cls.certificates.path("ca.pem")
        cls.good = cls.certificates.context("good", "IP:127.0.0.1,DNS:localhost")

    def access(self, tls):
        server = self.ws_server(tls=self.good, echo=True)

        def script(connection, _):
            connection.read_head()
            connection.send(uri_answer(server.url))
        return self.server(script, tls=tls)

    def refused(self, location, **options):
        driver = self.driver(location, no_reconnect=1, **options)
        driver.start()
        event = driver.state("failed")
        self.assertEqual(event["fault"], "tls")
        return event["text"]

    def test_a_certificate_of_the_named_authority_is_trusted(self):
        for host in ("127.0.0.1", "localhost"):
            access = self.access(self.good)
            driver = self.connected(f"https://{host}:{access.port}/session/t0",
                                    ca_file=self.ca_file)
            for size in (10, 16384, 1000000):
                driver.ask(f"send binary 1 1 {size}", "accepted")
            wait_until(lambda driver=driver: len(driver.messages()) == 3, "the echoes")
            self.assertEqual([m["len"] for m in driver.messages()], [10, 16384, 1000000])
            self.assertEqual(driver.call("stop 1000")["result"], 0)

    def test_what_is_wrong_with_a_certificate_is_said(self):
        context = self.certificates.context
        cases = {
            "certificate of 127.0.0.1 expired on 2021-02-03":
                context("expired", start="20200101000000Z", end="20210203000000Z"),
            "certificate of 127.0.0.1 is not valid before 2090-05-06":
                context("future", start="20900506000000Z"),
            "certificate of 127.0.0.1 is for other.example":
                context("other", names="DNS:other.example"),
            "certificate of 127.0.0.1 is self-signed": context("self", signed=False),
        }
        for cause, tls in cases.items():
            with self.subTest(cause=cause):
                location = self.access(tls).url("https")
                self.assertIn(cause, self.refused(location, ca_file=self.ca_file))

    def test_what_the_ca_file_names_is_trusted_as_it_is(self):
        certificates = self.certificates
        certificates.issue("middle", authority=True)
        certificates.issue("leaf", "middle")
        certificates.issue("stranger", "middle")
        alone, with_middle = certificates.served("leaf"), certificates.served("leaf", "middle")
        for tls, trusted in ((with_middle, "ca"), (with_middle, "middle"), (with_middle, "leaf"),
                             (alone, "middle"), (alone, "leaf")):
            with self.subTest(trusted=trusted, alone=tls is alone):
                server = self.ws_server(tls=tls)
                self.connected(server.url, ca_file=certificates.path(trusted + ".pem"))
        url = self.ws_server(tls=with_middle).url
        text = self.refused(url, ca_file=certificates.path("stranger.pem"))
        self.assertIn("not trusted here", text)
        self.assertNotIn("sends no intermediate", text)

    def test_a_server_that_sends_no_intermediate_is_told_from_an_unknown_authority(self):
        self.certificates.issue("middle2", authority=True)
        self.certificates.issue("leaf2", "middle2")
        text = self.refused(self.ws_server(tls=self.certificates.served("leaf2")).url,
                            ca_file=self.ca_file)
        self.assertIn("the server sends no intermediate certificate with it", text)

    def test_a_name_in_the_subject_alone_does_not_count(self):
        """RFC 9525 section 2; browsers and Go's clients refuse it too."""
        for host in ("127.0.0.1", "localhost"):
            self.certificates.issue("nameless", names=None)
            url = self.ws_server(tls=self.certificates.served("nameless")).url
            text = self.refused(url.replace("127.0.0.1", host), ca_file=self.ca_file)
            self.assertIn(f"certificate of {host} has no subjectAltName", text)

    def test_what_is_wrong_with_a_ca_file_is_said(self):
        url = self.ws_server(tls=self.good).url

        def file(name, content):
            path = os.path.join(self.folder, name)
            with open(path, "wb") as out:
                out.write(content)
            return path

        with open(self.ca_file, "rb") as pem, \
                open(self.certificates.path("ca.key"), "rb") as key:
            pem, key = pem.read(), key.read()
        der = ssl.PEM_cert_to_DER_cert(pem.decode())
        for path, cause in ((file("empty", b""), "is empty"),
                            (file("key", key), "holds a private key and no certificate"),
                            (file("der", der), "is in DER form, not PEM"),
                            (file("cut", pem[:200]), "is cut off"),
                            (file("text", b"hello"), "is not PEM"),
                            (self.folder, "Is a directory"),
                            (os.path.join(self.folder, "none"), "No such file or directory")):
            with self.subTest(cause=cause):
                text = self.refused(url, ca_file=path)
                self.assertIn(f"CA file {path}: {cause}", text)
                self.assertNotIn(" lib", text)

    def behind_proxy(self, tls):
        """An access server and a WebSocket server of the name relay.invalid, which no one but the
        proxy finds: the access server, the proxy, and what the proxy was asked."""
        asked = []
        server = self.ws_server(tls=tls, echo=True)

        def script(connection, _):
            connection.read_head()
            connection.send(uri_answer(f"wss://relay.invalid:{server.port}/session/t0"))
        proxy = self.server(connect_proxy("bWU6cEBzcw==", asked))  # "me:p@ss"
        return self.server(script, tls=tls), proxy, asked

    def test_tls_is_the_relays_through_a_proxy_with_credentials(self):
        access, proxy, asked = self.behind_proxy(
            self.certificates.context("hidden", "DNS:relay.invalid"))
        driver = self.connected(
            f"https://relay.invalid:{access.port}/session/t0", ca_file=self.ca_file,
            proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        for size in (10, 1000000):
            driver.ask(f"send binary 1 1 {size}", "accepted")
        wait_until(lambda: len(driver.messages()) == 2, "the echoes")
        self.assertEqual([m["len"] for m in driver.messages()], [10, 1000000])
        self.assertEqual(driver.call("stop 1000")["result"], 0)
        self.assertEqual(len(asked), 2, "the access request and the WebSocket")
        for line, fields in asked:
            self.assertRegex(line, r"^CONNECT relay\.invalid:\d+ HTTP/1\.1$")
            self.assertNotIn("authorization", fields, "tokens are none of the proxy's business")

    def test_a_proxy_that_refuses_and_a_certificate_of_another_name_are_told(self):
        access, proxy, _ = self.behind_proxy(self.good)
        location = f"https://relay.invalid:{access.port}/session/t0"
        driver = self.driver(location, no_reconnect=1, ca_file=self.ca_file,
                             proxy=f"http://me:wrong-word@127.0.0.1:{proxy.port}")
        driver.start()
        text = driver.state("failed")["text"]
        self.assertIn("the proxy refuses: 407 Proxy Authentication Required", text)
        self.assertNotIn("wrong-word", text)
        self.assertIn("relay.invalid", self.refused(
            location, ca_file=self.ca_file, proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}"))

    def test_the_name_is_verified_not_only_the_address(self):
        tls = self.certificates.context("address", names="IP:127.0.0.1")
        access = self.access(tls)
        text = self.refused(f"https://localhost:{access.port}/session/t0", ca_file=self.ca_file)
        self.assertIn("certificate of localhost is for", text)

    def test_an_unknown_authority_is_not_trusted(self):
        text = self.refused(self.access(self.good).url("https"))
        self.assertIn("not trusted here", text)

    def test_the_system_store_is_a_hashed_folder_or_a_bundle(self):
        location = self.access(self.good).url("https")
        ca_hash = subprocess.run(["openssl", "x509", "-in", self.ca_file, "-noout", "-hash"],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        hashed, empty = os.path.join(self.folder, "hashed"), os.path.join(self.folder, "empty")
        os.mkdir(hashed)
        os.mkdir(empty)
        os.link(self.ca_file, os.path.join(hashed, ca_hash + ".0"))
        for environment in ({"SSL_CERT_DIR": hashed},
                            {"SSL_CERT_DIR": empty, "SSL_CERT_FILE": self.ca_file},
                            {"SSL_CERT_DIR": hashed, "SSL_CERT_FILE": self.ca_file}):
            with self.subTest(environment=environment), \
                    unittest.mock.patch.dict(os.environ, environment):
                # The WebSocket of this access API is of the same authority.
                self.connected(location)

    def test_the_websocket_is_verified_as_well(self):
        expired = self.certificates.context("expired2", start="20200101000000Z",
                                            end="20210203000000Z")
        websocket = self.server(lambda *_: None, tls=expired)
        access = self.access_to(websocket.url("wss"), tls=self.good)
        text = self.refused(access.url("https"), ca_file=self.ca_file)
        self.assertIn("websocket 127.0.0.1", text)
        self.assertIn("expired on 2021-02-03", text)

    def test_insecure_connects_all_the_same(self):
        tls = self.certificates.context("self2", signed=False)
        self.connected(self.access(tls).url("https"), insecure=1)

    def test_a_ca_file_that_is_not_there_is_a_fault_until_it_is(self):
        path = os.path.join(self.folder, "ca.pem")
        driver = self.driver(self.access(self.good).url("https"), ca_file=path,
                             reconnect_delay_ms=10, reconnect_delay_max_ms=40)
        driver.start()
        event = driver.state("waiting")
        self.assertEqual(event["fault"], "tls")
        self.assertIn(f"CA file {path}", event["text"])
        os.link(self.ca_file, path)
        driver.state("connected")

    def test_a_port_without_tls_is_said_to_be_one(self):
        def script(connection, _):
            connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.hold()
        text = self.refused(self.server(script).url("https"))
        self.assertIn("does not speak TLS", text)

    def test_an_end_inside_the_handshake_is_said(self):
        def script(connection, _):
            connection.sock.recv(100000)
            connection.sock.close()
        text = self.refused(self.server(script).url("https"))
        self.assertIn("ended in the TLS handshake", text)

    def test_an_end_without_close_notify_is_an_end(self):
        def script(connection, _):
            connection.upgrade()
            # The socket below TLS is closed without a word of TLS.
            socket.socket(fileno=connection.sock.detach()).close()
        server = self.server(script, tls=self.good)
        driver = self.driver(server.url("wss"), ca_file=self.ca_file, no_reconnect=1)
        driver.start()
        event = driver.state("failed")
        self.assertEqual(event["fault"], "closed")
        self.assertIn("ended without a Close", event["text"])

    def test_old_protocol_versions_are_refused(self):
        tls = self.certificates.context("old")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tls.minimum_version = ssl.TLSVersion.TLSv1
            tls.maximum_version = ssl.TLSVersion.TLSv1_1
        text = self.refused(self.access(tls).url("https"), ca_file=self.ca_file)
        self.assertIn("TLS", text)

    def test_tls_1_2_works(self):
        tls = self.certificates.context("tls12")
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        server = self.ws_server(tls=tls, echo=True)
        driver = self.connected(server.url, ca_file=self.ca_file)
        driver.ask("send binary 0 1 300000", "accepted")
        wait_until(driver.messages, "the echo")
        self.assertEqual(driver.messages()[0]["len"], 300000)

    def test_a_peer_that_never_reads_is_left_and_stop_is_quick(self):
        def script(connection, _):
            connection.upgrade()
            connection.finished.wait(60)
        server = self.server(script, tls=self.good)
        driver = self.connected(server.url("wss"), ca_file=self.ca_file, stall_timeout_ms=400,
                                reconnect_delay_ms=10)
        driver.ask("send binary 0 60 100000", "accepted")
        self.assertEqual(driver.state("waiting")["fault"], "stalled")


if __name__ == "__main__":
    relay_support.main()
