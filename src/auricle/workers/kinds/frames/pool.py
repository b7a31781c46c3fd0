"""FramePool: a FrameDecoder on local processes, for live MP3, FLAC and AAC.

These workers are apart from those of files, which may be busy for a second at a time. A stream
stays with its worker. If the worker dies, another one opens the stream again: it decodes the frames
before the step once more, to have the same state, and drops their samples. So no audio is lost or
repeated.
"""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from auricle.config.environment import worker_environment
from auricle.config.settings import DecodeSettings, WorkerSettings
from auricle.values.errors import (
    AudioError,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    WorkerError,
)
from auricle.values.transcriber import Counters, DecodingStream, QueueStats, Stats
from auricle.values.types import (
    SAMPLE_BYTES,
    SAMPLE_RATE_HZ,
    ClientId,
    CompressedFrame,
    FrameCodec,
    Pcm16,
)
from auricle.workers.delivery import deliver
from auricle.workers.process.launch import confined_program, hard_limit_bytes
from auricle.workers.process.messages import (
    MAX_START_ANSWER_BYTES,
    CloseStream,
    DecodeFrames,
    FrameMessage,
    FramesDecoded,
    Message,
    StartFrames,
    ToParent,
    WorkerReady,
)
from auricle.workers.process.poison import CrashBudget, PoisonTracker
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import (
    DUMP_MARGIN,
    Assignment,
    CrewOnDemand,
    WorkerSupervisor,
)

CHILD = "auricle.workers.kinds.frames.child"
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
PATIENCE_S = 30.0
"""Longest wait for a step, which includes restarts of workers."""
RETRY_AFTER_S = 5

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Stream:
    """An open stream; ``frames`` are those of the pending step."""

    pool: "FramePool"
    name: str
    codec: FrameCodec
    header: bytes
    client: ClientId
    worker: str | None = None
    frames: tuple[CompressedFrame, ...] = ()
    answer: "asyncio.Future[Pcm16] | None" = None
    before: deque[CompressedFrame] = field(default_factory=lambda: deque(maxlen=WARM_UP_FRAMES))
    failed_frames: int = 0

    async def decode(self, frames: Sequence[CompressedFrame]) -> Pcm16:
        """See :class:`auricle.values.transcriber.DecodingStream`."""
        return await self.pool.decode(self, frames)

    def close(self) -> None:
        """Free what the stream holds; idempotent."""
        self.pool.close(self)

    def step_done(self) -> None:
        """Keep what a new worker needs to continue after this step."""
        self.before.extend(self.frames)
        self.frames = ()
        samples = sum(frame.samples for frame in self.before)
        size_bytes = sum(len(frame.data) for frame in self.before)
        while len(self.before) > 1 and (
            samples - self.before[0].samples >= WARM_UP_SAMPLES or size_bytes > MAX_WARM_UP_BYTES
        ):
            dropped = self.before.popleft()
            samples -= dropped.samples
            size_bytes -= len(dropped.data)


