import math

import pytest

from auricle.cluster.gateway.ejection import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    CHECK_INTERVAL_S,
    MAX_FAILED_CHECKS,
    Ejection,
)
from auricle.cluster.wire.capacity import Capacity, capacity_of
from auricle.values.transcriber import Stats

pytestmark = pytest.mark.unit


def capacity(*, ready: bool = True) -> Capacity:
    return capacity_of({"": Stats(ready=ready)})


def well(now: float = 0.0) -> Ejection:
    """Return one that has been looked at."""
    ejection = Ejection()
    look(ejection, now)
    return ejection


def look(ejection: Ejection, now: float, *, succeeds: bool = True) -> None:
    ejection.check_started()
    if succeeds:
        ejection.check_succeeded(capacity(), now)
    else:
        ejection.check_failed(now)


def test_nothing_is_asked_before_the_first_look_which_is_due_at_once() -> None:
    ejection = Ejection()
    assert not ejection.is_usable
    assert ejection.next_check_at == -math.inf
    look(ejection, 5.0)
    assert ejection.is_usable
    assert (ejection.reported_at, ejection.next_check_at) == (5.0, 5.0 + CHECK_INTERVAL_S)


def test_one_look_is_under_way_at_a_time() -> None:
    ejection = Ejection()
    ejection.check_started()
    assert ejection.next_check_at == math.inf


def test_three_looks_in_a_row_that_fail_eject() -> None:
    ejection = well()
    for now in (1.0, 2.0):
        look(ejection, now, succeeds=False)
        assert ejection.is_usable
        assert ejection.next_check_at == now + CHECK_INTERVAL_S
    look(ejection, 3.0, succeeds=False)
    assert not ejection.is_usable
    assert MAX_FAILED_CHECKS == 3


def test_looks_that_fail_now_and_then_do_not() -> None:
    ejection = well()
    for now in range(20):
        look(ejection, float(now), succeeds=now % 3 == 2)
        assert ejection.is_usable


def test_an_ejected_recogniser_is_probed_less_often_and_restored_at_once() -> None:
    ejection, now, waits = well(), 0.0, []
    for _ in range(8):
        look(ejection, now, succeeds=False)
        waits.append(ejection.next_check_at - now)
        now = ejection.next_check_at
    assert waits == [0.5, 0.5, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert BACKOFF_MAX_S == 8.0
    look(ejection, now)
    assert ejection.is_usable
    assert ejection.next_check_at == now + CHECK_INTERVAL_S


def test_a_lost_job_ejects_at_once_until_a_look_that_was_begun_later() -> None:
    ejection = well()
    ejection.check_started()
    ejection.job_lost(1.0)
    ejection.check_succeeded(capacity(), 1.1)  # it was answered before the loss, for all we know
    assert not ejection.is_usable
    assert ejection.next_check_at == 1.0 + BACKOFF_FIRST_S
    look(ejection, 1.5)
    assert ejection.is_usable


def test_jobs_that_are_lost_together_count_once() -> None:
    ejection = well()
    for _ in range(5):
        ejection.job_lost(1.0)
    assert ejection.next_check_at == 1.0 + BACKOFF_FIRST_S


def test_a_recogniser_that_answers_probes_but_loses_jobs_is_ejected_longer_each_time() -> None:
    ejection, now, waits = well(), 0.0, []
    for _ in range(6):
        ejection.job_lost(now)
        waits.append(ejection.next_check_at - now)
        now = ejection.next_check_at
        look(ejection, now)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    ejection.job_answered()
    ejection.job_lost(now)
    assert ejection.next_check_at - now == 0.5


def test_a_recogniser_that_refuses_work_gets_none_until_the_next_probe() -> None:
    ejection = well()
    ejection.job_refused()
    assert not ejection.is_usable
    assert not ejection.is_out
    look(ejection, 1.0)
    assert ejection.is_usable


def test_a_recogniser_without_ready_workers_is_listed_but_gets_no_jobs() -> None:
    ejection = Ejection()
    ejection.check_started()
    ejection.check_succeeded(capacity(ready=False), 0.0)
    assert not ejection.is_out
    assert not ejection.is_usable
