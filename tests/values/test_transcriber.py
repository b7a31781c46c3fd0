"""What the figures of a transcriber say about its workers."""

from dataclasses import replace

import pytest

from auricle.values.transcriber import (
    Counters,
    ModelState,
    ModelStats,
    QueueStats,
    Stats,
    total_models,
)
from tests.support.transcriber import READY

pytestmark = pytest.mark.unit

(WORKER,) = READY.workers
HANGING = replace(WORKER, overdue=True)


def test_a_pool_is_stuck_if_every_worker_is_overdue() -> None:
    assert not replace(READY, workers=(WORKER, HANGING)).is_stuck
    stuck = replace(READY, workers=(HANGING, HANGING))
    assert stuck.is_stuck
    assert not stuck.is_working


def test_a_pool_without_workers_is_neither_stuck_nor_working() -> None:
    assert not Stats().is_stuck
    assert not Stats().is_working
    assert READY.is_working


def test_a_model_that_hangs_does_not_make_the_server_stuck() -> None:
    other = replace(HANGING, model="other")
    assert not replace(READY, workers=(WORKER, other)).is_stuck
    assert replace(READY, workers=(HANGING, replace(WORKER, model="other"))).is_stuck


def test_models_of_several_recognisers_are_summed_by_name() -> None:
    main = ModelStats("main", ModelState.READY, 2, 2, QueueStats(waiting_jobs=1), Counters(done=3))
    loading = ModelStats("other", ModelState.LOADING, 1)
    ready = ModelStats("other", ModelState.READY, 1, 1)
    first, second = total_models([(main, loading), (main, ready)])
    assert (first.name, first.workers, first.ready_workers) == ("main", 4, 4)
    assert (first.queue.waiting_jobs, first.jobs.done) == (2, 6)
    assert (second.name, second.state, second.workers, second.ready_workers) == (
        "other",
        ModelState.READY,
        2,
        1,
    )
    assert total_models([]) == ()
