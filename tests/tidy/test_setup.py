"""scripts/setup.sh against a pretended machine: what it installs, says and does when apt fails.

Method: a folder of stand-ins for apt-get, apt-cache, dpkg-query, sudo and id comes first in PATH;
apt-get notes each call. Nothing is installed.
"""

import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()
VM = {"qemu-system-x86", "busybox-static", "cpio", "kmod", "xz-utils"}
CLIENTS = {"nodejs", "node-ws", "testssl.sh", "chromium-headless-shell", "python3-venv",
           "prometheus"}
SERVER_LIBRARIES = ("liburing-dev", "libssl-dev", "libwslay-dev", "libjwt-dev", "libjansson-dev")

DPKG_QUERY = """#!/bin/sh
for name; do :; done
case "$*" in
*Depends*)
    grep -qx clang "$MACHINE/installed" || exit 1
    echo "Depends: clang-14 (>= 14~)"
    exit 0 ;;
esac
grep -qx "$name" "$MACHINE/installed" && printf installed
"""
APT_CACHE = """#!/bin/sh
for name; do :; done
case $1 in
policy)
    if [ $# = 1 ]; then
        [ -s "$MACHINE/known" ] && echo " 500 http://mirror stable/main amd64 Packages"
        exit 0
    fi
    version="(none)"
    grep -qx "$name" "$MACHINE/known" && version=1.0
    echo "  Candidate: $version" ;;
show)
    grep -qx clang "$MACHINE/known" || exit 100
    printf 'Breaks: clang-3.2\\nDepends: clang-19 (>= 19~)\\n' ;;
esac
"""
APT_GET = """#!/bin/sh
echo "$*" >> "$MACHINE/calls"
case " $* " in
*" update "*)
    [ -e "$MACHINE/update-fails" ] && exit 100
    [ -e "$MACHINE/mirror" ] && cp "$MACHINE/mirror" "$MACHINE/known"
    exit 0 ;;
esac
if [ -s "$MACHINE/failures" ]; then
    sed -i 1d "$MACHINE/failures"
    echo "E: pretended failure" >&2
    exit 100
fi
for word; do case $word in -*|install|*=*) ;; *) echo "$word" >> "$MACHINE/installed" ;; esac; done
"""
DPKG = "#!/bin/sh\necho amd64\n"
PYTHON = """#!/bin/sh
# In place of `python3 -m venv FOLDER`, with a pip that notes its calls.
[ "$1 $2" = "-m venv" ] && [ ! -e "$MACHINE/venv-fails" ] || exit 1
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "$*" >> "$MACHINE/pip"\\n[ ! -e "$MACHINE/pip-fails" ]\\n' > "$3/bin/pip"
chmod +x "$3/bin/pip"
"""
NODE = '#!/bin/sh\ncat "$MACHINE/node-version" 2>/dev/null || echo v20.19.2\n'
NPM = """#!/bin/sh
pwd >> "$MACHINE/npm"
echo "$*" >> "$MACHINE/npm"
[ ! -e "$MACHINE/npm-fails" ]
"""
SUDO = '#!/bin/sh\necho "$*" >> "$MACHINE/sudo"\nexec "$@"\n'


class Machine:
    def __init__(self, folder, installed=(), known=None, mirror=None, failures=0):
        self.folder = pathlib.Path(folder)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-cache", APT_CACHE),
                           ("apt-get", APT_GET), ("dpkg", DPKG), ("sudo", SUDO),
                           ("python3", PYTHON), ("node", NODE), ("npm", NPM)):
            path = self.bin / name
            path.write_text(text, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self.write("installed", installed)
        self.write("known", known if known is not None else ())
        if mirror is not None:
            self.write("mirror", mirror)
        self.write("failures", ["x"] * failures)

    def write(self, name, lines):
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def read(self, name):
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def setup(self, *arguments):
        return subprocess.run(
            [ROOT / "scripts/setup.sh", *arguments], capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=300,
            env=self.environment())

    def environment(self):
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "MACHINE": str(self.folder),
                "HOME": str(self.folder)}

    def installs(self):
        return [call for call in self.read("calls") if " install " in f" {call} "]


def debian(version):
    """Names of packages of a distribution that matter here."""
    common = {
        "build-essential", "cmake", "ninja-build", "pkgconf", "libsqlite3-dev", *SERVER_LIBRARIES,
        "systemtap-sdt-dev",
        "libcriterion-dev", "clang", "clang-format", "clang-tidy", "llvm", "python3",
        "python3-websockets", "python3-jwt", "python3-cryptography", "curl", "openssl", "ffmpeg",
        "libgstreamer1.0-dev", "libgstreamer-plugins-base1.0-dev", "gstreamer1.0-tools",
        "gstreamer1.0-libav", "node-llhttp", *VM, *CLIENTS,
        *(f"gstreamer1.0-plugins-{kind}" for kind in ("base", "good", "bad", "ugly"))}
    runtime, more = {12: ("14", ()), 13: ("19", ("libllhttp-dev",))}[version]
    return sorted({*common, f"libclang-rt-{runtime}-dev", *more})


