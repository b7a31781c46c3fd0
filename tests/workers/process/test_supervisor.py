"""The supervisor with real child processes, and a delegate that counts what they answer."""

import asyncio
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import pytest

from auricle.config.environment import worker_environment
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import WorkerError
from auricle.workers.process.assignment import Assignment
from auricle.workers.process.launch import Launch
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import WorkerSupervisor
from auricle.workers.wire.messages import (
    CloseStream,
    StartFailed,
    StopWorker,
    WorkDone,
    WorkerReady,
)
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

CHILD = """
import os, sys
from auricle.workers.wire.framing import pack
from auricle.workers.wire.messages import CloseStream, StartFailed, Submit, WorkDone, WorkerReady
import msgspec

TO_CHILD = msgspec.msgpack.Decoder(Submit[CloseStream])

def read():
    length = int.from_bytes(sys.stdin.buffer.read(4), "little")
    return sys.stdin.buffer.read(length)

def write(message):
    sys.stdout.buffer.write(pack(message))
    sys.stdout.buffer.flush()

if b"fail" in read():
    write(StartFailed("The model is missing."))
    sys.exit(1)
write(WorkerReady(os.getpid(), 1))
while b"StopWorker" not in (message := read()):
    if b"exit" in message:
        os._exit(7)
    other = 1 if b"other" in message else 0
    write(WorkDone(TO_CHILD.decode(message).id + other, StartFailed("done")))
"""


@dataclass
class Delegate:
    """Assigns each message of ``work`` once, to any idle worker."""

    work: list[str] = field(default_factory=list)
    start: str = "start"
    rejects: bool = False
    answers: list[str] = field(default_factory=list)
    deaths: list[tuple[str, int | None]] = field(default_factory=list)
    ready: int = 0

    def launch(self) -> Launch:
        return Launch(
            program=lambda: ("child_under_test",),
            start_message=lambda slot: CloseStream(self.start),
            environment=worker_environment(1),
            answers=msgspec.msgpack.Decoder(WorkerReady | StartFailed | WorkDone[StartFailed]),
        )

    def workers_changed(self, ready: int) -> None:
        self.ready = ready

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        assert message.rss_bytes == 1

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        if not self.work:
            return None
        return Assignment(CloseStream(self.work.pop(0)), 10_000, budget_s=600.0)

    def received(self, worker: str, result: StartFailed, now: float) -> None:
        assert result == StartFailed("done")
        if self.rejects:
            raise WorkerError("unexpected")
        self.answers.append(worker)

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        self.deaths.append((reason, exit.code))

    def poll(self, now: float) -> float:
        return math.inf


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("auricle.workers.process.supervisor.STOP_GRACE_S", 60.0)
    (tmp_path / "child_under_test.py").write_text(CHILD)
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    return tmp_path


@asynccontextmanager
async def supervised(
    delegate: Delegate, size: int = 1, **settings: float
) -> AsyncIterator[WorkerSupervisor]:
    values = {"backoff_first_s": 0.05, "start_budget_s": 60.0} | settings
    supervisor = WorkerSupervisor(
        "worker", size, WorkerSettings.model_validate(values), delegate.launch(), delegate
    )
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_idle_workers_get_work_and_all_are_stopped_in_the_end(folder: Path) -> None:
    delegate = Delegate()
    async with supervised(delegate, size=2) as supervisor:
        await poll_until(lambda: delegate.ready == supervisor.ready == 2)
        pids = [worker.pid for worker in supervisor.stats()]
        delegate.work += ["one", "two", "three"]
        supervisor.wake()
        await poll_until(lambda: len(delegate.answers) == 3)
        await poll_until(lambda: sum(worker.jobs_done for worker in supervisor.stats()) == 3)
        assert supervisor.has_worked_since(0.0)
        assert not supervisor.has_worked_since(math.inf)
        assert supervisor.start_estimate_s > 0
    assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)
    assert delegate.deaths == [("stopped", 0), ("stopped", 0)]


async def test_a_worker_that_exits_is_started_again(folder: Path) -> None:
    delegate = Delegate(work=["exit"])
    async with supervised(delegate) as supervisor:
        await poll_until(lambda: supervisor.stats()[0].restarts == 1 and delegate.ready == 1)
        (worker,) = supervisor.stats()
        assert worker.last_exit is not None
        assert (worker.last_exit.reason, worker.last_exit.code) == ("exited", 7)
        assert delegate.deaths == [("exited", 7)]


async def test_an_answer_to_other_work_ends_its_worker(folder: Path) -> None:
    delegate = Delegate(work=["other"])
    async with supervised(delegate):
        await poll_until(lambda: bool(delegate.deaths))
    assert delegate.deaths[0][0] == "protocol"
    assert not delegate.answers


async def test_an_answer_that_the_delegate_rejects_ends_its_worker(folder: Path) -> None:
    delegate = Delegate(work=["one"], rejects=True)
    async with supervised(delegate):
        await poll_until(lambda: bool(delegate.deaths))
        assert delegate.deaths[0][0] == "protocol"
        await poll_until(lambda: delegate.ready == 1)


async def test_the_reason_of_a_failed_start_is_kept(folder: Path) -> None:
    delegate = Delegate(start="fail")
    async with supervised(delegate) as supervisor:
        await poll_until(lambda: bool(delegate.deaths))
        assert supervisor.start_error == "The model is missing."
        assert delegate.deaths[0] == ("start", 1)
        delegate.start = "start"
        await poll_until(lambda: delegate.ready == 1)
        assert supervisor.start_error is None


async def test_a_worker_is_replaced_after_its_jobs(folder: Path) -> None:
    delegate = Delegate(work=["one"])
    async with supervised(delegate, worker_max_jobs=1) as supervisor:
        await poll_until(lambda: supervisor.replaced == 1)
        await poll_until(lambda: ("replaced", 0) in delegate.deaths)
        assert [worker.id for worker in supervisor.stats()] == ["worker-2"]


async def test_messages_go_only_to_a_worker_that_runs(folder: Path) -> None:
    delegate = Delegate()
    async with supervised(delegate) as supervisor:
        supervisor.tell("worker-9", StopWorker())
        await poll_until(lambda: delegate.ready == 1)
        supervisor.tell("worker-1", StopWorker())
        await poll_until(lambda: delegate.deaths == [("exited", 0)])
