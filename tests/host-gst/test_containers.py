"""Goal: a container with stream headers (WebM, FLV, Ogg) can be decoded from its beginning on each
connection. Method: GStreamer's own muxers, a server that ends the connection in between, and
ffprobe on what each connection brought."""

import unittest

from test_pipelines import BUILD, PipelineTestCase, decoded_pictures, has_element, main

MESSAGES_EACH = 60
PICTURES_AT_LEAST = 10


class Containers(PipelineTestCase):
    def three_connections(self, container, encoder):
        self.launch("videotestsrc is-live=true ! "
                    f"video/x-raw,format=I420,width=160,height=120,framerate=30/1 ! {encoder} "
                    f"! {self.sink(options='')}")
        for connection in range(3):
            self.server.wait(lambda: len(self.server.messages_of) > connection and
                             len(self.server.messages_of[connection]) >= MESSAGES_EACH,
                             f"connection {connection}")
            self.server.end_connections()
        for messages in self.server.messages_of[:3]:
            self.assertGreaterEqual(decoded_pictures(b"".join(messages), container),
                                    PICTURES_AT_LEAST)

    @unittest.skipUnless(has_element("vp8enc", "webmmux"), "no vp8enc or webmmux")
    def test_each_connection_begins_with_the_headers_of_webm(self):
        self.three_connections("matroska", "vp8enc deadline=1 keyframe-max-dist=10 "
                               "! webmmux streamable=true")

    @unittest.skipUnless(has_element("x264enc", "h264parse", "flvmux"), "no x264enc or flvmux")
    def test_each_connection_begins_with_the_headers_of_flv(self):
        self.three_connections("flv", "x264enc tune=zerolatency speed-preset=ultrafast "
                               "key-int-max=10 ! h264parse ! flvmux streamable=true")

    @unittest.skipUnless(has_element("vp8enc", "oggmux"), "no vp8enc or oggmux")
    def test_each_connection_begins_with_the_headers_of_ogg(self):
        self.three_connections("ogg", "vp8enc deadline=1 keyframe-max-dist=10 "
                               "! oggmux max-delay=50000000 max-page-delay=50000000")


if __name__ == "__main__":
    if not BUILD:
        raise SystemExit("set RELAY_BUILD to the build folder, or run by ctest")
    main()
