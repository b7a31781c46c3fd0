"""Speech before an utterance is decoded with it, and its words are removed."""

import numpy as np
import pytest

from auricle.session.context import (
    MAX_DECODED_S,
    MIN_CONTEXT_SAMPLES,
    NO_CONTEXT,
    DecodingContext,
)
from auricle.values.types import Options, Segment, Transcript, Word

pytestmark = pytest.mark.unit

SECOND = 16_000
OWN = np.full(2 * SECOND, 1, np.int16)
BEFORE = DecodingContext(np.arange(SECOND, dtype=np.int16))
OPTIONS = Options(language="en")


def test_the_job_holds_both_and_asks_for_word_times() -> None:
    pcm, options = BEFORE.job_input(OWN, OPTIONS)
    assert np.array_equal(pcm, np.concatenate([BEFORE.pcm, OWN]))
    assert options == Options(language="en", word_timestamps=True)


def test_without_context_the_job_is_the_utterance() -> None:
    assert NO_CONTEXT.job_input(OWN, OPTIONS) == (OWN, OPTIONS)
    assert NO_CONTEXT.samples == 0


def test_words_of_the_context_are_removed_and_times_count_from_the_utterance() -> None:
    words = (
        Word(8000, 15_000, " ask", 0.9),
        Word(15_500, 17_000, " not", 0.8),
        Word(20_000, 24_000, " what", 0.7),
    )
    segments = (
        Segment(0, 16_000, " ask", words[:1], avg_logprob=-0.5),
        Segment(16_000, 48_000, " not what", words[1:], avg_logprob=-0.25),
    )
    own = BEFORE.removed_from(Transcript("ask not what", "en", 0.9, 48_000, segments))
    assert (own.text, own.language, own.duration_samples) == ("not what", "en", 32_000)
    (segment,) = own.segments
    assert (segment.start_sample, segment.end_sample) == (0, 8000)
    assert (segment.text, segment.avg_logprob) == (" not what", -0.25)
    assert segment.words == (Word(0, 1000, " not", 0.8), Word(4000, 8000, " what", 0.7))


def test_a_word_that_was_aligned_with_the_pause_before_it_is_kept() -> None:
    words = (Word(2000, 6000, " ask", 0.9), Word(6000, 22_000, " not", 0.8))
    segment = Segment(0, 48_000, " ask not", words)
    own = BEFORE.removed_from(Transcript("ask not", "en", 0.9, 48_000, (segment,)))
    assert own.text == "not"


def test_a_word_of_the_context_that_was_aligned_with_the_pause_after_it_is_removed() -> None:
    words = (Word(4000, 20_000, " concerned", 0.9), Word(20_000, 30_000, " differs", 0.8))
    segment = Segment(0, 48_000, " concerned differs", words)
    own = BEFORE.removed_from(Transcript("concerned differs", "en", 0.9, 48_000, (segment,)))
    assert own.text == "differs"


def test_segments_without_words_are_removed() -> None:
    own = BEFORE.removed_from(Transcript("ask", "en", 0.9, 48_000, (Segment(0, 9, "ask"),)))
    assert (own.text, own.segments) == ("", ())


@pytest.mark.parametrize(
    ("own_s", "max_audio_s", "kept"),
    [
        (2, 30, SECOND),
        (MAX_DECODED_S - 0.75, 30, SECOND * 3 // 4),
        (MAX_DECODED_S - 0.25, 30, 0),
        (2, 2.5, SECOND // 2),
        (14, 30, 0),
    ],
)
def test_both_together_have_a_maximum_length(own_s: float, max_audio_s: float, kept: int) -> None:
    fitted = BEFORE.fitted(int(own_s * SECOND), max_audio_s)
    assert np.array_equal(fitted.pcm, BEFORE.pcm[SECOND - kept :])
    again = fitted.fitted(int(own_s * SECOND), max_audio_s)
    assert np.array_equal(again.pcm, fitted.pcm)


def test_very_short_context_is_none() -> None:
    short = DecodingContext(BEFORE.pcm[: MIN_CONTEXT_SAMPLES - 1])
    assert short.fitted(SECOND, 30) is NO_CONTEXT
