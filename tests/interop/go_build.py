"""Programs that the ordinary Go client builds, once, outside the repository, in the user's cache.

A test program that cannot have its program is skipped with the reason.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

import relay_support


class NotAvailable(Exception):
    """Why the program cannot be had here."""


def cache(name):
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "relay-interop" / name


def go(folder, what, limit_s, *arguments, **environment):
    """Runs the Go client; what: for the reason when it fails."""
    result = subprocess.run(["go", *arguments], cwd=folder, capture_output=True, text=True,
                            timeout=limit_s, check=False, env={**os.environ, **environment})
    if result.returncode != 0:
        said = " ".join(result.stderr.split())
        raise NotAvailable(f"go {arguments[0]} of {what} did not work: {said[-300:]}")


def build_once(target, build):
    """The path of the program, which build(target) makes; raises NotAvailable."""
    if target.exists():
        return str(target)
    if shutil.which("go") is None:
        raise NotAvailable("there is no Go toolchain")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            build(target)
    return str(target)


def main(binary):
    """As relay_support.main; exit status 77 with the reason where binary() cannot be had."""
    try:
        binary()
    except NotAvailable as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    relay_support.main()
