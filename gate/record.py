"""Keep the results of ``make verify``: rows of each stage, and how often each test failed."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gate.running import ROOT, Result

PATH = ROOT / "docs/benchmarks/verify.json"
PAGE = ROOT / "docs/benchmarks/verify.md"
KEPT_ROWS = 20
INTRODUCTION = """\
# Verified apart from the gate

What depends on real time or on other programs is not part of `.ci/run`. `make verify` runs it,
stage by stage, and adds a row to [verify.json](verify.json) for each. It continues where it was
interrupted; `make verify STAGE=clients` runs one stage. The yardstick is the speed of
faster-whisper with Whisper base on one core, before each stage.

""".splitlines()

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def read(path: Path = PATH) -> Rows:
    """Return the rows of each stage, oldest first."""
    try:
        rows: Rows = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return rows


def row_of(result: Result, commit: str, date: str, yardstick: float) -> Row:
    """Return what is kept of a run of a stage."""
    return {
        "commit": commit,
        "date": date,
        "yardstick": round(yardstick, 1),
        "seconds": round(result.seconds),
        "is_passed": result.passed,
        "tests_passed": result.report.passed,
        "tests_skipped": result.report.skipped,
        "failures": {each.test: each.cause.partition("\n")[0] for each in result.failures},
        "retried": {failure.test: failure.cause for failure in result.retried},
    }


def add(rows: Rows, name: str, row: Row) -> Rows:
    """Return the rows with one more, without the oldest."""
    return {**rows, name: [*rows.get(name, []), row][-KEPT_ROWS:]}


def write(rows: Mapping[str, Sequence[Row]], path: Path = PATH, page: Path = PAGE) -> None:
    """Write the rows, and the page that shows them."""
    path.write_text(json.dumps(rows, indent=1) + "\n")
    page.write_text(page_of(rows))


def is_done(rows: Rows, name: str, commit: str) -> bool:
    """Return whether the newest row of a stage is of this commit."""
    return bool(rows.get(name)) and rows[name][-1]["commit"] == commit


def rates(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Return for each test that failed at its first try: how often, and in how many runs."""
    failed = Counter(test for row in rows for test in {**row["failures"], **row["retried"]})
    return {test: (count, len(rows)) for test, count in failed.most_common()}


def page_of(rows: Mapping[str, Sequence[Row]]) -> str:
    """Return the page of all stages: the newest run of each, and the tests that fail at times."""
    lines = [
        *INTRODUCTION,
        "| stage | commit | date | yardstick | seconds | passed | failed | tried again |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in rows.items():
        row = runs[-1]
        counts = f"{row['tests_passed']} | {len(row['failures'])} | {len(row['retried'])}"
        about = f"{row['commit']} | {row['date']} | {row['yardstick']} | {row['seconds']}"
        lines.append(f"| {name} | {about} | {counts} |")
    lines += ["", "## Tests that failed at the first try, of the last 20 runs of each stage", ""]
    lines += ["| stage | test | failed | last cause |", "|---|---|---|---|"]
    for name, runs in rows.items():
        for test, (count, total) in rates(runs).items():
            causes = [{**row["retried"], **row["failures"]}.get(test) for row in runs]
            cause = [text for text in causes if text][-1].replace("|", "\\|")
            lines.append(f"| {name} | `{test}` | {count} of {total} | `{cause}` |")
    return "\n".join(lines) + "\n"
