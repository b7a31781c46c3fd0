"""Interfaces between the callers that have audio and the backends that decode and transcribe it.

The server and the command line depend on these protocols only. ``workers`` implements them with
local processes, ``cluster`` with recognisers on other machines.
"""

import enum
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Protocol, TypeVar

from auricle.values.types import (
    ANONYMOUS,
    Chunk,
    ClientId,
    CompressedFrame,
    EmbedJob,
    FrameCodec,
    Job,
    Pcm16,
    ReservationRequest,
    Source,
    SpeakerEmbeddings,
    Transcript,
    TurnJob,
)


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker ended; ``at`` is wall-clock time in seconds since 1970.

    Attributes:
        signal: Name of the signal that ended it, as ``SIGSEGV``; ``None`` if it exited.
        code: Exit code; ``None`` if a signal ended it.
        reason: ``exited``, ``hung`` (killed after its time budget), ``start`` (never became ready),
            ``protocol`` (sent an invalid message), ``memory`` (exceeded its limit), ``threads``
            (started too many), ``idle_cpu`` (used CPU time without a job), ``replaced`` (by a new
            worker) or ``stopped`` (with the server).
        stack: Frames from faulthandler without values, innermost first; may be empty.
    """

    at: float
    signal: str | None
    code: int | None
    reason: str
    stack: tuple[str, ...] = ()


class WorkerState(enum.StrEnum):
    """State of a worker, as shown by ``/health``."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    BACKING_OFF = "backing_off"
    STOPPING = "stopping"

    @property
    def is_up(self) -> bool:
        """Whether the worker has loaded its model, and works or waits for work."""
        return self in (WorkerState.READY, WorkerState.BUSY)


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """One worker as ``/health`` shows it."""

    id: str
    pid: int | None
    state: WorkerState
    restarts: int
    jobs_done: int
    rss_bytes: int
    last_exit: WorkerExit | None
    overdue: bool = False
    """Whether its current step takes much longer than usual, so that it may hang."""
    model: str = ""
    """Name of its model in the server's table; empty: the default model."""


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Jobs that wait in the queue or run in workers, and their audio in seconds.

    ``waiting_file_jobs`` are those of ``waiting_jobs`` that run after all live speech.
    """

    waiting_jobs: int = 0
    running_jobs: int = 0
    waiting_audio_s: float = 0.0
    running_audio_s: float = 0.0
    waiting_file_jobs: int = 0
    waiting_file_audio_s: float = 0.0
    max_audio_s: float = 0.0
    reserved_audio_s: float = 0.0


@dataclass(slots=True)
class Counters:
    """Number of jobs by outcome since the start. A :class:`Stats` contains a copy."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    refused: int = 0
    poison: int = 0


T = TypeVar("T", QueueStats, Counters)


def total(kind: type[T], parts: Iterable[T]) -> T:
    """Return the sum of all figures."""
    columns = zip(*(astuple(part) for part in parts), strict=True)
    return kind(*map(sum, columns))


