"""Runs a live session by hand: a clock that is a number, and answers as a test wants them."""

import struct
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auricle.audio.opus import find_libopus
from auricle.config.sections.live import LiveSettings
from auricle.engines.models import ModelTable
from auricle.engines.whisper.spec import SPEC
from auricle.protocol.framing import pack
from auricle.session.live import LiveSession
from auricle.session.output import Cancel, Prepare, Revised, SessionJob, Submit
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError
from auricle.values.events import AudioProgress, Final, Partial, SessionEvent, Warned
from auricle.values.speakers import NO_SPEAKERS
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    ClientId,
    EmbedJob,
    Job,
    JobId,
    JobKind,
    OpusPacket,
    Pcm16,
    Segment,
    SpeakerEmbeddings,
    Transcript,
    TurnJob,
    Word,
)
from auricle.workers.kinds.speakers.local import LiveLabelling
from tests.support.models import models_of

CLIENT = ClientId("tester")
Answer = Transcript | AuricleError | None
"""``None`` leaves the job unanswered; answer it later with ``rig.answer``."""
Voices = SpeakerEmbeddings | AuricleError | None
Judged = float | AuricleError | None

LOUD_VOICE = 400
"""Mean amplitude above which :func:`by_loudness` finds the first of two voices."""


def by_loudness(job: EmbedJob) -> Voices:
    """Return one of two voices for each stretch: that of loud speech or that of quiet speech."""
    loud = [np.abs(job.pcm[start:end]).mean() > LOUD_VOICE for start, end in job.stretches]
    vectors = np.array([(1, 0) if each else (0, 1) for each in loud], np.float32)
    return SpeakerEmbeddings(job.stretches, vectors)


def said(job: Job) -> str:
    """Return the text of the echo: a word for exactly these samples."""
    return f"{job.pcm.size}-{zlib.crc32(job.pcm.tobytes()):08x}"


def echo(job: Job) -> Answer:
    """Answer with what :func:`said` says, at once.

    With word times, it is an improbable word at the end, which no context contains.
    """
    text, samples = said(job), job.pcm.size
    if job.kind is JobKind.PARTIAL or not job.options.word_timestamps:
        return transcript(text, job)
    word = Word(samples - 1600, samples, f" {text}", 0.4)
    return transcript(text, job, segments=(Segment(0, samples, f" {text}", (word,)),))


def transcript(text: str, job: Job, **changes: Any) -> Transcript:
    """Return a transcript of one segment without words."""
    values: dict[str, Any] = {
        "text": text,
        "language": job.options.language or "en",
        "language_probability": 0.99,
        "duration_samples": job.pcm.size,
        "segments": (Segment(0, job.pcm.size, text),),
    }
    return Transcript(**(values | changes))


