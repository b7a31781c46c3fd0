"""The marks of a session with one channel, and with two."""

import numpy as np
import pytest

from auricle.audio.endpointer import EndpointRules
from auricle.audio.opus import find_libopus
from auricle.session.channel import Channel
from auricle.session.intake import Intake
from auricle.session.marks import MARK_EVERY_SAMPLES, Marks
from auricle.session.recognition import Recognition
from auricle.session.speakers import SessionSpeakers
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.utterance import Caller
from auricle.values.commands import StreamParameters
from auricle.values.events import AudioProgress, Wire
from auricle.values.speakers import NO_SPEAKERS
from auricle.values.types import Options, Pcm16
from tests.support.clips import CLIPS
from tests.support.session import CLIENT, silence

pytestmark = pytest.mark.unit

SECOND = 16_000


class Stage:
    """A silent stream, whose channels get utterances by hand."""

    def __init__(self, channels: int) -> None:
        parameters = StreamParameters(
            format=Wire.PCM16, channels=channels, multichannel=channels > 1
        )
        self.intake = Intake(parameters, find_libopus(), 0.0, lambda: False)
        self.channels = []
        for _ in range(channels):
            segmenter = SpeechSegmenter(EndpointRules(), 0)
            recognition = Recognition(
                Caller("S", CLIENT, {}),
                segmenter,
                self.intake.arrivals,
                self.intake.pace,
                Options(),
                SessionSpeakers(NO_SPEAKERS, "S", CLIENT, b""),
                wants_partials=False,
            )
            self.channels.append(Channel(segmenter, recognition))
        self.marks = Marks(parameters, self.intake, self.channels)

    def hear(self, *tracks: Pcm16) -> None:
        self.intake.put(np.stack(tracks, axis=-1).tobytes())
        while (event := self.intake.next_event(0.0)) is not None:
            for number, channel in enumerate(self.channels):
                own = event.pcm[number] if event.pcm.ndim > 1 else event.pcm
                channel.receive(own, 0.0)


def test_marks_are_due_once_a_second() -> None:
    it = Stage(1)
    assert not it.marks.are_due
    it.hear(silence(MARK_EVERY_SAMPLES / SECOND))
    assert it.marks.are_due
    it.marks.advance()
    assert not it.marks.are_due


def test_what_no_utterance_needs_is_safe() -> None:
    it = Stage(1)
    it.hear(silence(3))
    progress = it.marks.advance()
    assert progress.received_sample == 3 * SECOND
    assert 2 * SECOND < progress.safe_sample < 3 * SECOND  # the pre-roll of the next one
    assert progress.channel_safe_samples == ()
    assert it.marks.progress() == progress


def test_a_mark_is_that_of_the_channel_that_needs_most_audio() -> None:
    it = Stage(2)
    speech = np.concatenate([silence(1), CLIPS["short.wav"].pcm])
    it.hear(silence(speech.size / SECOND), speech)
    progress = it.marks.advance()
    quiet, speaking = progress.channel_safe_samples
    assert quiet > speech.size - SECOND
    assert speaking == progress.safe_sample < 1.1 * SECOND


def test_at_the_end_everything_is_safe() -> None:
    it = Stage(2)
    it.hear(silence(3), silence(3))
    assert it.marks.finish() == AudioProgress(3 * SECOND, 3 * SECOND, None, None, (3 * SECOND,) * 2)
