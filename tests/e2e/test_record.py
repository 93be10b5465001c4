"""`relay client record`: the files of a video play, from the first byte to the last, although the
server was restarted meanwhile, and no picture is lost between two files.

Method: ffmpeg makes a stream of which no two pictures look the same; it is published in pieces that
cut packets, or by ffmpeg itself in real time; ffmpeg decodes what was recorded, must print no line,
and its pictures must be those of the source.
"""

import glob
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import relay_support
from relay_support import RelayTestCase, wait_until

HANGS_S = 250 * relay_support.TIME_SCALE
TOPIC = "lab-video"
PIECE_BYTES_MAX = 5000


def run_checked(command, **options):
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          timeout=HANGS_S, check=True, **options)


def decode(path):
    """Lines that the decoder printed, and a digest of each picture."""
    done = run_checked(["ffmpeg", "-v", "warning", "-i", path, "-map", "0:v", "-fps_mode",
                        "passthrough", "-f", "framemd5", "-", "-map", "0:a?", "-f", "null", "-"],
                       text=True)
    pictures = [line.rsplit(",", 1)[1].strip() for line in done.stdout.splitlines()
                if not line.startswith("#")]
    return [line for line in done.stderr.splitlines() if line.strip()], pictures


@unittest.skipIf(shutil.which("ffmpeg") is None, "ffmpeg is not installed")
class Record(RelayTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="relay-record-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def encode(self, seconds, keyint, *audio):
        inputs = ["-f", "lavfi", "-i", "testsrc2=size=176x144:rate=25"]
        if audio:
            inputs += ["-f", "lavfi", "-i", "sine=sample_rate=44100"]
        run_checked(["ffmpeg", "-v", "error", *inputs, "-t", str(seconds), "-c:v", "libx264",
                     "-preset", "veryfast", "-tune", "zerolatency", "-x264-params",
                     f"keyint={keyint}:scenecut=0", *audio, "-f", "mpegts", self.path("source.ts")])
        with open(self.path("source.ts"), "rb") as file:
            return file.read()

    def record(self, relay, name, *options):
        """A recorder that is connected; its log is in self.log."""
        self.log = []
        process = subprocess.Popen(
            [relay_support.relay_binary(), "client", "record", "--file", self.path(name), *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=relay_support.die_with_parent,
            env=relay_support.relay_environment(
                RELAY_CLIENT_SESSION=f"http://127.0.0.1:{relay.access_port}/session/{TOPIC}",
                RELAY_CLIENT_TOKEN=relay.token(TOPIC, ("read",))))
        self.addCleanup(relay_support.end_program, process)
        reader = threading.Thread(target=lambda: self.log.extend(process.stderr), daemon=True)
        reader.start()
        process.reader = reader
        self.wait_connections(1)
        return process

    def wait_connections(self, count):
        wait_until(lambda: sum("connected" in line for line in self.log) >= count,
                   "the recorder's connection")

    def stop_recorder(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(relay_support.WAIT_S), 0, self.log)
        process.reader.join(relay_support.WAIT_S)
        self.assertEqual(glob.glob(self.path("*.part")), [])

    def size(self, name):
        try:
            return os.path.getsize(self.path(name))
        except FileNotFoundError:
            return 0

    def publish(self, relay, stream):
        publisher = self.track(relay.raw(TOPIC, ("write",)))
        source = random.Random(len(stream))
        while stream:
            piece = source.randint(1, PIECE_BYTES_MAX)
            publisher.send_message(stream[:piece])
            stream = stream[piece:]
        publisher.kill()

    def test_a_restarted_server_leaves_no_scar(self):
        stream = self.encode(12, 25, "-c:a", "aac", "-b:a", "64k")
        relay = self.start()
        recorder = self.record(relay, "lab.ts")
        third = len(stream) // 3
        self.publish(relay, stream[:third])
        wait_until(lambda: self.size("lab.ts.part") >= third, "the first part")
        relay.stop()
        again = self.start(RELAY_PORT_ACCESS=str(relay.access_port), RELAY_URL=relay.url,
                           RELAY_PORT_RELAY=str(relay.relay_port), RELAY_SECRET=relay.secret)
        again.access_port, again.relay_port = relay.access_port, relay.relay_port
        self.wait_connections(2)
        before = self.size("lab.ts.part")
        self.assertLessEqual(before, third + 1000)
        self.publish(again, stream[2 * third - 1000:])
        wait_until(lambda: self.size("lab.ts.part") >= before + third // 2, "the second part")
        self.stop_recorder(recorder)
        lines, pictures = decode(self.path("lab.ts"))
        _, published = decode(self.path("source.ts"))
        self.assertEqual(lines, [])
        self.assertEqual(len(set(pictures) - set(published)), 0, "a picture is broken")
        self.assertGreater(len(pictures), len(published) // 2)
        self.assertEqual(pictures[:50], published[:50])
        print(f"{len(pictures)} of {len(published)} pictures recorded around a restart: no line of "
              "the decoder, none broken")

    def test_no_picture_is_lost_between_files(self):
        self.encode(6, 10)
        relay = self.start()
        recorder = self.record(relay, "lab-%H%M%S.ts", "--segment", "1s")
        binary = subprocess.Popen(
            [relay_support.relay_binary(), "client", "pipe", "--binary"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=relay_support.die_with_parent,
            env=relay_support.relay_environment(
                RELAY_CLIENT_SESSION=f"http://127.0.0.1:{relay.access_port}/session/{TOPIC}",
                RELAY_CLIENT_TOKEN=relay.token(TOPIC)))
        self.addCleanup(relay_support.end_program, binary)
        run_checked(["ffmpeg", "-v", "error", "-re", "-i", self.path("source.ts"), "-c", "copy",
                     "-f", "mpegts", "-"], stdout=binary.stdin)
        binary.stdin.close()
        self.assertEqual(binary.wait(relay_support.WAIT_S), 0)
        wait_until(lambda: len(self.files()) >= 4, "four files")
        self.stop_recorder(recorder)
        recorded = []
        for path in self.files():
            lines, pictures = decode(path)
            self.assertEqual(lines, [], path)
            recorded += pictures
        _, published = decode(self.path("source.ts"))
        self.assertEqual(recorded, published[:len(recorded)])
        self.assertGreater(len(recorded), len(published) * 2 // 3)
        print(f"{len(recorded)} of {len(published)} pictures in {len(self.files())} files, none "
              "between them lost")

    def files(self):
        return sorted(glob.glob(self.path("lab-*.ts")), key=os.path.getmtime)

    def test_the_name_of_an_existing_file_is_left_alone(self):
        stream = self.encode(1, 25)
        with open(self.path("lab.ts"), "wb") as file:
            file.write(b"precious")
        relay = self.start()
        recorder = self.record(relay, "lab.ts")
        self.publish(relay, stream)
        wait_until(lambda: self.size("lab-2.ts.part") >= len(stream), "the recording")
        self.stop_recorder(recorder)
        self.assertEqual(self.size("lab.ts"), len(b"precious"))
        lines, pictures = decode(self.path("lab-2.ts"))
        self.assertEqual((lines, len(pictures)), ([], 25))
        self.assertTrue(any("lab-2.ts" in line for line in self.log), self.log)

    def test_wrong_options_are_refused(self):
        for options, told in ((("--segment", "10ms"), "RELAY_CLIENT_SEGMENT"),
                              (("--file", ""), "RELAY_CLIENT_FILE")):
            done = relay_support.relay_run("client", "record", "--session", "ws://127.0.0.1:1/x",
                                           "--file", self.path("x"), *options)
            self.assertEqual(done.returncode, 1)
            self.assertIn(told, done.stdout + done.stderr)
        self.assertIn("--segment", relay_support.relay_run("client", "record", "--help").stdout)


if __name__ == "__main__":
    relay_support.main()
