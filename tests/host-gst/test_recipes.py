"""Goal: every pipeline that the documents show can be joined late, and again after the relay was
restarted. Method: the commands are taken from the documents' own text, cameras are replaced by test
sources; a viewer that joins a relay in the middle of the stream must get what ffmpeg decodes."""

import concurrent.futures
import glob
import http.server
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import recipes
from relay_support import (BUILD, SOURCE, TIME_SCALE, RelayTestCase, end_group_with_parent, main,
                           relay_environment, wait_until)
from test_pipelines import (decoded_pictures, has_element, inspect, need_tools,
                            sanitizer_environment)
from ws_raw import BINARY, TEXT

EARLY_MESSAGES = 40
LATE_MESSAGES = {"mpegts": 110, "jpeg": 20, "lines": 20, "sound": 280}
# The documents' longest distance between keyframes is 50 pictures; one more is still incomplete.
LATE_PICTURES = {"mpegts": 50, "jpeg": 20, "sound": 50}
SHOWN_PICTURES = 20
FRAME_WITHIN_S = 40 * TIME_SCALE
SENSOR_SCRIPT = """#!/bin/sh
n=0
while sleep 0.02; do n=$((n + 1)); echo "reading $n"; done
"""
COMMAND_ENDS_S = 600 * TIME_SCALE  # also when nothing ends it
STOOD_IN_FOR = ("v4l2src", "rtspsrc", "autovideosink")
# What the topics of the recipes carry that receive.
SOURCES = {
    "mpegts": recipes.H264 + " ! mpegtsmux",
    "jpeg": "videotestsrc is-live=true ! jpegenc",
    "lines": "fdsrc fd=0 do-timestamp=true ! text/x-raw,format=utf8",
}
BROKEN_LIBAV = "1.22.0"  # its avenc_mpeg1video fails always; mended in 1.22.1


def libav_version():
    found = re.search(r"Version\s+(\S+)", inspect("libav").stdout)
    return found and found.group(1)


def why_not(recipe):
    """The reason why this recipe cannot run here, or None."""
    missing = [name for name in recipe.elements
               if name not in STOOD_IN_FOR and name not in ("relaysink", "relaysrc")
               and not has_element(name)]
    if missing:
        return f"no {', '.join(missing)}"
    if "avenc_mpeg1video" in recipe.command and libav_version() == BROKEN_LIBAV:
        return f"avenc_mpeg1video of GStreamer {BROKEN_LIBAV} does not work"
    return None


