"""Decide which file is read next, and where. No I/O, no clock.

A file is read in steps. A step is one request to a worker with one answer, and ends at the next
chunk of speech or after a bounded amount of audio. The worker keeps the file open between steps, so
a file stays with its worker. If the worker dies, or is busy with another file for longer than this
one took so far, another worker resumes where the last step ended. A worker runs one step at a time,
so the file that crashed it is always known.
"""

import itertools
import math
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from auricle.config.sections.decode import DecodeSettings
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
from auricle.values.transcriber import QueueStats
from auricle.values.types import MAX_JOB_SAMPLES, SAMPLE_RATE_HZ, ClientId, Source
from auricle.workers.kinds.asr.codec import clean_text
from auricle.workers.kinds.decode.client_shares import ClientShares, may_open
from auricle.workers.kinds.decode.messages import (
    MAX_STEP_ANSWER_BYTES,
    DecodeStep,
    StepDone,
    StepFailed,
)
from auricle.workers.poison import CrashBudget, PoisonTracker
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import CloseStream

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
class OpenFile:
    """A file that is read; it waits for one step at a time."""

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


@dataclass(frozen=True, slots=True)
class _Step:
    file: OpenFile
    began_at: float


class DecodeSchedule(Schedule[OpenFile, StepDone]):
    """The open files; a job is the next step of one.

    Args:
        workers: Number of workers.
        settings: Limits on files.
        crash_budget: Crash budget that poison files are charged to.
        max_chunk_samples: Maximum audio of a job of the engine.
    """

    def __init__(
        self,
        workers: int,
        settings: DecodeSettings,
        crash_budget: CrashBudget,
        max_chunk_samples: int,
    ) -> None:
        super().__init__()
        self._size = workers
        self._settings = settings
        self._crash_budget = crash_budget
        self._max_chunk_samples = max_chunk_samples
        self._poison = PoisonTracker(POISON_DEATHS, ttl_s=0, budget=crash_budget)
        self._files: set[OpenFile] = set()
        # Bounded by `open_files`: a file waits for one step at a time.
        self._waiting: deque[OpenFile] = deque()
        self._running: dict[str, _Step] = {}
        self._shares = ClientShares()
        self._ids = itertools.count(1)

    def open(self, source: Source, client: ClientId, now: float) -> OpenFile:
        """Accept a file.

        Raises:
            Overloaded: Too many files are open.
            RateLimited: The client has reached its limit of crashes.
        """
        try:
            self._crash_budget.refuse_exhausted(client, now)
        except RateLimited:
            self.counters.refused += 1
            raise
        own = sum(file.client == client for file in self._files)
        if not may_open(client, own, len(self._files), self._settings.open_files):
            self.counters.refused += 1
            raise Overloaded("Too many files are being read; try again later.", RETRY_AFTER_S)
        self._shares.note_file(client, now)
        file = OpenFile(f"s{next(self._ids)}", source, client)
        self._files.add(file)
        return file

    def close(self, file: OpenFile) -> bool:
        """Forget a file, and close it in its worker; return whether it was open."""
        if file not in self._files:
            return False
        self._files.remove(file)
        self._poison.clear(file.id)
        self.cancel(file)
        self._leave_worker(file)
        return True

    def suspect(self, worker: str) -> OpenFile | None:
        """Return the file whose step a worker runs, if it is still open."""
        step = self._running.get(worker)
        return step.file if step is not None and step.file in self._files else None

    def queue(self) -> QueueStats:
        """Return the files that wait for a step, or whose step runs."""
        return QueueStats(len(self._waiting), len(self._running))

    def submit(self, job: OpenFile, now: float) -> OpenFile:
        """Accept the next step of a file."""
        self._waiting.append(job)
        return job

    def cancel(self, ticket: OpenFile) -> None:
        """Drop a step that waits."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Return a step for an idle worker, or ``None``.

        The client with the least recent decoding time is next, with the file that took the least.
        """
        may_run = [
            file
            for file in self._waiting
            if (file.worker in (None, worker) or now >= self._moves_at(file))
            and self._may_run(file)
        ]
        clients = [file.client for file in may_run]
        client = self._shares.next_client(clients, self.ready_workers, now)
        if client is None:
            return None
        own = [file for file in may_run if file.client == client]
        file = min(own, key=lambda file: file.spent_s)
        self._waiting.remove(file)
        if file.worker not in (None, worker):
            self._leave_worker(file)
        file.worker = worker
        self._running[worker] = _Step(file, now)
        self._shares.begin(worker, file.client, now)
        source = file.source
        work = DecodeStep(
            stream=file.id,
            path=None if file.file is not None else os.fsencode(source.path),
            source=replace(source, path=""),
            from_sample=file.from_sample,
        )
        budget_s = self._settings.decode_budget_s
        return Assignment(work, MAX_STEP_ANSWER_BYTES, budget_s, file=file.file)

    def done(self, worker: str, result: StepDone | StepFailed, now: float) -> None:
        """Validate a step's result, and record it."""
        file = self._running[worker].file
        if isinstance(result, StepDone):
            self._check(file, result)
        del self._running[worker]
        took_s = self._shares.end(worker, now)
        self._poison.clear(file.id)
        if isinstance(result, StepFailed):
            kind = _BLAMED.get(result.code, AudioError)
            self._fail(file, kind(clean_text(result.message)))
            return
        file.from_sample = result.next_sample
        file.decoded_samples = max(file.decoded_samples, result.duration_samples)
        file.spent_s += took_s
        if file.spent_s > SLOW_S + file.decoded_samples / SAMPLE_RATE_HZ:
            self._fail(file, AudioError("The file takes too long to decode."))
            return
        self.counters.done += result.done and file in self._files
        self.outcomes.append((file, result))

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Move the worker's open files to other workers; count the crash against its current file.

        The current file is retried, or fails if it is poison, or if it took too much CPU time.
        """
        for file in self._files:
            if file.worker == worker:
                file.worker = None
        self._shares.end(worker, now)
        step = self._running.pop(worker, None)
        if step is None or step.file not in self._files:
            return
        crashed = step.file
        if death.signal == CPU_LIMIT_SIGNAL:
            self._crash_budget.charge(crashed.client, now)
            self._poison.clear(crashed.id)
            self._fail(crashed, AudioError("The file takes too much work to decode."))
            return
        if death.reason == "hung":
            crashed.hung_at = now
        if self._poison.record_crash(crashed.id, death.signature):
            self.counters.poison += 1
            self._crash_budget.charge(crashed.client, now)
            self._poison.clear(crashed.id)
            self._fail(crashed, PoisonJob("This file crashed the decoder repeatedly."))
        else:
            self.counters.retried += 1
            self._waiting.appendleft(crashed)

    def fail_all(self, down: Down) -> None:
        """Fail all files."""
        for file in self._files:
            self._fail(file, Draining())

    def poll(self, now: float) -> float:
        """Give up files that hung once and could not be retried within ``HUNG_PATIENCE_S``.

        The next call is also due when a file may move to another worker.
        """
        due_at = math.inf
        for file in list(self._waiting):
            if (moves_at := self._moves_at(file)) > now:
                due_at = min(due_at, moves_at)
            if file.hung_at is None:
                continue
            if now >= file.hung_at + HUNG_PATIENCE_S:
                self._waiting.remove(file)
                self._fail(file, PoisonJob("This file made the decoder hang."))
            else:
                due_at = min(due_at, file.hung_at + HUNG_PATIENCE_S)
        return due_at

    # Internals.

    def _moves_at(self, file: OpenFile) -> float:
        """Return when a file may move to another worker; infinity if its own one is idle.

        Its worker is then busy with another file for as long as it takes to decode this one again,
        so that waiting and moving together cost at most twice the shorter of the two.
        """
        step = None if file.worker is None else self._running.get(file.worker)
        return math.inf if step is None else step.began_at + file.spent_s

    def _may_run(self, file: OpenFile) -> bool:
        """Return whether a file may run; a suspect must leave one ready worker without suspects.

        A file that made a worker hang runs only if no other file waits: it may block the worker for
        the whole budget of a step and the restart.
        """
        if not self._poison.is_suspect(file.id):
            return True
        if file.hung_at is not None and any(
            not self._poison.is_suspect(other.id) for other in self._waiting
        ):
            return False
        if self._size == 1:
            return True
        at_risk = sum(self._poison.is_suspect(step.file.id) for step in self._running.values())
        return at_risk + 1 < self.ready_workers

    def _check(self, file: OpenFile, result: StepDone) -> None:
        """Validate the numbers of a step's result.

        Raises:
            WorkerError: A number is out of range.
        """
        samples = len(result.pcm) // 2
        max_samples = int(self._settings.max_audio_s * SAMPLE_RATE_HZ) + MAX_JOB_SAMPLES
        is_possible = (
            0.0 <= result.fraction <= 1.0
            and 0 <= result.duration_samples <= max_samples
            and file.from_sample <= result.next_sample <= max_samples
            and len(result.pcm) % 2 == 0
            and samples <= self._max_chunk_samples
            and (not samples or 0 <= result.start_sample <= max_samples)
            and lie_within(result.voiced, result.start_sample, result.start_sample + samples)
        )
        if not is_possible:
            raise WorkerError("step result out of range")

    def _fail(self, file: OpenFile, error: AuricleError) -> None:
        self.counters.failed += 1
        self.outcomes.append((file, error))

    def _leave_worker(self, file: OpenFile) -> None:
        if file.worker is not None:
            self.notices.append((file.worker, CloseStream(file.id)))


def lie_within(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether the spans are ordered, disjoint and not empty, between start and end.

    Their number is limited too, because every word is compared with each of them.
    """
    if len(spans) > (end - start) // MIN_SPAN_SAMPLES + 1:
        return False
    bounds = [start, *(bound for span in spans for bound in span), end]
    in_order = all(before <= after for before, after in pairwise(bounds))
    return in_order and all(first < last for first, last in spans)
