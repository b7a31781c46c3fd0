"""Several segmenters with one clock."""

import numpy as np
import pytest

from auricle.audio.endpointer import EndpointRules, SpeechStart, UtteranceEnd
from auricle.session.channels.segmenters import ChannelEvent, ChannelSegmenters
from auricle.values.commands import StreamParameters
from auricle.values.events import WarningCode, Wire
from tests.support.clips import CLIPS
from tests.support.session import silence

pytestmark = pytest.mark.unit

SPEECH = CLIPS["short.wav"].pcm
SILENCE = silence(SPEECH.size / 16_000)


def segmenters(**parameters: object) -> ChannelSegmenters:
    asked = {"format": Wire.PCM16, "channels": 2, "multichannel": True} | parameters
    return ChannelSegmenters(EndpointRules(), StreamParameters(**asked))  # type: ignore[arg-type]  # fields by name


def of(channel: int, events: list[ChannelEvent]) -> list[type]:
    return [type(event) for at, event in events if at == channel]


def test_events_name_their_channel_and_audio_of_all_channels_is_silence() -> None:
    it = segmenters()
    events = it.receive(np.stack([SILENCE, SPEECH]))
    assert it.is_open
    events += it.receive(silence(2))
    assert not of(0, events)
    assert {SpeechStart, UtteranceEnd} <= set(of(1, events))
    assert not it.is_open
    assert it.received_sample == SPEECH.size + 32_000
    it.skip(16_000)
    assert {each.received_sample for each in it.all} == {SPEECH.size + 48_000}


def test_one_channel_can_be_flushed_alone() -> None:
    it = segmenters()
    it.receive(np.stack([SPEECH, SPEECH]))
    assert of(0, it.flush(1)) == []
    assert of(0, it.finalize()) == [UtteranceEnd]
    assert it.finish() == []


def test_a_channel_starts_after_the_finals_that_its_client_has() -> None:
    it = segmenters(channel_safe_samples=(0, SPEECH.size + 16_000))
    audio = np.concatenate([SPEECH, silence(2)])
    events = it.receive(np.stack([audio, audio]))
    assert UtteranceEnd in of(0, events)
    assert of(1, events) == []


def test_a_warning_names_channels_with_the_same_audio() -> None:
    it = segmenters(channels=3)
    assert it.compare(np.stack([SPEECH, SILENCE, SPEECH])) is None
    warning = it.end_comparison()
    assert warning is not None
    assert warning.code is WarningCode.SIMILAR_CHANNELS
    assert warning.message.startswith("Channels 0 and 2 carry the same audio.")
    assert segmenters(multichannel=False).end_comparison() is None
