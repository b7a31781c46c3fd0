"""The two seams between those who have audio and those who work on it.

The server and the command line know these protocols only; ``workers`` implements them with local
processes, ``cluster`` will with recognisers on other machines.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from auricle.types import ANONYMOUS, Chunk, ClientId, Job, Source, Transcript

JOB_OVERHEAD_S = 5.0
"""A job costs as much as its audio and so much more, so cost is counted in `load` = audio + this.

A second of load takes within a sixth of 24 ms for jobs of 2 to 12 s, alone on one thread; in a full
batch short jobs cost more beside their audio (5.5 and 12 s fit best, ``bench/threads.py``)."""


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker ended: ``at`` is wall-clock seconds since 1970, for people.

    Attributes:
        signal: Name of the signal that ended it, as ``SIGSEGV``; ``None`` if it exited.
        code: Exit code; ``None`` if a signal ended it.
        reason: ``exited``, ``hung`` (killed past its budget), ``start`` (never got ready),
            ``protocol`` (sent nonsense), ``memory`` (above its limit), ``threads`` (started too
            many), ``idle_cpu`` (busy without work), ``replaced`` (by a fresh worker) or
            ``stopped`` (with the server).
        stack: Frames from faulthandler, innermost first, never values; may be empty.
    """

    at: float
    signal: str | None
    code: int | None
    reason: str
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """One worker as ``/health`` shows it."""

    id: str
    pid: int | None
    state: str  # starting | ready | busy | backing_off | stopping
    restarts: int
    jobs_done: int
    rss_bytes: int
    last_exit: WorkerExit | None
    overdue: bool = False
    """It has worked on something for much longer than usual, and may hang."""

    @property
    def is_up(self) -> bool:
        """Whether it has loaded and works, or waits for work."""
        return self.state in ("ready", "busy")


@dataclass(frozen=True, slots=True)
class Stats:
    """A transcriber or decoder at one moment.

    What waits is in the queue, what runs is in a worker. ``delays`` are not in here: metrics take
    them from each answer's timing.
    """

    workers: tuple[WorkerStats, ...] = ()
    ready: bool = False
    """At least one worker is ready and has finished work or a self-test lately."""
    waiting_jobs: int = 0
    running_jobs: int = 0
    waiting_audio_s: float = 0.0
    running_audio_s: float = 0.0
    waiting_file_jobs: int = 0
    """Those of ``waiting_jobs`` that go behind all live speech."""
    waiting_file_audio_s: float = 0.0
    max_audio_s: float = 0.0
    reserved_audio_s: float = 0.0
    done: int = 0
    failed: int = 0
    retried: int = 0
    refused: int = 0
    poison: int = 0
    replaced: int = 0
    model: str = ""
    seconds_per_audio_s: float = 0.0
    """Worker seconds that a second of audio costs, as measured lately; 0 before any work."""

    @property
    def is_stuck(self) -> bool:
        """Whether each worker that is up is overdue, so that probably nothing is being done."""
        up = [worker for worker in self.workers if worker.is_up]
        return bool(up) and all(worker.overdue for worker in up)

    @property
    def is_working(self) -> bool:
        """Whether work that comes now will be done soon: what probes and load balancers ask.

        A pool that is stuck still accepts work, since its workers are replaced in a moment.
        """
        return self.ready and not self.is_stuck


class Transcriber(Protocol):
    """Turns jobs into transcripts, through crashes and hangs of whatever does the work."""

    async def transcribe(self, job: Job) -> Transcript:
        """Return the job's transcript; cancelling the call cancels the job.

        Raises:
            Overloaded: Refused at once: the queue is full, the deadline can't be met, no worker
                is ready, or the service is draining.
            RateLimited: The client's budget of crashes is used up.
            DeadlineExceeded: ``max_wait_s`` passed.
            PoisonJob: This audio killed the engine again and again.
            AudioError: The engine can't work on this audio.
            Superseded: A newer partial took its place, or it was shed.
        """
        ...

    def reserve(
        self,
        client: ClientId,
        audio_s: float,
        *,
        max_wait_s: float | None = None,
        standing: bool = False,
        resumed: bool = False,
    ) -> str:
        """Admit a caller before its audio is there, and keep room for ``audio_s`` of its jobs.

        A job that names the reservation is accepted without any further question. The first job
        uses the room up, unless it is ``standing`` (a live session's: room for each of its
        finals). Call :meth:`release` when the caller is gone.

        Args:
            client: Whose share of the queue is used.
            audio_s: How much audio may wait under this reservation at once.
            max_wait_s: Refuse now when the queue's wait is already longer than this.
            standing: Keep the room until it is released.
            resumed: A session that comes back is let in before new ones.

        Raises:
            Overloaded: There is no room, no worker is ready, or the service is draining.
            RateLimited: The client's budget of crashes is used up.
        """
        ...

    def release(self, reservation: str) -> None:
        """Give reserved room back; unknown and released reservations are ignored."""
        ...

    def stats(self) -> Stats:
        """Return the state of things now; cheap, never waits."""
        ...

    async def aclose(self) -> None:
        """Refuse new work, finish what is accepted within the drain time, stop the workers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """How far a file has been read; ``piece`` is speech found on the way.

    ``fraction`` is 0..1 of the source's bytes or duration; ``duration_samples`` is what was
    decoded so far, and the file's whole length once ``done``.
    """

    fraction: float
    duration_samples: int
    piece: Chunk | None = None
    done: bool = False


class Reader(Protocol):
    """Reads audio and yields the speech in it."""

    def decode(self, source: Source, *, client: ClientId = ANONYMOUS) -> AsyncIterator[Progress]:
        """Yield progress and pieces in order; the last one is ``done``.

        After the death of a decode worker the iterator goes on where it was. Not reading is
        back-pressure; closing the iterator frees the worker.

        Args:
            source: The file.
            client: Whose budget of crashes is charged if the file is convicted.

        Raises:
            RateLimited: The client's budget of crashes is used up.
            UnsupportedFormat: Not one of the formats on the list.
            AudioError: It can't be decoded.
            EmptyAudio: It holds no audio.
            TooLong: It decodes to more than ``max_audio_s``.
            PoisonJob: It killed the decoder again and again.
            Overloaded: Too many files are being read, or no decode worker is ready.
        """
        ...


class Decoder(Reader, Protocol):
    """Reads audio files in worker processes."""

    def stats(self) -> Stats:
        """Return the state of the decode workers."""
        ...

    async def aclose(self) -> None:
        """Stop the decode workers."""
        ...
