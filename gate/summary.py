"""What a run prints at its end: each stage, and each failure with its cause and its log."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from gate.running import Result

MAX_FAILURES = 25
TAIL_LINES = 40
SLOWEST_FILES = 50


def tail(result: Result) -> str:
    """Return the last lines of the log of a stage."""
    try:
        lines = result.log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join([f"--- {result.stage.name}: the end of {result.log}", *lines[-TAIL_LINES:]])


def summary(results: Sequence[Result], yardstick: float) -> str:
    """Return the table of stages and the causes of failures, and one line with both totals."""
    return "\n".join(_lines(results, yardstick))


def _lines(results: Sequence[Result], yardstick: float) -> Iterator[str]:
    yield ""
    yield f"{'stage':<18}{'seconds':>8}{'passed':>8}{'failed':>8}{'skipped':>9}"
    for result in results:
        report = result.report
        counts = f"{report.passed:>8}{len(result.failures):>8}{report.skipped:>9}"
        yield f"{result.stage.name:<18}{result.seconds:>8.0f}{counts}"
    total_s = sum(result.seconds for result in results)
    yield f"{'all':<18}{total_s:>8.0f}   yardstick {yardstick:.1f} x real time on one core"
    for result in results:
        for failure in result.retried:
            outcome = "passed later" if result.passed else "failed again"
            yield f"RETRIED {failure.test} ({outcome}): {failure.cause}"
    failures = [(result, failure) for result in results for failure in result.failures]
    for result, failure in failures[:MAX_FAILURES]:
        yield f"FAILED {failure.test}"
        yield from (f"       {line}" for line in failure.cause.splitlines())
        yield f"       {result.log}"
    if len(failures) > MAX_FAILURES:
        yield f"and {len(failures) - MAX_FAILURES} more failures"
    yield f"{sum(map(_passed, results))} passed, {len(failures)} failed"


def _passed(result: Result) -> int:
    return result.report.passed + (len(result.retried) if result.passed else 0)


def write_json(path: Path, results: Sequence[Result], commit: str, yardstick: float) -> None:
    """Write the same as JSON, with the files whose tests took longest."""
    files = {
        name: seconds
        for result in results
        for name, seconds in result.report.seconds_by_file.items()
    }
    slowest = sorted(files.items(), key=lambda row: -row[1])[:SLOWEST_FILES]
    body = {
        "commit": commit,
        "yardstick": round(yardstick, 2),
        "stages": [
            {
                "stage": result.stage.name,
                "is_passed": result.passed,
                "seconds": round(result.seconds, 1),
                "tests_passed": result.report.passed,
                "tests_skipped": result.report.skipped,
                "failures": [asdict(failure) for failure in result.failures],
                "retried": [asdict(failure) for failure in result.retried],
            }
            for result in results
        ],
        "slowest_files_s": {name: round(seconds, 1) for name, seconds in slowest},
    }
    path.write_text(json.dumps(body, indent=2) + "\n")
