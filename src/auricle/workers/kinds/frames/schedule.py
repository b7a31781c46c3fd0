"""Decide which step of a live stream is decoded next. No I/O, no clock.

A stream stays with its worker. If the worker dies, another one opens the stream again: it decodes
the frames before the step once more, to have the same state, and drops their samples. So no audio
is lost or repeated.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from auricle.values.errors import (
    AudioError,
    AuricleError,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    WorkerError,
)
from auricle.values.transcriber import QueueStats
from auricle.values.types import (
    SAMPLE_BYTES,
    SAMPLE_RATE_HZ,
    ClientId,
    CompressedFrame,
    FrameCodec,
    Pcm16,
)
from auricle.workers.kinds.frames.messages import DecodeFrames, FrameMessage, FramesDecoded
from auricle.workers.poison import CrashBudget, PoisonTracker
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES, CloseStream

MAX_STREAMS_PER_WORKER = 64
"""A stream takes less than 1 ms of processor time for a second of audio (measured 2026-11-27)."""
WARM_UP_FRAMES = 24
"""Frames that are decoded again after a worker's death. A frame of MP3 needs up to 511 bytes of
those before it: 21 frames at the lowest bit rate."""
WARM_UP_SAMPLES = SAMPLE_RATE_HZ
"""Fewer frames suffice if they are longer than this together: those of FLAC depend on no others."""
MAX_WARM_UP_BYTES = 2**20
MAX_FAILED_FRAMES = 100
"""Frames in a row that can't be decoded before a stream is given up: two seconds of MP3."""
MAX_STRETCH = 4
"""Upper limit of samples, as a multiple of what the headers of the frames state."""
POISON_DEATHS = 3
"""Crashes of any kind in one step that make its frames poison."""
RETRY_AFTER_S = 5


@dataclass(eq=False, slots=True)
class Stream:
    """An open stream."""

    name: str
    codec: FrameCodec
    header: bytes
    client: ClientId
    worker: str | None = None
    before: deque[CompressedFrame] = field(default_factory=lambda: deque(maxlen=WARM_UP_FRAMES))
    failed_frames: int = 0

    def step_done(self, frames: Sequence[CompressedFrame]) -> None:
        """Keep what a new worker needs to continue after this step."""
        self.before.extend(frames)
        samples = sum(frame.samples for frame in self.before)
        size_bytes = sum(len(frame.data) for frame in self.before)
        while len(self.before) > 1 and (
            samples - self.before[0].samples >= WARM_UP_SAMPLES or size_bytes > MAX_WARM_UP_BYTES
        ):
            dropped = self.before.popleft()
            samples -= dropped.samples
            size_bytes -= len(dropped.data)


@dataclass(frozen=True, slots=True, eq=False)
class FrameStep:
    """The next frames of a stream; it has one step at a time."""

    stream: Stream
    frames: tuple[CompressedFrame, ...]


