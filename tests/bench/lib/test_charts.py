"""Charts show every series, with a legend inside the picture."""

import re
from pathlib import Path

import pytest

from bench.lib.charts import COLORS, WIDTH, Bars, draw

pytestmark = pytest.mark.unit

LEGEND = re.compile(r'<rect x="(\d+)" y="([\d.]+)" width="12" height="12" fill="(#\w+)"/>')


def bars(count: int) -> Bars:
    return Bars("a chart", ["median"], {f"a system with a name, {i}": [1.0] for i in range(count)})


def test_each_series_has_a_color_and_a_place_in_the_legend(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    draw(path, "title", [bars(len(COLORS))])
    entries = LEGEND.findall(path.read_text())
    assert [color for *_, color in entries] == list(COLORS)
    assert all(int(x) + 17 + 7 * len("a system with a name, 0") <= WIDTH for x, *_ in entries)
    lines = {float(y) for _, y, _ in entries}
    first_bar_y = min(
        map(float, re.findall(r'y="([\d.]+)" width="[\d.]+" height="14"', path.read_text()))
    )
    assert len(lines) > 1
    assert max(lines) + 12 <= first_bar_y


def test_more_series_than_colors_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="longer"):
        draw(tmp_path / "chart.svg", "title", [bars(len(COLORS) + 1)])
