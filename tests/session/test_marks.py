"""The marks of a session with one channel, and with two."""

import numpy as np
import pytest

from auricle.session.marks import MARK_EVERY_SAMPLES, Marks
from auricle.values.events import AudioProgress
from tests.session.helpers import Parts
from tests.support.clips import CLIPS
from tests.support.session import silence

pytestmark = pytest.mark.unit

SECOND = 16_000


class Stage(Parts):
    """A stream with marks."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.marks = Marks(self.parameters, self.intake, self.channels)


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
