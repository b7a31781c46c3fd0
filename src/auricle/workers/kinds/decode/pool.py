"""DecodePool: a Decoder on local processes, the only ones that open untrusted audio files.

A file is read in steps. A step is one request to a worker with one answer, and ends at the next
chunk of speech or after a bounded amount of audio. The worker keeps the file open between steps, so
a file stays with its worker. If the worker dies, or is busy with another file for longer than this
one took so far, another worker resumes where the last step ended. A worker runs one step at a time,
so the file that crashed it is always known.
"""

import asyncio
import errno
import itertools
import math
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from auricle.config.environment import worker_environment
from auricle.config.settings import DecodeSettings, QueueSettings, WorkerSettings
from auricle.values.errors import (
    AudioError,
    AuricleError,
    Draining,
    EmptyAudio,
    OpusWithoutBoundaries,
    Overloaded,
    PoisonJob,
    RateLimited,
    TooLong,
    UnsupportedFormat,
    WorkerError,
)
from auricle.values.transcriber import Counters, Progress, QueueStats, Stats
from auricle.values.types import ANONYMOUS, MAX_JOB_SAMPLES, SAMPLE_RATE_HZ, Chunk, ClientId, Source
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.delivery import deliver
from auricle.workers.kinds.asr.codec import clean_text
from auricle.workers.kinds.decode.client_shares import ClientShares, may_open
from auricle.workers.process import handover
from auricle.workers.process.launch import confined_program, hard_limit_bytes
from auricle.workers.process.messages import (
    MAX_STEP_ANSWER_BYTES,
    CloseStream,
    DecodeStep,
    Message,
    StartDecode,
    StepDone,
    StepFailed,
    ToParent,
    WorkerReady,
)
from auricle.workers.process.poison import CrashBudget, PoisonTracker
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import (
    DUMP_MARGIN,
    ORDERLY,
    Assignment,
    WorkerSupervisor,
)

CHILD = "auricle.workers.kinds.decode.child"
POISON_DEATHS = 4
"""Crashes of any kind in one step that make a file poison; two with one signature suffice, too."""
SLOW_S = 60.0
"""Maximum decoding time of a file, in addition to its duration. Speech takes a hundredth of that; a
malicious file, or one without samples, would block a worker.
"""
CPU_LIMIT_SIGNAL = "SIGPROF"
"""Ends a worker whose step takes too much CPU time."""
HUNG_PATIENCE_S = 300.0
"""A file that made a worker hang is given up if other files keep all workers busy for this time."""
MIN_SPAN_SAMPLES = SAMPLE_RATE_HZ // 50
"""Minimum length of a voiced span; the voice detector's windows are longer."""
RETRY_AFTER_S = 5
_BLAMED = {
    kind.code: kind
    for kind in (AudioError, EmptyAudio, OpusWithoutBoundaries, TooLong, UnsupportedFormat)
}


@dataclass(slots=True, eq=False)
class _Stream:
    id: str
    source: Source
    client: ClientId
    file: int | None = None
    """Descriptor, open for reading; ``None`` where workers open files by their path."""
    from_sample: int = 0
    decoded_samples: int = 0
    spent_s: float = 0.0
    hung_at: float | None = None
    """When a worker hung on this file; ``None`` if none did."""
    worker: str | None = None
    answer: "asyncio.Future[StepDone] | None" = None


@dataclass(frozen=True, slots=True)
class _Step:
    number: int
    stream: _Stream
    began_at: float


