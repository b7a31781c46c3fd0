"""A Transcriber that follows a script, at once."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import anyio

from auricle.values.transcriber import QueueStats, Stats, WorkerState, WorkerStats
from auricle.values.types import Job, ReservationRequest, Segment, Timing, Transcript

Answer = Transcript | Exception | Callable[[Job], Transcript]


def heard(text: str, job: Job | None = None, **changes: object) -> Transcript:
    """Return a transcript of one segment over the whole job."""
    samples = job.pcm.size if job else 16_000
    language = (job.options.language if job else None) or "en"
    transcript = Transcript(
        text=text,
        language=language,
        language_probability=0.99,
        duration_samples=samples,
        segments=(Segment(0, samples, text),),
        timing=Timing(queue_ms=1.0, ipc_ms=0.5, asr_ms=20.0),
    )
    return replace(transcript, **changes)  # type: ignore[arg-type]  # fields by name, for brevity


READY = Stats(
    workers=(WorkerStats("asr-0", 4711, WorkerState.READY, 0, 0, 270_000_000, None),),
    ready=True,
    model="fake",
    queue=QueueStats(max_audio_s=300.0),
)


@dataclass
class FakeTranscriber:
    """Answers from the script, and then always ``hello``; records all calls.

    ``gate`` unset holds every answer back until it is set, or those to jobs that ``holds`` picks.
    ``current`` may be an exception, raised instead of statistics.
    """

    script: list[Answer] = field(default_factory=list)
    refuse: Exception | None = None
    gate: anyio.Event | None = None
    holds: Callable[[Job], bool] = lambda job: True
    answer_with: Callable[[Job], Transcript] = lambda job: heard("hello", job)
    current: Stats | Exception = READY
    jobs: list[Job] = field(default_factory=list)
    cancelled: list[Job] = field(default_factory=list)
    reserved: dict[str, ReservationRequest] = field(default_factory=dict)
    reservations: list[ReservationRequest] = field(default_factory=list)
    """All that were granted."""
    in_flight: int = 0
    max_in_flight: int = 0
    times_asked: int = 0
    """How often somebody wanted to know how it is."""
    is_closed: bool = False
    _names: Iterable[int] = field(default_factory=itertools.count)

    async def transcribe(self, job: Job) -> Transcript:
        self.jobs.append(job)
        answer: Answer = self.script.pop(0) if self.script else self.answer_with
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            await anyio.lowlevel.checkpoint()
            if self.gate is not None and self.holds(job):
                await self.gate.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(job)
            raise
        finally:
            self.in_flight -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Transcript) else answer(job)

    def reserve(self, request: ReservationRequest) -> str:
        if self.refuse is not None:
            raise self.refuse
        name = f"room-{next(iter(self._names))}"
        self.reserved[name] = request
        self.reservations.append(request)
        return name

    def release(self, reservation: str) -> None:
        self.reserved.pop(reservation, None)

    def stats(self) -> Stats:
        self.times_asked += 1
        if isinstance(self.current, Exception):
            raise self.current
        return self.current

    async def aclose(self) -> None:
        self.is_closed = True
