"""What the figures of a transcriber say about its workers."""

from dataclasses import replace

import pytest

from auricle.values.transcriber import Stats
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
