"""Shares of a CPU for threads: a control group for each, with a quota (cgroup v1, or v2 threaded).

The groups are made below the root of the hierarchy, and are removed again: only root may do it.
"""

import contextlib
import os
import pathlib
import subprocess
import time

import peers

PERIOD_US = 20000
REMOVED_S = 5
ROOT = pathlib.Path("/sys/fs/cgroup")
V1, V2 = ROOT / "cpu", ROOT
CURE = "be root where control groups of the cpu controller may be made"


class Missing(Exception):
    """One line: why no shares can be given, and the cure."""


def _write(path, text):
    path.write_text(str(text), encoding="ascii")


class _V1:
    """Threads are members by themselves."""

    def __init__(self):
        self.base = V1

    def give(self, group, thread, share):
        _write(group / "cpu.cfs_period_us", PERIOD_US)
        _write(group / "cpu.cfs_quota_us", int(PERIOD_US * share))
        _write(group / "tasks", thread)


class _V2:
    """A process's threads may be in several groups below a threaded one that holds the process."""

    def __init__(self):
        self.base = V2 / f"relay-share-{os.getpid()}"

    def hold(self, pid):
        self.base.mkdir()
        _write(V2 / "cgroup.subtree_control", "+cpu")
        _write(self.base / "cgroup.type", "threaded")
        _write(self.base / "cgroup.procs", pid)
        _write(self.base / "cgroup.subtree_control", "+cpu")

    def give(self, group, thread, share):
        _write(group / "cgroup.type", "threaded")
        _write(group / "cpu.max", f"{int(PERIOD_US * share)} {PERIOD_US}")
        _write(group / "cgroup.threads", thread)


def _kind():
    return _V1() if (V1 / "cpu.cfs_quota_us").exists() else _V2()


def check():
    """Raises Missing where no shares can be given: tries it with a process of its own."""
    child = subprocess.Popen(["sleep", "60"], preexec_fn=peers.die_with_parent)

    def end():
        child.kill()
        child.wait()

    try:
        with held(child.pid, [child.pid], 0.5, end):
            pass
    finally:
        end()


@contextlib.contextmanager
def held(pid, threads, share, end):
    """Meanwhile each of these threads of the process has this share of a CPU. end() ends the
    process, as groups with members cannot be removed."""
    kind = _kind()
    groups = [kind.base / f"relay-share-{pid}-{thread}" for thread in threads]
    try:
        try:
            if isinstance(kind, _V2):
                kind.hold(pid)
            for group, thread in zip(groups, threads):
                group.mkdir()
                kind.give(group, thread, share)
        except OSError as error:
            raise Missing(f"no share of a CPU for a thread: {error}: {CURE}") from error
        yield
    finally:
        end()
        _remove([*groups, *([kind.base] if isinstance(kind, _V2) else [])])


def _remove(groups):
    """The kernel may still be ending their members."""
    deadline = time.monotonic() + REMOVED_S
    for group in groups:
        while group.exists():
            try:
                group.rmdir()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Missing(f"{group} cannot be removed: {error}") from error
                time.sleep(0.01)
