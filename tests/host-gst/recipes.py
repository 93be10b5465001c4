"""The pipelines that the documents show, taken from their text, and made to run on a machine that
has no camera and another relay."""

import glob
import importlib.util
import os
import re
from typing import NamedTuple

DOCUMENTS = ("README.md", "docs/*.md", "docs/**/*.md", "host-gst/*.c")
SYNOPSES = (" SOURCE ! relaysink", "…")
DEMO = "scripts/demo.py"
SENSOR = "my-sensor"
RECORDING = "a.ts"
TTY = "/dev/ttyUSB0"
CAMERA_URL = re.compile(r"http://camera\.\S+")

# Devices become test sources of the same kind; all else stays as the document has it.
H264 = ("videotestsrc is-live=true ! video/x-raw,format=I420"
        " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50")
HARDWARE_ENCODERS = ("vah264enc", "vaapih264enc", "qsvh264enc", "nvh264enc", "v4l2h264enc")
STAND_INS = (
    (re.compile(r"v4l2src(?= ! video/x-h264)"), H264),
    (re.compile(r"rtspsrc location=\S+ latency=0"), H264 + " ! rtph264pay"),
    (re.compile(r"alsasrc"), "audiotestsrc is-live=true"),
    (re.compile(r"-f alsa -i default"), "-re -f lavfi -i sine"),
    (re.compile(r"v4l2src(?= ! image/jpeg)"), "videotestsrc is-live=true ! jpegenc"),
    (re.compile(r"v4l2src"), "videotestsrc is-live=true"),
    (re.compile(r"-f v4l2 -i /dev/video0"), "-re -f lavfi -i testsrc=size=320x240:rate=25"),
)


class Recipe(NamedTuple):
    source: str  # document, and which of its recipes
    command: str

    @property
    def topic(self):
        return re.sub("[^a-z0-9]+", "-", self.source.lower())

    @property
    def kind(self):
        """What the topic carries: lines, jpeg, mpegts, or sound as well."""
        if SENSOR in self.command or TTY in self.command:
            return "lines"
        if "alsa" in self.command:
            return "sound"
        return "jpeg" if "image/jpeg" in self.command else "mpegts"

    @property
    def publishes(self):
        return "relaysink" in self.command

    @property
    def elements(self):
        """Names that stand where gst-launch-1.0 expects an element."""
        pipeline = self.command.split("gst-launch-1.0", 1)[1]
        names = (part.split()[0] for part in pipeline.split("!"))
        return [name for name in names if "/" not in name and "=" not in name
                and not name.startswith("-") and not name.endswith(".")]

    def runnable(self, location, token_file, camera_url, build, tty):
        command = re.sub(r"location=https?://\S*/session/\S+", f"location={location}",
                         self.command)
        command = re.sub(r"token-file=\S+", f"token-file={token_file}", command)
        command = re.sub(r"tls-ca-file=\S+", "", command)
        command = CAMERA_URL.sub(camera_url, command).replace("build/release", build)
        command = command.replace(TTY, tty)
        for pattern, stand_in in STAND_INS:
            command = pattern.sub(stand_in, command)
        return command

    def with_encoder(self, has_element):
        """Encoders that this machine lacks are stood in for by x264."""
        command = self.command
        for name in HARDWARE_ENCODERS:
            if name in command and not has_element(name):
                command = command.replace(f"format=NV12 ! {name}", f"format=I420 ! {name}")
                command = re.sub(f'{name} (\\S+="[^"]*"|\\S+=\\S+| )+', "x264enc tune=zerolatency "
                                 "speed-preset=ultrafast key-int-max=50 ", command)
        return self._replace(command=command)


def markdown_blocks(text):
    """Code, fenced or indented, with continued lines joined."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```\w*\n(.*?)^```", "", text, flags=re.M | re.S)
    indented = re.findall(r"(?:^ {4}.*\n)+", rest, re.M)
    return [block.replace("\\\n", " ") for block in fenced + indented]


def c_blocks(text):
    """The |[ … ]| of documentation comments, one command each."""
    return [re.sub(r"\n \* ?", " ", block) for block in re.findall(r"\|\[(.*?)\]\|", text, re.S)]


def document_recipes(source, path):
    with open(os.path.join(source, path), encoding="utf-8") as file:
        text = file.read()
    blocks = c_blocks(text) if path.endswith(".c") else markdown_blocks(text)
    lines = [" ".join(line.split()) for block in blocks for line in block.split("\n")]
    commands = [line for line in lines if re.search("relaysink|relaysrc", line) and "!" in line
                and not any(synopsis in line for synopsis in SYNOPSES)]
    return [Recipe(f"{path} {number}", command) for number, command in enumerate(commands, 1)]


def demo_recipes(source):
    """scripts/demo.py makes its pipelines for a location and a token of the moment."""
    spec = importlib.util.spec_from_file_location("demo", os.path.join(source, DEMO))
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    terms = ("http://HOST/session/TOPIC", "FILE", None)
    return [Recipe(f"{DEMO} camera", "gst-launch-1.0 -q " + demo.camera_pipeline(*terms)),
            Recipe(f"{DEMO} hint",
                   "gst-launch-1.0 " + demo.own_camera_pipeline(*terms).replace("\\\n", " "))]


def all_recipes(source):
    """Every pipeline of every document, in order."""
    paths = {os.path.relpath(path, source) for pattern in DOCUMENTS
             for path in glob.glob(os.path.join(source, pattern), recursive=True)}
    found = [recipe for path in sorted(paths) for recipe in document_recipes(source, path)]
    return found + demo_recipes(source)