class DecodePool:
    """Decode audio files in worker processes; survive their crashes, hangs and memory growth.

    Call :meth:`start` once, from the event loop that uses it, and :meth:`aclose` at the end.

    Args:
        worker: Number of decode workers, start budget and memory limits.
        decode: Limits on files.
        crash_audio: Where files that crash a worker are kept; ``None`` keeps none.
        crash_budget: Crash budget that poison files are charged to; ``None`` creates one for this
            pool.
        max_chunk_samples: Maximum audio of a job of the engine.
    """

    def __init__(
        self,
        worker: WorkerSettings,
        decode: DecodeSettings,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        max_chunk_samples: int = MAX_JOB_SAMPLES,
    ) -> None:
        self._max_chunk_samples = max_chunk_samples
        self._crash_audio = crash_audio
        self._worker = worker
        self._decode = decode
        self._crew = WorkerSupervisor(
            "decode",
            worker.decode_workers,
            worker,
            worker_environment(threads=1),
            self,
            gets_files=handover.is_available(),
        )
        # Bounded by `open_files`: a stream waits for one step at a time.
        self._waiting: deque[_Stream] = deque()
        self._streams: set[_Stream] = set()
        self._steps: dict[str, _Step] = {}
        self._shares = ClientShares()
        self._ids = itertools.count(1)
        queue = QueueSettings()
        self._crash_budget = crash_budget or CrashBudget(
            queue.max_crashes_per_key, queue.crash_window_s
        )
        self._poison = PoisonTracker(POISON_DEATHS, ttl_s=0, budget=self._crash_budget)
        self._driver: asyncio.Task[None] | None = None
        self._is_closing = False
        self._counters = Counters()

    async def start(self) -> None:
        """Start the workers; return immediately."""
        self._driver = asyncio.create_task(self._crew.run(), name="decode pool")
        self._driver.add_done_callback(lambda _: self._fail_all())

    async def aclose(self) -> None:
        """Fail all open files and stop the workers."""
        self._fail_all()
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
            self._driver = None

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncGenerator[Progress]:
        """See :class:`auricle.values.transcriber.Decoder`."""
        if self._is_closing:
            raise Draining()
        try:
            self._crash_budget.refuse_exhausted(client, time.monotonic())
        except RateLimited:
            self._counters.refused += 1
            raise
        own = sum(stream.client == client for stream in self._streams)
        if not may_open(client, own, len(self._streams), self._decode.open_files):
            self._counters.refused += 1
            raise Overloaded("Too many files are being read; try again later.", RETRY_AFTER_S)
        self._shares.note_file(client, time.monotonic())
        stream = _Stream(f"s{next(self._ids)}", source, client)
        self._streams.add(stream)
        try:
            if handover.is_available():
                stream.file = await _open(source.path)
            while True:
                step = await self._step(stream)
                chunk = None
                if step.pcm:
                    pcm = np.frombuffer(step.pcm, "<i2").astype(np.int16, copy=False)
                    chunk = Chunk(step.start_sample, pcm, step.voiced)
                if step.done:
                    self._counters.done += 1
                    self._forget(stream)  # now: recognising the last chunk may take long
                yield Progress(
                    step.fraction, step.duration_samples, chunk, step.done, step.channels
                )
                if step.done:
                    return
        finally:
            self._forget(stream)

    def stats(self) -> Stats:
        """See :class:`auricle.values.transcriber.Decoder`."""
        return Stats(
            workers=self._crew.stats(),
            ready=self._crew.ready > 0,
            queue=QueueStats(waiting_jobs=len(self._waiting), running_jobs=len(self._steps)),
            jobs=replace(self._counters),
            replaced=self._crew.replaced,
        )

    # SupervisorDelegate.

    def program(self) -> Sequence[str]:
        """Return the worker program, sandboxed without file access: it is sent open files."""
        return confined_program(CHILD, self._worker, filter(None, [self._decode.libopus]))

    def start_message(self, slot: int) -> Message:
        """Return the limits of a new worker."""
        return StartDecode(
            max_samples=int(self._decode.max_audio_s * SAMPLE_RATE_HZ),
            hard_limit_bytes=hard_limit_bytes(self._worker),
            max_chunk_samples=self._max_chunk_samples,
            libopus=self._decode.libopus,
        )

    def workers_changed(self, ready: int) -> None:
        """Do nothing."""

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Do nothing; the speed is not measured."""

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return a step for an idle worker, or ``None``.

        The client with the least recent decoding time is next, with the file that took the least.
        """
        may_run = [
            stream
            for stream in self._waiting
            if (stream.worker in (None, worker) or now >= self._moves_at(stream))
            and self._may_run(stream)
        ]
        clients = [stream.client for stream in may_run]
        client = self._shares.next_client(clients, self._crew.ready, now)
        if client is None:
            return None
        own = [stream for stream in may_run if stream.client == client]
        stream = min(own, key=lambda stream: stream.spent_s)
        self._waiting.remove(stream)
        if stream.worker not in (None, worker):
            self._close(stream)
        stream.worker = worker
        number = next(self._ids)
        self._steps[worker] = _Step(number, stream, now)
        self._shares.begin(worker, stream.client, now)
        budget_s = self._decode.decode_budget_s
        source = stream.source
        step = DecodeStep(
            id=number,
            stream=stream.id,
            path=None if stream.file is not None else os.fsencode(source.path),
            source=replace(source, path=""),
            from_sample=stream.from_sample,
            dump_after_s=budget_s * DUMP_MARGIN,
        )
        return Assignment(step, MAX_STEP_ANSWER_BYTES, budget_s, file=stream.file)

    def received(self, worker: str, message: ToParent, now: float) -> None:
        """Validate a step's result and deliver it to the caller."""
        step = self._steps[worker]
        stream = step.stream
        if not isinstance(message, StepDone | StepFailed) or message.id != step.number:
            raise WorkerError("answer does not match the step")
        if isinstance(message, StepDone):
            self._check(stream, message)
        del self._steps[worker]
        took_s = self._shares.end(worker, now)
        self._poison.clear(stream.id)
        if isinstance(message, StepFailed):
            kind = _BLAMED.get(message.code, AudioError)
            self._fail(stream, kind(clean_text(message.message)))
            return
        stream.from_sample = message.next_sample
        stream.decoded_samples = max(stream.decoded_samples, message.duration_samples)
        stream.spent_s += took_s
        if stream.spent_s > SLOW_S + stream.decoded_samples / SAMPLE_RATE_HZ:
            self._fail(stream, AudioError("The file takes too long to decode."))
            return
        deliver(stream.answer, message)

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Move the worker's open files to other workers; count the crash against its current file.

        The current file is retried, or fails if it is poison, or if it took too much CPU time.
        """
        for stream in self._streams:
            if stream.worker == worker:
                stream.worker = None
        self._shares.end(worker, now)
        step = self._steps.pop(worker, None)
        if step is None or step.stream not in self._streams:
            return
        culprit = step.stream
        if exit.signal == CPU_LIMIT_SIGNAL:
            self._crash_budget.charge(culprit.client, now)
            self._poison.clear(culprit.id)
            self._fail(culprit, AudioError("The file takes too much work to decode."))
            return
        if reason == "hung":
            culprit.hung_at = now
        signature = exit.signature and f"{reason} {exit.signature}"
        is_convicted = self._poison.record_crash(culprit.id, signature)
        if self._crash_audio is not None and reason not in ORDERLY:
            self._crash_audio.keep_file(
                worker,
                culprit.source,
                exit,
                reason,
                from_sample=culprit.from_sample,
                is_convicted=is_convicted,
            )
        if is_convicted:
            self._counters.poison += 1
            self._crash_budget.charge(culprit.client, now)
            self._poison.clear(culprit.id)
            self._fail(culprit, PoisonJob("This file crashed the decoder repeatedly."))
        else:
            self._counters.retried += 1
            self._waiting.appendleft(culprit)

    def poll(self, now: float) -> float:
        """Give up files that hung once and could not be retried within ``HUNG_PATIENCE_S``.

        The next call is also due when a file may move to another worker.
        """
        ends_at = math.inf
        for stream in list(self._waiting):
            if (moves_at := self._moves_at(stream)) > now:
                ends_at = min(ends_at, moves_at)
            if stream.hung_at is None:
                continue
            if now >= stream.hung_at + HUNG_PATIENCE_S:
                self._waiting.remove(stream)
                self._fail(stream, PoisonJob("This file made the decoder hang."))
            else:
                ends_at = min(ends_at, stream.hung_at + HUNG_PATIENCE_S)
        return ends_at

    # Internals.

    async def _step(self, stream: _Stream) -> StepDone:
        if self._is_closing:
            raise Draining()
        stream.answer = asyncio.get_running_loop().create_future()
        self._waiting.append(stream)
        self._crew.wake()
        return await stream.answer

    def _moves_at(self, stream: _Stream) -> float:
        """Return when a file may move to another worker; infinity if its own one is idle.

        Its worker is then busy with another file for as long as it takes to decode this one again,
        so that waiting and moving together cost at most twice the shorter of the two.
        """
        step = None if stream.worker is None else self._steps.get(stream.worker)
        return math.inf if step is None else step.began_at + stream.spent_s

    def _may_run(self, stream: _Stream) -> bool:
        """Return whether a file may run; a suspect must leave one ready worker without suspects.

        A file that made a worker hang runs only if no other file waits: it may block the worker for
        the whole budget of a step and the restart.
        """
        if not self._poison.is_suspect(stream.id):
            return True
        if stream.hung_at is not None and any(
            not self._poison.is_suspect(other.id) for other in self._waiting
        ):
            return False
        if self._worker.decode_workers == 1:
            return True
        at_risk = sum(self._poison.is_suspect(step.stream.id) for step in self._steps.values())
        return at_risk + 1 < self._crew.ready

    def _check(self, stream: _Stream, message: StepDone) -> None:
        """Validate the numbers of a step's result.

        Raises:
            WorkerError: A number is out of range.
        """
        samples = len(message.pcm) // 2
        max_samples = int(self._decode.max_audio_s * SAMPLE_RATE_HZ) + MAX_JOB_SAMPLES
        is_possible = (
            0.0 <= message.fraction <= 1.0
            and 0 <= message.duration_samples <= max_samples
            and stream.from_sample <= message.next_sample <= max_samples
            and len(message.pcm) % 2 == 0
            and samples <= self._max_chunk_samples
            and (not samples or 0 <= message.start_sample <= max_samples)
            and lie_within(message.voiced, message.start_sample, message.start_sample + samples)
        )
        if not is_possible:
            raise WorkerError("step result out of range")

    def _fail(self, stream: _Stream, error: AuricleError) -> None:
        self._counters.failed += 1
        deliver(stream.answer, error)

    def _fail_all(self) -> None:
        self._is_closing = True
        for stream in list(self._streams):
            self._fail(stream, Draining())

    def _forget(self, stream: _Stream) -> None:
        """Drop a file and close it, here and in its worker; idempotent."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        if stream.file is not None:
            os.close(stream.file)
        self._poison.clear(stream.id)
        if stream in self._waiting:
            self._waiting.remove(stream)
        self._close(stream)

    def _close(self, stream: _Stream) -> None:
        if stream.worker is not None:
            self._crew.tell(stream.worker, CloseStream(stream.id))


def lie_within(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether the spans are ordered, disjoint and not empty, between start and end.

    Their number is limited too, because every word is compared with each of them.
    """
    if len(spans) > (end - start) // MIN_SPAN_SAMPLES + 1:
        return False
    bounds = [start, *(bound for span in spans for bound in span), end]
    in_order = all(before <= after for before, after in pairwise(bounds))
    return in_order and all(first < last for first, last in spans)


async def _open(path: str) -> int:
    opening = asyncio.get_running_loop().run_in_executor(None, handover.open_regular, path)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_opened)
        raise
    except OSError as exc:
        if exc.errno in (errno.EMFILE, errno.ENFILE):
            raise Overloaded("Too many files are open; try again later.", RETRY_AFTER_S) from exc
        raise AudioError("The file cannot be read.") from exc


def _close_opened(opening: "asyncio.Future[int]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())
