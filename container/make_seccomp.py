#!/usr/bin/env python3
"""Writes seccomp.json: what a relay may ask of the kernel in a container, as Docker, Podman and
Kubernetes read it.

It is the set that relay.service has by SystemCallFilter=@system-service, which holds the three
calls of io_uring, as systemd-analyze on this machine lists it. In containers the runtime starts the
program behind the filter, so what it needs to drop its rights stays in; everything else is refused
with EPERM, and calls that do not exist on this kernel with ENOSYS, as programs expect it.
"""

import json
import pathlib
import re
import subprocess

GROUPS = ("@system-service",)
# What the runtime needs to start the program: no more than it may do without the filter.
RUNTIME = ("close_range", "faccessat2", "openat2", "pidfd_open", "pidfd_send_signal", "rseq",
           "statx")
# Of the group, but of no use to a relay: other namespaces, keys, memory of others, devices.
NEVER = ("add_key", "clone", "clone3", "io_setup", "io_submit", "kcmp", "keyctl", "migrate_pages",
         "mknod", "mknodat", "move_pages", "name_to_handle_at", "personality", "request_key",
         "setns", "unshare", "userfaultfd")
CLONE_NEW_ANY = 0x7E020000
ENOSYS = 38
ARCHITECTURES = (("SCMP_ARCH_X86_64", ()), ("SCMP_ARCH_AARCH64", ()))


def calls_of(group, seen):
    """The names of a group, and of the groups in it."""
    if group in seen:
        return set()
    seen.add(group)
    listed = subprocess.run(["systemd-analyze", "syscall-filter", group], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    names = set()
    for word in re.findall(r"^ +(\S+)$", listed, re.MULTILINE):
        names |= calls_of(word, seen) if word.startswith("@") else {word}
    return names


def main():
    names = set(RUNTIME)
    for group in GROUPS:
        names |= calls_of(group, set())
    names -= set(NEVER)
    assert {"io_uring_setup", "io_uring_enter", "io_uring_register"} <= names
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": name, "subArchitectures": list(others)}
                    for name, others in ARCHITECTURES],
        "syscalls": [
            {"names": sorted(names), "action": "SCMP_ACT_ALLOW"},
            # Threads and processes, but no namespaces. The flags of clone3 are in memory, where no
            # filter looks: libraries then use clone.
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": CLONE_NEW_ANY, "valueTwo": 0,
                       "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
            {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]},
        ],
    }
    path = pathlib.Path(__file__).with_name("seccomp.json")
    path.write_text(json.dumps(profile, indent=2) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
