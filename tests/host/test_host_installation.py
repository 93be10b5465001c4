"""An experiment as it is installed: its scripts unchanged, on port 8888 of localhost, with `relay
serve` behind nginx on the same machine. A browser's viewer decodes the camera, and data passes both
ways, also after each part was restarted.

Method: the program runs itself again in a network and mount namespace of its own, in which /dev has
a serial line that is a pseudo terminal; tests/host/installation has the scripts, and stand-ins for
a camera and for websocat where that is missing. Units are restarted as systemd does.
"""

import asyncio
import json
import os
import pathlib
import pty
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import tty
import urllib.request

import websockets

import host_support
import relay_support
from host_support import HostTestCase, client_support
from relay_support import AUDIENCE, WAIT_S, Relay

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE / "installation"
INSIDE = "RELAY_TEST_INSIDE"
TOOLS = ("unshare", "ip", "mount", "nginx", "socat", "ffmpeg", "curl", "openssl", "bash")
PICTURES = 40
WIDTH, HEIGHT = 64, 48
# A /dev of our own, in which a device can be made that no other program sees.
DEVICES = """set -e
mount -t tmpfs none "$0"
mkdir "$0/pts" "$0/shm"
for name in null zero full random urandom tty; do
    : > "$0/$name"
    mount --bind /dev/$name "$0/$name"
done
mount --rbind /dev/pts "$0/pts"
ln -s pts/ptmx "$0/ptmx"
ln -s /proc/self/fd "$0/fd"
mount --move "$0" /dev
ip link set lo up
"""


def why_not():
    """The reason why the test cannot run here, or None."""
    if relay_support.SANITIZED:
        return "an installation is tested with the programs that are installed"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"install {', '.join(missing)}"
    if os.geteuid() != 0:
        return "namespaces with a /dev and an nginx of their own need root"
    done = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True,
                          check=False)
    return f"no namespaces: {done.stderr.strip()}" if done.returncode != 0 else None


class Unit:
    """A service as systemd runs it: started again whenever it ends."""

    RESTART_S = 0.5

    def __init__(self, *command, **options):
        self.command, self.options = command, options
        self.over = threading.Event()
        self.started = 0
        self.process = None
        self.output = tempfile.TemporaryFile()
        self.keeper = threading.Thread(target=self._keep, daemon=True)
        self.keeper.start()

    def _keep(self):
        while not self.over.is_set():
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=self.output,
                stderr=subprocess.STDOUT, preexec_fn=relay_support.die_with_parent,
                **self.options)
            self.started += 1
            self.process.wait()
            self.over.wait(self.RESTART_S)

    def restart(self, by=signal.SIGTERM):
        before = self.started
        self.process.send_signal(by)
        relay_support.wait_until(lambda: self.started > before,
                                 f"{self.command[0]} to be restarted")

    def stop(self):
        self.over.set()
        relay_support.wait_until(lambda: self.process is not None, "the unit to have begun")
        while self.keeper.is_alive():
            self.process.kill()
            self.keeper.join(0.1)
        self.output.close()


