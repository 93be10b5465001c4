#!/usr/bin/python3
"""The installed service under systemd, in a Debian root of its own.

    service.py --root DIR [--container | --series 6.1|6.12|7] [--quiet N]

The root is one that scripts/package_test.sh --root made, with the packages in it, and stays as it
is. service_guest.sh tells what is done there: under QEMU with the stock kernel of that Debian, or
with --container, as root, in namespaces of this machine and much faster. Exit status 77 when that
is not possible here, with the reason.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import run

SERIES = {"bookworm": "6.1", "trixie": "6.12"}


def why_not(root, container):
    for name in ("new", "next", "lib/systemd/systemd"):
        if not os.path.exists(os.path.join(root, name)):
            return f"no {name} in {root}; scripts/package_test.sh --root {root} makes it"
    if container:
        return "a container needs root" if os.geteuid() != 0 else None
    return run.why_not()


def suite_of(root):
    with open(os.path.join(root, "etc", "os-release"), encoding="utf-8") as file:
        fields = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    return fields.get("VERSION_CODENAME")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--container", action="store_true", help="without QEMU, on this kernel")
    parser.add_argument("--series", help="kernel to boot; by default that of the root's Debian")
    parser.add_argument("--quiet", type=int, default=run.QUIET_S, metavar="N",
                        help=f"seconds without output that end the guest; {run.QUIET_S}")
    arguments = parser.parse_args()
    if reason := why_not(arguments.root, arguments.container):
        run.skip(reason)
    root = os.path.abspath(arguments.root)
    kernel, command = "container", ""
    if not arguments.container:
        kernel = run.fetch(arguments.series or SERIES.get(suite_of(root), "6.12"))
    elif not run.kernel_has_tls():
        print("this kernel has no TLS: that the server uses it is not tested", flush=True)
        command = "GUEST_KERNEL_TLS=no\n"
    with open(os.path.join(run.HERE, "service_guest.sh"), encoding="utf-8") as file:
        command += file.read()
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [os.path.join(run.HERE, "boot.sh"), kernel, str(arguments.quiet), command],
            stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, "RELAY_VM_OUT": out, "RELAY_VM_ROOT": root})
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
