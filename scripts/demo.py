#!/usr/bin/env python3
"""The running part of scripts/demo.sh.

    test camera ── GStreamer, relaysink ──> relay serve ──> relay client file ──> ffmpeg (decodes)

All on loopback, with secrets and certificates made for this run: https and wss, or http and ws with
--plain. Prints what flows; ends its own children, and only those, and removes its temporary folder
on every way out.

What "latency" means here: from the moment the live source delivers a picture inside GStreamer to
the moment the viewer holds the last byte of that picture: encoding, muxing, relaysink, the relay
and the client. Decoding and drawing come on top. The picture's own time stamp, which travels in
the MPEG transport stream, ties the two moments together; both are read from one clock.
"""

import argparse
import ctypes
import json
import os
import queue
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

REPORT_EVERY_S = 3
FIRST_PICTURE_WITHIN_S = 120
TOPIC = "demo-video"
OWN_TOPIC = "demo-mine"
CAMERA_FPS = 25
# GStreamer's mpegtsmux counts its time stamps from one hour.
TS_CLOCK_START_S = 3600
TS_CLOCK_HZ = 90000
TS_CLOCK_WRAP = 1 << 33
TS_PACKET_SIZE = 188
PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """Something the demo needs did not happen; the text says what."""


class Interrupted(Exception):
    """Ctrl-C or a termination signal."""


def die_with_parent():
    """Runs in a child before its program: even kill -9 of the demo leaves nothing behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Children:
    """The processes of the demo, in the order in which they are to end."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, command, environment=None, **streams):
        log = os.path.join(self.folder, f"{name}.log")
        with open(log, "ab") as log_file:
            streams.setdefault("stdout", log_file)
            # Own session: Ctrl-C in the terminal goes to the demo, which ends them in order.
            process = subprocess.Popen(
                command, env={**os.environ, **(environment or {})}, stderr=log_file,
                stdin=streams.pop("stdin", subprocess.DEVNULL), start_new_session=True,
                preexec_fn=die_with_parent, **streams)
        process.demo_name, process.demo_log = name, log
        self.running.append(process)
        return process

    def check(self):
        for process in self.running:
            if process.poll() is not None:
                raise DemoError(f"{process.demo_name} ended by itself with status "
                                f"{process.returncode}{log_tail(process)}")

    def end(self, process, how=signal.SIGTERM, within_s=6):
        """Returns the exit status; a child that does not listen is killed after within_s."""
        if process in self.running:
            self.running.remove(process)
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                print(f"demo: {process.demo_name} did not end within {within_s} s; killed")
                process.kill()
                process.wait()
        return process.returncode

    def kill_all(self):
        """After a failure: nothing here has anything to save."""
        for process in reversed(self.running):
            process.kill()
            process.wait()
        self.running.clear()


def log_tail(process):
    with open(process.demo_log, encoding="utf-8", errors="replace") as log_file:
        lines = log_file.read().splitlines()[-8:]
    return "".join(f"\n  {process.demo_name}: {line}" for line in lines)


class Camera:
    """Learns from gst-launch's messages when the live source delivered each picture.

    A message can only be read late, never early, so the smallest difference between the time of
    reading and the picture's own time is the best estimate of when the camera's clock began.
    """

    MESSAGE = re.compile(rb"chain .*pts: (\d+):(\d\d):(\d\d)\.(\d{9})")

    def __init__(self, process):
        self.clock_start = None
        self.pictures = 0
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            match = self.MESSAGE.search(line)
            if not match:
                continue
            now = time.monotonic()
            hours, minutes, seconds, nanoseconds = (int(text) for text in match.groups())
            running_time = hours * 3600 + minutes * 60 + seconds + nanoseconds / 1e9
            start = now - running_time
            self.pictures += 1
            if self.clock_start is None or start < self.clock_start:
                self.clock_start = start

    def taken_at(self, ts_clock):
        """When the picture with this time stamp was taken, on the monotonic clock."""
        if self.clock_start is None or ts_clock is None:
            return None
        start = TS_CLOCK_START_S * TS_CLOCK_HZ
        return self.clock_start + (ts_clock - start) % TS_CLOCK_WRAP / TS_CLOCK_HZ


