"""The size of a pool's queue: set by the operator, measured, or estimated from warm-ups."""

import pytest

from auricle.config.settings import QueueSettings
from auricle.limits import RESUME_HEADROOM, SESSION_AUDIO_S, queue_audio_s
from auricle.workers.asr.bounds import (
    MAX_SPEED_RATIO,
    MIN_SESSIONS,
    SESSIONS_PER_WORKER,
    USUAL_SECONDS_PER_LOAD,
    PoolBounds,
)

pytestmark = pytest.mark.unit

OPEN = QueueSettings(queue_audio_s=0)


def estimated(*seconds_per_load: float, workers: int = 2) -> float:
    bounds = PoolBounds(OPEN, workers)
    for each in seconds_per_load:
        bounds.measured(each)
    return bounds.sessions


def test_the_queue_holds_the_reservations_of_all_sessions_and_what_is_kept_for_resumed_ones() -> (
    None
):
    size_s = queue_audio_s(36)
    assert size_s == pytest.approx(300)
    assert pytest.approx(size_s * (1 - RESUME_HEADROOM)) == 36 * SESSION_AUDIO_S
    assert PoolBounds(OPEN, 2).queue_audio_s == pytest.approx(300)


def test_the_operators_size_takes_precedence() -> None:
    bounds = PoolBounds(QueueSettings(queue_audio_s=70), 2, sessions=200)
    bounds.measured(USUAL_SECONDS_PER_LOAD / 2)
    assert bounds.queue_audio_s == 70


def test_a_measurement_takes_precedence_over_warm_ups() -> None:
    bounds = PoolBounds(OPEN, 2, sessions=27)
    bounds.measured(USUAL_SECONDS_PER_LOAD * 10)
    assert bounds.queue_audio_s == pytest.approx(queue_audio_s(27))
    assert PoolBounds(OPEN, 2, sessions=0).sessions == 1


def test_sessions_grow_with_workers_and_with_their_speed() -> None:
    assert estimated(USUAL_SECONDS_PER_LOAD) == 2 * SESSIONS_PER_WORKER
    assert estimated(USUAL_SECONDS_PER_LOAD, workers=16) == 16 * SESSIONS_PER_WORKER
    assert estimated(USUAL_SECONDS_PER_LOAD / 2) == 4 * SESSIONS_PER_WORKER
    assert estimated(USUAL_SECONDS_PER_LOAD * 3) == pytest.approx(2 * SESSIONS_PER_WORKER / 3)


def test_a_model_fifteen_times_as_slow_gets_few_sessions_and_none_gets_fewer_than_two() -> None:
    assert estimated(USUAL_SECONDS_PER_LOAD * 15) == pytest.approx(2.4)
    assert estimated(USUAL_SECONDS_PER_LOAD * 1000) == MIN_SESSIONS


def test_an_engine_without_work_does_not_admit_everybody() -> None:
    assert estimated(1e-9) == 2 * SESSIONS_PER_WORKER * MAX_SPEED_RATIO


def test_the_fastest_time_counts() -> None:
    slow, usual = USUAL_SECONDS_PER_LOAD * 3, USUAL_SECONDS_PER_LOAD
    assert estimated(slow, usual, slow) == estimated(usual) > estimated(slow)


def test_the_other_bounds_are_the_operators() -> None:
    bounds = PoolBounds(QueueSettings(queue_jobs=5, key_share=0.3), 2)
    assert (bounds.queue_jobs, bounds.key_share) == (5, 0.3)