class ModelState(enum.StrEnum):
    """State of a model, as shown by ``/health``."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    """It was ready, and no worker is at the moment."""
    FAILED = "failed"
    """It can't be loaded; the next attempt is after a pause."""


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What a model can do; recognisers report it to gateways, which have no model files.

    Attributes:
        engine: Its engine: a value of AURICLE_ENGINE.
        languages: Codes of the languages that it transcribes.
        detects_language: Whether it finds the language itself.
        translates: Whether it translates into English.
        has_word_times: Whether it returns words with times.
        reads_prompts: Whether it uses an initial prompt and hot words.
        max_audio_s: Longest audio of one job, in seconds.
        max_batch_jobs: Maximum number of jobs that are decoded together.
    """

    engine: str
    languages: tuple[str, ...]
    detects_language: bool
    translates: bool
    has_word_times: bool
    reads_prompts: bool
    max_audio_s: float
    max_batch_jobs: int


@dataclass(frozen=True, slots=True)
class ModelStats:
    """One model of the server's table.

    Attributes:
        name: Name that requests use.
        state: Whether jobs can use it.
        workers: Number of its workers, ready or not.
        ready_workers: Number of its workers that are ready or busy.
        queue: Its jobs that wait and run.
        jobs: Its jobs by outcome since the start.
        error: Why the latest load failed, for the operator; may contain paths. ``None`` once the
            model is ready.
        seconds_per_audio_s: Recent worker time per second of audio; 0 before the first job.
        traits: What it can do; ``None`` if unknown.
    """

    name: str
    state: ModelState
    workers: int = 0
    ready_workers: int = 0
    queue: QueueStats = QueueStats()
    jobs: Counters = field(default_factory=Counters)
    error: str | None = None
    seconds_per_audio_s: float = 0.0
    traits: ModelTraits | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of a transcriber or decoder.

    Delays are not included: metrics take them from the timing of each result.
    """

    workers: tuple[WorkerStats, ...] = ()
    ready: bool = False
    """Whether at least one worker is ready and recently finished a job or self-test."""
    queue: QueueStats = QueueStats()
    jobs: Counters = field(default_factory=Counters)
    replaced: int = 0
    """Number of workers that were replaced on purpose."""
    model: str = ""
    seconds_per_audio_s: float = 0.0
    """Recent worker time per second of audio, in seconds; 0 before the first job."""
    models: tuple[ModelStats, ...] = ()
    """The models of the server's table, the default first; empty if there is no table. ``ready``,
    ``model`` and ``seconds_per_audio_s`` are the default model's, the other figures those of all
    models."""

    @property
    def ready_workers(self) -> int:
        """Number of workers that are ready or busy."""
        return sum(worker.state.is_up for worker in self.workers)

    @property
    def is_stuck(self) -> bool:
        """Whether all running workers of the default model are overdue: probably all hang."""
        up = [worker for worker in self.workers if worker.state.is_up and not worker.model]
        return bool(up) and all(worker.overdue for worker in up)

    @property
    def is_working(self) -> bool:
        """Whether new work will be done soon; used by probes and load balancers.

        A stuck pool still accepts work, since its workers are about to be replaced.
        """
        return self.ready and not self.is_stuck


class Transcriber(Protocol):
    """Turns jobs into transcripts, despite crashes and hangs of the backend."""

    async def transcribe(self, job: Job) -> Transcript:
        """Return the job's transcript; cancelling the call cancels the job.

        Raises:
            Overloaded: Raised at once: the queue is full, the deadline can't be met, no worker is
                ready, or the service is draining.
            RateLimited: The client has reached its limit of crashes.
            DeadlineExceeded: ``max_wait_s`` passed.
            PoisonJob: This audio killed workers repeatedly.
            AudioError: The engine can't transcribe this audio.
            Superseded: A newer partial replaced the job, or it was shed.
        """
        ...

    def reserve(self, request: ReservationRequest) -> str:
        """Admit a caller before its audio arrives, and reserve queue room for its jobs.

        A job that names the reservation is always accepted. Call :meth:`release` when the caller
        disconnects.

        Returns:
            The reservation's ID.

        Raises:
            Overloaded: There is no room, no worker is ready, the queue's wait is already longer
                than ``max_wait_s``, or the service is draining.
            RateLimited: The client has reached its limit of crashes.
        """
        ...

    def release(self, reservation: str) -> None:
        """Release a reservation; unknown and released ones are ignored."""
        ...

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        ...

    async def aclose(self) -> None:
        """Reject new work, finish accepted work within the drain time, and stop the workers."""
        ...


class EngineTranscriber(Transcriber, Protocol):
    """A transcriber with its start and its end."""

    async def start(self) -> None:
        """Start what recognises; returns at once."""
        ...

    async def wait_ready(self, timeout_s: float) -> None:
        """Return when it can recognise, or when the time is over.

        Raises:
            SetupError: It never will; the message says what to do.
        """
        ...

    async def aclose(self) -> None:
        """Fail all jobs and stop what recognises."""
        ...


