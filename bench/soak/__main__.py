"""Stability of a server: an hour of load, many silent streams, and a day.

    python -m bench.soak [--only hour,quiet,day] [--minutes 60] [--hours 24] [--out FILE]
                         [--named]

Parts that are not measured keep their figures in the JSON, so each may have a separate call.
"""

from typing import Any

from bench.lib.report import command_line, machine, publish, read_json
from bench.lib.speech import CORPUS
from bench.soak import day, hour, quiet
from bench.soak.figures import charts

PARTS = ("hour", "quiet", "day")


def main() -> None:
    parser = command_line(__doc__, "soak")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--minutes", type=float, default=60.0, help="of the part `hour`")
    parser.add_argument("--named", action="store_true", help="streams of the hour have names")
    parser.add_argument("--hours", type=float, default=24.0, help="of the part `day`")
    parser.add_argument("--speed", type=float, default=60.0, help="of the clock of that day")
    arguments = parser.parse_args()
    print(machine())
    only = arguments.only.split(",")
    results: dict[str, Any] = {}
    if "hour" in only:
        results["hour"] = hour.run(arguments.minutes, is_named=arguments.named)
    if "quiet" in only:
        results["quiet"] = quiet.run()
    if "day" in only:
        results["day"] = day.run(arguments.hours, arguments.speed)
    for part in results.values():
        part["measured"] = machine()["date"]
    kept = read_json(arguments.out) | {"machine": machine(), "corpus": CORPUS.is_dir()}
    title = f"{arguments.minutes:.0f} minutes of mixed load"
    pictures = charts(results["hour"]) if "hour" in results else []
    publish(arguments.out, kept | results, title, pictures)
    if not all(all(part["reached"].values()) for part in results.values()):
        raise SystemExit("a target is missed")


if __name__ == "__main__":
    main()
