import pytest

from auricle.workers.policy import Action, State, WorkerPolicy

pytestmark = pytest.mark.unit


def policy() -> WorkerPolicy:
    return WorkerPolicy(start_budget_s=60, backoff_first_s=0.5, backoff_max_s=30)


def started(now: float = 0.0) -> WorkerPolicy:
    it = policy()
    assert it.poll(now) is Action.SPAWN
    it.spawned(now)
    it.ready(now + 2)
    return it


def die(it: WorkerPolicy, now: float, jitter: float = 1.0) -> float:
    """Return the pause before the next start."""
    it.exited(now, jitter)
    due_at = it.wake_at
    assert due_at is not None
    assert it.poll(due_at) is Action.SPAWN
    it.spawned(due_at)
    return due_at - now


def test_a_slot_starts_at_once_and_only_once() -> None:
    it = policy()
    assert it.poll(0.0) is Action.SPAWN
    assert it.poll(0.0) is None


def test_a_start_that_takes_too_long_is_killed() -> None:
    it = policy()
    it.poll(0.0)
    it.spawned(0.0)
    assert it.wake_at == 60.0
    assert it.poll(59.9) is None
    assert it.poll(60.0) is Action.KILL
    assert (it.kill_reason, it.state) == ("start", State.STOPPING)
    assert it.poll(1000.0) is None


def test_an_idle_worker_needs_nothing() -> None:
    it = started()
    assert (it.state, it.wake_at, it.start_took_s) == (State.READY, None, 2.0)
    assert it.poll(1e9) is None


def test_a_batch_has_its_budget_and_no_more() -> None:
    it = started()
    it.batch_started(10.0, budget_s=5.0)
    assert it.poll(14.9) is None
    assert it.poll(15.0) is Action.KILL
    assert it.kill_reason == "hung"


def test_work_done_in_time_clears_the_budget() -> None:
    it = started()
    it.batch_started(10.0, budget_s=5.0)
    it.batch_finished()
    assert (it.state, it.poll(100.0)) == (State.READY, None)


def test_restarts_are_immediate_then_slower_and_slower_up_to_a_limit() -> None:
    it = started()
    pauses = [die(it, 100.0 * n) for n in range(1, 10)]
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_thousand_deaths_are_no_reason_to_give_up() -> None:
    it = started()
    for n in range(1000):
        die(it, 100.0 * n)
    assert it.starts == 1001


def test_jitter_spreads_the_pause_over_its_upper_half() -> None:
    shortest, longest = started(), started()
    die(shortest, 10.0)
    die(longest, 10.0)
    assert die(shortest, 20.0, jitter=0.0) == 0.25
    assert die(longest, 20.0, jitter=1.0) == 0.5


def test_real_work_forgives_earlier_deaths() -> None:
    it = started()
    die(it, 10.0)
    die(it, 20.0)
    it.ready(22.0)
    it.batch_started(30.0, 5.0)
    it.batch_finished()
    assert die(it, 40.0) == 0.0


def test_getting_ready_is_not_work() -> None:
    it = started()
    die(it, 10.0)
    it.ready(12.0)
    assert die(it, 20.0) == 0.5


def test_a_worker_that_was_told_to_stop_is_left_alone() -> None:
    it = started()
    it.batch_started(10.0, 5.0)
    it.stopping()
    assert it.poll(1e9) is None


def test_a_worker_that_does_not_stop_when_told_is_killed() -> None:
    it = started()
    it.stopping(kill_at=15.0)
    assert it.poll(14.9) is None
    assert it.poll(15.0) is Action.KILL
    assert it.poll(1e9) is None
