"""The repository's own rules (docs/style.md), as tests. Each message says how to cure."""

import collections
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

import repository
from repository import PRODUCTION, ROOT, c_files, code, files, includes, read, text_files

# Who may include whom; a layer may always include itself.
LAYERS = {
    "base": set(),
    "wire": {"base"},
    "token": {"base", "wire"},
    "client": {"base", "wire", "token"},
    "host": {"base", "wire", "client"},
    "server": {"base", "wire", "token"},
    "cli": {"base", "wire", "token", "client", "host", "server"},
    "host-gst": {"base", "wire", "client"},
    "perf": {"base", "wire", "token", "client"},
}
# Inside server/: a folder includes none of a higher rank.
SERVER_RANKS = {"stats": 0, "tls/record": 0, "handover": 0, "loop": 1, "tls": 1, "hub": 2,
                "hub/lag": 2, "hub/v1": 2, "bookings": 3, "access": 4, "conn": 5,
                "conn/tls": 6, "placement": 7,
                "websocket": 8, "websocket/publish": 8, "websocket/v1": 8,
                "handover/live": 9, "report": 10, "admin": 11, "http": 12, "succession": 13}
SERVER_RANK_TOP = 13
# The same inside host/.
HOST_RANKS = {"loop": 0, "feed": 0, "rules": 1, "destination": 2, "device": 2, "publisher": 2,
              "local": 2, "control": 3, "http": 4}
HOST_RANK_TOP = 5
# Plain values without behaviour, for every folder of the server.
SERVER_SHARED_HEADERS = {"server/config.h"}

BANNED_CALLS = {
    "strcpy": "base/bytes.h or memcpy with a known length",
    "strcat": "snprintf with the size",
    "sprintf": "snprintf with the size",
    "vsprintf": "vsnprintf with the size",
    "gets": "fgets or getline",
    "strtok": "strtok_r, or base/bytes.h",
    "gmtime": "gmtime_r",
    "localtime": "localtime_r",
    "asctime": "strftime",
    "ctime": "strftime",
    "alloca": "a bounded array",
    "atoi": "strtol with a check, or base/options/",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}
# Tests may draw numbers that can be guessed and repeated; the program may not.
BANNED_CALLS_IN_PRODUCTION = {
    "rand": "base/random.h",
    "srand": "base/random.h",
    "random": "base/random.h",
    "system": "posix_spawn with arguments",
    "popen": "posix_spawn with arguments",
}
# Spelt in two parts, so that this file passes its own rule.
UNFINISHED_MARKS = ("FIX" + "ME", "TO" + "DO", "X" + "XX")
WORK_MACHINE_PATHS = re.compile("(?<![\\w.}])/(" + "wo" + "rk|ro" + "ot|ho" + "me)/\\w")

FUNCTION_LINES_MAX = 50
TEST_FUNCTION_LINES_MAX = 120
SOURCE_LINES_MAX = 800
FOLDER_SOURCES_MAX = 12
LINE_LENGTH_MAX = 100
DECISION_LINES_MAX = 60


def server_rank(path):
    """Rank of a file below server/ by its folder."""
    return SERVER_RANKS.get("/".join(path.parts[1:-1]), SERVER_RANK_TOP)


