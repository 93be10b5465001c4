"""The files of this repository, and C sources with comments and texts blanked out."""

import functools
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(os.environ.get("RELAY_SOURCE") or pathlib.Path(__file__).parents[2]).resolve()

PRODUCTION = ("base", "wire", "token", "client", "host", "server", "cli", "host-gst", "perf")
TEXT_SUFFIXES = {".c", ".h", ".in", ".py", ".sh", ".md", ".cmake", ".txt", ".json", ".yml",
                 ".service", ".html", ".js", ".css", ""}

_COMMENT_OR_TEXT = re.compile(
    r"""(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.DOTALL)


@functools.lru_cache(maxsize=None)
def files():
    """All files that are, or would be, in the repository: paths relative to ROOT, sorted."""
    # A clone may belong to another user than the one who tests it.
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "--cached",
               "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if not {"build", ".git", "__pycache__"} & set(path.relative_to(ROOT).parts)]
    return sorted({pathlib.PurePosixPath(name) for name in names if (ROOT / name).is_file()})


def c_files(*folders, suffixes=(".c", ".h")):
    """C sources below these top-level folders (default: all)."""
    return [path for path in files()
            if path.suffix in suffixes and (not folders or path.parts[0] in folders)]


def text_files():
    """Without the inputs of fuzz targets, whose bytes mean something as they are."""
    return [path for path in files()
            if path.suffix in TEXT_SUFFIXES and not {"corpus", "regressions"} & set(path.parts)]


@functools.lru_cache(maxsize=None)
def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


@functools.lru_cache(maxsize=None)
def code(path):
    """The source with comments and texts replaced by blanks; lines keep their numbers."""
    return _COMMENT_OR_TEXT.sub(lambda match: _blank(match[0]), read(path))


def line_comments(path):
    """Numbers of the lines with a comment of two slashes."""
    text = read(path)
    return [text.count("\n", 0, match.start()) + 1 for match in _COMMENT_OR_TEXT.finditer(text)
            if match["line"]]


def includes(path):
    """(line number, header) of each include in quotes, in the order of the file."""
    return [(number, match[1]) for number, line in enumerate(read(path).splitlines(), 1)
            if (match := re.match(r'\s*#\s*include\s+"([^"]+)"', line))]


def functions(path):
    """(name, first line, lines of the body, comment above) of each function definition.

    Relies on clang-format: the braces of a function, and only those, stand alone in column one.
    """
    lines, blanked = read(path).splitlines(), code(path).splitlines()
    found, opened = [], None
    for number, line in enumerate(blanked):
        if line.rstrip() == "{":
            opened = number
        elif line.rstrip() == "}" and opened is not None:
            signature = opened - 1
            while signature > 0 and re.match(r"\s+\S", blanked[signature]):
                signature -= 1
            comment, above = [], signature - 1
            while above >= 0 and lines[above].strip() and not blanked[above].strip():
                comment.insert(0, lines[above])
                above -= 1
            name = re.search(r"([A-Za-z_]\w*)\s*\(", "\n".join(blanked[signature:opened]))
            found.append((name[1] if name else "?", opened + 1, number - opened - 1,
                          "\n".join(comment)))
            opened = None
    return found


def markdown_prose(path):
    """Lines of a Markdown file with fenced blocks and code spans blanked out."""
    fenced, lines = False, []
    for line in read(path).splitlines():
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
            lines.append("")
        else:
            lines.append("" if fenced else re.sub(r"`[^`]*`", "", line))
    return lines


def markdown_anchors(path):
    """The names that links may point to in a Markdown file: its headings, as forges spell them."""
    anchors, fenced = set(), False
    for line in read(path).splitlines():
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
        elif not fenced and (match := re.match(r"#{1,6}\s+(.*?)\s*#*$", line)):
            title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", match[1]).lower()
            anchors.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return anchors