class Camera:
    """An IP camera that serves MJPEG over HTTP."""

    def __init__(self):
        stream = subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25",
             "-frames:v", "25", "-c:v", "mjpeg", "-f", "image2pipe", "-"],
            stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
        self.pictures = [b"\xff\xd8" + part for part in stream.split(b"\xff\xd8")[1:]]
        self.closing = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/video.mjpg"

    def _handler_class(camera):  # pylint: disable=no-self-argument
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
                self.end_headers()
                number = 0
                while not camera.closing.wait(1 / 25):  # a camera has its own pace
                    picture = camera.pictures[number % len(camera.pictures)]
                    number += 1
                    try:
                        self.wfile.write(b"--picture\r\nContent-Type: image/jpeg\r\n"
                                         b"Content-Length: %d\r\n\r\n%s\r\n"
                                         % (len(picture), picture))
                    except OSError:
                        return

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class Recipes(RelayTestCase):
    def setUp(self):
        need_tools("gst-launch-1.0", "ffmpeg", "ffprobe")
        self.folder = tempfile.mkdtemp(prefix="recipes-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.camera = Camera()
        self.addCleanup(self.camera.close)
        self.environment = self.make_environment()

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_program(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.path(name), 0o755)

    def make_environment(self):
        """The programs that the documents presume come first in PATH."""
        self.make_program(recipes.SENSOR, SENSOR_SCRIPT)
        os.mkfifo(self.path(recipes.RECORDING))
        return relay_environment(PATH=f"{self.folder}:{os.environ['PATH']}",
                                 **sanitizer_environment())

    def run_command(self, name, command):
        with open(self.path(f"{name}.log"), "wb") as log:
            process = subprocess.Popen(["timeout", str(int(COMMAND_ENDS_S)), "bash", "-c", command],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       cwd=self.folder, env=self.environment,
                                       start_new_session=True, preexec_fn=end_group_with_parent)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def publish(self, relay, recipe):
        if recipes.RECORDING in recipe.command:
            self.run_command("recording", "ffmpeg -v error -re -f lavfi -i testsrc=size=320x240 "
                             f"-c:v mpeg2video -f mpegts pipe:1 > {recipes.RECORDING}")
        tty = self.path(f"{recipe.topic}.tty")
        if recipe.publishes and recipes.TTY in recipe.command:
            os.mkfifo(tty)
            self.run_command(f"{recipe.topic}-tty", f"{recipes.SENSOR} > {tty}")
        scope = "write" if recipe.publishes else "read"
        token_file = self.path(f"{recipe.topic}.token")
        with open(token_file, "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(relay.token(recipe.topic, (scope,)) + "\n")
        location = f"http://127.0.0.1:{relay.access_port}/session/{recipe.topic}"
        command = recipe.with_encoder(has_element).runnable(location, token_file, self.camera.url,
                                                            BUILD, tty)
        self.run_command(recipe.topic, self.with_files(recipe, command))

    def with_files(self, recipe, command):
        """What a window would show, or a recording have, goes where the test looks."""
        command = command.replace("autovideosink",
                                  "jpegenc ! multifilesink location="
                                  + self.path(f"{recipe.topic}-%05d.jpg"))
        return re.sub(r"filesink location=\w+\.ts",
                      "filesink buffer-mode=unbuffered location=" + self.path(f"{recipe.topic}.ts"),
                      command)

    def log_of(self, recipe):
        with open(self.path(f"{recipe.topic}.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def watch(self, relay, recipe, count):
        """What a viewer that joins now receives: so many messages."""
        viewer = relay.viewer(recipe.topic)
        messages = []
        try:
            while len(messages) < count:
                frame = viewer.frame(FRAME_WITHIN_S)
                if frame.opcode in (TEXT, BINARY):
                    messages.append(frame.payload)
        except (TimeoutError, ConnectionError) as fault:
            raise AssertionError(f"{recipe.source}: {len(messages)} of {count} messages came: "
                                 f"{fault}\n{self.log_of(recipe)}") from fault
        finally:
            viewer.kill()
        return messages

    def check_decodes(self, recipe, messages):
        if recipe.kind == "lines":
            numbers = [int(re.fullmatch(rb"reading (\d+)\n", line).group(1)) for line in messages]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
            return
        if recipe.kind == "jpeg":
            assert all(message[:2] == b"\xff\xd8" and message[-2:] == b"\xff\xd9"
                       for message in messages), f"{recipe.source}: a message is no JPEG"
        container = "mjpeg" if recipe.kind == "jpeg" else "mpegts"
        if recipe.kind == "sound":
            assert b"".join(messages).count(b"\0\0\1\xc0") > 10, f"{recipe.source}: no sound"
        pictures = decoded_pictures(b"".join(messages), container)
        assert pictures >= LATE_PICTURES[recipe.kind], (
            f"{recipe.source}: {pictures} pictures of {len(messages)} messages decode:\n"
            f"{recipe.command}\n{self.log_of(recipe)}")

    def join_late(self, relay, recipe):
        self.watch(relay, recipe, EARLY_MESSAGES)
        self.check_decodes(recipe, self.watch(relay, recipe, LATE_MESSAGES[recipe.kind]))

    def join_all(self, relay, chosen):
        """All at once. Each failure is told by itself."""
        with concurrent.futures.ThreadPoolExecutor(len(chosen)) as pool:
            waits = {recipe: pool.submit(self.join_late, relay, recipe) for recipe in chosen}
        for recipe, wait in waits.items():
            with self.subTest(recipe.source, after_restart=relay.restarted):
                wait.result()

    def choose(self, publishes):
        """What can run here, each command once; what cannot is told as a skipped subtest."""
        chosen = {}
        for recipe in recipes.all_recipes(SOURCE):
            if recipe.publishes != publishes:
                continue
            reason = why_not(recipe.with_encoder(has_element))
            if reason is None:
                chosen.setdefault(recipe.command, recipe)
            else:
                print(f"skipped: {recipe.source}: {reason}")
        return list(chosen.values())

    def test_every_documented_pipeline_can_be_joined_late_and_after_a_restart(self):
        chosen = self.choose(publishes=True)
        self.assertGreater(len(chosen), 5)
        relay = self.start()
        relay.restarted = False
        for recipe in chosen:
            self.publish(relay, recipe)
        self.join_all(relay, chosen)
        ports = relay.access_port, relay.relay_port
        relay.stop()
        again = self.start(RELAY_SECRET=relay.secret, RELAY_URL=relay.url,
                           RELAY_PORT_ACCESS=str(ports[0]), RELAY_PORT_RELAY=str(ports[1]))
        again.access_port, again.relay_port = ports
        again.restarted = True
        self.join_all(again, chosen)

    def feed(self, relay, recipe):
        """Puts on the topic what the recipe expects."""
        token_file = self.path(f"{recipe.topic}.feed")
        with open(token_file, "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(relay.token(recipe.topic, ("write",)))
        sensor = f"{recipes.SENSOR} | " if recipe.kind == "lines" else ""
        self.run_command(f"{recipe.topic}-feed",
                         f"{sensor}gst-launch-1.0 -q {SOURCES[recipe.kind]} ! relaysink location="
                         f"http://127.0.0.1:{relay.access_port}/session/{recipe.topic} "
                         f"token-file={token_file}")

    def shown(self, recipe):
        """Pictures that the recipe has shown or recorded, or lines that came out of it."""
        if "autovideosink" in recipe.command:
            return len(glob.glob(self.path(f"{recipe.topic}-*.jpg")))
        path = self.path(f"{recipe.topic}.tty" if recipe.kind == "lines" else f"{recipe.topic}.ts")
        if not os.path.exists(path):
            return 0
        with open(path, "rb") as file:
            data = file.read()
        if recipe.kind == "lines":
            return len(re.findall(rb"^reading \d+$", data, re.M))
        return decoded_pictures(data, "mpegts") if len(data) > 30000 else 0

    def test_every_documented_receiver_shows_what_comes(self):
        chosen = self.choose(publishes=False)
        self.assertGreater(len(chosen), 3)
        relay = self.start()
        for recipe in chosen:
            self.feed(relay, recipe)
            self.publish(relay, recipe)
        for recipe in chosen:
            with self.subTest(recipe.source):
                wait_until(lambda recipe=recipe: self.shown(recipe) >= SHOWN_PICTURES,
                           f"what {recipe.source} shows; {self.log_of(recipe)}", FRAME_WITHIN_S)


class Documents(unittest.TestCase):
    def test_recipes_are_whole_commands(self):
        found = recipes.all_recipes(SOURCE)
        self.assertGreater(len(found), 10)
        for recipe in found:
            with self.subTest(recipe.source):
                self.assertNotIn("…", recipe.command)
                self.assertRegex(recipe.command,
                                 r"gst-launch-1\.0 (.* ! relaysink |.*relaysrc .* ! )")
                self.assertRegex(recipe.command, "location=http")
                self.assertIn("token-file=", recipe.command)


if __name__ == "__main__":
    main()
