"""A path of few bits a second between this machine and a network namespace of its own: what a
viewer there does not take in time waits in the server, as behind a slow line."""

import ctypes
import itertools
import os
import shutil
import subprocess
import threading

CLONE_NEWNET = 0x40000000
COMMAND_HANGS_S = 20

_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = itertools.count(1)


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=COMMAND_HANGS_S)


def why_not():
    """The reason why there can be no such path here, or None."""
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (iproute2)"
    try:
        with NarrowPath(1_000_000):
            return None
    except OSError as fault:
        return f"no network namespace with a narrow path: {fault}"


class NarrowPath:
    """`here` is this machine's address on the path; `inside(call)` calls in the namespace, where a
    socket stays that is made there."""

    def __init__(self, bits_per_s, buffer_ms=50):
        number = next(_NUMBERS)
        self.name = f"relay-test-{os.getpid()}-{number}"
        self.device = f"rt{os.getpid() % 1000000}n{number}"
        subnet = f"10.213.{os.getpid() % 250}"
        self.here, there = f"{subnet}.{number * 4 + 1}", f"{subnet}.{number * 4 + 2}"
        self.commands = (
            f"ip netns add {self.name}",
            f"ip link add {self.device} type veth peer name eth0 netns {self.name}",
            f"ip addr add {self.here}/30 dev {self.device}",
            f"ip link set {self.device} up",
            f"ip -n {self.name} addr add {there}/30 dev eth0",
            f"ip -n {self.name} link set eth0 up",
            f"tc qdisc add dev {self.device} root tbf rate {int(bits_per_s)}bit burst 4kb "
            f"latency {buffer_ms}ms",
        )

    def __enter__(self):
        for command in self.commands:
            done = run(*command.split())
            if done.returncode != 0:
                self.__exit__()
                raise OSError(f"{command}: {done.stdout.strip()}")
        return self

    def __exit__(self, *_):
        run("ip", "link", "del", self.device)
        run("ip", "netns", "del", self.name)

    def inside(self, call):
        """In a thread, because a namespace is a thread's."""
        outcome = {}

        def work():
            try:
                with open(f"/run/netns/{self.name}", "rb") as namespace:
                    if _LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                outcome["value"] = call()
            except Exception as fault:  # it is raised where it is waited for
                outcome["fault"] = fault

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if "fault" in outcome:
            raise outcome["fault"]
        return outcome["value"]