def spoken(text: str, job: Job, **changes: Any) -> Transcript:
    """Return a transcript whose words follow each other evenly, up to 0.6 s before the end."""
    parts = text.split(" ") if text else []
    length = max(1, (job.pcm.size - 9600) // max(1, len(parts)))
    words = tuple(
        Word(index * length, (index + 1) * length, f" {part}", 0.9)
        for index, part in enumerate(parts)
    )
    segment = Segment(0, job.pcm.size, text, words)
    return transcript(text, job, **({"segments": (segment,)} | changes))


@dataclass
class Rig:
    """A session, its clock, and all that came out of it."""

    parameters: StreamParameters = field(
        default_factory=lambda: StreamParameters(seq=True, language="en")
    )
    answer_with: Callable[[Job], Answer] = echo
    now: float = 100.0
    name: str = "S"
    settings: LiveSettings = field(default_factory=LiveSettings)
    models: ModelTable = field(default_factory=lambda: models_of(SPEC))
    streamed_languages: frozenset[str] = frozenset()
    embed_with: Callable[[EmbedJob], Voices] | None = None
    judge_with: Callable[[TurnJob], Judged] | None = None
    known_voices: bytes = b""
    turn_jobs: list[TurnJob] = field(default_factory=list)
    voice_jobs: list[EmbedJob] = field(default_factory=list)
    events: list[SessionEvent] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    open_jobs: dict[JobId, Job] = field(default_factory=dict)
    cancelled: list[JobId] = field(default_factory=list)
    _answers: deque[tuple[JobId, Transcript | AuricleError]] = field(default_factory=deque)
    _judged: deque[tuple[JobId, float | AuricleError]] = field(default_factory=deque)
    _voices: deque[tuple[JobId, SpeakerEmbeddings | AuricleError]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.session = LiveSession(
            self.parameters,
            self.settings,
            find_libopus(),
            id=self.name,
            secret="secret",
            client=CLIENT,
            reservations={"": "room-1"},
            now=self.now,
            models=self.models,
            streamed_languages=self.streamed_languages,
            speakers=NO_SPEAKERS if self.embed_with is None else LiveLabelling(),
            judges_turns=self.judge_with is not None,
            known_voices=self.known_voices,
        )
        self.session.attach(self.now)
        self.drain()

    def drain(self) -> None:
        """Pull outputs, answer jobs, and poll as long as the session wants it now."""
        while True:
            while (output := self.session.next_output()) is not None:
                match output:
                    case Submit():
                        self._submit(output.job)
                    case Prepare(kind):
                        answer = self.judge_with if kind is TurnJob else self.embed_with
                        assert answer is not None
                    case Revised():
                        pass  # the event says the same
                    case Cancel(job_id):
                        self.cancelled.append(job_id)
                        self.open_jobs.pop(job_id, None)
                    case event:
                        self.events.append(event)
            if self._answers:
                self.session.job_done(*self._answers.popleft(), self.now)
            elif self._judged:
                self.session.job_done(*self._judged.popleft(), self.now)
            elif self._voices:
                self.session.job_done(*self._voices.popleft(), self.now)
            elif self.session.wake_at <= self.now:
                self.session.poll(self.now)
            else:
                return

    def _submit(self, job: SessionJob) -> None:
        match job:
            case Job():
                self._take(job)
            case EmbedJob():
                self._embed(job)
            case TurnJob():
                self._judge(job)

    def _take(self, job: Job) -> None:
        assert job.id not in [other.id for other in self.jobs]
        self.jobs.append(job)
        self.open_jobs[job.id] = job
        if (result := self.answer_with(job)) is not None:
            self._answers.append((job.id, result))
            del self.open_jobs[job.id]

    def _embed(self, job: EmbedJob) -> None:
        assert job.id not in [other.id for other in self.voice_jobs]
        assert self.embed_with is not None
        self.voice_jobs.append(job)
        if (result := self.embed_with(job)) is not None:
            self._voices.append((job.id, result))

    def _judge(self, job: TurnJob) -> None:
        assert self.judge_with is not None
        assert job.id not in [other.id for other in self.turn_jobs]
        self.turn_jobs.append(job)
        if (result := self.judge_with(job)) is not None:
            self._judged.append((job.id, result))

    def judged(self, job: TurnJob, result: float | AuricleError) -> None:
        """Answer an unanswered question whether a turn has ended."""
        self.session.job_done(job.id, result, self.now)
        self.drain()

    def embedded(self, job: EmbedJob, result: SpeakerEmbeddings | AuricleError) -> None:
        """Answer an unanswered job for voices."""
        self.session.job_done(job.id, result, self.now)
        self.drain()

    def send(self, data: bytes) -> None:
        self.session.receive_data(data, now=self.now)
        self.drain()

    def command(self, command: Any) -> None:
        self.session.receive_command(command, self.now)
        self.drain()

    def answer(self, job_id: str, result: Transcript | AuricleError) -> None:
        self.open_jobs.pop(JobId(job_id), None)
        self.session.job_done(JobId(job_id), result, self.now)
        self.drain()

    def wait(self, seconds: float) -> None:
        """Let time pass, and the session do what becomes due on the way."""
        until = self.now + seconds
        while self.session.wake_at <= until:
            self.now = max(self.now, self.session.wake_at)
            self.session.poll(self.now)
            self.drain()
        self.now = until

    def reconnect(self, last_result: int | None = None) -> None:
        self.session.detach(self.now)
        self.drain()
        self.session.attach(self.now, last_result)
        self.drain()

    def speak(self, packets: list[OpusPacket], first_seq: int = 0, *, frame_ms: float = 20) -> None:
        """Send numbered packets at real-time pace."""
        for index, packet in enumerate(packets):
            self.wait(frame_ms / 1000)
            self.send(pack(packet, first_seq + index))

    def speak_pcm(
        self, pcm: Pcm16, position: int | None = None, *, message_samples: int = 320
    ) -> None:
        """Send 16 kHz samples at real-time pace; with a position in front of each message."""
        for at in range(0, pcm.size, message_samples):
            part = pcm[at : at + message_samples]
            self.wait(part.size / SAMPLE_RATE_HZ)
            head = b"" if position is None else struct.pack("<Q", position + at)
            self.send(head + part.tobytes())

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def finals(self) -> list[Final]:
        return self.of(Final)

    @property
    def partials(self) -> list[Partial]:
        return self.of(Partial)

    @property
    def marks(self) -> list[AudioProgress]:
        return self.of(AudioProgress)

    @property
    def warnings(self) -> list[Warned]:
        return self.of(Warned)

    def jobs_of(self, kind: JobKind) -> list[Job]:
        return [job for job in self.jobs if job.kind is kind]


def utterances(rig: Rig) -> list[tuple[int, int, str]]:
    """Return what every final is about: its place and its words."""
    return [(final.start_sample, final.end_sample, final.text) for final in rig.finals]


def silence(seconds: float) -> Pcm16:
    """Return exact silence."""
    return np.zeros(int(seconds * 16_000), np.int16)
