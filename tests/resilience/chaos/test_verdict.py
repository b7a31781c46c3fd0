import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.resilience.chaos.load import Outcome
from tests.resilience.chaos.recordings import Recording
from tests.resilience.chaos.verdict import (
    by_kind,
    differences,
    log_figures,
    verdicts,
    watched,
    word_figures,
)

pytestmark = pytest.mark.unit

RECORDING = Recording("live 0", np.zeros(16_000, np.int16), (), "one two three", b"", b"")
COUNT = {"descriptors": 40, "children": 5, "tasks": 30}
CALM = {("native", "live 0"): Outcome("native", RECORDING, 0.0, 2.0, "done", "one two three")}


def outcome(end: str = "done", text: str = "one two three", took_s: float = 3.0) -> Outcome:
    return Outcome("native", RECORDING, 10.0, took_s, end, text, "why" if end == "broken" else "")


@pytest.mark.parametrize("text", ["one three", "one two two three", "two one three", ""])
def test_a_word_that_is_missing_doubled_or_moved_shows(text: str) -> None:
    figures = by_kind([outcome(), outcome(text=text)], CALM)["native"]
    assert (figures["done"], figures["other_text"]) == (2, 1)
    assert len(differences([outcome(text=text)], CALM)) == 1


def test_words_are_counted_against_results_without_faults() -> None:
    figures = word_figures([outcome(text="one three"), outcome(text="one two two three")], CALM)
    assert (figures["words"], figures["missing"], figures["doubled_or_invented"]) == (6, 1, 1)
    assert figures["wrong_percent_calm"] == 0


def test_each_end_is_counted_and_delays_are_relative_to_calm() -> None:
    ends = [outcome(), outcome("disconnected"), outcome("broken"), outcome(took_s=5.0)]
    figures = by_kind(ends, CALM)["native"]
    assert [figures[name] for name in ("accepted", "done", "disconnected", "broken")] == [
        4,
        2,
        1,
        1,
    ]
    assert figures["later_than_calm_s"]["max"] == 3.0


def test_a_log_that_contains_speech_is_detected() -> None:
    calm = {
        ("native", "live 0"): Outcome("native", RECORDING, 0.0, 2.0, "done", "96000 3735928559")
    }
    lines = [json.dumps({"event": "request", "code": "queue_full"}), "heard 3735928559"]
    figures = log_figures(lines, calm)
    assert (figures["transcripts_in_log"], figures["codes"]) == (1, {"queue_full": 1})
    assert log_figures(lines[:1], calm)["transcripts_in_log"] == 0


def test_what_the_watcher_saw_is_summed_up(tmp_path: Path) -> None:
    samples: list[dict[str, Any]] = [
        {"at": at, "livez_ms": ms, "late_ms": 0.0, "own_wait_ms": 40.0, "server_wait_ms": 60.0}
        for at, ms in ((4.0, 900.0), (5.0, 1.0), (5.1, 250.0), (5.2, None))
    ]
    for sample in samples[:2]:
        sample |= {"children": [7, int(sample["at"])], "descriptors": 20, "mb": 100.0, "tasks": 5}
    (tmp_path / "samples").write_text("\n".join(map(json.dumps, samples)))
    faults = [(5.05, "disk fills", ""), (5.2, "worker killed", ""), (5.9, "clock jumps", "")]
    seen = watched(tmp_path / "samples", 5.0, faults)
    assert (seen["livez_ms"]["max"], seen["livez_unanswered"]) == (250.0, 1)
    assert seen["livez_flat_out_ms"]["max"] == 900.0
    assert seen["livez_less_watchers_wait_ms"]["max"] == 210.0
    assert seen["livez_less_all_waits_ms"]["max"] == 150.0
    assert seen["slow_samples"] == [
        {"at_s": 0.1, "livez_ms": 250.0, "faults_before": ["disk fills", "worker killed"]}
    ]
    assert (seen["server_mb"], seen["pids"]) == ([100.0], [4, 5, 7])


def results(**changes: Any) -> dict[str, Any]:
    """Return the figures of a run in which all went well, but for these."""
    good = {
        "clients": by_kind([outcome()], CALM),
        "watched": {
            "livez_ms": {"max": 20.0},
            "livez_unanswered": 0,
            "server_mb": [100.0, 101.0, 102.0, 103.0],
        },
        "log": {"unexpected_errors": 0, "transcripts_in_log": 0},
        "jobs": {"poison": 0},
        "is_running": True,
        "before": COUNT,
        "after": COUNT,
        "left_over": {},
        "spooled": [],
    }
    return good | changes


def held(figures: dict[str, Any], left_processes: list[int] | None = None) -> list[str]:
    """Return what did not hold."""
    found = verdicts(figures, left_processes or [], is_scripted=True, is_brief=False)
    return [name for name, is_held in found.items() if not is_held]


def test_a_good_run_holds_everything() -> None:
    assert held(results()) == []
    assert held(results(after={"descriptors": 39, "children": 5, "tasks": 29})) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"clients": by_kind([outcome("broken")], CALM)},
        {"clients": by_kind([outcome(text="one")], CALM)},
        {"jobs": {"poison": 1}},
        {"is_running": False},
        {"after": COUNT | {"tasks": 31}},
        {"after": COUNT | {"descriptors": 41}},
        {"after": COUNT | {"children": 4}},
        {"after": COUNT | {"children": 6}},
        {"left_over": {"auricle_waiting_jobs": 1.0}},
        {"spooled": ["upload"]},
        {"log": {"unexpected_errors": 1, "transcripts_in_log": 0}},
        {"log": {"unexpected_errors": 0, "transcripts_in_log": 1}},
    ],
)
def test_each_thing_that_goes_wrong_fails_the_run(changes: dict[str, Any]) -> None:
    assert len(held(results(**changes))) == 1


def test_a_process_that_outlives_the_server_fails_the_run() -> None:
    assert held(results(), [4711]) == ["no process outlived the server"]
