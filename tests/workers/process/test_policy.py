"""The state machine of a worker: examples, and random sequences of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from auricle.values.transcriber import WorkerState
from auricle.workers.process.policy import Action, WorkerPolicy

pytestmark = pytest.mark.unit


def policy() -> WorkerPolicy:
    return WorkerPolicy(start_budget_s=60, backoff_first_s=0.5, backoff_max_s=30)


def started(now: float = 7.0) -> WorkerPolicy:
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
    assert (it.kill_reason, it.state) == ("start", WorkerState.STOPPING)
    assert it.poll(1000.0) is None


def test_an_idle_worker_needs_nothing() -> None:
    it = started()
    assert (it.state, it.wake_at, it.start_took_s) == (WorkerState.READY, None, 2.0)
    assert it.poll(1e9) is None


def test_a_batch_has_its_budget_and_no_more() -> None:
    it = started()
    it.batch_started(10.0, budget_s=5.0)
    assert (it.state, it.budget_s) == (WorkerState.BUSY, 5.0)
    assert it.poll(14.9) is None
    assert it.poll(15.0) is Action.KILL
    assert it.kill_reason == "hung"


def test_a_batch_is_overdue_before_its_budget_is_used_up() -> None:
    it = started()
    it.batch_started(10.0, budget_s=60.0, overdue_s=4.0)
    assert [it.is_overdue(now) for now in (10.0, 13.9, 14.0, 69.0)] == [False, False, True, True]
    it.batch_finished()
    assert not it.is_overdue(14.0)
    it.batch_started(20.0, budget_s=60.0)
    assert not it.is_overdue(79.0)


def test_work_done_in_time_clears_the_budget() -> None:
    it = started()
    it.batch_started(10.0, budget_s=5.0)
    it.batch_finished()
    assert (it.state, it.poll(100.0)) == (WorkerState.READY, None)


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


def test_a_worker_that_is_stopping_gets_no_work() -> None:
    it = started()
    it.batch_started(10.0, 5.0)
    it.stopping()
    assert it.poll(1e9) is None


def test_a_worker_that_ignores_the_stop_message_is_killed() -> None:
    it = started()
    it.stopping(kill_at=15.0)
    assert it.poll(14.9) is None
    assert it.poll(15.0) is Action.KILL
    assert it.poll(1e9) is None


class Slot(RuleBasedStateMachine):
    """A slot, its process and its supervisor, which polls at ``wake_at`` at the latest.

    The model knows when each thing is due: it keeps the end of the process's budget, and how many
    deaths there were since the last work.
    """

    START_S, FIRST_S, MAX_S = 60.0, 0.5, 30.0

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.it = WorkerPolicy(self.START_S, self.FIRST_S, self.MAX_S)
        self.phase = "none"  # of the process: none, loading, idle, working, leaving
        self.kill_at: float | None = None
        self.spawn_at: tuple[float, float] = (0.0, 0.0)
        self.deaths = 0
        self.spawns = 0

    @rule(seconds=st.one_of(st.sampled_from([0.0, 0.5, 5.0, 60.0]), st.floats(0, 100)))
    def wait(self, seconds: float) -> None:
        """Ask at each moment that the policy names, as the crew does."""
        until = self.now + seconds
        while True:
            due_at = self.it.wake_at
            if due_at is not None and due_at <= until:
                self.now = max(self.now, due_at)
                self.poll()
                assert self.it.wake_at != due_at  # what is due is done once
            else:
                break
        self.now = until
        assert self.it.poll(self.now) is None

    def poll(self) -> None:
        action = self.it.poll(self.now)
        if action is Action.SPAWN:
            assert self.phase == "none"  # never two processes for one slot
            earliest, latest = self.spawn_at
            assert earliest <= self.now <= latest + 1e-9
            self.it.spawned(self.now)
            self.spawns += 1
            self.phase, self.kill_at = "loading", self.now + self.START_S
        else:
            assert action is Action.KILL
            assert self.kill_at is not None  # no worker is killed before its budget is used up
            assert self.now == pytest.approx(self.kill_at)
            assert self.it.kill_reason == ("start" if self.phase == "loading" else "hung")
            self.phase, self.kill_at = "leaving", None

    @precondition(lambda self: self.phase == "loading")
    @rule()
    def load(self) -> None:
        self.it.ready(self.now)
        assert self.it.start_took_s <= self.START_S
        self.phase, self.kill_at = "idle", None

    @precondition(lambda self: self.phase == "idle")
    @rule(budget_s=st.floats(0.1, 50))
    def work(self, budget_s: float) -> None:
        self.it.batch_started(self.now, budget_s)
        self.phase, self.kill_at = "working", self.now + budget_s

    @precondition(lambda self: self.phase == "working")
    @rule()
    def finish(self) -> None:
        self.it.batch_finished()
        self.phase, self.kill_at, self.deaths = "idle", None, 0

    @precondition(lambda self: self.phase == "idle")
    @rule(grace_s=st.floats(0.1, 10))
    def stop(self, grace_s: float) -> None:
        self.it.stopping(kill_at=self.now + grace_s)
        self.phase, self.kill_at = "stopping", self.now + grace_s

    @precondition(lambda self: self.phase not in ("none", "leaving"))
    @rule()
    def be_killed(self) -> None:
        """For its memory, or for nonsense that it sent."""
        self.it.stopping()
        self.phase, self.kill_at = "leaving", None

    @precondition(lambda self: self.phase != "none")
    @rule(jitter=st.floats(0, 1))
    def exit(self, jitter: float) -> None:
        self.it.exited(self.now, jitter)
        self.phase, self.kill_at = "none", None
        longest_s = min(self.MAX_S, self.FIRST_S * 2.0 ** (self.deaths - 1)) if self.deaths else 0
        self.spawn_at = (self.now + longest_s / 2, self.now + longest_s)
        self.deaths += 1

    @invariant()
    def something_is_due_whenever_it_cannot_go_on_by_itself(self) -> None:
        if self.phase in ("none", "loading", "working", "stopping"):
            assert self.it.wake_at is not None
        else:
            assert self.it.wake_at is None

    @invariant()
    def its_state_is_told(self) -> None:
        states = {
            "none": WorkerState.BACKING_OFF,
            "loading": WorkerState.STARTING,
            "idle": WorkerState.READY,
            "working": WorkerState.BUSY,
        }
        assert self.it.state is states.get(self.phase, WorkerState.STOPPING)
        assert self.it.starts == self.spawns


TestSlot = Slot.TestCase
TestSlot.settings = settings(max_examples=60, stateful_step_count=40)
