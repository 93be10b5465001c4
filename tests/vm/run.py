#!/usr/bin/python3
"""The TLS tests with kernel TLS: here, if this kernel has it, else in stock kernels under QEMU.

    run.py [--full] [--series 6.1,6.12,7] [--seconds N] [name of a test, its class or module ...]

Guests run the choice of guest.py, or with --full all of tests/tls with the whole interop matrix.
They are 6.1 and 6.12 where this kernel has no TLS, else those that --series names. RELAY_BUILD
names the build to test. Exit status 77 when that is not possible here, with the reason.
What the guests wrote stays in RELAY_BUILD/vm/.
"""

import argparse
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("RELAY_BUILD", "")
SERIES = "6.1,6.12"
SECONDS, SECONDS_FULL = 420, 3000
# What the matrix needs, by the name that the reason of a skip has, and how it is found.
CLIENTS = {
    "node": ("node",), "node-ws": ("/usr/share/nodejs/ws",), "testssl": ("testssl",),
    "chromium": ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"),
    "gst-launch-1.0": ("gst-launch-1.0",),
    "relaysink": (os.path.abspath(f"{BUILD}/gst/libgstrelay.so"),)}
PROGRAMS = ("qemu-system-x86_64", "busybox", "modprobe", "depmod", "cpio", "xz", "apt-get")
MEMORY_KIB = 4 * 1024 * 1024  # for each guest, with QEMU's own
SKIP = 77
TCP_ULP, ENOTCONN = 31, 107


def kernel_has_tls():
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError as error:
            return error.errno == ENOTCONN
    return True


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def lacking():
    """The clients that are not on this machine: only those may be skipped."""
    return ",".join(client for client, names in CLIENTS.items()
                    if not any(os.path.exists(name) if name.startswith("/") else shutil.which(name)
                               for name in names))


def run_here(chosen):
    print("this kernel has TLS: no guest is needed, and everything is run")
    environment = {**os.environ, "RELAY_TEST_TLS": "kernel", "RELAY_TEST_FULL": "1",
                   "RELAY_TEST_LACKS": lacking(), "RELAY_SOURCE": SOURCE}
    sys.exit(subprocess.run([sys.executable, os.path.join(HERE, "guest.py"), *chosen],
                            env=environment, check=False).returncode)


def why_not():
    if platform.machine() != "x86_64":
        return f"the recipe is for x86-64, this is {platform.machine()}"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} missing (scripts/setup.sh installs it unless --no-vm)"
    return None


def available_kib():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))


def stage(folder):
    """Everything the guest needs from here, in its shared folder: the rest of this machine's files
    it sees through an overlay, but not those below /tmp and /run."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "build"))
    for name in ("relay", "CMakeCache.txt"):
        shutil.copy2(os.path.join(BUILD, name), os.path.join(folder, "build", name))
    if os.path.isdir(os.path.join(BUILD, "gst")):
        shutil.copytree(os.path.join(BUILD, "gst"), os.path.join(folder, "build", "gst"))
    for name in ("tls", "support", "vm"):
        shutil.copytree(os.path.join(SOURCE, "tests", name), os.path.join(folder, "tests", name),
                        ignore=shutil.ignore_patterns("__pycache__"))


def command(chosen, full):
    return f"""set -e
cp -r /mnt/out/build /mnt/out/tests /tmp/
export RELAY_BUILD=/tmp/build RELAY_SOURCE=/tmp PYTHONDONTWRITEBYTECODE=1 GST_REGISTRY_FORK=no
export RELAY_TEST_TLS=kernel RELAY_TEST_EMULATED=1 RELAY_TEST_TIME_SCALE=6
export RELAY_TEST_FULL={int(full)} RELAY_TEST_LACKS={shlex.quote(lacking())}
ulimit -n 8192
exec /usr/bin/python3 /tmp/tests/vm/guest.py {' '.join(map(shlex.quote, chosen))}
"""


class Guest:
    def __init__(self, series, kernel, seconds, told):
        self.series, self.kernel, self.seconds, self.told = series, kernel, seconds, told
        self.status, self.output = None, ""
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        folder = os.path.join(BUILD, "vm", self.series)
        stage(folder)
        done = subprocess.run(
            [os.path.join(HERE, "boot.sh"), self.kernel, str(self.seconds), self.told],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "RELAY_VM_OUT": folder}, check=False)
        self.status, self.output = done.returncode, done.stdout.decode("utf-8", "replace")

    def report(self):
        print(f"=== {self.series}: exit status {self.status}")
        print(self.output, flush=True)


def fetch(series):
    done = subprocess.run([os.path.join(HERE, "fetch_kernel.sh"), series],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        skip(f"no kernel {series}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def run_guests(guests, together):
    for guest in guests:
        guest.thread.start()
        if not together:
            guest.thread.join()
    for guest in guests:
        guest.thread.join()
        guest.report()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="everything, not the choice")
    parser.add_argument("--series", help=f"kernels to boot; {SERIES} if this one has no TLS")
    parser.add_argument("--seconds", type=int,
                        help=f"for each guest; {SECONDS}, or {SECONDS_FULL} with --full")
    parser.add_argument("chosen", nargs="*")
    arguments = parser.parse_args()
    if not arguments.series and kernel_has_tls():
        run_here(arguments.chosen)
    if reason := why_not():
        skip(reason)
    seconds = arguments.seconds or (SECONDS_FULL if arguments.full else SECONDS)
    told = command(arguments.chosen, arguments.full)
    guests = [Guest(series, fetch(series), seconds, told)
              for series in (arguments.series or SERIES).split(",")]
    run_guests(guests, available_kib() > MEMORY_KIB * len(guests))
    sys.exit(0 if all(guest.status == 0 for guest in guests) else 1)


if __name__ == "__main__":
    main()
