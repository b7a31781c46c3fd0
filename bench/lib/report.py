"""Command line, results and targets of a bench: machine, versions, JSON, charts."""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.lib.charts import Chart, draw

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
PACKAGES = ("auricle", "faster-whisper", "ctranslate2", "numpy", "onnxruntime")


def command_line(description: str | None, name: str) -> argparse.ArgumentParser:
    """Return a parser with ``--out``; results go to ``bench/results/NAME`` by default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS / name, help="path of the JSON and SVG, without suffix"
    )
    return parser


def machine() -> dict[str, object]:
    """Return the hardware and the versions that figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": sys.version.split()[0],
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def commit() -> str:
    """Return the commit of this working tree; with ``-dirty`` if files were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=8", "--exclude=*"]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def read_json(out: Path) -> dict[str, Any]:
    """Return the results of an earlier run; empty if there are none."""
    path = out.with_suffix(".json")
    result: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return result


def write_json(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"wrote {path.name}")


def publish(
    out: Path, result: dict[str, Any], title: str = "", charts: Sequence[Chart] = ()
) -> None:
    """Write results with the machine as JSON, and the charts, if any, as SVG."""
    write_json(out.with_suffix(".json"), {"machine": machine()} | result)
    if charts:
        draw(out.with_suffix(".svg"), title, charts)


def show_targets(reached: Mapping[str, bool]) -> None:
    """Print which targets are reached."""
    for name, is_reached in reached.items():
        print(f"target, {name}: {'reached' if is_reached else 'NOT reached'}")


def require(reached: Mapping[str, bool]) -> None:
    """Print which targets are reached, and exit with status 1 unless all are."""
    show_targets(reached)
    if not all(reached.values()):
        raise SystemExit("a target is missed")
