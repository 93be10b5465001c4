"""GET /docs, GET /swagger.json and GET /openapi.json: public, offline, and true."""

import html.parser
import json
import os
import re
import subprocess

import relay_support
from relay_support import SharedRelayTestCase
from rows import row


class Links(html.parser.HTMLParser):
    """What a browser would fetch, and whether every element is closed."""

    VOID = {"meta", "link", "br", "img", "input", "hr"}

    def __init__(self):
        super().__init__()
        self.fetched = []
        self.followed = []
        self.open = []
        self.title = ""

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "srcset", "data", "action") or tag == "link" and name == "href":
                self.fetched.append(value)
            elif name == "href":
                self.followed.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open[-1:] == ["title"]:
            self.title += data


class Docs(SharedRelayTestCase):
    def get(self, target, **headers):
        reply = self.relay.request("GET", target, headers)
        self.assertEqual(reply.status, 200, reply.body)
        return reply

    @row("Documentation",
         "GET /docs, without a token",
         "a page that loads ReDoc from cdn.jsdelivr.net",
         "a page that loads nothing from elsewhere",
         "K2")
    def test_the_page_loads_nothing(self):
        reply = self.get("/docs", Accept="text/html")
        self.assertTrue(reply.headers.get("Content-Type").startswith("text/html"))
        text = reply.body.decode()
        links = Links()
        links.feed(text)
        self.assertEqual(links.open, [])
        self.assertEqual(links.fetched, [])
        self.assertEqual(links.followed, ["openapi.json", "swagger.json"])
        self.assertEqual(links.title, "RelayAccess")
        self.assertNotIn("<script", text)
        self.assertNotRegex(text, r"url\(|@import")

    @row("Documentation", "GET /swagger.json, without a token", "Swagger 2.0 of the access API",
         "the same API in words of its own", "K2")
    def test_the_description_names_what_is_served(self):
        reply = self.get("/swagger.json", Accept="text/html")
        self.assertEqual(reply.headers.get("Content-Type"), "application/json")
        swagger = reply.json()
        self.assertEqual((swagger["swagger"], swagger["basePath"]), ("2.0", "/access"))
        page = self.get("/docs").body.decode()
        served = set()
        for path, operations in swagger["paths"].items():
            target = path.replace("{session_id}", "t0")
            for method in ("GET", "POST", "PUT", "DELETE"):
                status = self.relay.request(method, target).status
                if method.lower() in operations:
                    self.assertIn(status, (200, 401), f"{method} {path}")
                    served.add(status)
                    self.assertIn("this page" if path == "/docs" else path.lstrip("/"), page)
                else:
                    self.assertEqual(status, 405, f"{method} {path}")
        self.assertEqual(served, {200, 401})

    def test_the_base_path_is_that_of_the_public_url(self):
        for audience, path in (("https://relay.test", "/"), ("https://relay.test/", "/"),
                               ("https://relay.test/ed0/access", "/ed0/access")):
            with self.subTest(audience=audience):
                relay = self.start(RELAY_AUDIENCE=audience)
                for target in ("/swagger.json", path.rstrip("/") + "/swagger.json"):
                    swagger = relay.request("GET", target).json()
                    self.assertEqual(swagger["basePath"], path)

    def test_the_same_is_served_as_openapi(self):
        for audience, path in (("https://relay.test", "/"),
                               ("https://relay.test/ed0/access", "/ed0/access")):
            relay = self.start(RELAY_AUDIENCE=audience)
            openapi = relay.request("GET", "/openapi.json").json()
            swagger = relay.request("GET", "/swagger.json").json()
            self.assertEqual((openapi["openapi"], openapi["servers"]), ("3.1.0", [{"url": path}]))
            self.assertEqual(openapi["info"]["version"], swagger["info"]["version"])
            self.assertEqual({name: list(each) for name, each in openapi["paths"].items()},
                             {name: list(each) for name, each in swagger["paths"].items()})
            for reference in re.findall(r'"\$ref": ?"#/([^"]*)"', json.dumps(openapi)):
                place = openapi
                for name in reference.split("/"):
                    self.assertIn(name, place, reference)
                    place = place[name]

    def test_openapi_follows_swagger(self):
        done = subprocess.run([os.path.join(relay_support.SOURCE, "scripts", "openapi.py"),
                               "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_reference_of_the_description_exists(self):
        swagger = self.get("/swagger.json").json()
        for reference in re.findall(r'"\$ref": ?"#/([^"]*)"', json.dumps(swagger)):
            place = swagger
            for name in reference.split("/"):
                self.assertIn(name, place, reference)
                place = place[name]
        names = [operation["operationId"] for operations in swagger["paths"].values()
                 for operation in operations.values()]
        self.assertEqual(len(names), len(set(names)))

    def test_the_description_of_a_report_is_true(self):
        self.track(self.relay.raw("t0", headers=["User-Agent: ua", "X-Forwarded-For: 1.2.3.4"]))
        report = self.relay.request("GET", "/status", {
            "Authorization": self.relay.token(scopes=["relay:stats"])}).json()
        described = self.get("/swagger.json").json()["definitions"]["Report"]
        each, = [each for each in report if each["topic"] == "t0"]
        self.assertEqual(list(each), [name for name in described["properties"]
                                      if name != "tls"])  # this is plain TCP

    def test_other_methods_and_head(self):
        for target in ("/docs", "/swagger.json", "/openapi.json"):
            self.assertEqual(self.relay.request("POST", target, body=b"x").status, 405)
            self.assertEqual(self.relay.request("HEAD", target).body, b"")

    def test_not_on_the_port_of_the_websockets(self):
        for target in ("/docs", "/swagger.json", "/openapi.json"):
            self.assertEqual(self.relay.request("GET", target,
                                                port=self.relay.relay_port).status, 404)


if __name__ == "__main__":
    relay_support.main()
