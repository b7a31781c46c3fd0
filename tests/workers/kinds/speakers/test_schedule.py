"""The order of embedding jobs, their deadlines and the deaths of workers, without processes."""

from collections.abc import Hashable

import numpy as np
import pytest

from auricle.values.errors import SpeakersUnavailable
from auricle.values.transcriber import QueueStats
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, EmbedJob, JobId
from auricle.workers.kinds.speakers.schedule import (
    MAX_STEP_SAMPLES,
    MAX_STRETCH_SAMPLES,
    MAX_STRETCHES,
    MAX_WAIT_S,
    MAX_WAITING,
    SpeakerSchedule,
    result_of,
)
from auricle.workers.poison import CrashBudget, PoisonTracker
from auricle.workers.process.assignment import Death
from auricle.workers.schedule import Down

pytestmark = pytest.mark.unit

STRETCH = 24_000
PCM = (np.arange(30 * SAMPLE_RATE_HZ) % 1000).astype(np.int16)
STEP_STRETCHES = MAX_STEP_SAMPLES // STRETCH


def job(
    stretches: int = 1, *, client: str = "a", live: bool = False, max_wait_s: float | None = None
) -> EmbedJob:
    spans = tuple((at * 12_000, at * 12_000 + STRETCH) for at in range(stretches))
    return EmbedJob(JobId("j"), PCM, spans, ClientId(client), max_wait_s, live)


def vectors(count: int, first: float = 0.0) -> np.ndarray:
    return (first + np.arange(count, dtype=np.float32))[:, None]


def new_schedule(deaths: int = 3) -> SpeakerSchedule:
    budget = CrashBudget(10, 60.0)
    return SpeakerSchedule(60.0, PoisonTracker(deaths, 60.0, budget), budget)


def outcomes(schedule: SpeakerSchedule) -> list[tuple[Hashable, bool]]:
    """Return which jobs have ended since, and whether they failed."""
    ended = [(ticket, isinstance(end, SpeakersUnavailable)) for ticket, end in schedule.outcomes]
    schedule.outcomes.clear()
    return ended


def failures(schedule: SpeakerSchedule) -> list[Hashable]:
    return [ticket for ticket, has_failed in outcomes(schedule) if has_failed]


def test_a_long_job_is_done_in_steps() -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job(20), now=0)
    done = 0
    while step := schedule.next_step("w"):
        first = ticket.job.stretches[done][0]
        count = len(step.stretches)
        assert count <= STEP_STRETCHES
        assert step.stretches[0] == (0, STRETCH)
        assert np.array_equal(step.pcm, PCM[first : first + step.stretches[-1][1]])
        schedule.step_done("w", vectors(count, done))
        done += count
        assert (outcomes(schedule) == [(ticket, False)]) == (done == 20)
    result = result_of(ticket)
    assert result.stretches == ticket.job.stretches
    assert result.vectors[:, 0].tolist() == list(range(20))
    assert (schedule.counters.done, schedule.queue()) == (1, QueueStats())


def test_live_speech_goes_before_the_next_step_of_a_file() -> None:
    schedule = new_schedule()
    file = schedule.submit(job(20), now=0)
    first = schedule.next_step("w")
    assert first is not None
    live = schedule.submit(job(live=True, client="b"), now=0)
    schedule.step_done("w", vectors(len(first.stretches)))
    order = []
    while step := schedule.next_step("w"):
        order.append(step.ticket)
        schedule.step_done("w", vectors(len(step.stretches)))
    assert order == [live, file, file]


def test_clients_take_turns_and_each_keeps_its_order() -> None:
    schedule = new_schedule()
    own = [schedule.submit(job(20), now=0) for _ in range(2)]
    other = schedule.submit(job(8, client="b"), now=0)
    order = []
    while step := schedule.next_step("w"):
        order.append(step.ticket)
        schedule.step_done("w", vectors(len(step.stretches)))
    assert order == [own[0], other, *own[:1] * 2, *own[1:] * 3]