class Tidy(unittest.TestCase):
    def fail_if_any(self, found, cure):
        if found:
            self.fail("\n  " + "\n  ".join(str(each) for each in found) + f"\ncure: {cure}")

    # The shape of the program

    def test_layers_include_only_layers_below(self):
        found = []
        for path in c_files(*LAYERS):
            layer = path.parts[0]
            for number, header in includes(path):
                target = header.split("/")[0]
                if target in LAYERS and target != layer and target not in LAYERS[layer]:
                    found.append(f"{path}:{number} includes {header}")
        self.fail_if_any(found, "base <- wire <- token <- {client, server} <- cli and "
                         "client <- {host, host-gst}; move the code down, or hand a function "
                         "pointer down")

    def test_server_folders_include_only_folders_below(self):
        found = []
        for path in c_files("server"):
            for number, header in includes(path):
                if header.startswith("server/") and header not in SERVER_SHARED_HEADERS \
                        and server_rank(pathlib.PurePosixPath(header)) > server_rank(path):
                    found.append(f"{path}:{number} includes {header}")
        self.fail_if_any(found, "{stats, tls/record} <- {loop, tls} <- {hub, hub/lag} <- "
                         "bookings <- access <- conn <- conn/tls <- placement <- websocket <- "
                         "report <- admin <- http <- server.c; "
                         "an upward call goes through a function pointer given downward")

    def test_host_folders_include_only_folders_below(self):
        def rank(path):
            return HOST_RANKS.get("/".join(path.parts[1:-1]), HOST_RANK_TOP)

        found = []
        for path in c_files("host"):
            for number, header in includes(path):
                if header.startswith("host/") and rank(pathlib.PurePosixPath(header)) > rank(path):
                    found.append(f"{path}:{number} includes {header}")
        self.fail_if_any(found, "{loop, feed} <- rules <- "
                         "{destination, device, publisher, local} <- control <- http <- host.c; "
                         "an upward call goes through a function pointer given downward")

    def test_includes_are_written_from_the_root(self):
        found = [f"{path}:{number} includes {header}" for path in c_files(*PRODUCTION)
                 for number, header in includes(path)
                 if "/" not in header and (ROOT / path.parent / header).exists()]
        self.fail_if_any(found, 'write "folder/name.h", so that the include says the layer')

    def test_headers_do_not_include_each_other_in_circles(self):
        graph = {str(path): [header for _, header in includes(path) if (ROOT / header).is_file()]
                 for path in c_files(suffixes=(".h",))}
        done, found = set(), []

        def visit(header, trail):
            if header in trail:
                found.append(" -> ".join(trail[trail.index(header):] + [header]))
            elif header not in done:
                for other in graph.get(header, ()):
                    visit(other, trail + [header])
                done.add(header)

        for header in graph:
            visit(header, [])
        self.fail_if_any(found, "declare the struct forward in one of them")

    def test_folders_stay_small(self):
        counts = collections.Counter(path.parent for path in c_files(*PRODUCTION, suffixes=(".c",)))
        found = [f"{folder}: {count} .c files" for folder, count in counts.items()
                 if count > FOLDER_SOURCES_MAX]
        self.fail_if_any(found, f"at most {FOLDER_SOURCES_MAX} .c files: split by subject")

    def test_every_codec_has_a_unit_test_and_a_fuzz_target(self):
        found = []
        for path in c_files("wire", suffixes=(".c",)):
            for pair in (f"tests/unit/{path.parent}/{path.stem}_test.c",
                         f"fuzz/{path.stem}_fuzz.c"):
                if not (ROOT / pair).is_file():
                    found.append(f"{path} has no {pair}")
        self.fail_if_any(found, "write it in the same commit; a writer is fuzzed by round trip")

    def test_unit_tests_stand_where_their_source_stands(self):
        found = []
        for path in c_files("tests", suffixes=(".c",)):
            if path.parts[1] == "unit" and path.stem.endswith("_test"):
                tested = ROOT.joinpath(*path.parts[2:-1], path.stem[:-len("_test")])
                has_source = any(tested.with_suffix(suffix).is_file() for suffix in (".c", ".h"))
                says_what = tested.parent.is_dir() and read(path).startswith("/*")
                if not has_source and not says_what:
                    found.append(path)
        self.fail_if_any(found, "tests/unit/<path>/x_test.c tests <path>/x.c: move it along, or "
                         "open with a comment that says which behaviour of the folder it tests")

    def test_fuzz_targets_say_what_they_reach_and_have_seeds(self):
        found = []
        for path in c_files("fuzz", suffixes=(".c",)):
            name = path.stem.removesuffix("_fuzz")
            if not read(path).startswith("/*"):
                found.append(f"{path} does not open with a comment naming the functions it reaches")
            # The canary is there to crash, from nothing.
            if path.stem.endswith("_fuzz") and name != "canary" and \
                    not any(seed.parts[:3] == ("fuzz", "corpus", name) for seed in files()):
                found.append(f"{path} has no seeds in fuzz/corpus/{name}/")
        self.fail_if_any(found, "docs/testing.md, How to add a fuzz target")

    # Headers

    def test_headers_open_with_a_comment(self):
        found = [path for path in c_files(*PRODUCTION, suffixes=(".h",))
                 if not read(path).startswith("/*")]
        self.fail_if_any(found, "say on top what it is, who owns it, which thread may call")

    def test_headers_are_included_once(self):
        found = [path for path in c_files(suffixes=(".h",))
                 if not re.search(r"^#pragma once$", read(path), re.MULTILINE)]
        self.fail_if_any(found, "write #pragma once under the comment on top")

    def test_headers_compile_alone(self):
        compiler = os.environ.get("CC") or shutil.which("cc")
        self.assertTrue(compiler, "no C compiler: run scripts/setup.sh")
        build = os.environ.get("RELAY_BUILD") or next(
            (str(path.parent) for path in sorted(ROOT.glob("build/*/compile_commands.json"))), None)
        if build is None:
            self.skipTest("nothing is built, so the include folders of libraries are unknown")
        flags = ["-I", str(ROOT), "-I", f"{build}/generated"] + include_flags_of(build)
        gst_is_built = any("host-gst" in each["file"] for each in compile_commands_of(build))

        def compile_alone(path):
            result = subprocess.run(
                [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", *flags, "-include",
                 str(ROOT / path), "-x", "c", "/dev/null"],
                capture_output=True, text=True, check=False)
            if result.returncode == 0:
                return None
            errors = [line for line in result.stderr.splitlines() if "error:" in line]
            return f"{path}: {(errors or [result.stderr])[0]}"

        headers = [path for path in c_files(*PRODUCTION, suffixes=(".h",))
                   if path.parts[0] != "host-gst" or gst_is_built]
        with ThreadPoolExecutor(2) as pool:
            found = [each for each in pool.map(compile_alone, headers) if each]
        self.fail_if_any(found, "include what its own types need, and only that")

    def test_bounds_are_in_the_header_of_their_file(self):
        found = [f"{path}: {match[0]}" for path in c_files(*PRODUCTION, suffixes=(".h",))
                 for match in re.finditer(r"enum (?:(\w+)_limits|limits_\w+)\b", code(path))
                 if match[1] != path.stem]
        self.fail_if_any(found, "x.h holds the bounds of x.c in an enum x_limits; no header holds "
                         "those of several files")

    # Sources

    def test_functions_are_short(self):
        found = []
        for path in c_files(*PRODUCTION, "fuzz", "tests", suffixes=(".c", ".h")):
            limit = TEST_FUNCTION_LINES_MAX if path.parts[0] == "tests" else FUNCTION_LINES_MAX
            found += [f"{path}:{line} {name}: {count} lines"
                      for name, line, count, _ in repository.functions(path) if count > limit]
        self.fail_if_any(found, f"at most {FUNCTION_LINES_MAX} lines, in tests "
                         f"{TEST_FUNCTION_LINES_MAX}: name a part and move it out")

    def test_sources_are_short(self):
        found = [f"{path}: {count} lines" for path in c_files(*PRODUCTION)
                 if (count := read(path).count("\n")) > SOURCE_LINES_MAX]
        self.fail_if_any(found, f"at most {SOURCE_LINES_MAX} lines: one noun per file")

    def test_no_banned_calls(self):
        found = []
        for path in c_files():
            banned = BANNED_CALLS | (BANNED_CALLS_IN_PRODUCTION if path.parts[0] in PRODUCTION
                                     else {})
            pattern = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
            found += [f"{path}:{number} {match[1]}: use {banned[match[1]]}"
                      for number, line in enumerate(code(path).splitlines(), 1)
                      for match in pattern.finditer(line)]
        self.fail_if_any(found, "these calls overflow, share state or hide errors")

    def test_comments_are_blocks(self):
        found = [f"{path}:{number}" for path in c_files()
                 for number in repository.line_comments(path)]
        self.fail_if_any(found, "two slashes are for notes while working; write /* why */")

    def test_nothing_is_marked_unfinished(self):
        pattern = re.compile(r"\b(" + "|".join(UNFINISHED_MARKS) + r")\b")
        found = [f"{path}:{number}" for path in text_files()
                 for number, line in enumerate(read(path).splitlines(), 1) if pattern.search(line)]
        self.fail_if_any(found, "finish it, or open an issue and say the limit in the docs")

    def test_lines_fit(self):
        checked = [path for path in files() if path.suffix in {".c", ".h", ".py", ".sh"}]
        found = [f"{path}:{number} has {len(line)} columns" for path in checked
                 for number, line in enumerate(read(path).splitlines(), 1)
                 if len(line) > LINE_LENGTH_MAX]
        self.fail_if_any(found, f"at most {LINE_LENGTH_MAX} columns; clang-format -i for C")

    def test_no_trailing_blanks(self):
        found = [f"{path}:{number}" for path in text_files() if path.suffix != ".md"
                 for number, line in enumerate(read(path).split("\n"), 1)
                 if line != line.rstrip(" \t")]
        self.fail_if_any(found, "remove the blanks at the end of the line")

    # Documents

    def test_markdown_links_resolve(self):
        found = []
        for path in (path for path in files() if path.suffix == ".md"):
            for number, line in enumerate(repository.markdown_prose(path), 1):
                for target in re.findall(r"\]\(([^)\s]+)(?:\s[^)]*)?\)", line):
                    if not link_resolves(path, target):
                        found.append(f"{path}:{number} -> {target}")
        self.fail_if_any(found, "point it at an existing file or heading, from the file's folder")

    def test_markdown_has_one_title(self):
        found = []
        for path in (path for path in files() if path.suffix == ".md"):
            titles = [line for line in repository.markdown_prose(path) if re.match(r"#\s", line)]
            if len(titles) != 1:
                found.append(f"{path} has {len(titles)}")
        self.fail_if_any(found, "exactly one `# Title`; the rest are `##` and below")

    def test_decision_records_are_short_and_numbered(self):
        found, numbers = [], collections.Counter()
        for path in (path for path in files() if path.parts[:2] == ("docs", "decisions")):
            if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name) and path.name != "README.md":
                found.append(f"{path} is not named NNNN-title.md")
            numbers[path.name[:4]] += 1
            if read(path).count("\n") > DECISION_LINES_MAX:
                found.append(f"{path} is longer than {DECISION_LINES_MAX} lines")
        found += [f"{number} is used {count} times" for number, count in numbers.items()
                  if count > 1]
        self.fail_if_any(found, "context, choice, consequences, what failed; the rest elsewhere")

    def test_options_are_documented(self):
        """Every option of the tables is in docs/operations.md, and nothing else is."""
        page = ROOT / "docs/operations.md"
        in_code = option_names()
        if not in_code and not page.is_file():
            self.skipTest("no option tables yet")
        self.assertTrue(page.is_file(), "docs/operations.md is missing. cure: write it; its tables "
                        "are what `relay help --markdown` prints")
        in_page = set(re.findall(r"\b(?:RELAY|RELAYHOST|VW)_[A-Z0-9_]*[A-Z0-9]\b",
                                 page.read_text(encoding="utf-8")))
        found = [f"{name} is an option but not in docs/operations.md"
                 for name in sorted(in_code - in_page)]
        found += [f"{name} is in docs/operations.md but no option"
                  for name in sorted(in_page - in_code)]
        self.fail_if_any(found, "paste the tables that `relay help --markdown` prints")

    def test_option_tables_are_the_printed_ones(self):
        """docs/operations.md holds, word for word, the tables that the program prints."""
        relay = pathlib.Path(os.environ.get("RELAY_BUILD", "")) / "relay"
        if not os.environ.get("RELAY_BUILD") or not relay.is_file():
            self.skipTest("relay is not built")
        printed = subprocess.run([relay, "help", "--markdown"], capture_output=True, text=True,
                                 timeout=300, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(printed.returncode, 0, f"`relay help --markdown` failed: {printed.stderr}")
        page = {line.strip() for line in read("docs/operations.md").splitlines()} \
            if (ROOT / "docs/operations.md").is_file() else set()
        found = [line for line in printed.stdout.splitlines()
                 if line.startswith("|") and line.strip() not in page]
        self.fail_if_any(found, "docs/operations.md is stale: paste what `relay help --markdown` "
                         "prints")

    # The repository

    def test_no_test_has_a_limit_of_its_own_on_its_total_time(self):
        found = [f"{path}:{number}: {line.strip()}" for path in files()
                 if str(path).endswith(("CMakeLists.txt", ".cmake"))
                 for number, line in enumerate(read(path).splitlines(), 1)
                 if re.search(r"\bTIMEOUT\s+(?!\$\{RELAY_BACKSTOP_S\})|--timeout\s+\d", line)]
        self.fail_if_any(found, "machines differ: TIMEOUT ${RELAY_BACKSTOP_S}, and deadlines for "
                         "the next event inside the test (docs/testing.md)")

    def test_no_paths_of_a_work_machine(self):
        found = [f"{path}:{number}" for path in text_files()
                 for number, line in enumerate(read(path).splitlines(), 1)
                 if WORK_MACHINE_PATHS.search(line)]
        self.fail_if_any(found, "write the path from the repository's root, or take a parameter")

    def test_scripts_and_only_scripts_are_executable(self):
        found = []
        for path in files():
            executable = bool((ROOT / path).stat().st_mode & 0o100)
            with open(ROOT / path, "rb") as file:
                script = file.read(2) == b"#!"
            if executable != script:
                found.append(f"{path}: " + ("has #! but is not executable: chmod +x" if script else
                                            "is executable but has no #!: chmod -x"))
        self.fail_if_any(found, "a file is executable exactly when it opens with #!")

    def test_texts_end_with_one_newline(self):
        found = [path for path in text_files()
                 if read(path) and (not read(path).endswith("\n") or read(path).endswith("\n\n"))]
        self.fail_if_any(found, "end the last line, and leave no empty line behind it")

    # The rules themselves

    def test_the_rules_find_what_they_look_for(self):
        """A scratch source that breaks rules: whoever breaks a rule's eyes hears of it here."""
        body = "".join(f"    call({number});\n" for number in range(FUNCTION_LINES_MAX + 1))
        source = ('/* strcpy( in a comment */\nstatic const char *text = "// no comment";\n\n'
                  f"static void long_one(int a,\n                     int b)\n{{\n{body}}}\n\n"
                  f"int short_one(void)\n{{\n    return strcpy(a, b); // bad\n}}\n")
        with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
            file.write(source)
            file.flush()
            names = [(name, count) for name, _, count, _ in repository.functions(file.name)]
            self.assertEqual(names, [("long_one", FUNCTION_LINES_MAX + 1), ("short_one", 1)])
            self.assertEqual(len(re.findall(r"\bstrcpy\(", code(file.name))), 1)
            self.assertEqual(len(repository.line_comments(file.name)), 1)


def compile_commands_of(build):
    path = pathlib.Path(build) / "compile_commands.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def include_flags_of(build):
    """The include folders of all compile commands of a build."""
    flags = {}
    for entry in compile_commands_of(build):
        words = shlex.split(entry["command"])
        for index, word in enumerate(words):
            if word == "-isystem":
                flags[("-isystem", words[index + 1])] = None
            elif word.startswith("-I") and len(word) > 2:
                flags[(word,)] = None
    return [word for flag in flags for word in flag]


def option_names():
    """Environment names in the option tables: the member env of each struct option_spec."""
    pattern = re.compile(r'\.env\s*=\s*"((?:RELAY|RELAYHOST|VW)_[A-Z0-9_]+)"')
    return {name for path in c_files("cli", "server") for name in pattern.findall(read(path))}


def link_resolves(path, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return True  # another site: not ours to check, and tests need no network
    name, _, anchor = target.partition("#")
    file = ROOT / path.parent / name if name else ROOT / path
    if not file.exists():
        return False
    if anchor and file.suffix == ".md":
        return anchor in repository.markdown_anchors(file)
    return True


if __name__ == "__main__":
    unittest.main(verbosity=2)
