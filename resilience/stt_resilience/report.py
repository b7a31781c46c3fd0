"""The table, as text and Markdown, and JSON."""

import json
import os
import platform
import re
import shlex
import subprocess
import textwrap
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stt_resilience import __version__

MIN_CELL = 24
GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """What one case showed of one server.

    Attributes:
        lines: Of the table.
        data: For JSON; has ``skipped`` with the reason or ``failed`` where there are no figures.
    """

    lines: tuple[str, ...]
    data: dict[str, Any]


Table = dict[str, dict[str, Cell]]
"""By case, then by column."""


def as_text(table: Table, columns: Sequence[str], width: int) -> str:
    """Return the table for a terminal; columns that do not fit follow below.

    Args:
        table: All cells.
        columns: Names of the columns in their order.
        width: Of the terminal, in characters.
    """
    first = max(len("case"), *(len(case) for case in table)) if table else 4
    fitting = max(1, (width - first) // (MIN_CELL + len(GAP)))
    parts = [columns[at : at + fitting] for at in range(0, len(columns), fitting)]
    return "\n".join(_part(table, part, first, width) for part in parts)


def _part(table: Table, columns: Sequence[str], first: int, width: int) -> str:
    size = max(MIN_CELL, (width - first) // max(1, len(columns)) - len(GAP))
    rule = "-" * first + (GAP + "-" * size) * len(columns)
    lines = [_row("case", first, [(name,) for name in columns], size), rule]
    for case, row in table.items():
        cells = [row[name].lines if name in row else ("",) for name in columns]
        lines += [_row(case, first, cells, size), rule]
    return "\n".join(lines) + "\n"


def _row(name: str, first: int, cells: Sequence[Sequence[str]], size: int) -> str:
    wrapped = [
        [
            part
            for line in cell
            for part in textwrap.wrap(line, size, subsequent_indent="  ") or [""]
        ]
        for cell in cells
    ]
    height = max(map(len, wrapped), default=1)
    out = []
    for index in range(height):
        parts = [cell[index] if index < len(cell) else "" for cell in wrapped]
        start = (name if index == 0 else "").ljust(first)
        out.append((start + "".join(GAP + part.ljust(size) for part in parts)).rstrip())
    return "\n".join(out)


def as_markdown(table: Table, columns: Sequence[str]) -> str:
    """Return the table in Markdown."""
    lines = ["| case | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for case, row in table.items():
        cells = ["<br>".join(row[name].lines) if name in row else "" for name in columns]
        escaped = [cell.replace("|", "\\|") for cell in cells]
        lines.append(f"| {case} | " + " | ".join(escaped) + " |")
    return "\n".join(lines) + "\n"


def conditions(arguments: Sequence[str]) -> dict[str, Any]:
    """Return what the figures depend on.

    Args:
        arguments: Of the command.
    """
    model = None
    with suppress(OSError):  # a system without it
        model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    here = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(here, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "command": shlex.join(["stt-resilience", *arguments]),
        "commit": commit or None,
        "cpu": model[1] if model else platform.processor(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "suite": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
    }


def _shown(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())


def read(path: Path) -> tuple[Table, dict[str, Any]]:
    """Return a table that :func:`write` wrote, and what its figures depend on.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not one of this program.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        table = {
            case: {
                name: Cell(tuple(cell["lines"]), {k: v for k, v in cell.items() if k != "lines"})
                for name, cell in row.items()
            }
            for case, row in content["cases"].items()
        }
        return table, dict(content["conditions"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} has no results of stt-resilience") from error


def write(path: Path, table: Table, columns: Sequence[str], about: dict[str, Any]) -> None:
    """Write ``path`` (JSON) and the same name with ``.md``."""
    cells = {
        case: {name: {"lines": cell.lines, **cell.data} for name, cell in row.items()}
        for case, row in table.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"conditions": about, "cases": cells}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", "utf-8")
    shown = "\n".join(f"- {name}: {_shown(value)}" for name, value in about.items())
    markdown = f"{as_markdown(table, columns)}\n{shown}\n"
    path.with_suffix(".md").write_text(markdown, "utf-8")
