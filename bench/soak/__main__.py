"""Whether a server stays as it is: for an hour, under many silent streams, and over a day.

    python -m bench.soak [--only hour,quiet,day] [--minutes 60] [--hours 24] [--out FILE]

Parts that aren't measured are kept as they are in the JSON, so each may have a call of its own.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from bench.report import machine, write_json
from bench.service import CORPUS, ROOT
from bench.soak import day, hour, quiet
from bench.soak.figures import draw

PARTS = ("hour", "quiet", "day")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--minutes", type=float, default=60.0, help="of the part `hour`")
    parser.add_argument("--hours", type=float, default=24.0, help="of the part `day`")
    parser.add_argument("--speed", type=float, default=60.0, help="of the clock of that day")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/soak")
    arguments = parser.parse_args()
    print(machine())
    only = arguments.only.split(",")
    results: dict[str, Any] = {}
    if "hour" in only:
        results["hour"] = hour.run(arguments.minutes)
    if "quiet" in only:
        results["quiet"] = quiet.run()
    if "day" in only:
        results["day"] = day.run(arguments.hours, arguments.speed)
    for part in results.values():
        part["measured"] = machine()["date"]
    path = arguments.out.with_suffix(".json")
    kept: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    write_json(path, kept | {"machine": machine(), "corpus": CORPUS.is_dir()} | results)
    if "hour" in results:
        draw(arguments.out.with_suffix(".svg"), results["hour"])
    if not all(all(part["reached"].values()) for part in results.values()):
        raise SystemExit("a target is missed")


if __name__ == "__main__":
    main()