def video_time_stamp(packet):
    """(starts a picture, its time stamp or None) of one transport stream packet."""
    starts_unit, has_payload = packet[1] & 0x40, packet[3] & 0x10
    if not starts_unit or not has_payload:
        return False, None
    start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    header = packet[start:start + 14]
    if len(header) < 9 or header[:3] != b"\0\0\1" or header[3] & 0xF0 != 0xE0:
        return False, None
    if not header[7] & 0x80 or len(header) < 14:
        return True, None
    stamp = header[9:14]
    return True, ((stamp[0] & 0x0E) << 29 | stamp[1] << 22 | (stamp[2] & 0xFE) << 14
                  | stamp[3] << 7 | stamp[4] >> 1)


class Viewer:
    """Reads what `relay client` received, counts the pictures, passes the bytes to a decoder."""

    def __init__(self, client, decoder, camera):
        self.camera = camera
        self.bytes_received = 0
        self.pictures = 0
        self.latencies = []
        self.lock = threading.Lock()
        self.first_picture = threading.Event()
        self.fault = None
        self._picture, self._video_stream = None, None
        self._to_decoder = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(client.stdout,), daemon=True)
        self._feeder = threading.Thread(target=self._feed, args=(decoder.stdin,), daemon=True)
        self._reader.start()
        self._feeder.start()

    def join(self):
        """After the client has ended: everything received is with the decoder, its input closed."""
        self._reader.join(5)
        self._feeder.join(5)

    def take_latencies(self):
        with self.lock:
            latencies, self.latencies = self.latencies, []
        return latencies

    def _read(self, stream):
        pending = b""
        while chunk := stream.read1(1 << 16):
            now = time.monotonic()
            self.bytes_received += len(chunk)
            self._to_decoder.put(chunk)
            pending += chunk
            whole = len(pending) // TS_PACKET_SIZE * TS_PACKET_SIZE
            for start in range(0, whole, TS_PACKET_SIZE):
                self._packet(pending[start:start + TS_PACKET_SIZE], now)
            pending = pending[whole:]
        self._to_decoder.put(None)

    def _packet(self, packet, now):
        if packet[0] != 0x47:
            self.fault = "what arrived is not a transport stream"
            return
        starts, stamp = video_time_stamp(packet)
        stream = (packet[1] & 0x1F) << 8 | packet[2]
        if starts:
            self._finish_picture()
            self._picture, self._video_stream = [stamp, now], stream
        elif self._picture is not None and stream == self._video_stream:
            self._picture[1] = now

    def _finish_picture(self):
        """The next picture begins, so the time of the last one's last byte is known."""
        if self._picture is None:
            return
        stamp, complete_at = self._picture
        taken_at = self.camera.taken_at(stamp)
        with self.lock:
            self.pictures += 1
            if taken_at is not None:
                self.latencies.append(complete_at - taken_at)
        self.first_picture.set()

    def _feed(self, stream):
        try:
            while chunk := self._to_decoder.get():
                stream.write(chunk)
                stream.flush()
            stream.close()
        except BrokenPipeError:
            pass  # the decoder died; Children.check tells


class Decoder:
    """Counts what ffmpeg decoded, from its progress reports."""

    def __init__(self, process):
        self.process = process
        self.pictures = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith(b"frame="):
                self.pictures = int(line[6:])

    def finish(self):
        """Its input is closed: waits for the last pictures. Returns its complaints."""
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            return ["ffmpeg did not finish within 10 s"]
        self._reader.join(5)
        with open(self.process.demo_log, encoding="utf-8", errors="replace") as log_file:
            return log_file.read().splitlines()


def free_ports(count):
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_until_listening(process, port, within_s=30):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    raise DemoError(f"relay serve does not listen on port {port}{log_tail(process)}")


