"""Rows of ``make verify``: the last ones are kept, and failure rates are computed from them."""

from pathlib import Path

import pytest

from gate import record
from gate.reports import Failure, Report
from gate.running import Result
from gate.stages import Stage

pytestmark = pytest.mark.unit


def row(commit: str = "12345678", *, failed: str = "", retried: str = "") -> record.Row:
    failures = (Failure(failed or retried, "TimeoutError: late"),) if failed or retried else ()
    result = Result(
        Stage("clients", "true"),
        passed=not failed,
        seconds=61.4,
        report=Report(7, failures),
        log=Path("log"),
        retried=failures if retried else (),
    )
    return record.row_of(result, commit, "2026-12-03", 13.46)


def test_a_row_says_what_ran_and_what_failed() -> None:
    assert row(failed="a::test_b") == {
        **{"commit": "12345678", "date": "2026-12-03", "yardstick": 13.5, "seconds": 61},
        **{"is_passed": False, "tests_passed": 7, "tests_skipped": 0},
        **{"failures": {"a::test_b": "TimeoutError: late"}, "retried": {}},
    }


def test_the_last_twenty_rows_of_a_stage_are_kept() -> None:
    rows: record.Rows = {"chaos": [row()]}
    for number in range(record.KEPT_ROWS + 3):
        rows = record.add(rows, "clients", row(f"commit{number}"))
    assert [each["commit"] for each in rows["clients"]][0] == "commit3"
    assert len(rows["clients"]) == record.KEPT_ROWS
    assert len(rows["chaos"]) == 1


def test_a_failure_rate_counts_first_tries() -> None:
    runs = [row(), row(retried="a::test_b"), row(failed="a::test_b"), row()]
    assert record.rates(runs) == {"a::test_b": (2, 4)}


def test_a_stage_is_done_at_the_commit_of_its_newest_row() -> None:
    rows = {"clients": [row("old"), row("new")]}
    assert record.is_done(rows, "clients", "new")
    assert not record.is_done(rows, "clients", "old")
    assert not record.is_done(rows, "chaos", "new")


def test_rows_and_their_page_are_written_and_read(tmp_path: Path) -> None:
    path, page = tmp_path / "verify.json", tmp_path / "verify.md"
    assert record.read(path) == {}
    rows = {"clients": [row(), row(failed="a::test_b")]}
    record.write(rows, path, page)
    assert record.read(path) == rows
    text = page.read_text()
    assert "| clients | 12345678 | 2026-12-03 | 13.5 | 61 | 7 | 1 | 0 |" in text
    assert "| clients | `a::test_b` | 1 of 2 | `TimeoutError: late` |" in text
