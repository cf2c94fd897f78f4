"""Draws plots as SVG text, readable on light and on dark: of curves, and of bars.

Not here: what is drawn (readme.py).
"""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.measure import Curve, Line

__all__ = ["bars", "loglog"]

# Of middling brightness, and told apart by whoever sees few colours; ink and grid follow the page.
COLOURS = ("#3b82d6", "#d9662b", "#2a9d70")
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #333 } .title { font-weight: 600; font-size: 15px }
.small { font-size: 12px; fill: #666 } .grid { stroke: #8888; stroke-width: .5 }
.goal { stroke: #333; stroke-width: 1.5 }
.right { text-anchor: end } .middle { text-anchor: middle }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .small { fill: #aaa } .goal { stroke: #ddd }
}
</style>"""
WIDTH = 760
MISSED, MET = COLOURS[1], COLOURS[2]


def loglog(title: str, x_name: str, curves: Sequence[Curve]) -> str:
    """Draw curves, both axes logarithmic; one decade of either is as good as another."""
    left, right, top = 64, 44, 40
    low_x, high_x = _decades([x for it in curves for x in it.x])
    low_y, high_y = _decades([y for it in curves for y in it.y])
    height = 90 * min(4, high_y - low_y)
    bottom = top + height

    def across(x: float) -> float:
        share = (math.log10(x) - low_x) / (high_x - low_x)
        return left + share * (WIDTH - left - right)

    def up(y: float) -> float:
        return bottom - (math.log10(y) - low_y) / (high_y - low_y) * height

    parts = [_text(left, 22, title, "title")]
    for decade in range(low_x, high_x + 1):
        x = across(10**decade)
        parts += [_line(x, top, x, bottom, "grid")]
        parts += [_text(x, bottom + 18, f"{10**decade:,}", "small middle")]
    for decade in range(low_y, high_y + 1):
        y = up(10**decade)
        parts += [_line(left, y, WIDTH - right, y, "grid")]
        parts += [_text(left - 8, y + 4, f"{10.0**decade:,g}", "small right")]
    parts += [_text((left + WIDTH - right) / 2, bottom + 38, x_name, "small middle")]
    for number, it in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = [(across(x), up(y)) for x, y in zip(it.x, it.y, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
        for (x, y), value in zip(points, it.y, strict=True):
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>']
            parts += [_text(max(x, left + 22), y - 9, _short(value), "small middle")]
        y = bottom + 62 + 20 * number
        parts += [f'<rect x="{left}" y="{y - 10:.1f}" width="14" height="10" fill="{colour}"/>']
        parts += [_text(left + 22, y, it.name)]
    return _svg(bottom + 56 + 20 * len(curves), parts)


def bars(title: str, lines: Sequence[Line]) -> str:
    """Draw how far each goal is reached: a bar that crosses the rule at 1 has met it."""
    left, right, top, row = 130, 170, 60, 24
    progress = [it.progress for it in lines]
    low, high = math.log10(min(0.5, *progress)), math.log10(max(2, *progress))
    bottom = top + row * len(lines)

    def across(share: float) -> float:
        part = (math.log10(share) - low) / (high - low)
        return left + part * (WIDTH - left - right)

    goal = across(1)
    parts = [_text(16, 22, title, "title"), _text(goal, top - 12, "goal", "small middle")]
    for number, it in enumerate(lines):
        y, end = top + row * number, across(it.progress)
        start, width = min(goal, end), max(1.0, abs(end - goal))
        sign = "≥" if it.better == "higher" else "≤"
        colour = MET if it.is_met else MISSED
        parts += [
            _text(left - 10, y + 13, it.name, "right"),
            f'<rect x="{start:.1f}" y="{y + 3}" width="{width:.1f}" height="13" fill="{colour}"/>',
            _text(WIDTH - right + 12, y + 13, f"{it.ratio:.2f}  ({sign} {it.goal:g})", "small"),
        ]
    parts += [_line(goal, top - 4, goal, bottom, "goal")]
    parts += [_text(left, bottom + 20, "← short of it", "small")]
    parts += [_text(WIDTH - right, bottom + 20, "better than it →", "small right")]
    return _svg(bottom + 32, parts)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten that hold all values, at least one apart."""
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}>{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, style: str) -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} class="{style}"/>'


def _svg(height: float, parts: Sequence[str]) -> str:
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join((head, STYLE, *parts, "</svg>", ""))