def make_certificates(folder):
    """A certificate authority that lives for this run, and the server's certificate signed by it.

    Returns the paths (authority, certificate, key). The authority's key is gone afterwards.
    """
    def path(name):
        return os.path.join(folder, name)

    def openssl(*arguments):
        result = subprocess.run(["openssl", *arguments], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, check=False)
        if result.returncode != 0:
            raise DemoError(f"openssl {arguments[0]} failed: {result.stderr.strip()}")

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new_key, "-days", "30", "-subj", "/CN=relay demo authority",
            "-keyout", path("authority.key"), "-out", path("authority.pem"))
    openssl("req", *new_key, "-subj", "/CN=127.0.0.1", "-keyout", path("server.key"),
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-out", path("server.csr"))
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("authority.pem"),
            "-CAkey", path("authority.key"), "-days", "30", "-copy_extensions", "copy",
            "-out", path("server.pem"))
    os.unlink(path("authority.key"))
    return path("authority.pem"), path("server.pem"), path("server.key")


def sink(location, token_path, authority, between=" "):
    """relaysink with its properties; authority is None for a relay without TLS."""
    properties = [f"location={location}", f"token-file={token_path}"]
    if authority:
        properties.append(f"tls-ca-file={authority}")
    return "relaysink " + between.join(properties)


def camera_pipeline(location, token_path, authority):
    return ("videotestsrc is-live=true pattern=ball"
            f" ! video/x-raw,format=I420,width=640,height=480,framerate={CAMERA_FPS}/1"
            " ! identity name=camera silent=false"  # tells when each picture was taken
            " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=1000"
            f" ! mpegtsmux ! {sink(location, token_path, authority)}")


def own_camera_pipeline(location, token_path, authority):
    """For the user to type, over several lines."""
    between = " \\\n" + " " * 17
    return (f"videotestsrc is-live=true{between}! video/x-raw,format=I420 ! x264enc "
            f"tune=zerolatency key-int-max=25 ! mpegtsmux{between}"
            f"! {sink(location, token_path, authority, between)}")


