"""Servers to compare relay with: how each is started, addressed, and found missing.

None is built or fetched from here: a recipe uses what its user has installed, and says what is
missing and how to get it.
"""

import contextlib
import ctypes
import os
import pathlib
import resource
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
RELEASE = HERE.parents[1] / "build" / "release"
READY_S = 20
END_S = 10
DEBIAN_MODULES = "/usr/share/nodejs"  # of Debian's packages, such as node-ws
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Missing(Exception):
    """One line: what is missing, and how to get it."""


class Failed(Exception):
    """One line: a peer that did not start."""


def add_programs(parser):
    """The options of each program here that name what it starts."""
    parser.add_argument("--relay", default=str(RELEASE / "relay"), help="default: build/release")
    parser.add_argument("--bench", default=str(RELEASE / "perf" / "relay-bench"),
                        help="relay-bench; default: build/release")


@contextlib.contextmanager
def free_ports(count):
    """Ports that stay ours: bound, never listened to, and shared with a server, which may have them
    because it asks for shared addresses as well. Nothing else is given them meanwhile."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]


def die_with_parent(by=signal.SIGKILL):
    """For a child before its exec: no server outlives a comparison that is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, by)


def descendants(pid):
    """The process and all that it has started."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def _worker_threads(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text(encoding="ascii").startswith("worker "):
                found.append(int(task.name))
    return found


def await_workers(pid, count):
    """Ids of relay's worker threads, which may begin to run after its ports are open."""
    deadline = time.monotonic() + READY_S
    while len(_worker_threads(pid)) < count:
        if time.monotonic() > deadline:
            raise Failed(f"relay has {len(_worker_threads(pid))} of {count} workers")
        time.sleep(0.02)
    return _worker_threads(pid)


