"""Draws figures by number of streams as lines, one a server, with the targets beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

COLORS = {"auricle": "#2f6f4f", "whisper-live": "#c2703d", "whisper-live-batch": "#8a5a9e"}
WIDTH, LEFT, RIGHT, HEAD, HEIGHT, GAP = 760, 60, 30, 70, 190, 62
LABELS = {"auricle": (-8, -7), "whisper-live": (8, -1), "whisper-live-batch": (8, 11)}
"""Where a point's figure stands beside it, so that those of several servers can be read."""
NEVER = "never"

Value = Callable[[dict[str, Any]], float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """At most ``most`` for so many streams."""

    streams: int
    most: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure; what is above ``top`` or never came is drawn at the upper edge."""

    title: str
    top: float
    value: Value
    faint: Value | None = None
    """Drawn as a thin line as well."""
    targets: Sequence[Target] = ()


CHARTS = (
    Chart(
        "delay from the end of speech to its final, s: 95 % (thick) and half (thin) of all",
        6.0,
        lambda run: run["final_delay_s"]["p95"],
        lambda run: run["final_delay_s"]["p50"],
        (Target(1, 1.0), Target(24, 2.0)),
    ),
    Chart(
        "delay from the end of speech until its last word is seen, final or not, s",
        6.0,
        lambda run: run["last_word_delay_s"]["p95"],
        lambda run: run["last_word_delay_s"]["p50"],
    ),
    Chart(
        "delay from the start of speech to its first right word, s: 95 % (thick), half (thin)",
        6.0,
        lambda run: run["first_word_delay_s"]["p95"],
        lambda run: run["first_word_delay_s"]["p50"],
        (Target(1, 1.0),),
    ),
    Chart("words wrong, %", 40.0, lambda run: run["wer_percent"]),
    Chart("processor seconds for each second of speech", 1.0, lambda run: run["cpu_s_per_audio_s"]),
)


def draw_curves(path: Path, runs: Sequence[dict[str, Any]]) -> None:
    """Write the picture as SVG."""
    streams = sorted({run["streams"] for run in runs})
    servers = [name for name in COLORS if any(run["server"] == name for run in runs)]
    by_server = {
        name: {run["streams"]: run for run in runs if run["server"] == name} for name in servers
    }
    parts = [_text(16, 26, "Live streams on one machine", 17, "bold"), *_legend(servers)]
    y = HEAD
    for chart in CHARTS:
        parts += _draw(chart, y, streams, by_server)
        y += HEIGHT + GAP
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _legend(servers: Sequence[str]) -> list[str]:
    parts, x = [], 16
    for name in servers:
        parts.append(f'<rect x="{x}" y="38" width="12" height="12" fill="{COLORS[name]}"/>')
        parts.append(_text(x + 17, 48, name, 12))
        x += 50 + 8 * len(name)
    parts.append(f'<path d="M{x},44 h22" stroke="#b03030" stroke-width="3"/>')
    parts.append(_text(x + 28, 48, "target", 12))
    return parts


def _draw(
    chart: Chart,
    y: int,
    streams: Sequence[int],
    by_server: Mapping[str, Mapping[int, dict[str, Any]]],
) -> list[str]:
    parts = [_text(16, y, chart.title, 13, "bold")]
    top_y, bottom_y = y + 22, y + HEIGHT
    step = (WIDTH - LEFT - RIGHT) / max(1, len(streams) - 1)
    x_of = {count: LEFT + i * step for i, count in enumerate(streams)}

    def y_of(value: float | None) -> float:
        share = 1.0 if value is None else min(value / chart.top, 1.0)
        return bottom_y - share * (bottom_y - top_y)

    for i in range(5):
        value = chart.top * i / 4
        at = y_of(value)
        parts.append(f'<path d="M{LEFT},{at:.1f} H{WIDTH - RIGHT}" stroke="#dfe3e8"/>')
        label = f"{value:g}" if i < 4 else f"{value:g}+"
        parts.append(_text(LEFT - 40, at + 4, label, 11))
    for count, x in x_of.items():
        parts.append(_text(x - 5, bottom_y + 16, str(count), 11))
    for target in chart.targets:
        if target.streams in x_of:
            x, at = x_of[target.streams], y_of(target.most)
            parts.append(
                f'<path d="M{x - 16:.1f},{at:.1f} h32" stroke="#b03030" stroke-width="3"/>'
            )
    for name, runs in by_server.items():
        for value_of, width in ((chart.value, 2.5), (chart.faint, 1.0)):
            if value_of is None:
                continue
            points = [(x_of[n], value_of(run)) for n, run in sorted(runs.items())]
            line = " ".join(f"{x:.1f},{y_of(value):.1f}" for x, value in points)
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{COLORS[name]}" '
                f'stroke-width="{width}"/>'
            )
            if width > 1:
                parts += [_point(x, y_of(value), value, name) for x, value in points]
    return parts


def _point(x: float, y: float, value: float | None, server: str) -> str:
    label = NEVER if value is None else f"{value:.3g}"
    right, down = LABELS[server]
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLORS[server]}"/>'
    return circle + _text(x + right, y + down, label, 10)


def _text(x: float, y: float, text: str, size: int, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
