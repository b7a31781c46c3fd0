"""What of a session waits for its speakers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import pytest

from auricle.audio.endpointer import EndpointRules, Pause, UtteranceEnd
from auricle.session.output import Prepare
from auricle.session.speakers import (
    LAST_PATIENCE_S,
    MAX_PATIENT_LOAD,
    UNAVAILABLE,
    SessionSpeakers,
    revision,
)
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.events import Final, FinalSpeakers, SpeakerSegment
from auricle.values.speakers import NO_LABELLER, NO_SPEAKERS, SpeakerLabeller
from auricle.values.types import ClientId, EmbedJob, Pcm16, SpeakerOptions
from auricle.values.voice_keeper import NoVoiceKeeper, VoiceKeeper, VoiceStore
from tests.support.session import CLIENT

pytestmark = pytest.mark.unit

PAUSE = Pause(1600, is_doubtful=False, context_sample=None, start_sample=0, voiced=((0, 1600),))
END = UtteranceEnd(0, 1600, 1600, is_cut=False, voiced=((0, 1600),))
FINAL = Final(1, 1, "One.", 0, 1600, "en", None, 0.0, False)


@dataclass
class Labelling:
    """Labels nothing, and notes what it gets."""

    is_available: bool = True
    is_settled: bool = False
    wake_at: float = inf
    labelled_finals: int = 0
    is_holding: bool = True
    got: list[tuple[str, int, int]] = field(default_factory=list)
    started: list[tuple[str, ClientId, SpeakerOptions, bytes]] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(NO_LABELLER, name)

    def label_session(
        self, session: str, client: ClientId, options: SpeakerOptions, known_voices: bytes
    ) -> SpeakerLabeller:
        self.started.append((session, client, options, known_voices))
        return self  # type: ignore[return-value]  # the rest is NO_LABELLER's

    def keep_voices(self, store: VoiceStore) -> VoiceKeeper:
        return NoVoiceKeeper(store)

    def voices(self) -> bytes:
        return b"new"

    def holds(self, number: int, now: float) -> bool:
        return self.is_holding

    def utterance_paused(
        self,
        number: int,
        pcm: Pcm16,
        start_sample: int,
        voiced: Sequence[tuple[int, int]],
        now: float,
    ) -> None:
        self.got.append(("paused", number, pcm.size))

    def utterance_ended(
        self,
        number: int,
        pcm: Pcm16,
        start_sample: int,
        voiced: Sequence[tuple[int, int]],
        now: float,
    ) -> None:
        self.got.append(("ended", number, pcm.size))


def segmenter() -> SpeechSegmenter:
    it = SpeechSegmenter(EndpointRules(), 0)
    it.receive(np.zeros(3200, np.int16))
    return it


def test_nothing_is_labelled_before_speakers_are_requested_and_after() -> None:
    labelling, options = Labelling(), SpeakerOptions(2)
    it = SessionSpeakers(labelling, "S", CLIENT, b"known")
    it.receive(1, END, segmenter(), 0.0)
    assert it.request(options) == Prepare(EmbedJob)
    assert labelling.started == [("S", CLIENT, options, b"known")]
    it.receive(2, PAUSE, segmenter(), 0.0)
    it.receive(2, END, segmenter(), 0.0)
    assert it.request(None) is None
    it.receive(3, END, segmenter(), 0.0)
    assert it.request(options) is None
    it.receive(4, END, segmenter(), 0.0)
    assert labelling.got == [("paused", 2, 1600), ("ended", 2, 1600), ("ended", 4, 1600)]
    assert len(labelling.started) == 1


def test_where_speakers_are_not_told_apart_each_request_is_answered_by_a_warning() -> None:
    it = SessionSpeakers(NO_SPEAKERS, "S", CLIENT, b"known")
    assert it.request(None) is None
    assert it.request(SpeakerOptions()) is UNAVAILABLE
    assert it.request(SpeakerOptions()) is UNAVAILABLE
    it.receive(1, END, segmenter(), 0.0)
    assert not it.hold(1, 0.0, 0.0)
    assert it.labeller.labelled(FINAL) is FINAL
    assert (it.continue_known, it.has_voices, it.voices()) == (False, True, b"known")
    assert (it.wake_at(0.0, 0.0), it.delay_end(0.0, 0.0)) == (inf, False)


def test_voices_are_those_of_the_lost_session_until_a_final_is_labelled() -> None:
    labelling = Labelling()
    it = SessionSpeakers(labelling, "S", CLIENT, b"")
    assert (it.has_voices, it.voices()) == (False, b"")
    it.request(SpeakerOptions())
    assert (it.has_voices, it.voices()) == (False, b"")
    labelling.labelled_finals = 1
    assert (it.has_voices, it.voices()) == (True, b"new")


def test_a_final_waits_only_while_recognition_is_on_time() -> None:
    it = SessionSpeakers(Labelling(), "S", CLIENT, b"")
    it.request(SpeakerOptions())
    assert it.hold(1, 0.0, MAX_PATIENT_LOAD)
    assert not it.hold(1, 0.0, MAX_PATIENT_LOAD + 0.1)


def test_the_end_waits_for_the_last_speakers_for_a_while() -> None:
    labelling = Labelling(wake_at=100.0)
    it = SessionSpeakers(labelling, "S", CLIENT, b"")
    it.request(SpeakerOptions())
    assert it.wake_at(inf, 50.0) == 100.0
    assert it.delay_end(50.0, 50.0)
    assert it.wake_at(50.0, 50.0) == 50.0 + LAST_PATIENCE_S
    assert not it.delay_end(50.0, 50.0 + LAST_PATIENCE_S)
    assert it.wake_at(50.0, 50.0 + LAST_PATIENCE_S) == 100.0
    labelling.is_settled = True
    assert not it.delay_end(50.0, 50.0)


def test_a_revision_has_the_parts_of_a_final() -> None:
    parts = (SpeakerSegment(0, 1600, "One.", 0),)
    final = Final(1, 1, "One.", 0, 1600, "en", None, 0.0, False, speaker=0, segments=parts)
    assert revision([final]).finals == (FinalSpeakers(1, 0, parts),)
