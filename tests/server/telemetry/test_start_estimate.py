"""When a queued job starts, as far as it can be known."""

import pytest

from auricle.ledger.jobs.quota import Usage
from auricle.ledger.jobs.store import Backlog
from auricle.server.telemetry.start_estimate import StartEstimate

pytestmark = pytest.mark.unit

NONE_BEFORE = Usage()


def backlog(running: int, running_bytes: float = 0.0, **queued: Usage) -> Backlog:
    return Backlog(sum(u.jobs for u in queued.values()), running, 0.0, running_bytes, queued)


def test_a_job_with_a_free_slot_starts_at_once() -> None:
    estimate = StartEstimate()
    estimate.backlog = backlog(running=1)
    assert estimate.starts_in_s("key", NONE_BEFORE, slots=2) == 0


def test_nothing_is_known_before_a_job_was_done() -> None:
    estimate = StartEstimate()
    estimate.backlog = backlog(running=2)
    assert estimate.starts_in_s("key", NONE_BEFORE, slots=2) is None


def test_the_work_ahead_is_divided_by_the_speed_and_the_slots() -> None:
    estimate = StartEstimate()
    estimate.note_run(audio_bytes=1000, run_s=10)
    estimate.backlog = backlog(running=2, running_bytes=500, key=Usage(2, 4000))
    assert estimate.starts_in_s("key", Usage(1, 1500), slots=2) == 10


def test_jobs_of_others_take_turns_with_those_of_the_owner() -> None:
    estimate = StartEstimate()
    estimate.note_run(audio_bytes=1000, run_s=10)
    estimate.backlog = backlog(running=1, key=Usage(1, 100), other=Usage(100, 100_000))
    assert estimate.starts_in_s("key", NONE_BEFORE, slots=1) == 10


def test_slots_of_other_servers_count() -> None:
    estimate = StartEstimate()
    estimate.note_run(audio_bytes=1000, run_s=10)
    estimate.backlog = backlog(running=4, running_bytes=4000)
    assert estimate.starts_in_s("key", NONE_BEFORE, slots=2) == 10


def test_the_latest_jobs_weigh_most() -> None:
    estimate = StartEstimate()
    estimate.note_run(audio_bytes=1000, run_s=10)
    for _ in range(100):
        estimate.note_run(audio_bytes=1000, run_s=1)
    estimate.backlog = backlog(running=1, running_bytes=1000)
    assert estimate.starts_in_s("key", NONE_BEFORE, slots=1) in (1, 2)