class Installation(HostTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        client_support.Certificates(folder.name).issue("localhost", names="DNS:localhost")
        self.trust = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        self.relay = None
        self.start_relay("the secret of this relay")
        self.nginx = self.unit("nginx", "-p", folder.name, "-c", self.configure_nginx())
        self.configure_scripts()
        self.environment = {
            **relay_support.relay_environment(), "PRACTABLE_FILES": folder.name,
            "REAL_FFMPEG": shutil.which("ffmpeg"), "REAL_PYTHON": sys.executable,
            "SSL_CERT_FILE": str(self.folder / "ca.pem"),
            "PATH": f"{SCRIPTS / 'stand-in'}:{SCRIPTS}:{relay_support.BUILD}:{os.environ['PATH']}"}
        self.host = self.unit("relay", "host")
        self.serial, terminal = pty.openpty()
        tty.setraw(terminal)
        self.addCleanup(os.close, self.serial)
        self.addCleanup(os.close, terminal)
        os.symlink(os.ttyname(terminal), "/dev/ttyUSB0")
        self.addCleanup(os.unlink, "/dev/ttyUSB0")

    def unit(self, *command):
        unit = Unit(*command, env=getattr(self, "environment", None))
        self.addCleanup(unit.stop)
        return unit

    def start_relay(self, secret):
        if self.relay is not None:
            self.relay.stop()
        relay = Relay(RELAY_SECRET=secret, RELAY_PORT_ACCESS="3000", RELAY_PORT_RELAY="3001",
                      RELAY_URL="wss://localhost/ed0/relay", RELAY_PING_INTERVAL="25s")
        self.addCleanup(relay.kill)
        relay.access_port, relay.relay_port = 3000, 3001
        self.relay = relay

    def configure_nginx(self):
        text = (SCRIPTS / "nginx.conf").read_text(encoding="utf-8")
        file = self.folder / "nginx.conf"
        file.write_text(text.replace("FOLDER", str(self.folder)), encoding="utf-8")
        return str(file)

    def configure_scripts(self):
        for name, text in (("access", "https://localhost/ed0/access"), ("name", "pend00"),
                           ("secret", self.relay.secret), ("audience", AUDIENCE)):
            (self.folder / name).write_text(text, encoding="utf-8")

    def rules(self):
        """The oneshot beside the host's unit."""
        relay_support.wait_until(lambda: host_support.can_connect(8888), "the host to listen")
        subprocess.run(["session-rules"], env=self.environment, check=True, timeout=WAIT_S,
                       stdout=subprocess.DEVNULL)

    # The browser's side

    def uri(self, stream):
        request = urllib.request.Request(
            f"https://localhost/ed0/access/session/pend00-st-{stream}", data=b"{}",
            headers={"Authorization": self.relay.token(f"pend00-st-{stream}"),
                     "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=WAIT_S, context=self.trust) as reply:
            return json.loads(reply.read())["uri"]

    def view(self):
        """Pictures come, each a message, and are decoded."""
        async def receive():
            async with websockets.connect(self.uri("video"), ssl=self.trust,
                                          max_size=None) as viewer:
                return [await asyncio.wait_for(viewer.recv(), 3 * WAIT_S) for _ in range(PICTURES)]
        messages = self.retried(lambda: asyncio.run(receive()))
        self.assertEqual({message[0] for message in messages}, {0x47})
        decoded = subprocess.run(
            [shutil.which("ffmpeg"), "-loglevel", "error", "-f", "mpegts", "-i", "pipe:0", "-f",
             "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "pipe:1"],
            input=b"".join(messages), stdout=subprocess.PIPE, check=True, timeout=10 * WAIT_S)
        self.assertGreaterEqual(len(decoded.stdout) // (WIDTH * HEIGHT), PICTURES // 2)

    def talk(self):
        """A command reaches the instrument, and its answer the browser."""
        async def exchange():
            async with websockets.connect(self.uri("data"), ssl=self.trust) as student:
                heard = asyncio.ensure_future(student.recv())
                while not heard.done():
                    await student.send('{"set":"speed"}\n')
                    await asyncio.to_thread(self.answer)
                    await asyncio.wait([heard], timeout=0.2)
                return heard.result()
        self.assertIn('{"speed":1}', self.retried(lambda: asyncio.run(exchange())))

    def answer(self):
        """The instrument: a line for each that it hears."""
        os.set_blocking(self.serial, False)
        try:
            heard = os.read(self.serial, 4096)
        except BlockingIOError:
            return
        if b'{"set":"speed"}\r\n' in heard:
            os.write(self.serial, b'{"speed":1}\r\n')

    def retried(self, call):
        """What a page does: it asks again until the relay, nginx and the experiment are back."""
        def attempt():
            try:
                return call()
            except (OSError, websockets.exceptions.WebSocketException, asyncio.TimeoutError):
                return None
        return relay_support.wait_until(attempt, "the experiment to answer", 6 * WAIT_S)

    def test_its_scripts_serve_a_browser_also_after_each_part_was_restarted(self):
        self.rules()
        camera, websocat = self.unit("ffmpeg-camera"), self.unit("websocat-data")
        socat = self.unit("socat-data")
        self.view()
        self.talk()

        def restart_host():
            self.host.restart(signal.SIGKILL)
            self.rules()

        for part, restart in (("camera", camera.restart), ("websocat", websocat.restart),
                              ("socat", socat.restart), ("host", restart_host),
                              ("nginx", self.nginx.restart),
                              ("relay", lambda: self.start_relay(self.relay.secret))):
            with self.subTest(restarted=part):
                restart()
                self.view()
                self.talk()

    def test_local_programs_talk_through_feeds_without_a_destination(self):
        """As the analyser's services do: requests on one feed, results on another."""
        relay_support.wait_until(lambda: host_support.can_connect(8888), "the host to listen")

        async def exchange():
            address = "ws://localhost:8888/ws/"
            async with websockets.connect(address + "calibration") as asker, \
                    websockets.connect(address + "calibration") as server, \
                    websockets.connect(address + "rfswitch") as switch, \
                    websockets.connect(address + "rfswitch") as switched:
                await asker.send('{"cmd":"rc"}')
                self.assertEqual(await asyncio.wait_for(server.recv(), WAIT_S), '{"cmd":"rc"}')
                await switch.send('{"set":"port","to":"short"}')
                self.assertEqual(await asyncio.wait_for(switched.recv(), WAIT_S),
                                 '{"set":"port","to":"short"}')
                await server.send(b"\0" * 100000)
                self.assertEqual(len(await asyncio.wait_for(asker.recv(), WAIT_S)), 100000)
        asyncio.run(exchange())


def main():
    if INSIDE not in os.environ:
        if reason := why_not():
            print(f"skipped: {reason}")
            sys.exit(77)
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private",
                              sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["bash", "-c", DEVICES, folder], check=True)
    host_support.main()


if __name__ == "__main__":
    main()
