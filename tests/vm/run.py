#!/usr/bin/python3
"""The TLS tests with kernel TLS: here, if this kernel has it, else in stock kernels under QEMU.

    run.py [--choice short|all|full] [--series 6.1,6.12,7] [--quiet N] [--unless-short]
           [name of a test, its class or module ...]

The choice: "short" runs a handful of tests in one kernel, in less than two minutes, also where the
processors are slow or busy; "all" those of guest.py in 6.1 and 6.12; "full" the whole of tests/tls
with the whole interop matrix there. RELAY_TEST_VM names the one to take without --choice, else it
is "short". Where this kernel has TLS, no guest is needed and everything is run. --series names
other kernels, --unless-short skips in the short choice. RELAY_BUILD names the build to test. Exit
status 77 when that is not possible here, with the reason. What the guests wrote stays in
RELAY_BUILD/vm/.

A guest may take as long as it needs, and is ended when it prints nothing for N seconds.
"""

import argparse
import fcntl
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
SERIES = {"short": "6.12", "all": "6.1,6.12", "full": "6.1,6.12"}
QUIET_S = 900  # each test prints when it begins and when it ends; the longest ones take minutes
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
    environment = {**os.environ, "RELAY_TEST_TLS": "kernel", "RELAY_TEST_CHOICE": "full",
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


def command(chosen, choice):
    return f"""set -e
cp -r /mnt/out/build /mnt/out/tests /tmp/
export RELAY_BUILD=/tmp/build RELAY_SOURCE=/tmp PYTHONDONTWRITEBYTECODE=1 GST_REGISTRY_FORK=no
export RELAY_TEST_TLS=kernel RELAY_TEST_EMULATED=1 RELAY_TEST_TIME_SCALE=6
export RELAY_TEST_CHOICE={choice} RELAY_TEST_LACKS={shlex.quote(lacking())}
export RELAY_TEST_STORM={shlex.quote(os.environ.get("RELAY_TEST_STORM", ""))}
export RELAY_TEST_CROWD={shlex.quote(os.environ.get("RELAY_TEST_CROWD", ""))}
ulimit -n 8192
exec /usr/bin/python3 /tmp/tests/vm/guest.py {' '.join(map(shlex.quote, chosen))}
"""


class Guest:
    def __init__(self, series, kernel, quiet_s, told):
        self.series, self.kernel, self.quiet_s, self.told = series, kernel, quiet_s, told
        self.status, self.output = None, ""
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        folder = os.path.join(BUILD, "vm", self.series)
        stage(folder)
        done = subprocess.run(
            [os.path.join(HERE, "boot.sh"), self.kernel, str(self.quiet_s), self.told],
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


def lock_folder():
    """One run at a time for each build: they would share what the guests write."""
    folder = os.path.join(BUILD, "vm")
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, "lock"), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run in {folder}", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


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
    parser.add_argument("--choice", choices=SERIES, help="of tests and kernels")
    parser.add_argument("--series", help="kernels to boot, instead of those of the choice")
    parser.add_argument("--quiet", type=int, default=QUIET_S, metavar="N",
                        help=f"seconds without output that end a guest; {QUIET_S}")
    parser.add_argument("--unless-short", action="store_true", help="skip in the short choice")
    parser.add_argument("chosen", nargs="*")
    arguments = parser.parse_args()
    choice = arguments.choice or os.environ.get("RELAY_TEST_VM") or "short"
    if choice not in SERIES:
        parser.error(f"RELAY_TEST_VM must be short, all or full, not {choice}")
    if not arguments.series and kernel_has_tls():
        run_here(arguments.chosen)
    if arguments.unless_short and choice == "short":
        skip("not in the short choice; RELAY_TEST_VM=all or scripts/test.sh --all has it")
    if reason := why_not():
        skip(reason)
    lock = lock_folder()  # kept to the end
    told = command(arguments.chosen, choice)
    guests = [Guest(series, fetch(series), arguments.quiet, told)
              for series in (arguments.series or SERIES[choice]).split(",")]
    run_guests(guests, available_kib() > MEMORY_KIB * len(guests))
    if choice == "short" and not arguments.chosen:
        print("skipped: all but a short choice; RELAY_TEST_VM=all or scripts/test.sh --all has "
              "the rest")
    lock.close()
    sys.exit(0 if all(guest.status == 0 for guest in guests) else 1)


if __name__ == "__main__":
    main()
