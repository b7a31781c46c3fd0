"""What all pools share: a scripted schedule, and workers that the tests play."""

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import Draining, Overloaded, WorkerError
from auricle.workers.pool import Pool
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.process.launch import Launch
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import WorkerSupervisor
from auricle.workers.process.usage import SUSPENDED
from auricle.workers.schedule import Down
from auricle.workers.wire.messages import CloseStream, Message, WorkerReady
from tests.support.poll import LIMIT_S, poll_until
from tests.support.scripted_schedule import ScriptedSchedule, Ticket

LAUNCH = Launch(
    program=lambda: ("no_such_module",),
    start_message=lambda slot: CloseStream(f"start {slot}"),
    environment={},
    answers=msgspec.msgpack.Decoder(WorkerReady),
)
SEGFAULT = ProcessExit("SIGSEGV", None, ("a.py:1 f",))


class RecordingSchedule(ScriptedSchedule):
    """Records what the pool reports of its workers, and says why it refuses a job."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[tuple[object, ...]] = []
        self.quarantines = True

    def refusal(self, down: Down) -> Draining:
        return Draining(f"refused: {down.value}")

    def submit(self, job: str, now: float) -> Ticket:
        self.submitted_at = now
        return super().submit(job, now)

    def worker_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        self.reported.append((worker, message, now))

    def next_work(self, worker: str, now: float) -> Assignment | None:
        self.reported.append((worker, "next", now))
        return super().next_work(worker, now)

    def done(self, worker: str, result: str, now: float) -> None:
        self.reported.append((worker, result, now))
        super().done(worker, result, now)

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        self.reported.append((worker, death, now))
        poison = self.counters.poison
        super().worker_died(worker, death, now)
        if not self.quarantines:
            self.counters.poison = poison


class ScriptedPool(Pool[str, str]):
    def __init__(self, *, is_lazy: bool = True) -> None:
        self.schedule = RecordingSchedule()
        self.kept: list[tuple[str, str, ProcessExit, str, bool]] = []
        super().__init__(
            "scripted", self.schedule, LAUNCH, WorkerSettings(), 1, model="base", is_lazy=is_lazy
        )

    def keep_audio(
        self, worker: str, ticket: Ticket, exit: ProcessExit, reason: str, *, is_poison: bool
    ) -> None:
        self.kept.append((worker, ticket.name, exit, reason, is_poison))


async def submitted(pool: ScriptedPool, *names: str) -> "list[asyncio.Task[str]]":
    tasks = [asyncio.create_task(pool.submit(name)) for name in names]
    await asyncio.sleep(0)
    return tasks


async def test_each_caller_gets_the_result_of_its_job() -> None:
    pool = ScriptedPool()
    first, second = await submitted(pool, "first", "second")
    for worker in ("a", "b"):
        assert pool.next_assignment(worker, 0.0) is not None
    assert (pool.stats().queue.waiting_jobs, pool.stats().queue.running_jobs) == (0, 2)
    pool.received("b", "two", 1.0)
    pool.received("a", "one", 1.0)
    assert (await first, await second) == ("one", "two")
    assert pool.stats().jobs.done == 2
    assert pool.next_assignment("a", 1.0) is None


async def test_the_schedule_is_told_what_each_worker_did_and_when(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 1.5)
    monkeypatch.setattr("auricle.workers.pool.time", clock)
    pool = ScriptedPool()
    loaded = WorkerReady(1, 2, warm_up_s=0.5)
    pool.became_ready("a", loaded, 1.0)
    (task,) = await submitted(pool, "job")
    assert pool.schedule.submitted_at == 1.5
    pool.next_assignment("a", 2.0)
    pool.received("a", "done", 3.0)
    pool.died("b", SEGFAULT, "exited", 4.0)
    await task
    assert pool.schedule.reported == [
        ("a", loaded, 1.0),
        ("a", "next", 2.0),
        ("a", "done", 3.0),
        ("b", Death("exited", "SIGSEGV", "SIGSEGV a.py:1 f"), 4.0),
    ]


async def test_an_impossible_result_changes_nothing() -> None:
    pool = ScriptedPool()
    (task,) = await submitted(pool, "job")
    pool.next_assignment("a", 0.0)
    with pytest.raises(WorkerError):
        pool.received("a", "wrong", 0.0)
    pool.received("a", "right", 0.0)
    assert await task == "right"


async def test_a_job_that_needs_no_worker_starts_none() -> None:
    pool = ScriptedPool()
    assert await pool.submit("at once") == "done at once"
    assert pool.stats().workers == ()
    await submitted(pool, "job")
    assert len(pool.stats().workers) == 1


async def test_workers_that_are_not_lazy_are_shown_before_their_start() -> None:
    assert len(ScriptedPool(is_lazy=False).stats().workers) == 1
    assert not ScriptedPool(is_lazy=False).is_ready
    assert ScriptedPool().is_ready


async def test_one_worker_that_is_ready_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkerSupervisor, "ready", 1)
    assert ScriptedPool(is_lazy=False).is_ready
    pool = ScriptedPool()
    pool._supervisor.start_error = "no memory for another one"
    pool.refuse_when_down()
    assert pool.is_ready


async def test_the_model_and_the_workers_that_were_replaced_are_reported() -> None:
    pool = ScriptedPool()
    pool._supervisor.replaced = 3
    stats = pool.stats()
    assert (stats.ready, stats.replaced, stats.model) == (True, 3, "base")


async def test_a_pool_supervises_its_workers_and_starts_them_unless_it_is_lazy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[tuple[Any, ...]] = []

    class Supervisor(WorkerSupervisor):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            opened.append(arguments)

    monkeypatch.setattr("auricle.workers.pool.WorkerSupervisor", Supervisor)
    settings = WorkerSettings()
    pool = Pool("plain", ScriptedSchedule(), LAUNCH, settings, 2)
    assert opened == [("plain", 2, settings, LAUNCH, pool)]
    assert (pool.stats().model, len(pool.stats().workers), pool.is_ready) == ("", 2, False)


async def test_a_job_that_is_refused_is_not_waited_for() -> None:
    pool = ScriptedPool()
    with pytest.raises(Overloaded):
        await pool.submit("full")


async def test_a_caller_that_leaves_cancels_its_job() -> None:
    pool = ScriptedPool()
    running, waiting = await submitted(pool, "running", "waiting")
    pool.next_assignment("a", 0.0)
    for task in (running, waiting):
        task.cancel()
    await asyncio.wait([running, waiting])
    assert pool.schedule.cancelled == ["running", "waiting"]
    pool.received("a", "late", 0.0)
    assert pool.stats().queue.waiting_jobs == 0


@pytest.mark.parametrize(
    ("reason", "is_kept"), [("exited", True), (SUSPENDED, False), ("stopped", False)]
)
async def test_the_job_that_crashed_a_worker_is_kept(reason: str, is_kept: bool) -> None:
    pool = ScriptedPool()
    (task,) = await submitted(pool, "job")
    pool.next_assignment("a", 0.0)
    pool.died("a", SEGFAULT, reason, 1.0)
    with pytest.raises(WorkerError, match=f"{reason} SIGSEGV a.py:1 f"):
        await task
    assert pool.kept == ([("a", "job", SEGFAULT, reason, True)] if is_kept else [])
    pool.died("a", SEGFAULT, "exited", 2.0)
    assert len(pool.kept) == is_kept


async def test_a_crash_that_quarantines_no_audio_is_kept_as_such() -> None:
    pool = ScriptedPool()
    pool.schedule.quarantines = False
    (task,) = await submitted(pool, "job")
    pool.next_assignment("a", 0.0)
    pool.died("a", SEGFAULT, "exited", 1.0)
    with pytest.raises(WorkerError):
        await task
    assert [is_poison for *_, is_poison in pool.kept] == [False]


async def test_the_schedule_is_polled_and_told_the_number_of_workers() -> None:
    pool = ScriptedPool()
    assert (pool.poll(3.0), pool.schedule.polled) == (10.0, 1)
    pool.workers_changed(2)
    assert pool.schedule.ready_workers == 2


async def test_messages_without_an_answer_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def tell(self: WorkerSupervisor, worker: str, message: Message) -> None:
        sent.append((worker, message))

    monkeypatch.setattr(WorkerSupervisor, "tell", tell)
    pool = ScriptedPool()
    pool.schedule.notices.append(("a", CloseStream("s")))
    pool.poll(0.0)
    assert sent == [("a", CloseStream("s"))]


@pytest.mark.parametrize("drain_s", [1.0, 60.0])
async def test_closing_waits_for_accepted_jobs_and_then_refuses_new_ones(drain_s: float) -> None:
    pool = ScriptedPool()
    (task,) = await submitted(pool, "job")
    pool.next_assignment("a", 0.0)
    closing = asyncio.create_task(pool.aclose(drain_s))
    await asyncio.sleep(0)
    assert not closing.done()
    assert not pool.stats().ready
    pool.received("a", "done", 0.0)
    await asyncio.wait_for(closing, LIMIT_S)
    assert await task == "done"
    with pytest.raises(Draining, match="refused: closed"):
        await pool.submit("late")
    with pytest.raises(Draining, match="refused: closed"):
        pool.refuse_when_down()


async def test_closing_fails_what_is_left() -> None:
    pool = ScriptedPool()
    (task,) = await submitted(pool, "job")
    await pool.aclose(drain_s=0.01)
    with pytest.raises(WorkerError, match="closed"):
        await task


async def test_closing_waits_only_for_jobs_and_only_if_it_may() -> None:
    for jobs, drain in (((), {"drain_s": 60.0}), (("job",), {})):
        pool = ScriptedPool()
        tasks = await submitted(pool, *jobs)
        closing = asyncio.create_task(pool.aclose(**drain))
        await asyncio.sleep(0)
        assert closing.done()
        for task in tasks:
            with pytest.raises(WorkerError, match="closed"):
                await task


async def test_jobs_are_refused_while_workers_cannot_start() -> None:
    pool = ScriptedPool()
    pool.refuse_when_down()
    pool._supervisor.start_error = "no model"
    with pytest.raises(Draining, match="refused: cannot start"):
        pool.refuse_when_down()


async def test_a_bug_that_ends_the_workers_fails_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: WorkerSupervisor) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(WorkerSupervisor, "run", run)
    pool = ScriptedPool()
    await pool.start()
    await asyncio.sleep(0)
    assert pool.is_ready
    with capture_logs() as logged:
        (task,) = await submitted(pool, "job")
        await poll_until(task.done)
        await asyncio.sleep(0)
    with pytest.raises(WorkerError, match="ended"):
        await task
    (line,) = [line for line in logged if line["event"] == "pool_ended"]
    assert (line["log_level"], line["pool"], line["error"]) == (
        "critical",
        "scripted",
        "RuntimeError",
    )
    assert str(line["exc_info"]) == "a bug"
    with pytest.raises(Draining):
        await pool.submit("late")
    for _ in range(2):
        await pool.aclose()


async def test_lazy_workers_that_nobody_wants_are_never_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(self: WorkerSupervisor) -> None:
        raise AssertionError

    monkeypatch.setattr(WorkerSupervisor, "run", run)
    pool = ScriptedPool()
    await pool.start()
    await asyncio.sleep(0)
    await pool.aclose()
    with pytest.raises(Draining):
        await pool.submit("late")
