"""Bar and line charts as SVG, one below the other."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

COLORS = (
    *("#9aa5b1", "#2f6f4f", "#c2703d", "#4a6fa5", "#8a5a9e", "#b0413e"),
    *("#d9a521", "#3d9ca8", "#d17fae", "#6b4f3a", "#97b353", "#1f2933"),
)
WIDTH, LEFT, RIGHT, BAR, HEAD, HEIGHT, GAP = 760, 190, 70, 16, 40, 150, 24
LEGEND_LINE = 18
GRID_LINES = 4
MAX_MARKS = 12
"""Lines with more points have no marks and values."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A group of horizontal bars for each name, one bar for each series."""

    title: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines through points (x, y); a value of ``None`` or above ``top`` is drawn at the top."""

    title: str
    lines: Mapping[str, Sequence[tuple[float, float | None]]]
    unit: str
    top: float | None = None


Chart = Bars | Lines


def draw(path: Path, title: str, charts: Iterable[Chart]) -> None:
    """Write charts to an SVG file.

    Raises:
        ValueError: A chart has more series than there are colors.
    """
    parts, y = [_text(16, 26, title, 17, "bold")], 56.0
    for chart in charts:
        names = chart.series if isinstance(chart, Bars) else chart.lines
        heading, y = _heading(chart.title, list(names), y)
        body, y = _bars(chart, y) if isinstance(chart, Bars) else _lines(chart, y)
        parts += heading + body
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y:.0f}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )
    print(f"wrote {path.name}")


def _colored(series: Collection[T]) -> Iterator[tuple[str, T]]:
    return zip(COLORS[: len(series)], series, strict=True)


def _heading(title: str, names: Sequence[str], y: float) -> tuple[list[str], float]:
    parts, x = [_text(16, y, title, 13, "bold")], 16
    for color, name in _colored(names):
        if x > 16 and x + 17 + 7 * len(name) > WIDTH:
            x, y = 16, y + LEGEND_LINE
        parts.append(f'<rect x="{x}" y="{y + 9}" width="12" height="12" fill="{color}"/>')
        parts.append(_text(x + 17, y + 19, name, 12))
        x += 40 + 7 * len(name)
    return parts, y + HEAD


def _bars(chart: Bars, y: float) -> tuple[list[str], float]:
    parts = []
    top = max(max(values) for values in chart.series.values()) or 1.0
    for i, name in enumerate(chart.names):
        parts.append(_text(16, y + BAR, name, 12))
        for color, values in _colored(chart.series.values()):
            width = (WIDTH - LEFT - RIGHT) * values[i] / top
            size = f'width="{width:.1f}" height="{BAR - 2}"'
            parts.append(f'<rect x="{LEFT}" y="{y}" {size} fill="{color}"/>')
            parts.append(_text(LEFT + width + 6, y + BAR - 5, f"{values[i]:.3g}", 11))
            y += BAR
        y += GAP / 2
    return parts, y + GAP / 2


def _lines(chart: Lines, y: float) -> tuple[list[str], float]:
    points = [point for line in chart.lines.values() for point in line]
    last_x = max(x for x, _ in points)
    top = chart.top or 1.1 * max(value or 0.0 for _, value in points) or 1.0
    parts = []

    def at(value: float | None) -> float:
        return y + HEIGHT * (1 - (1.0 if value is None else min(value / top, 1.0)))

    for value in (top * index / GRID_LINES for index in range(GRID_LINES + 1)):
        parts.append(f'<path d="M60,{at(value):.1f} H{WIDTH - 20}" stroke="#e4e7eb"/>')
        parts.append(_text(16, at(value) + 4, f"{value:.3g}", 11))
    for color, line in _colored(chart.lines.values()):
        places = [(60 + (WIDTH - 80) * x / last_x, at(value), value) for x, value in line]
        path = " ".join(f"{x:.1f},{height:.1f}" for x, height, _ in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for x, height, figure in places if len(line) <= MAX_MARKS else ():
            parts.append(f'<circle cx="{x:.1f}" cy="{height:.1f}" r="3" fill="{color}"/>')
            parts.append(_text(x - 9, height - 6, "-" if figure is None else f"{figure:.3g}", 9))
    parts.append(_text(WIDTH - 110, y + HEIGHT + 16, f"{last_x:.4g} {chart.unit}", 11))
    return parts, y + HEIGHT + HEAD


def _text(x: float, y: float, text: str, size: int, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
