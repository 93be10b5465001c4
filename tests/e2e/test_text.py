"""Text that is not UTF-8 (RFC 6455 §8.1) ends its sender with 1007 and reaches no other client:
each browser would fail its connection over it. The bounds are those of table 3-7 of Unicode 15.

Method: frames made by hand on raw sockets, cut at every place that can matter; a bystander on the
topic gets the messages before and after the bad one, and nothing of it.
"""

import relay_support
from relay_support import RelayTestCase, SharedRelayTestCase
from ws_raw import BINARY, CONTINUATION, PING, PONG, TEXT, encode_frame

FAULT = (1007, b"invalid utf8 in text message")
KOSME = "κόσμε".encode()
BAD = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2\x7f", b"\xc2\xc0", b"\xdf\xff",
       b"\xe0\x9f\xbf", b"\xe1\x80\x7f", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xef\xbf\xc0",
       b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80",
       b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", "µ".encode("latin-1"),
       b"\xed\xa1\x8c\xed\xbe\xb4"]
CUT = [b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98"]
GOOD = ["\x00", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffe", "\uffff",
        "\U00010000", "\U0010ffff", "grüße 🎥", ""]


class TextCase(SharedRelayTestCase):
    def setUp(self):
        self.topic = self.id().rsplit(".", 1)[1]
        self.bystander = self.track(self.relay.raw(self.topic))
        self.other = self.track(self.relay.raw(self.topic))

    def sender(self):
        return self.track(self.relay.publisher(self.topic))

    def check_refused(self, *pieces):
        """Each piece is sent when the one before it has been read."""
        client = self.sender()
        client.send(encode_frame(TEXT, b"before"))
        for piece in pieces[:-1]:
            client.send(piece)
            client.send(encode_frame(PING, b"read"))
            self.assertEqual(client.frame().opcode, PONG)
        client.send(pieces[-1])
        self.assertEqual(client.expect_close(), FAULT)
        self.assertEqual(self.bystander.message(), (TEXT, b"before"))
        self.check_nothing_came()

    def check_nothing_came(self):
        self.assertEqual(self.bystander.barrier(), [])
        self.other.send_message("after")
        self.assertEqual(self.bystander.message(), (TEXT, b"after"))


class Invalid(TextCase):
    def test_in_one_frame(self):
        for bad in BAD + CUT:
            for text in (bad, KOSME + bad, b"x" * 63 + bad, b"x" * 64 + bad + b"tail",
                         KOSME * 400 + bad + KOSME * 400):
                with self.subTest(bad=bad.hex(), size=len(text)):
                    self.check_refused(encode_frame(TEXT, text))

    def test_across_fragments(self):
        for bad in BAD:
            for cut in range(1, len(bad)):
                with self.subTest(bad=bad.hex(), cut=cut):
                    self.check_refused(encode_frame(TEXT, KOSME + bad[:cut], fin=False)
                                       + encode_frame(CONTINUATION, bad[cut:] + b"edited"))

    def test_a_message_that_ends_inside_a_character(self):
        for cut in CUT:
            with self.subTest(cut=cut.hex()):
                self.check_refused(encode_frame(TEXT, KOSME + cut))
                self.check_refused(encode_frame(TEXT, KOSME + cut, fin=False),
                                   encode_frame(CONTINUATION, b""))

    def test_a_bad_fragment_is_told_before_the_message_ends(self):
        """As Autobahn's cases 6.4.1 and 6.4.2 want it."""
        self.check_refused(encode_frame(TEXT, KOSME, fin=False),
                           encode_frame(CONTINUATION, b"\xf4\x90\x80\x80", fin=False))
        self.check_refused(encode_frame(TEXT, KOSME + b"\xf4", fin=False),
                           encode_frame(CONTINUATION, b"\x90", fin=False))

    def test_a_bad_byte_is_told_before_its_frame_ends(self):
        """As Autobahn's cases 6.4.3 and 6.4.4 want it."""
        for behind in (KOSME, b"x" * 20000):
            frame = encode_frame(TEXT, behind + b"\xf4\x90\x80\x80edited" + b"x" * 100000)
            head = len(encode_frame(TEXT, b"x" * 110000)) - 110000 + len(behind)
            with self.subTest(behind=len(behind)):
                client = self.sender()
                client.send(frame[:head + 1])
                client.send(frame[head + 1:head + 2])
                self.assertEqual(client.frame().close(), FAULT)
        self.check_nothing_came()

    def test_nothing_behind_it_is_delivered(self):
        self.check_refused(encode_frame(TEXT, b"bad \xff") + encode_frame(TEXT, b"too late")
                           + encode_frame(BINARY, b"too late"))

    def test_megabytes_before_it_are_not_delivered(self):
        self.check_refused(encode_frame(TEXT, KOSME * 300000 + b"\xff"))

    def test_it_is_counted_and_logged(self):
        before = self.relay.counters()["closed_invalid_text"]
        since = len(self.relay.lines)
        self.check_refused(encode_frame(TEXT, b"27.4 \xb0C"))
        self.assertEqual(self.relay.wait_counter("closed_invalid_text", before + 1)
                         ["closed_invalid_text"], before + 1)
        self.relay.wait_line("connection closed", since,
                             lambda line: line["reason"] == "text that is not UTF-8")


class Valid(TextCase):
    def test_every_border_of_the_table(self):
        client = self.sender()
        for text in GOOD:
            for size in (0, 61, 62, 63, 64, 65, 16380):
                payload = b"x" * size + text.encode("utf-8", "strict") * 3
                client.send_frame(TEXT, payload)
                self.assertEqual(self.bystander.message(), (TEXT, payload))

    def test_characters_that_fragments_and_receives_cut(self):
        client = self.sender()
        payload = ("aü€😀" * 30).encode()
        for size in (1, 2, 3, 5, 7, 64, 67):
            pieces = [payload[at:at + size] for at in range(0, len(payload), size)]
            frames = [encode_frame(TEXT if at == 0 else CONTINUATION, piece,
                                   fin=at == len(pieces) - 1) for at, piece in enumerate(pieces)]
            client.send(encode_frame(PING, b"between").join(frames))
            self.assertEqual(self.bystander.message(), (TEXT, payload))

    def test_megabytes_of_characters_of_each_length(self):
        client = self.sender()
        for shift, character in enumerate("aü€😀"):
            payload = b"s" * shift + character.encode() * 700000
            client.send_frame(TEXT, payload)
            self.assertTrue(self.bystander.message() == (TEXT, payload))

    def test_binary_messages_and_pings_are_any_bytes(self):
        client = self.sender()
        client.send(encode_frame(BINARY, b"\xff\xc0", fin=False) + encode_frame(PING, b"\xff")
                    + encode_frame(CONTINUATION, b"\x80"))
        self.assertEqual(client.frame().payload, b"\xff")
        self.assertEqual(self.bystander.message(), (BINARY, b"\xff\xc0\x80"))
        client.send_frame(TEXT, b"good")
        self.assertEqual(self.bystander.message(), (TEXT, b"good"))

    def test_a_reader_that_sends_such_text_hurts_no_one(self):
        reader = self.track(self.relay.viewer(self.topic))
        reader.send_frame(TEXT, b"\xff")
        self.assertEqual(reader.barrier(), [])
        self.check_nothing_came()


class Option(RelayTestCase):
    def test_pass_relays_it_as_practable_does(self):
        relay = self.start(RELAY_TEXT_UTF8="pass")
        viewer, publisher = self.track(relay.viewer()), self.track(relay.publisher())
        publisher.send_frame(TEXT, b"\xff\xfe invalid \xc0\x80")
        publisher.send_frame(TEXT, b"cut \xe2\x82")
        self.assertEqual([viewer.message(), viewer.message()],
                         [(TEXT, b"\xff\xfe invalid \xc0\x80"), (TEXT, b"cut \xe2\x82")])

    def test_other_values_are_refused(self):
        ended = relay_support.relay_run(
            "serve", RELAY_AUDIENCE="https://relay.test", RELAY_URL="ws://relay.test",
            RELAY_SECRET="s" * 32, RELAY_TEXT_UTF8="maybe")
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("RELAY_TEXT_UTF8", ended.stdout)
        self.assertIn("check or pass", ended.stdout)


if __name__ == "__main__":
    relay_support.main()
