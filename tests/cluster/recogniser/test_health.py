"""When a replica must be replaced."""

from dataclasses import replace

import pytest

from auricle.cluster.recogniser.health import STALL_S, Health
from auricle.values.transcriber import Counters, QueueStats, Stats

pytestmark = pytest.mark.unit

BUSY = Stats(ready=True, queue=QueueStats(running_jobs=1))
IDLE = Stats(ready=True)


def test_one_that_works_or_rests_is_well() -> None:
    it = Health(60)
    for now, done in ((0.0, 0), (STALL_S, 1), (2 * STALL_S, 2)):
        assert (
            it.problem(
                Stats(ready=True, queue=QueueStats(waiting_jobs=5), jobs=Counters(done=done)), now
            )
            is None
        )
    assert it.problem(IDLE, 100 * STALL_S) is None
    assert it.problem(BUSY, 101 * STALL_S - 1) is None


def test_one_whose_work_gets_nowhere_is_sick() -> None:
    it = Health(60)
    assert it.problem(IDLE, 0.0) is None
    assert it.problem(BUSY, 10.0) is None  # since 0.0, as far as is known
    assert it.problem(BUSY, STALL_S) is None
    trouble = it.problem(BUSY, STALL_S + 1)
    assert trouble is not None
    assert "301 s" in trouble


@pytest.mark.parametrize("moved", ["done", "failed", "retried", "poison", "replaced"])
def test_whatever_comes_of_the_work_is_progress(moved: str) -> None:
    it = Health(60)
    assert it.problem(BUSY, 0.0) is None
    jobs = Counters(**{moved: 1}) if moved != "replaced" else Counters()
    moving = replace(BUSY, jobs=jobs, replaced=int(moved == "replaced"))
    assert it.problem(moving, STALL_S + 1) is None


def test_one_that_has_no_ready_worker_for_longer_than_a_start_takes_is_sick() -> None:
    it = Health(60)
    assert it.problem(IDLE, 0.0) is None
    assert it.problem(Stats(), 60.0) is None
    assert it.problem(Stats(), 61.0) == "no worker was ready for 61 s"
    assert it.problem(IDLE, 62.0) is None
    assert it.problem(Stats(), 122.0) is None


def test_the_first_look_finds_nothing_wrong() -> None:
    assert Health(60).problem(Stats(), 1e6) is None
    assert Health(60).problem(BUSY, 1e6) is None