class Demo:
    def __init__(self, build, folder, seconds, plain):
        self.relay = os.path.join(build, "relay")
        self.plugins = os.path.join(build, "gst")
        self.folder = folder
        self.seconds = seconds
        self.children = Children(folder)
        self.secret = secrets.token_urlsafe(32)
        self.authority = self.certificate = self.key = None
        if not plain:
            self.authority, self.certificate, self.key = make_certificates(folder)

    def run(self):
        self.server = self.start_server()
        tokens = {(topic, scope): self.make_token(topic, scope)
                  for topic in (TOPIC, OWN_TOPIC) for scope in ("read", "write")}
        client = self.start_viewer(tokens[TOPIC, "read"])
        publisher = self.start_publisher(tokens[TOPIC, "write"])
        camera = Camera(publisher)
        decoder = Decoder(self.start_decoder())
        viewer = Viewer(client, decoder.process, camera)

        print("demo: waiting for the first picture", flush=True)
        deadline = time.monotonic() + FIRST_PICTURE_WITHIN_S
        while not viewer.first_picture.wait(0.2):
            self.children.check()
            if time.monotonic() > deadline:
                raise DemoError(f"no picture within {FIRST_PICTURE_WITHIN_S} s"
                                f"{log_tail(publisher)}{log_tail(client)}{log_tail(self.server)}")
        self.print_hints()

        began = time.monotonic()
        try:
            self.report_until_done(camera, viewer, decoder, began)
        except Interrupted:
            print()
        lasted = time.monotonic() - began
        return self.finish(publisher, client, viewer, decoder, lasted)

    def start_server(self):
        tls = {} if self.certificate is None else {"RELAY_TLS_CERT": self.certificate,
                                                   "RELAY_TLS_KEY": self.key}
        secure = "s" if tls else ""
        for _ in range(3):
            # One port for both, so that a browser's trust in the certificate is for both.
            [self.access_port] = free_ports(1)
            self.access_url = f"http{secure}://127.0.0.1:{self.access_port}"
            server = self.children.start("relay-serve", [self.relay, "serve"], {
                **tls,
                "RELAY_AUDIENCE": self.access_url,
                "RELAY_BIND_ADDRESS": "127.0.0.1",
                "RELAY_LOG_FILE": "stdout",
                "RELAY_STORE": "memory",
                "RELAY_LOG_LEVEL": "info",
                "RELAY_PORT_ACCESS": str(self.access_port),
                "RELAY_PORT_RELAY": str(self.access_port),
                "RELAY_SECRET": self.secret,
                "RELAY_URL": f"ws{secure}://127.0.0.1:{self.access_port}",
                "RELAY_WATCH_PAGE": "true",
            })
            if wait_until_listening(server, self.access_port):
                print(f"demo: relay serve listens: access {self.access_url}, "
                      f"WebSockets ws{secure}://127.0.0.1:{self.access_port}")
                if tls:
                    print(f"demo: TLS by the kernel: {kernel_tls(server)}")
                return server
            # Somebody may have taken a port in between: other ports, then.
            self.children.running.remove(server)
        raise DemoError(f"relay serve does not start{log_tail(server)}")

    def make_token(self, topic, scope):
        path = os.path.join(self.folder, f"{topic}-{scope}.token")
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(self.relay_token(topic, scope))
        return path

    def watch_link(self, topic):
        """The address of the relay's page that shows the topic, with its statistics."""
        link = self.relay_token(topic, "read", RELAY_TOKEN_WATCH="true")
        return link.decode().strip() + "&stats"

    def relay_token(self, topic, scope, **more):
        result = subprocess.run([self.relay, "token"], capture_output=True, check=False, env={
            **os.environ,
            "RELAY_TOKEN_AUDIENCE": self.access_url,
            "RELAY_TOKEN_LIFETIME": "86400",
            "RELAY_TOKEN_SECRET": self.secret,
            "RELAY_TOKEN_TOPIC": topic,
            "RELAY_TOKEN_SCOPE_READ": str(scope == "read").lower(),
            "RELAY_TOKEN_SCOPE_WRITE": str(scope == "write").lower(),
            **more,
        })
        if result.returncode != 0:
            raise DemoError(f"relay token failed: {(result.stdout + result.stderr).decode()}")
        return result.stdout

    def session(self, topic):
        return f"{self.access_url}/session/{topic}"

    def start_viewer(self, token_path):
        return self.children.start("relay-client", [self.relay, "client", "file"], {
            **({"RELAY_CLIENT_CA_FILE": self.authority} if self.authority else {}),
            "RELAY_CLIENT_SESSION": self.session(TOPIC),
            "RELAY_CLIENT_TOKEN_FILE": token_path,
            "RELAY_CLIENT_MODE": "binary",
            "RELAY_CLIENT_FILE": "-",
        }, stdout=subprocess.PIPE)

    def start_publisher(self, token_path):
        pipeline = camera_pipeline(self.session(TOPIC), token_path, self.authority)
        command = ["gst-launch-1.0", "-e", "-v", *pipeline.split()]
        return self.children.start("gst-launch", command, {
            "GST_PLUGIN_PATH": self.plugins,
            "GST_REGISTRY": os.path.join(self.folder, "gst-registry.bin"),
        }, stdout=subprocess.PIPE)

    def start_decoder(self):
        return self.children.start("ffmpeg", [
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-f", "mpegts", "-probesize", "32768",
            "-analyzeduration", "500000", "-i", "pipe:0", "-fps_mode", "passthrough", "-progress",
            "pipe:1", "-stats_period", "1", "-f", "null", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def report_until_done(self, camera, viewer, decoder, began):
        pictures, bytes_received, since = 0, 0, began
        while self.seconds is None or since < began + self.seconds:
            until = since + REPORT_EVERY_S
            if self.seconds is not None:
                until = min(until, began + self.seconds)
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, 0.5))
                self.children.check()
                if viewer.fault:
                    raise DemoError(viewer.fault)
            now = time.monotonic()
            with viewer.lock:
                pictures_now, bytes_now = viewer.pictures, viewer.bytes_received
            rate = (pictures_now - pictures) / (now - since)
            print(f"demo: {now - began:5.0f} s  {pictures_now:6d} pictures received "
                  f"({rate:4.1f}/s), {decoder.pictures:6d} decoded  "
                  f"{(bytes_now - bytes_received) / 1000 / (now - since):6.1f} kB/s  "
                  f"latency {latency_text(viewer.take_latencies())}", flush=True)
            pictures, bytes_received, since = pictures_now, bytes_now, now

    def finish(self, publisher, client, viewer, decoder, lasted):
        """Ends everything in order and says whether pictures really arrived."""
        self.children.end(publisher, signal.SIGINT)
        self.children.end(client, signal.SIGINT)
        viewer.join()
        complaints = decoder.finish()
        server_status = self.children.end(self.server, signal.SIGTERM)
        print(f"demo: {viewer.pictures} pictures received in {lasted:.0f} s, "
              f"{decoder.pictures} decoded, {len(complaints)} decoder complaints")
        for line in complaints[:5]:
            print(f"demo:   ffmpeg: {line}")
        if server_status != 0:
            raise DemoError(f"relay serve ended with status {server_status}"
                            f"{log_tail(self.server)}")
        if decoder.pictures == 0 or decoder.pictures < viewer.pictures or complaints:
            raise DemoError("not every picture decoded")
        if lasted >= 2 and viewer.pictures < lasted * CAMERA_FPS / 2:
            raise DemoError(f"fewer than half of the camera's {CAMERA_FPS} pictures/s arrived")
        return 0

    def print_hints(self):
        relay, plugins = os.path.relpath(self.relay), os.path.relpath(self.plugins)
        ca_flag = f" \\\n                 --ca-file {self.authority}" if self.authority else ""
        own = own_camera_pipeline(self.session(OWN_TOPIC),
                                  f"{self.folder}/{OWN_TOPIC}-write.token", self.authority)
        trust = ("\n  (the browser warns of the certificate, whose authority is of this run)"
                 if self.authority else "")
        ending = f"Ends after {self.seconds} s." if self.seconds else "Ctrl-C ends everything."
        print(f"""
While this runs, in a browser on this machine, with the latency of each hop on the picture:
  {self.watch_link(TOPIC)}{trust}

From this folder in another terminal:
  watch:       {relay} client file --mode binary --session {self.session(TOPIC)} \\
                 --token-file {self.folder}/{TOPIC}-read.token{ca_flag} \\
                 | ffplay -loglevel error -fflags nobuffer -
  publish:     GST_PLUGIN_PATH={plugins} gst-launch-1.0 {own}
               (watch it as above with {OWN_TOPIC} in place of {TOPIC})
Latency is from the camera's picture inside GStreamer to its last byte at the viewer:
encoder, muxer, relaysink, relay and client; decoding and drawing come on top.
{ending}
""", flush=True)


