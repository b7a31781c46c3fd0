"""The cost of durable jobs, and the work that is repeated after a death.

    python -m bench.durable [--form scripted|model] [--only acceptance,takeover,long_file] [--short]

- *acceptance*: time of ``wait=0`` for 1 MB with SQLite and PostgreSQL; overhead for a synchronous
  request (``--baseline SRC``: the directory ``src`` of an earlier version, to compare with).
- *takeover*: two gateways on one PostgreSQL; one is killed in the middle of a file.
- *long_file*: the server of a three-hour file is killed half-way.

``make durable`` checks that nothing is lost while everything is killed.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil

from bench.durable import acceptance, long_file, takeover
from bench.durable.speech import LongSpeech
from bench.lib.charts import Bars, Chart
from bench.lib.report import command_line, machine, publish, read_json, require

PARTS = ("acceptance", "takeover", "long_file")
REQUESTS, SHORT_REQUESTS = 500, 40
SYNC_REQUESTS, SHORT_SYNC_REQUESTS = 2000, 80
TAKEOVER_S, SHORT_TAKEOVER_S = 1200.0, 300.0
LONG_S, SHORT_LONG_S = 3 * 3600.0, 600.0


def measure(
    part: str, *, is_scripted: bool, is_short: bool, with_calm: bool, baseline: Path | None
) -> tuple[dict[str, Any], dict[str, bool]]:
    """Return the figures of a part, and its targets."""
    if part == "acceptance":
        requests = (SHORT_REQUESTS, SHORT_SYNC_REQUESTS) if is_short else (REQUESTS, SYNC_REQUESTS)
        figures = asyncio.run(acceptance.measure(*requests, baseline))
        return figures, acceptance.reached(figures)
    if part == "takeover":
        speech = LongSpeech(SHORT_TAKEOVER_S if is_short else TAKEOVER_S, not is_scripted)
        figures = takeover.measure(speech, is_scripted=is_scripted)
        return figures, takeover.reached(figures)
    speech = LongSpeech(SHORT_LONG_S if is_short else LONG_S, not is_scripted)
    figures = long_file.measure(speech, is_scripted=is_scripted, with_calm=with_calm)
    return figures, long_file.reached(figures)


def picture(results: dict[str, Any]) -> list[Chart]:
    """Return the figures of the parts that were measured."""
    charts: list[Chart] = []
    if "acceptance" in results:
        times_ms = results["acceptance"]["accepted_ms"]
        series = {name: [one[name] for one in times_ms.values()] for name in ("p50", "p99")}
        charts.append(Bars("Acceptance of a job of 1 MB, ms", list(times_ms), series))
        times_ms = results["acceptance"]["synchronous"]["took_ms"]
        series = {name: [one[name] for one in times_ms.values()] for name in ("p50", "p99")}
        charts.append(Bars("Synchronous request of 4 s of speech, ms", list(times_ms), series))
    if "takeover" in results:
        one = results["takeover"]
        names = ["until another gateway works", "until the file is done"]
        values = [one["takeover_s"], one["done_after_kill_s"]]
        charts.append(Bars("A gateway is killed half-way through a file, s", names, {"": values}))
    deaths = {
        "takeover": "by another gateway",
        "long_file": "at the next start",
    }
    parts = [part for part in deaths if part in results]
    if parts:
        series = {"repeated": [results[part]["repeated_s"] for part in parts]}
        names = [deaths[part] for part in parts]
        charts.append(Bars("Audio that is recognised twice after a death, s", names, series))
    return charts


def main() -> None:
    parser = command_line(__doc__, "durable")
    parser.add_argument("--form", choices=("scripted", "model"), default="scripted")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--short", action="store_true", help="a check rather than a measurement")
    parser.add_argument("--no-calm", action="store_true", help="do not compare the long text")
    parser.add_argument("--baseline", type=Path, help="`src` of an earlier version")
    given = parser.parse_args()
    print(machine())
    print(f"load average before: {psutil.getloadavg()[0]:.2f} (times are useful only near 0)")
    results, targets = read_json(given.out), dict[str, bool]()
    results.pop("machine", None)
    for part in given.only.split(","):
        load_before = round(psutil.getloadavg()[0], 2)
        figures, reached = measure(
            part,
            is_scripted=given.form == "scripted",
            is_short=given.short,
            with_calm=not given.no_calm,
            baseline=given.baseline,
        )
        results[part] = {"form": given.form, "load_before": load_before} | figures
        targets |= reached
        print(f"{part}: {json.dumps(results[part])}", flush=True)
    publish(given.out, results, "Durable jobs: their cost, and repeated work", picture(results))
    require(targets)


if __name__ == "__main__":
    main()
