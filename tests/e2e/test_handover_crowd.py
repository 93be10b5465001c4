"""Many connections across many hand-overs: none is closed, and no message is lost, doubled or
reordered, in either direction; the new program holds what the first one held.
"""

import relay_support
from relay_support import SANITIZED
from succession import SuccessionTestCase
from succession_crowd import LONG, cross


class HandoverCrowd(SuccessionTestCase):
    def test_plain(self):
        topics, members, hand_overs = (5, 10, 10) if SANITIZED else (20, 50, 50)
        cross(self, self.start(**LONG), hand_overs, topics=topics, members=members, period_s=0.2)


if __name__ == "__main__":
    relay_support.main()