def kernel_tls(server):
    """What the server's log says about TLS in the kernel."""
    with open(server.demo_log, encoding="utf-8", errors="replace") as log_file:
        for line in log_file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("msg") == "listening":
                return record.get("kernel_tls", "unknown")
    return "unknown"


def latency_text(latencies):
    """Median and maximum, or why there is none."""
    if not latencies:
        return "unknown (no time stamps)"
    median, most = statistics.median(latencies), max(latencies)
    if median < 0 or median > 60:
        return "unknown (time stamps of camera and viewer do not match)"
    return f"median {median * 1000:.1f} ms, max {most * 1000:.1f} ms"


def interrupt(_signal, _frame):
    # Once is enough: a second Ctrl-C must not break off the cleaning up.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def main():
    parser = argparse.ArgumentParser(description="The running part of scripts/demo.sh.")
    parser.add_argument("--build", required=True, help="folder with relay and gst/libgstrelay.so")
    parser.add_argument("--seconds", type=int, help="stop after this many seconds of pictures")
    parser.add_argument("--plain", action="store_true", help="http and ws, not https and wss")
    arguments = parser.parse_args()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    folder, demo = None, None
    try:
        folder = tempfile.mkdtemp(prefix="relay-demo-")
        demo = Demo(os.path.abspath(arguments.build), folder, arguments.seconds,
                    arguments.plain)
        return demo.run()
    except Interrupted:
        print("\ndemo: interrupted before pictures flowed", file=sys.stderr)
        return 130
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if demo:
            demo.children.kill_all()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