class PartialTranscriber(Protocol):
    """Recognises partials of live speech apart from all other jobs."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes of the languages that it recognises."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether a worker is ready or busy."""
        ...

    def recognises(self, job: Job) -> bool:
        """Return whether it takes this job now: a partial in one of its languages."""
        ...

    async def transcribe(self, job: Job) -> Transcript:
        """Return the hypothesis for the utterance so far; cancelling the call cancels the job.

        Raises:
            NoWorkerReady: No worker is ready.
            PoisonJob: Workers died repeatedly while they worked on this utterance.
            AudioError: The model can't recognise this audio.
            Superseded: A newer partial replaced the job, its worker died, or too many are waiting.
        """
        ...

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        ...


class VoiceEmbedder(Protocol):
    """Turns speech into embeddings, by which speakers are distinguished."""

    def prepare(self) -> None:
        """Begin to get ready, which may take a second; :meth:`embed` does so as well."""
        ...

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        """Return the embeddings of the job's stretches; cancelling the call cancels the job.

        Raises:
            SpeakersUnavailable: There are no workers, the queue is full, the deadline passed, or
                workers died repeatedly while they worked on this job.
        """
        ...

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        ...


class TurnJudge(Protocol):
    """Judges by its sound whether a speaker has finished."""

    def prepare(self) -> None:
        """Begin to get ready, which may take a second; :meth:`judge` does so as well."""
        ...

    async def judge(self, job: TurnJob) -> float:
        """Return the probability of a finished turn; cancelling the call cancels the job.

        Raises:
            TurnsUnavailable: There are no workers, the queue is full, the deadline passed, or the
                worker died.
        """
        ...

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        ...


class DecodingStream(Protocol):
    """One live stream of compressed audio."""

    async def decode(self, frames: Sequence[CompressedFrame]) -> Pcm16:
        """Return the samples of the next frames; call it again when it has returned.

        After the death of a worker the stream continues at the same frame. A frame that can't be
        decoded is silence of its length.

        Raises:
            Overloaded: No worker was ready in time, or the service is draining.
            PoisonJob: These frames killed workers repeatedly.
            AudioError: Too many frames in a row can't be decoded.
        """
        ...

    def close(self) -> None:
        """Free what the stream holds; idempotent."""
        ...


class FrameDecoder(Protocol):
    """Decodes live streams of compressed audio, despite crashes and hangs of the decoder."""

    def open(self, codec: FrameCodec, header: bytes, *, client: ClientId) -> DecodingStream:
        """Open a stream.

        Args:
            codec: The codec of its frames.
            header: What the codec needs before the first frame.
            client: The client that is charged with a crash if frames are poison.

        Raises:
            Overloaded: Too many streams are open, no worker can start, or the service is draining.
            RateLimited: The client has reached its limit of crashes.
        """
        ...

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """How far a file has been read; ``chunk`` is the speech found since the last one, if any.

    ``fraction`` is 0..1 of the source's bytes or duration. ``duration_samples`` counts the audio
    decoded so far; it is the whole file's length once ``done``. ``channels`` is the number of
    channels in the file, whether they are mixed or not.
    """

    fraction: float
    duration_samples: int
    chunk: Chunk | None = None
    done: bool = False
    channels: int = 1


class Reader(Protocol):
    """Reads audio and yields its speech."""

    def decode(self, source: Source, *, client: ClientId = ANONYMOUS) -> AsyncIterator[Progress]:
        """Yield progress and chunks in order; the last item is ``done``.

        After the death of a decode worker the iterator continues at the same position. A caller
        that stops reading exerts back-pressure; closing the iterator frees the worker.

        Args:
            source: The file.
            client: The client that is charged with a crash if the file is quarantined.

        Raises:
            RateLimited: The client has reached its limit of crashes.
            UnsupportedFormat: The format is not supported.
            AudioError: The file can't be decoded.
            EmptyAudio: The file contains no audio.
            TooLong: The audio is longer than ``max_audio_s``.
            PoisonJob: The file killed decode workers repeatedly.
            Overloaded: Too many files are being read, or no decode worker is ready.
        """
        ...


class Decoder(Reader, Protocol):
    """Reads audio files in worker processes."""

    def stats(self) -> Stats:
        """Return a snapshot of the decode workers."""
        ...

    async def aclose(self) -> None:
        """Stop the decode workers."""
        ...