def test_the_step_of_a_dead_worker_is_repeated_unless_it_is_poison() -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job(20), now=0)
    schedule.next_step("w1")
    schedule.step_done("w1", vectors(STEP_STRETCHES))
    schedule.next_step("w1")
    schedule.worker_died("w1", Death("exited", place="here"), 1)
    again = schedule.next_step("w2")
    assert again is not None
    assert again.ticket is ticket
    assert ticket.done == STEP_STRETCHES
    schedule.worker_died("w2", Death("exited", place="here"), 2)
    assert failures(schedule) == [ticket]
    assert schedule.next_step("w3") is None
    counters = schedule.counters
    assert (counters.retried, counters.poison, counters.failed) == (1, 1, 1)


def test_every_step_may_be_repeated() -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job(20), now=0)
    while not schedule.outcomes:
        schedule.next_step("w")
        schedule.worker_died("w", Death("exited", place="here"), 0)
        step = schedule.next_step("w")
        assert step is not None
        schedule.step_done("w", vectors(len(step.stretches)))
    assert outcomes(schedule) == [(ticket, False)]
    assert schedule.counters.retried == 3


@pytest.mark.parametrize("is_running", [False, True])
@pytest.mark.parametrize("max_wait_s", [2.0, None])
def test_a_deadline_ends_a_job_wherever_it_is(is_running: bool, max_wait_s: float | None) -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job(max_wait_s=max_wait_s), now=10)
    if is_running:
        schedule.next_step("w")
    due_at = 10 + (MAX_WAIT_S if max_wait_s is None else max_wait_s)
    assert schedule.poll(due_at - 0.1) == due_at
    assert failures(schedule) == []
    schedule.poll(due_at)
    assert failures(schedule) == [ticket]
    if is_running:
        schedule.step_done("w", vectors(1))
        assert not schedule.outcomes
    assert schedule.next_step("w") is None
    assert schedule.counters.done == 0


def test_a_cancelled_job_is_forgotten() -> None:
    schedule = new_schedule()
    waiting, running = schedule.submit(job(), now=0), schedule.submit(job(), now=0)
    schedule.cancel(waiting)
    step = schedule.next_step("w")
    assert step is not None
    assert step.ticket is running
    schedule.cancel(running)
    schedule.worker_died("w", Death("exited"), 0)
    assert schedule.next_step("w") is None
    assert failures(schedule) == []


def test_files_cannot_fill_the_queue_of_live_speech() -> None:
    schedule = new_schedule()
    for _ in range(MAX_WAITING):
        schedule.submit(job(), now=0)
    with pytest.raises(SpeakersUnavailable):
        schedule.submit(job(), now=0)
    schedule.submit(job(live=True), now=0)
    assert (schedule.queue().waiting_jobs, schedule.counters.refused) == (MAX_WAITING + 1, 1)
    schedule.fail_all(Down.CLOSED)
    assert len(failures(schedule)) == MAX_WAITING + 1
    assert schedule.queue().waiting_jobs == 0


def test_stretches_without_a_voice_are_left_out() -> None:
    pcm = np.concatenate([PCM[:32_000], np.zeros(32_000, np.int16)])
    spans = ((0, 4799), (0, 4800), (32_000, 64_000))
    ticket = new_schedule().submit(EmbedJob(JobId("j"), pcm, spans), now=0)
    assert ticket.stretches == ((0, 4800),)


def test_a_job_without_a_voice_never_waits() -> None:
    schedule = new_schedule()
    silence = np.zeros(32_000, np.int16)
    ticket = schedule.submit(EmbedJob(JobId("j"), silence, ((0, 32_000),)), now=0)
    assert (schedule.queue().waiting_jobs, ticket.stretches) == (0, ())
    assert outcomes(schedule) == [(ticket, False)]
    assert result_of(ticket).vectors.shape == (0, 192)


@pytest.mark.parametrize(
    "spans", [((0, MAX_STRETCH_SAMPLES + 1),), ((0, 5000),) * (MAX_STRETCHES + 1)]
)
def test_jobs_are_bounded(spans: tuple[tuple[int, int], ...]) -> None:
    pcm = np.ones(MAX_STRETCH_SAMPLES + 1, np.int16)
    with pytest.raises(ValueError, match="too"):
        new_schedule().submit(EmbedJob(JobId("j"), pcm, spans), now=0)
