"""Streams, their workers and what kills these, without processes."""

from typing import Any

import pytest

from auricle.values.errors import (
    AudioError,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    WorkerError,
)
from auricle.values.transcriber import QueueStats
from auricle.values.types import ClientId, CompressedFrame, FrameCodec
from auricle.workers.kinds.frames.messages import DecodeFrames, FramesDecoded
from auricle.workers.kinds.frames.schedule import (
    MAX_FAILED_FRAMES,
    MAX_STREAMS_PER_WORKER,
    WARM_UP_FRAMES,
    FrameSchedule,
    FrameStep,
    Stream,
)
from auricle.workers.poison import CrashBudget
from auricle.workers.process.assignment import Death
from auricle.workers.schedule import Down
from auricle.workers.wire.messages import CloseStream

pytestmark = pytest.mark.unit

CLIENT = ClientId("anna")
CRASH = Death("exited", "SIGSEGV", "SIGSEGV decode_frame")


def new_schedule(workers: int = 1) -> FrameSchedule:
    return FrameSchedule(workers, 60.0, CrashBudget(1, 60))


def opened(schedule: FrameSchedule, codec: FrameCodec = FrameCodec.MP3) -> Stream:
    return schedule.open(codec, b"", CLIENT, 0.0)


def outcome(schedule: FrameSchedule) -> Any:
    (_, end) = schedule.outcomes.popleft()
    return end


def given(schedule: FrameSchedule, worker: str = "w") -> DecodeFrames:
    assignment = schedule.next_work(worker, 0.0)
    assert assignment is not None
    assert isinstance(assignment.work, DecodeFrames)
    return assignment.work


def frames_of(*numbers: int) -> tuple[CompressedFrame, ...]:
    return tuple(CompressedFrame(bytes([n]), 400) for n in numbers)


def waiting(schedule: FrameSchedule) -> tuple[Stream, DecodeFrames]:
    """Do a step of a new stream on worker ``w``, and start another one."""
    stream = opened(schedule)
    schedule.submit(FrameStep(stream, frames_of(*range(30))), 0.0)
    assert given(schedule).opens
    schedule.done("w", FramesDecoded(bytes(24_000), 0), 0.0)
    assert outcome(schedule).size == 12_000
    schedule.submit(FrameStep(stream, (CompressedFrame(b"last", 400),)), 0.0)
    return stream, given(schedule)


def test_after_a_death_the_frames_before_come_again_and_then_the_step() -> None:
    schedule = new_schedule(2)
    _, work = waiting(schedule)
    assert (work.opens, work.warm_up) == (False, ())
    schedule.worker_died("w", CRASH, 0.0)
    again = given(schedule, "other")
    assert again.opens
    assert [frame.data for frame in again.warm_up] == [
        bytes([n]) for n in range(30 - WARM_UP_FRAMES, 30)
    ]
    assert [frame.data for frame in again.frames] == [b"last"]
    schedule.done("other", FramesDecoded(bytes(800), 0), 0.0)
    assert outcome(schedule).size == 400
    assert schedule.counters.retried == 1


def test_a_stream_stays_with_its_worker() -> None:
    schedule = new_schedule(2)
    stream = opened(schedule)
    schedule.submit(FrameStep(stream, frames_of(1)), 0.0)
    given(schedule, "one")
    schedule.done("one", FramesDecoded(b"", 0), 0.0)
    schedule.submit(FrameStep(stream, frames_of(2)), 0.0)
    assert schedule.next_work("two", 0.0) is None
    assert not given(schedule, "one").opens


def test_what_is_kept_for_a_new_worker_is_bounded() -> None:
    schedule = new_schedule()
    stream = opened(schedule, FrameCodec.FLAC)
    frames = tuple(CompressedFrame(bytes([n]) * 300_000, 10) for n in range(20))
    schedule.submit(FrameStep(stream, frames), 0.0)
    given(schedule)
    schedule.done("w", FramesDecoded(b"", 0), 0.0)
    schedule.worker_died("w", CRASH, 0.0)
    schedule.submit(FrameStep(stream, frames[:1]), 0.0)
    assert [frame.data[0] for frame in given(schedule).warm_up] == [17, 18, 19]


def test_frames_that_kill_workers_again_are_poison_and_are_charged() -> None:
    schedule = new_schedule()
    waiting(schedule)
    schedule.worker_died("w", CRASH, 0.0)
    given(schedule, "x")
    schedule.worker_died("x", CRASH, 0.0)
    assert isinstance(outcome(schedule), PoisonJob)
    with pytest.raises(RateLimited):
        opened(schedule)


def test_a_closed_stream_is_closed_in_its_worker_and_not_blamed() -> None:
    schedule = new_schedule()
    stream, _ = waiting(schedule)
    schedule.close(stream)
    schedule.close(stream)
    assert list(schedule.notices) == [("w", CloseStream(stream.name))]
    schedule.worker_died("w", CRASH, 0.0)
    assert schedule.queue() == QueueStats()
    with pytest.raises(Draining):
        schedule.submit(FrameStep(stream, frames_of(1)), 0.0)


def test_a_step_whose_caller_has_left_is_dropped() -> None:
    schedule = new_schedule()
    step = schedule.submit(FrameStep(opened(schedule), frames_of(1)), 0.0)
    schedule.cancel(step)
    schedule.cancel(step)
    assert schedule.next_work("w", 0.0) is None


@pytest.mark.parametrize(
    "answer",
    [FramesDecoded(b"odd", 0), FramesDecoded(bytes(80_000), 0), FramesDecoded(b"", 2)],
)
def test_samples_that_can_not_be_are_no_answer(answer: FramesDecoded) -> None:
    schedule = new_schedule()
    waiting(schedule)
    with pytest.raises(WorkerError):
        schedule.done("w", answer, 0.0)
    schedule.done("w", FramesDecoded(b"", 0), 0.0)


def test_too_many_frames_in_a_row_that_fail_end_a_stream() -> None:
    schedule = new_schedule()
    stream = opened(schedule)
    frames = frames_of(*range(MAX_FAILED_FRAMES // 2))
    for _ in range(2):
        schedule.submit(FrameStep(stream, frames), 0.0)
        given(schedule)
        schedule.done("w", FramesDecoded(b"", len(frames)), 0.0)
    assert outcome(schedule).size == 0
    assert isinstance(outcome(schedule), AudioError)
    assert (schedule.counters.done, schedule.counters.failed) == (1, 1)


def test_streams_are_bounded_and_closed_ones_free_their_place() -> None:
    schedule = new_schedule()
    streams = [opened(schedule) for _ in range(MAX_STREAMS_PER_WORKER)]
    with pytest.raises(Overloaded):
        opened(schedule)
    schedule.close(streams[0])
    opened(schedule)
    assert schedule.counters.refused == 1


def test_all_steps_fail() -> None:
    schedule = new_schedule()
    waiting(schedule)
    schedule.submit(FrameStep(opened(schedule), frames_of(1)), 0.0)
    schedule.fail_all(Down.CLOSED)
    assert [type(outcome(schedule)) for _ in range(2)] == [Draining, Draining]
    assert schedule.queue().waiting_jobs == 0
    assert isinstance(schedule.refusal(Down.CLOSED), Draining)
    assert isinstance(schedule.refusal(Down.CANNOT_START), NoWorkerReady)
