"""A text data topic in both directions, with the tool that people have in their scripts.

Method: two `relay client pipe` processes talk through the relay; viewers on every worker overhear
them.
"""

import threading

import relay_support
from relay_support import RelayTestCase
from ws_raw import TEXT

WORKERS = 3


class Pipe(RelayTestCase):
    LINES = 200

    def test_lines_become_messages_and_messages_lines_in_both_directions(self):
        relay = self.start(RELAY_WORKERS=str(WORKERS), RELAY_PLACEMENT="accept",
                           RELAY_BUFFER_SIZE="512")
        viewers = [self.track(client)
                   for client in relay.raw_on_workers(WORKERS, "data", ("read",))]
        pipes = [self.pipe(relay, "data") for _ in range(2)]
        relay_support.wait_until(
            lambda: len([line for line in relay.lines_of("new connection")
                         if line["can_write"]]) == 2, "both pipes to connect")
        sent = [[f'{{"from":{index},"n":{number},"text":"grüße"}}' for number in range(self.LINES)]
                for index in range(2)]
        for process, lines in zip(pipes, sent):
            process.stdin.write("".join(line + "\n" for line in lines))
            process.stdin.flush()
        for index, process in enumerate(pipes):
            heard = [self.line(process) for _ in range(self.LINES)]
            self.assertEqual(heard, sent[1 - index])
        for viewer in viewers:
            messages = [viewer.message() for _ in range(2 * self.LINES)]
            self.assertEqual({opcode for opcode, _ in messages}, {TEXT})
            for index, lines in enumerate(sent):
                mark = f'{{"from":{index},'
                self.assertEqual([payload.decode() for _, payload in messages
                                  if payload.decode().startswith(mark)], lines)

    def line(self, process):
        timer = threading.Timer(relay_support.WAIT_S, process.kill)
        timer.start()
        try:
            return process.stdout.readline().rstrip("\n")
        finally:
            timer.cancel()


if __name__ == "__main__":
    relay_support.main()
