"""Draw a way: a row for each module, a column for each call, a line from one to the next."""

from html import escape
from pathlib import Path

from bench.lib.charts import COLORS
from research.ways.trace import Way, module_of

LEFT, TOP, RIGHT, ROW, COLUMN = 330, 70, 20, 15, 5
RADIUS = 2


def draw(path: Path, title: str, way: Way) -> None:
    """Write the picture of a way as SVG.

    A line that goes down enters a new module; one that goes up returns to one that was left.
    """
    rows = {module: TOP + number * ROW for number, module in enumerate(way.modules)}
    rooms = list(dict.fromkeys(module.partition(".")[0] for module in rows))
    colors = {room: COLORS[number % len(COLORS)] for number, room in enumerate(rooms)}
    parts = [
        f'<text x="16" y="26" font-size="17" font-weight="bold">{escape(title)}</text>',
        f'<text x="16" y="48" font-size="12" fill="#52606d">{_summary(way)}</text>',
    ]
    calls = [step for step in way.steps if step.kind == "call"]
    points = [(LEFT + at * COLUMN, rows[module_of(call.target)]) for at, call in enumerate(calls)]
    width = LEFT + len(calls) * COLUMN + RIGHT
    for module, y in rows.items():
        color = colors[module.partition(".")[0]]
        parts += [
            f'<text x="{LEFT - 12}" y="{y + 4}" font-size="11" text-anchor="end" '
            f'fill="{color}">{escape(module)}</text>',
            f'<path d="M{LEFT} {y}H{width - RIGHT}" stroke="#e4e7eb"/>',
        ]
    line = " ".join(f"{x},{y}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#9aa5b1" stroke-width="0.7"/>')
    for call, (x, y) in zip(calls, points, strict=True):
        color = colors[module_of(call.target).partition(".")[0]]
        text = f"{call.source} → {call.target}"
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="{color}">'
            f"<title>{escape(text)}</title></circle>"
        )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{TOP + len(rows) * ROW + 10}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n',
        encoding="utf-8",
    )


def _summary(way: Way) -> str:
    return ", ".join(f"{count} {name}" for name, count in way.figures.items())
