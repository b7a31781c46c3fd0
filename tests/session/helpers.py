"""What the tests of recognition share."""

from typing import Any

import numpy as np

from auricle.audio.endpointer import Endpointing, EndpointRules, SpeechStart, UtteranceEnd
from auricle.audio.gate import VoiceDetector
from auricle.audio.opus import find_libopus
from auricle.config.sections.live import LiveSettings
from auricle.engines.whisper.spec import SPEC
from auricle.session.arrivals import ArrivalLog
from auricle.session.channels import open_channels
from auricle.session.choice import ModelChoice
from auricle.session.intake import Intake
from auricle.session.outbox import Outbox
from auricle.session.output import Output, Submit
from auricle.session.pace import Pace
from auricle.session.recognition import Recognition
from auricle.session.speakers import SessionSpeakers
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.utterance import Caller, UtteranceNumbers
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError
from auricle.values.events import Final, Wire
from auricle.values.speakers import NO_SPEAKERS
from auricle.values.text_filters import FilterChoice
from auricle.values.types import Job, JobKind, Options, Pcm16, Transcript
from tests.support.models import models_of
from tests.support.session import CLIENT

SECOND = 16_000


MODELS = models_of(SPEC, other=SPEC)


class Parts:
    """The parts of a session: intake, channels, speakers, and an outbox with a connection."""

    def __init__(self, channels: int = 1) -> None:
        self.parameters = StreamParameters(
            format=Wire.PCM16, channels=channels, multichannel=channels > 1
        )
        self.choice = ModelChoice.of(self.parameters, MODELS)
        self.intake = Intake(self.parameters, find_libopus(), 0.0, lambda: False)
        self.speakers = SessionSpeakers(NO_SPEAKERS, "S", CLIENT, b"")
        self.numbers = UtteranceNumbers()
        self.channels = open_channels(
            self.parameters,
            LiveSettings(),
            self.choice,
            self.intake,
            self.speakers,
            self.numbers,
            Caller("S", CLIENT, {}),
            frozenset(),
            VoiceDetector,
        )
        self.outbox = Outbox()
        self.outbox.is_attached = True

    def hear(self, *tracks: Pcm16) -> None:
        """Process the audio of each channel; drop what follows from it."""
        self.intake.put(np.stack(tracks, axis=-1).tobytes())
        while (event := self.intake.next_event(0.0)) is not None:
            self.channels.receive(event.pcm, 0.0)

    def emitted(self) -> list[Output]:
        """Return the outputs since the last call."""
        return list(iter(self.outbox.next, None))


class HandPace(Pace):
    """A pace that the test sets."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.is_fast = False

    def is_ahead(self, now: float) -> bool:
        return self.is_fast


class Stage:
    """A recognition with a silent recording; time is audio time."""

    def __init__(
        self,
        *,
        wants_partials: bool = True,
        options: Options | None = None,
        has_word_times: bool = True,
        filters: tuple[FilterChoice, ...] = (),
        streamed_languages: frozenset[str] = frozenset(),
    ) -> None:
        self.segmenter = SpeechSegmenter(EndpointRules(), 0)
        self.arrivals = ArrivalLog(0)
        self.pace = HandPace()
        self.it = Recognition(
            Caller("S", CLIENT, {"": "room"}),
            self.segmenter,
            self.arrivals,
            self.pace,
            options or Options(language="en"),
            SessionSpeakers(NO_SPEAKERS, "S", CLIENT, b""),
            wants_partials=wants_partials,
            has_word_times=has_word_times,
            streamed_languages=streamed_languages,
            filters=filters,
        )
        self.told: list[Any] = []
        self.now = 0.0

    def until(self, seconds: float) -> None:
        """Advance to a position, polling for due jobs every 20 ms."""
        while self.now < seconds - 0.001:
            self.now = round(self.now + 0.02, 2)
            self.segmenter.receive(np.full(320, 3, np.int16))
            self.arrivals.note(self.segmenter.received_sample, self.now)
            self.poll()

    def poll(self) -> None:
        self.told += self.it.poll(self.now)

    def happen(self, *found: Endpointing) -> None:
        for endpointing in found:
            self.told += self.it.receive(endpointing, self.now)
        self.poll()

    def utterance(self, start: float, end: float) -> None:
        """Simulate speech from one second to another, with its end detected 0.5 s later."""
        self.until(start + 0.3)
        self.happen(SpeechStart(int(start * SECOND), int((start + 0.1) * SECOND)))
        self.until(end + 0.5)
        self.happen(ended(start, end))

    def answer(self, job: Job, result: Transcript | AuricleError) -> None:
        self.told += self.it.job_done(job.id, result, self.now)

    def outcome(self) -> Final:
        outcome = self.it.next_final(1, self.now)
        assert outcome is not None
        return outcome

    def jobs(self, *kinds: JobKind) -> list[Job]:
        jobs = [told.job for told in self.told if isinstance(told, Submit)]
        return [job for job in jobs if not kinds or job.kind in kinds]

    def of(self, kind: type[Any]) -> list[Any]:
        return [told for told in self.told if isinstance(told, kind)]


def ended(start: float, end: float) -> UtteranceEnd:
    speech_end = int((end - 0.2) * SECOND)
    return UtteranceEnd(int(start * SECOND), int(end * SECOND), speech_end, is_cut=False)
