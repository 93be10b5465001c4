"""Pages of other origins, where the operator lets them: what a browser asks and must find.

Method: a started server, requests with an Origin as browsers send them; answers that wait for the
disk or for other threads too, because they are written elsewhere.
"""

import os
import resource
import tempfile
import time

import relay_support
from relay_support import RelayTestCase
from rows import row
from ws_raw import RawClient

ORIGIN = "https://ui.example"


class Cors(RelayTestCase):
    def start_for(self, origins, **options):
        return self.start(RELAY_CORS_ORIGINS=origins, **options)

    def ask(self, relay, method, target, origin=ORIGIN, **headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return relay.request(method, target, {"Origin": origin, **fields})

    def check(self, reply, status, origin=ORIGIN):
        self.assertEqual(reply.status, status, reply.body)
        if origin is None:
            self.assertNotIn("Access-Control-Allow-Origin", reply.headers)
            return
        self.assertEqual(reply.headers.get_all("Access-Control-Allow-Origin"), [origin])
        self.assertEqual(reply.headers["Vary"], "Origin")

    @row("Browsers",
         "the question before a request of another origin (OPTIONS), with "
         "`RELAY_CORS_ORIGINS`",
         "405: nginx answers it",
         "204 with the origin, methods and fields",
         "F")
    def test_the_question_before_a_request(self):
        relay = self.start_for(f"https://other.example, {ORIGIN}")
        question = {"Access_Control_Request_Method": "POST",
                    "Access_Control_Request_Headers": "authorization,content-type"}
        reply = self.ask(relay, "OPTIONS", "/session/t0", **question)
        self.check(reply, 204)
        self.assertEqual(reply.body, b"")
        self.assertIn("POST", reply.headers["Access-Control-Allow-Methods"])
        for field in ("Authorization", "Content-Type"):
            self.assertIn(field, reply.headers["Access-Control-Allow-Headers"])
        self.check(self.ask(relay, "OPTIONS", "/session/t0", "https://evil.example", **question),
                   405, None)
        self.check(self.ask(relay, "OPTIONS", "/session/t0"), 405)

    @row("Browsers",
         "an answer to another origin, with `RELAY_CORS_ORIGINS`",
         "nginx adds the fields, to 2xx alone",
         "the relay adds them, to errors too",
         "F")
    def test_answers_and_errors(self):
        relay = self.start_for(ORIGIN)
        token = relay.token()
        self.check(self.ask(relay, "POST", "/session/t0", Authorization=token), 200)
        self.check(self.ask(relay, "POST", "/session/t0", Authorization="x"), 401)
        self.check(self.ask(relay, "POST", "/session/t1", Authorization=token), 401)
        wrong = self.ask(relay, "GET", "/session/t0", Authorization=token)
        self.check(wrong, 405)
        self.assertEqual(wrong.headers["Allow"], "POST")
        self.check(self.ask(relay, "GET", "/nope"), 404)
        self.check(self.ask(relay, "GET", "/docs"), 200)
        self.check(self.ask(relay, "POST", "/session/t0", "https://evil.example",
                            Authorization=token), 200, None)

    def test_answers_that_wait(self):
        with tempfile.TemporaryDirectory() as folder:
            relay = self.start_for(ORIGIN, RELAY_STORE=os.path.join(folder, "relay.db"))
            token = relay.token(scopes=("relay:admin", "relay:stats"))
            end = int(time.time()) + 60
            self.check(self.ask(relay, "GET", "/status", Authorization=token), 200)
            self.check(self.ask(relay, "POST", f"/bids/deny?bid=a&exp={end}",
                                Authorization=token), 204)
            resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE,
                             (0, resource.RLIM_INFINITY))
            self.check(self.ask(relay, "POST", f"/bids/deny?bid=b&exp={end}",
                                Authorization=token), 503)
            relay.stop()

    def test_an_origin_of_any_length_leaves_the_answer_whole(self):
        relay = self.start_for("*")
        token = relay.token()
        for method, target in (("GET", "/session/t0"), ("GET", "/docs"), ("POST", "/session/t0"),
                               ("OPTIONS", "/session/t0")):
            for length in (255, 256, *range(440, 640, 3), 2000):
                origin = "https://" + "o" * (length - 8)
                reply = self.raw_reply(relay, method, target, origin, token)
                head = reply.partition(b"\r\n\r\n")[0].decode()
                for line in head.split("\r\n")[1:]:
                    self.assertRegex(line, r"^[A-Za-z-]+: .", f"{method} {length}")
                self.assertEqual(f"Access-Control-Allow-Origin: {origin}" in head, length <= 255)

    @staticmethod
    def raw_reply(relay, method, target, origin, token):
        with RawClient(relay.access_port, timeout_s=relay_support.WAIT_S) as client:
            client.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n"
                        "Access-Control-Request-Method: POST\r\nConnection: close\r\n"
                        f"Authorization: {token}\r\n\r\n".encode())
            received = b""
            while data := client.sock.recv(65536):
                received += data
            return received


if __name__ == "__main__":
    relay_support.main()