class FramePool:
    """Decode live streams in worker processes, which the first stream starts.

    Call :meth:`start` once, from the event loop that uses the pool, and :meth:`aclose` at the end.

    Args:
        worker: Budgets, limits and backoff of workers.
        decode: Number of workers, at least 1, and the budget of a step.
        crash_budget: Crash budget that poison frames are charged to.
    """

    def __init__(
        self, worker: WorkerSettings, decode: DecodeSettings, crash_budget: CrashBudget
    ) -> None:
        self._worker = worker
        self._decode = decode
        self._crash_budget = crash_budget
        self._poison = PoisonTracker(POISON_DEATHS, ttl_s=0, budget=crash_budget)
        self._crew = WorkerSupervisor(
            "frame", decode.frame_workers, worker, worker_environment(threads=1), self
        )
        # Bounded by MAX_STREAMS_PER_WORKER: a stream waits for one step at a time.
        self._waiting: deque[_Stream] = deque()
        self._streams: set[_Stream] = set()
        self._steps: dict[str, tuple[int, _Stream]] = {}
        self._ids = itertools.count(1)
        self._counters = Counters()
        self._workers = CrewOnDemand("frame", self._crew, self._close_all)
        self._is_closed = False

    async def start(self) -> None:
        """Accept streams; the first one starts the workers."""
        self._workers.start()

    async def aclose(self) -> None:
        """Fail all streams and stop the workers."""
        self._close_all()
        await self._workers.aclose()

    def open(self, codec: FrameCodec, header: bytes, *, client: ClientId) -> DecodingStream:
        """See :class:`auricle.values.transcriber.FrameDecoder`."""
        if self._is_closed:
            raise Draining()
        if not self._workers.can_start:
            raise NoWorkerReady(
                "The workers for compressed audio can't start; try again later.", RETRY_AFTER_S
            )
        if len(self._streams) >= MAX_STREAMS_PER_WORKER * self._decode.frame_workers:
            self._counters.refused += 1
            raise Overloaded(
                "Too many streams of compressed audio; try again later.", RETRY_AFTER_S
            )
        self._crash_budget.refuse_exhausted(client, time.monotonic())
        stream = _Stream(self, f"f{next(self._ids)}", codec, header, client)
        self._streams.add(stream)
        self._workers.want()
        return stream

    async def decode(self, stream: _Stream, frames: Sequence[CompressedFrame]) -> Pcm16:
        """Return the samples of a stream's next frames."""
        if self._is_closed or stream not in self._streams:
            raise Draining()
        stream.frames = tuple(frames)
        stream.answer = asyncio.get_running_loop().create_future()
        self._waiting.append(stream)
        self._crew.wake()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await stream.answer
        except TimeoutError:
            raise NoWorkerReady(
                "No worker decoded the audio in time; try again.", RETRY_AFTER_S
            ) from None

    def close(self, stream: _Stream) -> None:
        """Forget a stream, and close it in its worker; idempotent."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        self._poison.clear(stream.name)
        if stream in self._waiting:
            self._waiting.remove(stream)
        if stream.worker is not None:
            self._crew.tell(stream.worker, CloseStream(stream.name))

    def stats(self) -> Stats:
        """See :class:`auricle.values.transcriber.FrameDecoder`.

        It is ready while streams are accepted, even before the first one has started the workers.
        """
        return Stats(
            workers=self._workers.stats(),
            ready=not self._is_closed and self._workers.can_start,
            queue=QueueStats(waiting_jobs=len(self._waiting), running_jobs=len(self._steps)),
            jobs=replace(self._counters),
            replaced=self._crew.replaced,
        )

    # SupervisorDelegate.

    def program(self) -> Sequence[str]:
        """Return the worker program, sandboxed without files."""
        return confined_program(CHILD, self._worker, ())

    def start_message(self, slot: int) -> Message:
        """Return the limit of a new worker."""
        return StartFrames(hard_limit_bytes(self._worker))

    def workers_changed(self, ready: int) -> None:
        """Nothing depends on the number of workers."""

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Nothing depends on the warm-up."""

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return the next step of a stream that is open on this worker, or on none."""
        stream = next((each for each in self._waiting if each.worker in (None, worker)), None)
        if stream is None:
            return None
        self._waiting.remove(stream)
        opens, stream.worker = stream.worker is None, worker
        number = next(self._ids)
        self._steps[worker] = (number, stream)
        budget_s = self._decode.decode_budget_s
        message = DecodeFrames(
            id=number,
            stream=stream.name,
            codec=stream.codec,
            header=stream.header,
            opens=opens,
            warm_up=_messages(stream.before) if opens else (),
            frames=_messages(stream.frames),
            dump_after_s=budget_s * DUMP_MARGIN,
        )
        max_bytes = MAX_START_ANSWER_BYTES + SAMPLE_BYTES * _max_samples(stream.frames)
        return Assignment(message, max_bytes, budget_s)

    def received(self, worker: str, message: ToParent, now: float) -> None:
        """Validate the samples of a step, and deliver them."""
        number, stream = self._steps[worker]
        if not isinstance(message, FramesDecoded) or message.id != number:
            raise WorkerError("answer does not match the step")
        samples, rest = divmod(len(message.pcm), SAMPLE_BYTES)
        is_possible = not rest and samples <= _max_samples(stream.frames)
        if not is_possible or message.failures > len(stream.frames):
            raise WorkerError("step result out of range")
        del self._steps[worker]
        self._poison.clear(stream.name)
        earlier = stream.failed_frames if message.failures == len(stream.frames) else 0
        stream.failed_frames = earlier + message.failures
        stream.step_done()
        if stream.failed_frames >= MAX_FAILED_FRAMES:
            self._counters.failed += 1
            deliver(stream.answer, AudioError(f"The {stream.codec.upper()} can't be decoded."))
            return
        self._counters.done += 1
        pcm = np.frombuffer(message.pcm, "<i2").astype(np.int16, copy=False)
        deliver(stream.answer, pcm)

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Open the worker's streams on another one; count the crash against the frames of its step.

        They are decoded again, unless they are poison.
        """
        for stream in self._streams:
            if stream.worker == worker:
                stream.worker = None
        _, culprit = self._steps.pop(worker, (0, None))
        if culprit is None or culprit not in self._streams:
            return
        signature = exit.signature and f"{reason} {exit.signature}"
        if self._poison.record_crash(culprit.name, signature):
            self._counters.poison += 1
            self._crash_budget.charge(culprit.client, now)
            self._poison.clear(culprit.name)
            deliver(culprit.answer, PoisonJob("This audio crashed the decoder repeatedly."))
        else:
            self._counters.retried += 1
            self._waiting.appendleft(culprit)

    def poll(self, now: float) -> float:
        """Do nothing: each caller has its own deadline."""
        return math.inf

    # Internals.

    def _close_all(self) -> None:
        self._is_closed = True
        error = Draining()
        for stream in self._streams:
            deliver(stream.answer, error)


def _messages(frames: Sequence[CompressedFrame]) -> tuple[FrameMessage, ...]:
    return tuple(FrameMessage(frame.data, frame.samples) for frame in frames)


def _max_samples(frames: Sequence[CompressedFrame]) -> int:
    """Return the maximum samples of frames, with a second for what a resampler held back."""
    return SAMPLE_RATE_HZ + MAX_STRETCH * sum(frame.samples for frame in frames)
