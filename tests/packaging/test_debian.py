"""The Debian packages hold all that is installed, each file in one of them.

Method: an installation of this build into a folder, held against debian/. scripts/package.sh builds
the packages themselves, and scripts/package_test.sh installs them: that takes minutes.
"""

import fnmatch
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BUILD = os.environ["RELAY_BUILD"]
SOURCE = pathlib.Path(os.environ["RELAY_SOURCE"])
# Installed under other names, or by debhelper itself.
RENAMED = ("usr/share/doc/relay/LICENSE", "usr/share/doc/relay/CHANGELOG.md",
           "usr/share/doc/relay/examples/*", "usr/share/zsh/*", "usr/lib/systemd/system/*")


def text(name):
    return (SOURCE / name).read_text(encoding="utf-8")


def packages():
    return re.findall(r"^Package: (\S+)$", text("debian/control"), re.MULTILINE)


def patterns():
    """(package, pattern below the root) of each line of debian/*.install from the installation."""
    return [(path.stem, line.split()[0]) for path in sorted((SOURCE / "debian").glob("*.install"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.split()[0].startswith("usr/")]


def is_of(name, pattern):
    # Where libraries are below usr/lib depends on the distribution.
    return any(fnmatch.fnmatch(each, pattern) or fnmatch.fnmatch(each, pattern + "/*")
               for each in (name, name.replace("usr/lib/", "usr/lib/triplet/", 1)))


class Debian(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, timeout=300,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DESTDIR": cls.folder.name})
        root = pathlib.Path(cls.folder.name)
        cls.installed = sorted(str(path.relative_to(root)) for path in root.rglob("*")
                               if not path.is_dir())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_each_installed_file_is_in_one_package(self):
        for name in self.installed:
            if not any(fnmatch.fnmatch(name, each) for each in RENAMED):
                owners = {package for package, pattern in patterns() if is_of(name, pattern)}
                self.assertEqual(len(owners), 1, f"{name} is in {owners}")

    def test_each_line_has_files(self):
        for package, pattern in patterns():
            if "gst" in pattern and not os.path.isdir(os.path.join(BUILD, "gst")) or \
                    "man7" in pattern and not os.path.isdir(os.path.join(BUILD, "gst")) or \
                    "zsh" in pattern:
                continue
            self.assertTrue(any(is_of(name, pattern) for name in self.installed),
                            f"{package}: {pattern}")

    def test_version_is_that_of_the_program(self):
        version = re.search(r"project\(relay VERSION (\S+)", text("CMakeLists.txt"))[1]
        self.assertTrue(text("debian/changelog").startswith(f"relay ({version}) "))

    def test_there_is_a_package_for_each_part(self):
        self.assertLessEqual({"relay", "gstreamer1.0-relay", "librelay-client-dev", "relay-doc"},
                             set(packages()))
        self.assertLessEqual({package for package, _ in patterns()}, set(packages()))

    def test_scripts_are_shell_that_stops_at_a_failure(self):
        for name in ("postinst", "prerm", "postrm"):
            script = text(f"debian/relay.{name}")
            self.assertIn("\nset -e\n", script)
            self.assertIn("\n#DEBHELPER#\n", script)
            subprocess.run(["sh", "-n"], input=script, text=True, check=True)

    def test_an_upgrade_stops_only_what_it_starts_again(self):
        calls = re.findall(r"\n\tdh_installsystemd (.*)", text("debian/rules"))
        self.assertTrue(any("relay.socket" in call for call in calls), calls)
        for call in calls:
            if "--no-start" in call:
                self.assertIn("--no-stop-on-upgrade", call)

    def test_an_upgrade_hands_over_and_restarts_only_what_cannot(self):
        self.assertIn("\n\tdh_installsystemd -prelay --no-stop-on-upgrade relay.service\n",
                      text("debian/rules"))
        script = text("debian/relay.postinst")
        self.assertLess(script.index("#DEBHELPER#"), script.index("    hand_over\n"))
        self.assertLess(script.index("reload relay.service"), script.index("restart relay.service"))

    def test_build_dependencies_are_those_of_the_set_up_script(self):
        server = text("scripts/setup.sh").split("test_packages=")[0]
        wanted = set(re.findall(r"\blib\w+-dev\b", server))
        named = set(re.findall(r"\blib\w+-dev\b", text("debian/control").split("\n\n")[0]))
        self.assertLessEqual(wanted, named)

    def test_the_list_of_parts_is_cyclonedx(self):
        with open(os.path.join(BUILD, "relay.cdx.json"), encoding="utf-8") as file:
            bom = json.load(file)
        self.assertEqual((bom["bomFormat"], bom["specVersion"]), ("CycloneDX", "1.5"))
        names = {each["name"]: each for each in bom["components"]}
        self.assertLessEqual({"liburing", "openssl", "libjwt", "jansson", "sqlite", "wslay",
                              "llhttp"}, set(names))
        for each in names.values():
            self.assertTrue(each["version"], each)
            self.assertTrue(each["purl"].startswith(f"pkg:generic/{each['name']}@"), each)
        references = {each["bom-ref"] for each in bom["components"]}
        self.assertEqual(set(bom["dependencies"][0]["dependsOn"]), references)


if __name__ == "__main__":
    unittest.main(verbosity=2)
