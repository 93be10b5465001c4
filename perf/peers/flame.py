"""Flame graphs: what `perf script` prints becomes stacks, and stacks a picture in SVG."""

import collections
import html

WIDTH, FRAME_HEIGHT, MARGIN, HEAD = 1200, 17, 10, 40
CHARACTER_WIDTH = 6.6
NARROWEST = 0.3  # frames below so many pixels are left out; their samples still count above them


def fold(lines):
    """{(thread, caller, …, callee): samples} of `perf script -F comm,ip,sym,dso`."""
    stacks = collections.Counter()
    thread, frames = None, []

    def end():
        if thread is not None:
            stacks[(thread, *reversed(frames))] += 1

    for line in lines:
        words = line.split()
        if not words:
            end()
            thread, frames = None, []
        elif thread is None:
            thread = line.strip()
        else:
            frames.append(_frame(words))
    end()
    return stacks


def _frame(words):
    """"7f01 send+0x4 (/lib/libc.so.6)": the function, or the library where that is not known."""
    library = words[-1].strip("()").rsplit("/", 1)[-1]
    name = " ".join(words[1:-1]).rsplit("+0x", 1)[0]
    if name in ("", "[unknown]"):
        return f"[{library.strip('[]')}]"
    return name + "_[k]" if library.startswith("[kernel") or ".ko" in library else name


class _Node:
    def __init__(self):
        self.samples = 0
        self.children = {}

    def add(self, stack, samples):
        node = self
        node.samples += samples
        for name in stack:
            node = node.children.setdefault(name, _Node())
            node.samples += samples

    def depth(self):
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def _colour(name):
    """The kernel's, libraries' without names, and ours apart; the same name always the same."""
    step = sum(map(ord, name)) % 40
    if name.endswith("_[k]"):
        return f"rgb({225 + step % 25},{140 + step},60)"
    if name.startswith("["):
        return f"rgb({190 + step % 20},{190 + step % 20},{195 + step % 20})"
    return f"rgb({90 + step},{175 + step},{110 + step})"


def _rectangles(node, name, left, level, scale, bottom):
    width = node.samples * scale
    if width < NARROWEST:
        return
    y = bottom - (level + 1) * FRAME_HEIGHT
    share = 100 * node.samples * scale / (WIDTH - 2 * MARGIN)
    label = html.escape(name)
    yield (f"<g><title>{label}: {node.samples} samples, {share:.1f} %</title>"
           f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{FRAME_HEIGHT - 1}" '
           f'fill="{_colour(name)}"/>')
    room = int((width - 6) / CHARACTER_WIDTH)
    if room >= 3:
        short = name if len(name) <= room else name[:room - 2] + ".."
        yield f'<text x="{left + 3:.1f}" y="{y + 12}">{html.escape(short)}</text>'
    yield "</g>"
    for child_name, child in sorted(node.children.items()):
        yield from _rectangles(child, child_name, left, level + 1, scale, bottom)
        left += child.samples * scale


def draw(stacks, title):
    """The whole file as text. Widths are shares of the samples, callers below callees."""
    root = _Node()
    for stack, samples in stacks.items():
        root.add(stack, samples)
    height = HEAD + root.depth() * FRAME_HEIGHT + MARGIN
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             'font-family="monospace" font-size="11">',
             '<rect width="100%" height="100%" fill="#fff"/>',
             f'<text x="{MARGIN}" y="24" font-size="15">{html.escape(title)}</text>']
    if root.samples > 0:
        scale = (WIDTH - 2 * MARGIN) / root.samples
        lines += _rectangles(root, "all", MARGIN, 0, scale, height - MARGIN)
    return "\n".join(lines + ["</svg>", ""])