class Setup(unittest.TestCase):
    def machine(self, **settings):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Machine(folder.name, **settings)

    def test_does_nothing_when_all_is_there(self):
        machine = self.machine(installed=debian(12))
        result = machine.setup()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("everything needed is installed", result.stdout)
        self.assertEqual(machine.read("calls"), [])

    def test_fresh_machine_without_package_lists_gets_everything(self):
        for version, llhttp in ((12, "node-llhttp"), (13, "libllhttp-dev")):
            machine = self.machine(mirror=debian(version))
            # The pretended clang names its version after the distribution's.
            runtime = {12: "14", 13: "19"}[version]
            cache = machine.bin / "apt-cache"
            cache.write_text(cache.read_text().replace("clang-19", f"clang-{runtime}"))
            query = machine.bin / "dpkg-query"
            query.write_text(query.read_text().replace("clang-14", f"clang-{runtime}"))
            result = machine.setup()
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("update", machine.read("calls")[0])
            self.assertEqual(len(machine.installs()), 1)
            self.assertIn(llhttp, machine.read("installed"))
            self.assertIn(f"libclang-rt-{runtime}-dev", machine.read("installed"))
            for name in machine.read("installed"):
                self.assertIn(f"setup:   {name}", result.stdout, "says what it installs")
            self.assertIn("everything needed", machine.setup().stdout, "a second run is idle")

    def test_server_only_needs_neither_gstreamer_nor_tests(self):
        machine = self.machine(known=debian(13))
        result = machine.setup("--server-only")
        self.assertEqual(result.returncode, 0, result.stderr)
        installed = machine.read("installed")
        self.assertTrue(set(SERVER_LIBRARIES) <= set(installed))
        for name in installed:
            self.assertNotRegex(name, "gstreamer|clang|criterion|python|ffmpeg|qemu|chromium")

    def test_virtual_machines_can_be_left_out(self):
        for option, expected in ((), VM), (("--no-vm",), set()):
            machine = self.machine(installed=set(debian(12)) - VM, known=debian(12))
            self.assertEqual(machine.setup(*option).returncode, 0)
            self.assertEqual(set(machine.read("installed")) & VM, expected)

    def test_python_tools_come_into_a_folder_of_their_own_once(self):
        machine = self.machine(installed=debian(12))
        result = machine.setup()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        folder = machine.folder / ".cache/relay/python"
        self.assertRegex(result.stdout, f"installing with pip into {folder}: schemathesis==")
        self.assertEqual(len(machine.read("pip")), 1)
        self.assertRegex(machine.read("pip")[0], r"^install .* schemathesis==[0-9.]+$")
        self.assertNotIn("pip", machine.setup().stdout)
        self.assertEqual(len(machine.read("pip")), 1)
        (folder / "installed").write_text("schemathesis==1.0\n", encoding="utf-8")
        machine.setup()
        self.assertEqual(len(machine.read("pip")), 2, "another version is wanted now")

    def test_python_tools_are_no_reason_to_fail(self):
        for fault in ("venv-fails", "pip-fails"):
            with self.subTest(fault=fault):
                machine = self.machine(installed=debian(12))
                (machine.folder / fault).touch()
                for _ in range(2):  # and the next set-up tries again
                    result = machine.setup()
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertIn("skipped: schemathesis\n", result.stdout)
        machine = self.machine(known=debian(13))
        self.assertNotIn("pip", machine.setup("--server-only").stdout)

    def test_packages_of_npm_come_into_a_folder_for_their_lock_once(self):
        machine = self.machine(installed=debian(12))
        result = machine.setup()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        folder, command = machine.read("npm")
        self.assertRegex(folder, f"^{machine.folder}/.cache/relay/node/[0-9a-f]{{16}}$")
        self.assertRegex(command, "^ci --ignore-scripts ")
        for name in ("package.json", "package-lock.json"):
            self.assertEqual((pathlib.Path(folder) / name).read_bytes(),
                             (ROOT / "web" / name).read_bytes())
        self.assertNotIn("npm", machine.setup().stdout)
        self.assertEqual(len(machine.read("npm")), 2)

    def test_packages_of_npm_are_no_reason_to_fail(self):
        machine = self.machine(installed=debian(12))
        (machine.folder / "npm-fails").touch()
        for _ in range(2):  # and the next set-up tries again
            result = machine.setup()
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("skipped: packages of npm\n", result.stdout)
        self.assertEqual(len(machine.read("npm")), 4)
        for version in ("v18.20.4", "", "nonsense"):
            machine.write("node-version", [version])
            result = machine.setup()
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, "is not 20 or newer, so .* packages of npm")

    def test_browser_can_be_left_out(self):
        machine = self.machine(installed=set(debian(12)) - {"chromium-headless-shell"},
                               known=debian(12))
        self.assertEqual(machine.setup("--no-browser").returncode, 0)
        self.assertEqual(machine.read("calls") + machine.read("npm"), [])
        self.assertEqual(machine.setup().returncode, 0)
        self.assertIn("chromium-headless-shell", machine.read("installed"))

    def test_a_client_of_another_name_is_as_good(self):
        machine = self.machine(
            installed={*debian(12), "chromium"} - {"chromium-headless-shell"}, known=debian(12))
        self.assertIn("everything needed", machine.setup().stdout)
        self.assertEqual(machine.read("calls"), [])

    def test_clients_that_the_distribution_lacks_are_named_and_no_failure(self):
        lacking = {"chromium-headless-shell"}
        known = set(debian(12)) - lacking
        for installed, calls in ((known - {"node-ws", "curl"}, 1), (known, 0)):
            machine = self.machine(installed=installed, known=known)
            result = machine.setup()
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(len(machine.read("calls")), calls)
            named = [line for line in result.stdout.splitlines() if "skipped" in line]
            self.assertEqual(len(named), 1, result.stdout)
            self.assertTrue(named[0].endswith(": chromium-headless-shell"), named)

    def test_clients_are_no_reason_to_fail(self):
        """Everything else is there: no lists and no network, or an installation that fails."""
        for settings in ({}, {"known": debian(12), "failures": 2}):
            machine = self.machine(installed=set(debian(12)) - CLIENTS, **settings)
            if not settings:
                (machine.folder / "update-fails").touch()
            result = machine.setup()
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertIn("skipped: nodejs node-ws testssl.sh python3-venv prometheus chromium",
                          result.stdout)

    def test_clients_are_looked_for_in_fresh_lists_when_there_are_none(self):
        machine = self.machine(installed=set(debian(12)) - CLIENTS, mirror=debian(12))
        self.assertEqual(machine.setup().returncode, 0)
        self.assertTrue(CLIENTS <= set(machine.read("installed")))

    def test_installs_only_what_is_missing(self):
        machine = self.machine(installed=set(debian(12)) - {"curl"}, known=debian(12))
        self.assertEqual(machine.setup("--no-vm").returncode, 0)
        self.assertEqual(len(machine.installs()), 1)
        self.assertTrue(machine.installs()[0].endswith("--no-install-recommends curl"))

    def test_failed_installation_is_tried_once_more_with_fresh_lists(self):
        machine = self.machine(installed=set(debian(12)) - {"curl"}, known=debian(12), failures=1)
        self.assertEqual(machine.setup().returncode, 0)
        self.assertEqual([("update" in call) for call in machine.read("calls")],
                         [False, True, False])

    def test_second_failure_is_reported_in_one_line(self):
        machine = self.machine(installed=set(debian(12)) - {"curl"}, known=debian(12), failures=2)
        result = machine.setup()
        self.assertEqual(result.returncode, 1)
        ours = [line for line in result.stderr.splitlines() if line.startswith("setup:")]
        self.assertEqual(len(ours), 1)
        self.assertIn("failed twice", ours[0])

    def test_unknown_distribution_is_told_what_is_missing(self):
        machine = self.machine(known=set(debian(12)) - {"libwslay-dev"})
        result = machine.setup()
        self.assertEqual(result.returncode, 1)
        self.assertIn("no package libwslay-dev", result.stderr)
        self.assertEqual(machine.installs(), [])

    def test_no_network_is_reported_in_one_line(self):
        machine = self.machine()
        (machine.folder / "update-fails").touch()
        result = machine.setup()
        self.assertEqual(result.returncode, 1)
        self.assertIn("apt-get update failed", result.stderr)

    def as_nobody(self, machine):
        """Runs set-up as an ordinary user; only root can become one."""
        if os.geteuid() != 0:
            return machine.setup()
        for path in [machine.folder, *machine.folder.rglob("*")]:
            path.chmod(path.stat().st_mode | (0o777 if path.is_dir() else 0o666))
        return subprocess.run(
            ["/usr/bin/python3", "-c", "import os,sys; os.setgroups([]); os.setgid(65534); "
             "os.setuid(65534); os.execv('/bin/bash', ['bash', '-s'])"],
            input=(ROOT / "scripts/setup.sh").read_text(encoding="utf-8"), capture_output=True,
            text=True, check=False, timeout=300,
            env=machine.environment())

    def test_user_goes_through_sudo(self):
        machine = self.machine(installed=set(debian(12)) - {"curl"}, known=debian(12))
        for path in machine.bin.iterdir():
            path.chmod(0o755)
        result = self.as_nobody(machine)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("through sudo", result.stdout)
        self.assertEqual(len(machine.read("sudo")), 1)

    def test_user_without_sudo_is_told_in_one_line(self):
        machine = self.machine(installed=set(debian(12)) - {"curl"}, known=debian(12))
        for path in machine.bin.iterdir():
            path.chmod(0o755)
        (machine.bin / "sudo").unlink()
        for folder in ("/usr/bin", "/bin"):
            if os.path.exists(f"{folder}/sudo"):
                self.skipTest("this machine has sudo where the shell looks for its tools")
        result = self.as_nobody(machine)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "setup: needs root or sudo to install: curl\n")
        self.assertEqual(machine.read("calls"), [])

    def test_help_and_unknown_options(self):
        machine = self.machine()
        self.assertIn("--server-only", machine.setup("--help").stdout)
        result = machine.setup("--colour")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(machine.read("calls"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
