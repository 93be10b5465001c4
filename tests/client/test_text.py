"""The client library holds servers, and its own callers, to RFC 6455: text is UTF-8 (§8.1), a Close
has a code that may be on the wire (§7.4) and a reason in UTF-8 (§5.5.1).

Method: a scripted socket sends what a good server does not and reads the Close that answers it.
"""

import errno
import struct

import relay_support
from client_support import ClientTestCase, wait_until
from ws_raw import BINARY, CLOSE, CONTINUATION, TEXT, close_payload, encode_frame

KOSME = "κόσμε".encode()
BAD = [b"\x80", b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf",
       b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", "µ".encode("latin-1")]


def frame(opcode, payload=b"", **options):
    return encode_frame(opcode, payload, mask=b"", **options)


class StandardCase(ClientTestCase):
    def connect_to(self, data):
        """A driver connected to a server that says just this, and what it answered."""
        answers = []

        def script(connection, _):
            connection.upgrade()
            connection.send(data)
            answers.append(connection.read_frame())
            connection.hold()
        driver = self.connected(self.server(script).url("ws"), no_pings=1, no_reconnect=1)
        return driver, answers

    def check_refused(self, data, code, fault):
        driver, answers = self.connect_to(data)
        event = driver.wait(lambda line: line.get("fault") == "closed", "the end")
        self.assertIn(fault, event["text"])
        wait_until(lambda: answers, "the Close")
        opcode, payload, fin, masked = answers[0]
        self.assertEqual((opcode, payload, fin, masked),
                         (CLOSE, struct.pack(">H", code), True, True))
        self.assertEqual(driver.messages(), [])
        driver.end()


class Text(StandardCase):
    def check(self, data):
        self.check_refused(data, 1007, "not UTF-8")

    def test_text_that_is_not_utf8(self):
        for bad in BAD:
            with self.subTest(bad=bad.hex()):
                self.check(frame(TEXT, KOSME * 40 + bad + KOSME))

    def test_text_that_is_not_utf8_across_fragments(self):
        self.check(frame(TEXT, KOSME + b"\xf4", fin=False) + frame(CONTINUATION, b"\x90\x80\x80"))

    def test_it_is_told_with_the_first_bad_byte(self):
        self.check(frame(TEXT, KOSME, fin=False) + frame(CONTINUATION, b"\xf4\x90", fin=False))
        self.check(frame(TEXT, KOSME + b"\xf4\x90\x80\x80" + b"x" * 1000)[:-1000])

    def test_text_that_ends_inside_a_character(self):
        for cut in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"):
            with self.subTest(cut=cut.hex()):
                self.check(frame(TEXT, KOSME + cut))
        self.check(frame(TEXT, KOSME + b"\xc3", fin=False) + frame(CONTINUATION, b""))

    def test_good_text_and_any_binary_are_delivered(self):
        text = "aü€😀".encode() * 20000
        pieces = [text[at:at + 4099] for at in range(0, len(text), 4099)]
        driver, _ = self.connect_to(
            b"".join(frame(TEXT if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1)
                     for at, piece in enumerate(pieces)) + frame(BINARY, b"\xff\xc0"))
        wait_until(lambda: len(driver.messages()) == 2, "both messages")
        self.assertEqual([(m["message"], m["len"]) for m in driver.messages()],
                         [("text", len(text)), ("binary", 2)])

    def test_callers_are_told_of_their_own(self):
        server = self.ws_server()
        driver = self.connected(server.url)
        for bad in BAD + [KOSME[:-1]]:
            answer = driver.ask(f"send_bytes text {bad.hex()}", "result")
            self.assertEqual(answer["result"], -errno.EILSEQ, bad)
        self.assertEqual(driver.ask(f"send_bytes text {KOSME.hex()}", "result")["result"], 0)
        self.assertEqual(driver.ask("send_bytes binary ff", "result")["result"], 0)
        wait_until(lambda: len(server.messages) == 2, "both messages")
        self.assertEqual(server.messages, [KOSME.decode(), b"\xff"])


class Closing(StandardCase):
    def test_codes_that_must_not_be_sent(self):
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
            with self.subTest(code=code):
                self.check_refused(frame(CLOSE, close_payload(code, b"bye")), 1002,
                                   f"bad close code {code}")

    def test_reasons_that_are_not_utf8(self):
        for bad in BAD:
            with self.subTest(bad=bad.hex()):
                self.check_refused(frame(CLOSE, close_payload(1000, KOSME + bad)), 1002,
                                   "invalid utf8 payload in close frame")

    def test_a_payload_of_one_byte(self):
        self.check_refused(frame(CLOSE, b"\x03"), 1002, "close payload of one byte")

    def test_good_codes_are_echoed(self):
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000,
                     3999, 4000, 4999):
            with self.subTest(code=code):
                driver, answers = self.connect_to(frame(CLOSE, close_payload(code, KOSME)))
                event = driver.wait(lambda line: line.get("fault") == "closed", "the end")
                self.assertEqual(event["close"], code)
                wait_until(lambda: answers, "the Close")  # pylint: disable=cell-var-from-loop
                self.assertEqual(answers[0][1], struct.pack(">H", code))
                driver.end()


if __name__ == "__main__":
    relay_support.main()
