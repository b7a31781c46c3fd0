"""A real worker of partials with scripted streams, spoken to over real pipes."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from auricle.values.types import MAX_JOB_SAMPLES, Options, Pcm16
from auricle.workers.child.channel import (
    EXIT_CRASHED,
    EXIT_PROTOCOL,
    EXIT_START_FAILED,
    EXIT_STOPPED,
)
from auricle.workers.kinds.asr.messages import BatchDone, JobDone, JobFailed, StartAsr
from auricle.workers.kinds.partials.messages import RunStreams, StreamStep
from auricle.workers.priority import YIELDS
from auricle.workers.wire.messages import StartFailed, StopWorker, Submit, WorkerReady
from tests.support.child import Child
from tests.support.scripted_engine import SECRET, answer

pytestmark = pytest.mark.process

MODULE = "auricle.workers.kinds.partials.child"
STREAMS = "tests.support.scripted_streams"
PCM = np.arange(3200).astype(np.int16)


def start(engine: str = STREAMS, model: str = "scripted") -> StartAsr:
    return StartAsr(engine, model, "cpu", "default", 1, 512 * 2**20)


def step(stream: str, pcm: Pcm16, prompt: str | None = None, *, opens: bool = False) -> StreamStep:
    options = Options(initial_prompt=prompt)
    return StreamStep(f"job of {stream}", stream, opens, memoryview(pcm.tobytes()), options)


def run(*steps: StreamStep, closed: tuple[str, ...] = ()) -> Submit[RunStreams]:
    return Submit(1, 30.0, RunStreams(steps, closed))


@pytest.fixture
def child() -> Iterator[Child]:
    with Child(MODULE) as child:
        yield child


@pytest.fixture
def ready(child: Child) -> Child:
    child.send(start())
    assert isinstance(child.receive(), WorkerReady)
    return child


def texts(child: Child) -> list[str]:
    done = child.receive()
    assert isinstance(done, BatchDone)
    return [each.transcript.text for each in done.results if isinstance(each, JobDone)]


def test_streams_are_fed_recognised_and_closed(ready: Child) -> None:
    ready.send(run(step("1", PCM[:800], opens=True), step("2", PCM[:1600], opens=True)))
    assert texts(ready) == [answer(PCM[:800]), answer(PCM[:1600])]
    ready.send(run(step("2", PCM[1600:])))
    assert texts(ready) == [answer(PCM)]
    ready.send(run(step("3", PCM, opens=True), closed=("1", "2")))
    assert texts(ready) == [answer(PCM)]
    ready.send(StopWorker())
    assert ready.wait() == EXIT_STOPPED


def test_an_engine_without_streams_serves_them(child: Child) -> None:
    child.send(start("tests.support.scripted_engine"))
    assert isinstance(child.receive(), WorkerReady)
    child.send(run(step("1", PCM[:800], opens=True)), run(step("1", PCM[800:])))
    assert [texts(child), texts(child)] == [[answer(PCM[:800])], [answer(PCM)]]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux only")
def test_it_uses_only_the_time_that_others_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(YIELDS)
    with Child(MODULE) as child:
        child.send(start())
        assert isinstance(child.receive(), WorkerReady)
        for thread in os.listdir(f"/proc/{child.process.pid}/task"):
            assert os.sched_getscheduler(int(thread)) == os.SCHED_IDLE


def test_invalid_audio_is_an_answer(ready: Child) -> None:
    ready.send(run(step("1", PCM, "scripted:audio-error", opens=True)))
    done = ready.receive()
    assert isinstance(done, BatchDone)
    assert isinstance(done.results[0], JobFailed)


def test_an_exception_ends_the_worker_without_its_message(ready: Child) -> None:
    ready.send(run(step("1", PCM, "scripted:raise", opens=True)))
    assert ready.wait() == EXIT_CRASHED
    assert SECRET not in ready.stderr()


def test_a_model_that_cannot_be_loaded_is_reported(child: Child) -> None:
    child.send(start(model="scripted:setup-error"))
    assert isinstance(child.receive(), StartFailed)
    assert child.wait() == EXIT_START_FAILED


def test_more_audio_than_a_job_has_is_refused(ready: Child) -> None:
    pcm = np.zeros(MAX_JOB_SAMPLES, np.int16)
    ready.send(run(step("1", pcm, opens=True)), run(step("1", pcm[:1])))
    assert len(texts(ready)) == 1
    assert ready.wait() == EXIT_PROTOCOL
