"""Shares of a CPU for threads: a control group for each, with a quota (cgroup v1, or v2 threaded).

The groups are made below the root of the hierarchy, and are removed again: only root may do it.
"""

import contextlib
import os
import pathlib

PERIOD_US = 20000
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
        self.base = V2 / f"relay-shares-{os.getpid()}"

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
    """Raises Missing where no shares can be given."""
    probe = (V1 if isinstance(_kind(), _V1) else V2) / f"relay-shares-check-{os.getpid()}"
    try:
        if isinstance(_kind(), _V2) and "cpu" not in (
                ROOT / "cgroup.controllers").read_text(encoding="ascii").split():
            raise OSError("the cpu controller is not among /sys/fs/cgroup/cgroup.controllers")
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise Missing(f"no share of a CPU for a thread: {error}: {CURE}") from error


@contextlib.contextmanager
def held(pid, threads, share):
    """Meanwhile each of these threads of the process has this share of a CPU. The process must have
    ended before that ends, as groups with members cannot be removed."""
    kind = _kind()
    groups = [kind.base / f"relay-share-{os.getpid()}-{thread}" for thread in threads]
    try:
        if isinstance(kind, _V2):
            kind.hold(pid)
        for group, thread in zip(groups, threads):
            group.mkdir()
            kind.give(group, thread, share)
    except OSError as error:
        _remove(kind, groups)
        raise Missing(f"no share of a CPU for a thread: {error}: {CURE}") from error
    try:
        yield
    finally:
        _remove(kind, groups)


def _remove(kind, groups):
    for group in [*groups, *([kind.base] if isinstance(kind, _V2) else [])]:
        with contextlib.suppress(FileNotFoundError, OSError):
            group.rmdir()
