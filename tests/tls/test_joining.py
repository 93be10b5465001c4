"""A viewer sees a picture at once over TLS too: see support/joining.py."""

import unittest

import relay_support
import video_streams
from joining import Joining
from tls_support import TRANSPORT, TlsTestCase


@unittest.skipIf(video_streams.why_not(), video_streams.why_not())
class JoinsOverTls(Joining, TlsTestCase):
    TRANSPORT = f"tls ({TRANSPORT})"
    TIME_FACTOR = relay_support.TIME_SCALE

    def test_h264_cut_anywhere(self):
        self.join_many("h264", False, 4)

    def test_jpeg_at_a_picture_in_a_second(self):
        self.join_many("jpeg", True, 1, interval_s=1)


if __name__ == "__main__":
    relay_support.main()
