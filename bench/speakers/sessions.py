"""A conversation in a live session: the finals as they are sent, and as revisions change them.

The session is the server's; its clock is simulated, and jobs are done one after another in this
process. Each takes a fixed time, so that the finals are the same on every machine.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from auricle.audio.opus import find_libopus
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.engines.base import Engine
from auricle.engines.models import ModelTable
from auricle.session.live import LiveSession
from auricle.session.output import Revised, Submit
from auricle.values.commands import Flush, Spare, Stop, StreamParameters
from auricle.values.errors import Superseded
from auricle.values.events import Closed, Final, Wire
from auricle.values.limits import DEFAULT_ENDPOINT_MS
from auricle.values.speakers import NO_SPEAKERS
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    ClientId,
    EmbedJob,
    Job,
    JobKind,
    Pcm16,
    SpeakerEmbeddings,
    TurnJob,
)
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.local import LiveLabelling
from auricle.workers.kinds.turns.smart_turn import SmartTurn

CLIENT = ClientId("speaker")
MESSAGE_SAMPLES = SAMPLE_RATE_HZ // 10
FINAL_S, EMBED_S, TURN_S = 0.3, 0.1, 0.05
"""Simulated time of a job: what an idle server takes for an utterance of 5 s."""
DRAIN_S = 30.0
DEEPGRAM_ENDPOINT_MS = 300
"""What ends an utterance by default in Deepgram's API (docs/decisions/015)."""


@dataclass(slots=True)
class LiveFinals:
    """The finals of a session, in order: as sent, and with the speakers of the last revision."""

    sent: list[Final]
    revised: list[Final]


class Session:
    """One session in English, with words.

    Args:
        engine: Recognises finals.
        embedder: Embeds voices; ``None``: the session does not ask for speakers.
        turn_model: Judges pauses; ``None``: the session does not ask for turns.
        endpoint_ms: Silence that ends an utterance.
    """

    def __init__(
        self,
        engine: Engine,
        embedder: SpeakerEmbedder | None = None,
        turn_model: SmartTurn | None = None,
        *,
        endpoint_ms: int = DEFAULT_ENDPOINT_MS,
    ) -> None:
        self._engine, self._embedder, self._turn_model = engine, embedder, turn_model
        self._now, self._count = 0.0, 0
        self._due: list[tuple[float, int, partial[None]]] = []
        self._sent: dict[int, Final] = {}
        self._revised: dict[int, Final] = {}
        self._is_closed = False
        self._session = LiveSession(
            StreamParameters(
                format=Wire.PCM16,
                language="en",
                speakers=embedder is not None,
                turn_detection=turn_model is not None,
                word_timestamps=True,
                partials=False,
                endpoint_ms=endpoint_ms,
            ),
            LiveSettings(),
            find_libopus(),
            id="S",
            secret="",
            client=CLIENT,
            reservations={},
            now=0.0,
            models=ModelTable.of(ModelSettings()),
            speakers=NO_SPEAKERS if embedder is None else LiveLabelling(),
            judges_turns=turn_model is not None,
        )
        self._session.attach(0.0)

    def play(self, pcm: Pcm16, finalize_sample: int | None = None) -> LiveFinals:
        """Send audio in real time, and return its finals.

        Args:
            pcm: The audio.
            finalize_sample: Where to request finals; ``None``: only the end of the audio ends them.
        """
        self._drain()
        parts = [pcm] if finalize_sample is None else np.split(pcm, [finalize_sample])
        for number, part in enumerate(parts):
            if number:
                self._session.receive_command(Flush(spares=Spare.ONSET), self._now)
                self._drain()
            self._send(part)
        self._session.receive_command(Stop(), self._now)
        self._drain()
        self._run(until=self._now + DRAIN_S)
        assert self._is_closed
        return LiveFinals(list(self._sent.values()), list((self._sent | self._revised).values()))

    def _send(self, pcm: Pcm16) -> None:
        for at in range(0, pcm.size, MESSAGE_SAMPLES):
            part = pcm[at : at + MESSAGE_SAMPLES]
            self._run(until=self._now + part.size / SAMPLE_RATE_HZ)
            self._session.receive_data(part.tobytes(), now=self._now)
            self._drain()

    def _run(self, until: float) -> None:
        """Do what is due until a time."""
        while True:
            wake_at = min(self._session.wake_at, self._due[0][0] if self._due else until)
            if wake_at >= until:
                break
            self._now = max(self._now, wake_at)
            if self._due and self._due[0][0] <= self._now:
                heapq.heappop(self._due)[2]()
            else:
                self._session.poll(self._now)
            self._drain()
        self._now = until

    def _drain(self) -> None:
        while (output := self._session.next_output()) is not None:
            match output:
                case Submit(Job() as job):
                    self._later(FINAL_S, partial(self._transcribe, job))
                case Submit(EmbedJob() as embed_job):
                    self._later(EMBED_S, partial(self._embed, embed_job))
                case Submit(TurnJob() as turn_job):
                    self._later(TURN_S, partial(self._judge, turn_job))
                case Final():
                    self._sent[output.id] = output
                case Revised(finals):
                    self._revised |= {final.id: final for final in finals}
                case Closed():
                    self._is_closed = True
                case _:
                    pass

    def _later(self, seconds: float, act: partial[None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (self._now + seconds, self._count, act))

    def _transcribe(self, job: Job) -> None:
        """Answer a job; a speculative one is refused, as its final has the same text."""
        if job.kind is JobKind.SPECULATIVE:
            self._session.job_done(job.id, Superseded(), self._now)
            return
        job = replace(job, options=replace(job.options, beam_size=1))
        (result,) = self._engine.transcribe([job])
        self._session.job_done(job.id, result, self._now)

    def _judge(self, job: TurnJob) -> None:
        assert self._turn_model is not None
        probability = self._turn_model.probability(job.pcm)
        self._session.job_done(job.id, probability, self._now)

    def _embed(self, job: EmbedJob) -> None:
        assert self._embedder is not None
        vectors = self._embedder.embed(job.pcm, job.stretches)
        self._session.job_done(job.id, SpeakerEmbeddings(job.stretches, vectors), self._now)


def changes_of(finals: Sequence[Final]) -> int:
    """Return the most changes of speaker inside one final."""
    return max((len(final.segments or ()) - 1 for final in finals), default=0)
