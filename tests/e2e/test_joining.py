"""A viewer sees a picture at once, whenever it joins: see support/joining.py."""

import unittest

import relay_support
import video_streams
from joining import Joining
from relay_support import RelayTestCase


@unittest.skipIf(video_streams.why_not(), video_streams.why_not())
class JoinsOverTcp(Joining, RelayTestCase):
    TRANSPORT = "tcp"
    TIME_FACTOR = relay_support.TIME_SCALE

    def test_h264_with_a_picture_in_each_message(self):
        self.join_many("h264", True, 4)

    def test_h264_with_b_pictures_cut_anywhere(self):
        self.join_many("h264-b", False, 4)

    def test_h264_of_open_groups_with_a_picture_in_each_message(self):
        self.join_many("h264-open", True, 4)

    def test_h264_of_open_groups_cut_anywhere(self):
        self.join_many("h264-open", False, 4)

    def test_h264_of_one_worker(self):
        self.join_many("h264", False, 1)

    def test_h265_cut_anywhere(self):
        self.join_many("h265", False, 4)

    def test_mpeg1_with_a_picture_in_each_message(self):
        self.join_many("mpeg1", True, 4)

    def test_mpeg1_with_b_pictures_cut_anywhere(self):
        self.join_many("mpeg1-b", False, 4)

    def test_jpeg_at_a_picture_in_a_second(self):
        self.join_many("jpeg", True, 4, interval_s=1)

    def test_a_key_picture_alone_and_then_the_next_group(self):
        for kind in ("h264-b", "mpeg1"):
            for by_picture in (True, False):
                with self.subTest(kind=kind, by_picture=by_picture):
                    self.join_past_the_bound(kind, by_picture)


if __name__ == "__main__":
    relay_support.main()
