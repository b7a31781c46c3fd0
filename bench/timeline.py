"""Draws figures over time as lines, one chart below the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLORS = ("#2f6f4f", "#c2703d", "#4a6fa5", "#8a5a9e", "#9aa5b1", "#b0413e")
WIDTH, LEFT, RIGHT, HEAD, HEIGHT, GAP = 760, 60, 20, 40, 130, 66
LINES = 4

Line = Sequence[tuple[float, float]]
"""Seconds and values."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Some figures over the same time."""

    title: str
    lines: Mapping[str, Line]


def draw_lines(path: Path, title: str, charts: Sequence[Chart], unit: tuple[str, float]) -> None:
    """Write charts as SVG.

    Args:
        path: Where to.
        title: Above all of them.
        charts: From top to bottom.
        unit: What time is told in, and how many seconds that has.
    """
    last_s = max(at for chart in charts for line in chart.lines.values() for at, _ in line)
    parts, y = [_text(16, 26, title, 17, "bold")], 44.0
    for chart in charts:
        parts += _draw(chart, y, last_s)
        y += HEAD + HEIGHT + GAP - 40
    parts.append(_text(WIDTH - 110, y, f"{last_s / unit[1]:.0f} {unit[0]}", 11))
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 16:.0f}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )
    print(f"wrote {path.name}")


def _draw(chart: Chart, y: float, last_s: float) -> list[str]:
    parts, x = [_text(16, y, chart.title, 13, "bold")], 16.0
    for color, name in zip(COLORS, chart.lines, strict=False):
        parts.append(f'<rect x="{x}" y="{y + 9}" width="12" height="12" fill="{color}"/>')
        parts.append(_text(x + 17, y + 19, name, 12))
        x += 40 + 7 * len(name)
    top, most = y + HEAD, 1.1 * max(v for line in chart.lines.values() for _, v in line) or 1.0
    for share in (index / LINES for index in range(LINES + 1)):
        at = top + HEIGHT * (1 - share)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" ')
        parts.append('stroke="#e4e7eb"/>' + _text(16, at + 4, f"{most * share:.3g}", 11))
    for color, line in zip(COLORS, chart.lines.values(), strict=False):
        points = " ".join(
            f"{LEFT + (WIDTH - LEFT - RIGHT) * at / last_s:.1f},{top + HEIGHT * (1 - v / most):.1f}"
            for at, v in line
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
    return parts


def _text(x: float, y: float, text: str, size: int, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