class Process:
    """A server in a group of its own, tied to one CPU, ended with all that it has started."""

    def __init__(self, command, cpu, environment=None, orphaned=signal.SIGKILL):
        def prepare():
            die_with_parent(orphaned)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, **(environment or {})}, preexec_fn=prepare)

    def await_port(self, port):
        deadline = time.monotonic() + READY_S
        while True:
            if self.process.poll() is not None:
                raise Failed(f"it ended with status {self.process.returncode}: {self.output()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            if time.monotonic() > deadline:
                raise Failed(f"nothing listens on port {port}: {self.output()}")
            time.sleep(0.02)

    def output(self):
        self.log.seek(0)
        return " ".join(self.log.read()[-400:].split()) or "(no output)"

    def pids(self):
        return descendants(self.process.pid)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


class Spawned:
    """A program that takes `serve` and relay's environment: relay-bench starts it itself."""

    def __init__(self, path, cure):
        self.path = shutil.which(path)
        if self.path is None:
            raise Missing(f"{path} is not there or not executable: {cure}")

    @contextlib.contextmanager
    def running(self, _cpu, tls):
        arguments = ["--spawn", self.path]
        if tls is not None:
            arguments += ["--tls-cert", tls[0], "--tls-key", tls[1]]
        yield arguments


class Command:
    """A server that is reached by WebSocket alone. {port}, {cert} and {key} are filled in; a word
    with {cert} or {key} is left out without TLS."""

    def __init__(self, words, url, environment=None):
        if shutil.which(words[0]) is None:
            raise Missing(f"{words[0]} is not installed, or not executable")
        self.words, self.url, self.environment = words, url, environment

    def command(self, port, tls):
        cert, key = tls or ("", "")
        filled = (word.replace("{port}", str(port)).replace("{cert}", cert).replace("{key}", key)
                  for word in self.words)
        return [word for word in filled if word]

    @contextlib.contextmanager
    def running(self, cpu, tls):
        with free_ports(1) as (port,):
            process = Process(self.command(port, tls), cpu, self.environment)
            try:
                process.await_port(port)
                url = self.url.replace("{port}", str(port)).replace("{ws}", "wss" if tls else "ws")
                yield ["--connect", url, "--server-pid", ",".join(map(str, process.pids()))]
            finally:
                process.end()


def node(module, script, cure):
    """A program for node, and the module that it needs, where node finds it."""
    environment = {"NODE_PATH": os.pathsep.join(
        filter(None, (os.environ.get("NODE_PATH"), DEBIAN_MODULES)))}
    if shutil.which("node") is None:
        raise Missing("node is not installed: apt install nodejs")
    found = subprocess.run(["node", "-e", f"require({module!r})"], capture_output=True,
                           env={**os.environ, **environment}, check=False, timeout=60)
    if found.returncode != 0:
        raise Missing(f"node finds no module {module}: {cure}")
    return Command(["node", str(HERE / script), "{port}", "{cert}", "{key}"],
                   "{ws}://127.0.0.1:{port}/{topic}?role={role}", environment)


NGINX_FILES = 40000  # two of each connection
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
worker_rlimit_nofile {files};
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{front}{ssl};
    location / {{
      proxy_pass http://127.0.0.1:{back};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }}
  }}
}}
"""


class Nginx:
    """nginx in front of a relay, which ends TLS where there is any. Both are accounted for."""

    def __init__(self, relay):
        self.relay = Spawned(relay, "build relay, or name another").path
        self.nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        if self.nginx is None:
            raise Missing("nginx is not installed: apt install nginx-light")

    def configuration(self, folder, front, back, tls):
        ssl = ""
        if tls is not None:
            ssl = f" ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}"
        path = pathlib.Path(folder) / "nginx.conf"
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = NGINX_FILES if hard == resource.RLIM_INFINITY else min(NGINX_FILES, hard)
        path.write_text(NGINX.format(folder=folder, front=front, back=back, ssl=ssl, files=files),
                        encoding="utf-8")
        return path

    @contextlib.contextmanager
    def running(self, cpu, tls):
        secret = secrets.token_hex(16)
        scheme = "wss" if tls else "ws"
        with contextlib.ExitStack() as stack:
            access, back, front = stack.enter_context(free_ports(3))
            environment = {
                "RELAY_PORT_ACCESS": str(access), "RELAY_PORT_RELAY": str(back),
                "RELAY_AUDIENCE": f"http://127.0.0.1:{access}", "RELAY_SECRET": secret,
                "RELAY_URL": f"{scheme}://127.0.0.1:{front}", "RELAY_WORKERS": "1",
                "RELAY_STORE": "memory", "RELAY_LOG_FILE": "stdout",
                "RELAY_ALLOW_NO_BOOKING_ID": "true"}
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            relay = Process([self.relay, "serve"], cpu, environment)
            stack.callback(relay.end)
            relay.await_port(access)
            proxy = Process([self.nginx, "-p", folder, "-c",
                             str(self.configuration(folder, front, back, tls))], cpu,
                            orphaned=signal.SIGTERM)  # on which it ends its worker, too
            stack.callback(proxy.end)
            proxy.await_port(front)
            pids = ",".join(map(str, relay.pids() + proxy.pids()))
            os.environ["RELAY_SECRET"] = secret  # of relay-bench; not on its command line
            stack.callback(os.environ.pop, "RELAY_SECRET", None)
            yield ["--access", f"http://127.0.0.1:{access}", "--server-pid", pids]


def make(text, relay, url, tls=None):
    """A name and its peer: "ws", "practable=/path", or "mine=COMMAND {port}" with --url."""
    name, _, value = text.partition("=")
    if name == "relay":
        return name, Spawned(value or relay, "build it, or name its path")
    if name == "practable" and tls:
        raise Missing("practable/relay has no TLS: compare it without --tls")
    if name == "practable":
        return name, Spawned(value or "practable-relay",
                             "build practable/relay, and name it: --peer practable=/path/to/relay")
    if name == "ws" and not value:
        return name, node("ws", "ws_broadcast.cjs", "apt install node-ws, or set NODE_PATH")
    if name == "uwebsockets" and not value:
        return name, node("uWebSockets.js", "uws_broadcast.cjs",
                          "install uWebSockets.js from its repository, and set NODE_PATH")
    if name == "nginx" and not value:
        return name, Nginx(relay)
    if name == "moq":
        raise Missing("moq-relay speaks no WebSocket of this kind: measure it by its own moq-bench")
    if not value:
        raise Missing(f"there is no recipe of this name: relay, practable, ws, uwebsockets, nginx; "
                      f"or {name}='COMMAND {{port}}' with --url")
    if not url:
        raise Missing("a command of your own needs --url, such as ws://127.0.0.1:{port}/{topic}")
    return name, Command(shlex.split(value), url)
