"""What every bench prints beside its figures: the machine, the versions, JSON and a picture."""

import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

PACKAGES = ("auricle", "faster-whisper", "ctranslate2", "numpy", "onnxruntime")


def machine() -> dict[str, object]:
    """Return what figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": sys.version.split()[0],
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write_json(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"wrote {path.name}")


@dataclass(frozen=True, slots=True)
class Bars:
    """A group of bars for each name, one bar a series."""

    title: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float]]


COLORS = ("#9aa5b1", "#2f6f4f", "#c2703d", "#4a6fa5", "#8a5a9e")
WIDTH, LEFT, BAR, GAP, HEAD = 760, 190, 16, 12, 40


def draw(path: Path, title: str, charts: Sequence[Bars]) -> None:
    """Write horizontal bar charts, one below the other, as SVG."""
    parts, y = [_text(16, 26, title, 17, "bold")], 56
    for chart in charts:
        body, y = _chart(chart, y)
        parts += body
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )
    print(f"wrote {path.name}")


def _chart(chart: Bars, y: int) -> tuple[list[str], int]:
    parts = [_text(16, y, chart.title, 13, "bold")]
    x = 16
    for color, name in zip(COLORS, chart.series, strict=False):
        parts.append(f'<rect x="{x}" y="{y + 9}" width="12" height="12" fill="{color}"/>')
        parts.append(_text(x + 17, y + 19, name, 12))
        x += 40 + 8 * len(name)
    y += HEAD
    most = max(max(values) for values in chart.series.values()) or 1.0
    for i, name in enumerate(chart.names):
        parts.append(_text(16, y + BAR, name, 12))
        for color, values in zip(COLORS, chart.series.values(), strict=False):
            width = (WIDTH - LEFT - 70) * values[i] / most
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{color}"/>'
            )
            parts.append(_text(LEFT + width + 6, y + BAR - 5, f"{values[i]:.3g}", 11))
            y += BAR
        y += GAP
    return parts, y + GAP


def _text(x: float, y: float, text: str, size: int, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
