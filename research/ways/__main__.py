"""Trace the ways of a live packet, of an utterance and of a file, and draw them.

    make house [ARGS="--out docs/benchmarks/ways"]

Runs a real server whose processes record each call between modules (``sys.monitoring``, Python
3.12 or newer), and sends a stream of Opus packets and a file. Steps count once, however often they
occur; what the server does while nothing arrives does not count.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.lib.report import ROOT, commit, write_json
from research.ways.picture import draw
from research.ways.record import record

TITLES = {
    "packet": "One Opus packet in the middle of a word",
    "utterance": "The rest of an utterance, to its final",
    "file": "An uploaded file of 6 s",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs/benchmarks/ways", help="the folder"
    )
    out: Path = parser.parse_args().out
    if sys.version_info < (3, 12):
        raise SystemExit(
            "house: tracing needs Python 3.12 or newer: "
            "make house VENV=.cache/env/house PYTHON=/path/to/python3.13"
        )
    path = out / "ways.json"
    before = json.loads(path.read_text())["ways"] if path.is_file() else {}
    ways = record()
    for name, way in ways.items():
        print(f"{name}: {trend(way.figures, before.get(name, {}).get('figures', {}))}")
        out.mkdir(parents=True, exist_ok=True)
        draw(out / f"{name}.svg", TITLES[name], way)
    rows = {
        name: {
            "figures": way.figures,
            "modules": way.modules,
            "buffers": way.buffers,
            "values": way.values,
        }
        for name, way in ways.items()
    }
    write_json(path, {"commit": commit(), "python": sys.version.split()[0], "ways": rows})


def trend(figures: dict[str, int], before: dict[str, int]) -> str:
    """Return figures, each next to the one in the file that is replaced."""
    return ", ".join(
        f"{count} {name}"
        + (f" ({before[name]} before)" if before.get(name, count) != count else "")
        for name, count in figures.items()
    )


if __name__ == "__main__":
    main()
