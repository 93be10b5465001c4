"""Node, npm's packages and a browser for the tests of web/: where they are, or why they are not.

scripts/setup.sh installs the packages of web/package-lock.json into a folder of their own; here
web/node_modules becomes a link to it, unless a developer has installed them there.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import relay_support
from relay_support import BUILD, SOURCE, TEST_HANGS_S, TIME_SCALE

WEB = pathlib.Path(SOURCE) / "web"
NODE_VERSION_MIN = 20
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_NODE = shutil.which("node")


def _tools():
    """The folder that set-up installs into for this package-lock.json."""
    base = os.environ.get("RELAY_NODE_TOOLS") or os.path.expanduser("~/.cache/relay/node")
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    return pathlib.Path(base) / lock[:16]


def _link_packages():
    """False when there are none to link to."""
    link, target = WEB / "node_modules", _tools() / "node_modules"
    if link.is_dir() and not link.is_symlink():
        return True
    if not (_tools() / "installed").is_file():
        return False
    if not link.is_symlink() or os.readlink(link) != str(target):
        fresh = WEB / f"node_modules.{os.getpid()}"
        fresh.symlink_to(target)
        fresh.rename(link)  # several tests may do so at a time
    return True


def why_no_node():
    """The reason why nothing of web/ can be tested here, or None."""
    if _NODE is None:
        return "Node is not installed"
    said = subprocess.run([_NODE, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", said)
    if not version or int(version[1]) < NODE_VERSION_MIN:
        return f"Node {said.strip() or 'of an unknown version'} is older than {NODE_VERSION_MIN}"
    if not _link_packages():
        return "npm's packages for web/ are not installed: scripts/setup.sh does it where it can"
    return None


def browser():
    """A Chromium, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def node(*arguments, **environment):
    """Runs Node in web/ to its end."""
    return subprocess.run(
        [_NODE, *arguments], cwd=WEB, text=True, capture_output=True, check=False,
        stdin=subprocess.DEVNULL, timeout=TEST_HANGS_S, preexec_fn=relay_support.die_with_parent,
        env={**os.environ, "RELAY_BUILD": BUILD, "RELAY_TEST_TIME_SCALE": str(TIME_SCALE),
             "NO_COLOR": "1", **environment})


def run_tests(case, *files, **environment):
    """Runs test files of Node; fails the test of Python with what failed, and prints what was
    skipped."""
    done = node("--experimental-websocket", "--no-warnings", "--test-reporter=tap", "--test",
                *files, **environment)
    for name, reason in re.findall(r"^ *ok \d+ - (.*) # SKIP(.*)$", done.stdout, re.MULTILINE):
        print(f"skipped: {name}:{reason}", flush=True)
    if done.returncode != 0:
        case.fail(f"{' '.join(map(str, files))}:\n{_failures(done.stdout)}\n{done.stderr[-4000:]}")


def _failures(tap):
    """The failed tests with their reasons, without those that went well."""
    kept, keeping = [], False
    for line in tap.splitlines():
        if re.match(r" *(not )?ok ", line):
            keeping = line.lstrip().startswith("not ")
        if keeping or line.startswith("# "):
            kept.append(line)
    return "\n".join(kept)[-12000:]
