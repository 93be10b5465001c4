"""Line charts in SVG, without a library: series over numbers of viewers, both axes logarithmic."""

import html
import math

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 130, 34, 44
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def _decades(values):
    """Powers of ten that enclose all values; at least one decade."""
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _number(value):
    return f"{value:g}"


class _Axes:
    def __init__(self, points, left):
        self.x_range = _decades([x for x, _ in points])
        self.y_range = _decades([y for _, y in points])
        self.left = left

    def x(self, value):
        low, high = self.x_range
        share = (math.log10(value) - low) / (high - low)
        return self.left + LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = self.y_range
        share = (math.log10(value) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def grid(self):
        left, right = self.left + LEFT, self.left + WIDTH - RIGHT
        for power in range(self.y_range[0], self.y_range[1] + 1):
            y = self.y(10.0 ** power)
            yield f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="#ccc"/>'
            yield (f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">'
                   f"{_number(10.0 ** power)}</text>")
        for power in range(self.x_range[0], self.x_range[1] + 1):
            x = self.x(10.0 ** power)
            yield f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>'
            yield (f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
                   f"{_number(10.0 ** power)}</text>")


def _panel(title, series, left):
    """series: name → [(viewers, value)…]. Values that are no positive number have no place."""
    shown = {name: [(x, y) for x, y in points if y > 0] for name, points in series.items()}
    points = [point for each in shown.values() for point in each]
    yield f'<text x="{left + LEFT}" y="20" font-weight="bold">{html.escape(title)}</text>'
    if not points:
        yield f'<text x="{left + LEFT}" y="{HEIGHT / 2}">nothing measured</text>'
        return
    axes = _Axes(points, left)
    yield from axes.grid()
    yield (f'<text x="{left + (LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" '
           'text-anchor="middle">viewers</text>')
    for index, (name, line) in enumerate(shown.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in line)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in line:
            yield (f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3" fill="{colour}">'
                   f"<title>{html.escape(name)}: {_number(x)} viewers, {y:.3g}</title></circle>")
        yield (f'<text x="{left + WIDTH - RIGHT + 10}" y="{TOP + 14 + 16 * index}" '
               f'fill="{colour}">{html.escape(name)}</text>')


def draw(panels):
    """panels: [(title, {name: [(viewers, value)…]})…], side by side. The whole file as text."""
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" '
             f'viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" font-family="sans-serif" '
             'font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>']
    for index, (title, series) in enumerate(panels):
        lines += _panel(title, series, index * WIDTH)
    return "\n".join(lines + ["</svg>", ""])