class FrameSchedule(Schedule[FrameStep, Pcm16]):
    """The open streams, and their steps.

    Args:
        workers: Number of workers.
        budget_s: Time after which a worker is killed.
        crash_budget: Crash budget that poison frames are charged to.
    """

    def __init__(self, workers: int, budget_s: float, crash_budget: CrashBudget) -> None:
        super().__init__()
        self._max_streams = MAX_STREAMS_PER_WORKER * workers
        self._budget_s = budget_s
        self._crash_budget = crash_budget
        self._poison = PoisonTracker(POISON_DEATHS, ttl_s=0, budget=crash_budget)
        self._streams: set[Stream] = set()
        # Bounded by the streams: a stream has one step at a time.
        self._waiting: deque[FrameStep] = deque()
        self._running: dict[str, FrameStep] = {}
        self._ids = itertools.count(1)

    def open(self, codec: FrameCodec, header: bytes, client: ClientId, now: float) -> Stream:
        """Open a stream.

        Raises:
            Overloaded: Too many streams are open.
            RateLimited: The client has reached its limit of crashes.
        """
        if len(self._streams) >= self._max_streams:
            self.counters.refused += 1
            raise Overloaded(
                "Too many streams of compressed audio; try again later.", RETRY_AFTER_S
            )
        self._crash_budget.refuse_exhausted(client, now)
        stream = Stream(f"f{next(self._ids)}", codec, header, client)
        self._streams.add(stream)
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream, and close it in its worker; idempotent."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        self._poison.clear(stream.name)
        self._waiting = deque(step for step in self._waiting if step.stream is not stream)
        if stream.worker is not None:
            self.notices.append((stream.worker, CloseStream(stream.name)))

    def queue(self) -> QueueStats:
        """Return the steps that wait and run."""
        return QueueStats(len(self._waiting), len(self._running))

    def submit(self, job: FrameStep, now: float) -> FrameStep:
        """Accept a step.

        Raises:
            Draining: Its stream is closed.
        """
        if job.stream not in self._streams:
            raise Draining()
        self._waiting.append(job)
        return job

    def cancel(self, ticket: FrameStep) -> None:
        """Drop a step that waits; its stream is closed next, as its audio has a gap."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Return the next step of a stream that is open on this worker, or on none."""
        step = next((s for s in self._waiting if s.stream.worker in (None, worker)), None)
        if step is None:
            return None
        self._waiting.remove(step)
        stream = step.stream
        opens, stream.worker = stream.worker is None, worker
        self._running[worker] = step
        work = DecodeFrames(
            stream=stream.name,
            codec=stream.codec,
            header=stream.header,
            opens=opens,
            warm_up=_messages(stream.before) if opens else (),
            frames=_messages(step.frames),
        )
        max_bytes = MAX_START_ANSWER_BYTES + SAMPLE_BYTES * _max_samples(step.frames)
        return Assignment(work, max_bytes, self._budget_s)

    def done(self, worker: str, result: FramesDecoded, now: float) -> None:
        """Validate the samples of a step, and record them."""
        step = self._running[worker]
        stream, frames = step.stream, step.frames
        samples, rest = divmod(len(result.pcm), SAMPLE_BYTES)
        if rest or samples > _max_samples(frames) or result.failures > len(frames):
            raise WorkerError("step result out of range")
        del self._running[worker]
        self._poison.clear(stream.name)
        earlier = stream.failed_frames if result.failures == len(frames) else 0
        stream.failed_frames = earlier + result.failures
        stream.step_done(frames)
        if stream.failed_frames >= MAX_FAILED_FRAMES:
            error = AudioError(f"The {stream.codec.upper()} can't be decoded.")
            self.counters.failed += 1
            self.outcomes.append((step, error))
            return
        self.counters.done += 1
        pcm = np.frombuffer(result.pcm, "<i2").astype(np.int16, copy=False)
        self.outcomes.append((step, pcm))

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Open the worker's streams on another one; count the crash against the frames of its step.

        They are decoded again, unless they are poison.
        """
        for stream in self._streams:
            if stream.worker == worker:
                stream.worker = None
        step = self._running.pop(worker, None)
        if step is None or step.stream not in self._streams:
            return
        crashed = step.stream
        if self._poison.record_crash(crashed.name, death.signature):
            self.counters.poison += 1
            self._crash_budget.charge(crashed.client, now)
            self._poison.clear(crashed.name)
            self.outcomes.append((step, PoisonJob("This audio crashed the decoder repeatedly.")))
        else:
            self.counters.retried += 1
            self._waiting.appendleft(step)

    def fail_all(self, down: Down) -> None:
        """Fail all steps."""
        self.outcomes.extend((s, Draining()) for s in (*self._waiting, *self._running.values()))
        self._waiting.clear()

    def refusal(self, down: Down) -> AuricleError:
        """Return the error for a new stream, or a step."""
        if down is Down.CANNOT_START:
            return NoWorkerReady(
                "The workers for compressed audio can't start; try again later.", RETRY_AFTER_S
            )
        return Draining()


def _messages(frames: Sequence[CompressedFrame]) -> tuple[FrameMessage, ...]:
    return tuple(FrameMessage(frame.data, frame.samples) for frame in frames)


def _max_samples(frames: Sequence[CompressedFrame]) -> int:
    """Return the maximum samples of frames, with a second for what a resampler held back."""
    return SAMPLE_RATE_HZ + MAX_STRETCH * sum(frame.samples for frame in frames)
