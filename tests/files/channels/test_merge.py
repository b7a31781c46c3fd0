"""Transcripts of channels are merged, and channels with the same speech are reported."""

import numpy as np
import pytest

from auricle.files.assemble import FileTranscript
from auricle.files.channels.merge import merged, similar_channels
from auricle.values.errors import AudioError
from auricle.values.types import (
    Chunk,
    Gap,
    Pcm16,
    Segment,
    Speaker,
    Timing,
    Transcript,
    Word,
)
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

SECOND = 16_000


def test_a_file_fails_if_all_channels_do() -> None:
    with pytest.raises(AudioError, match="first"):
        merged({0: AudioError("first"), 1: AudioError("second")})


def said(seconds: float, *parts: tuple[int, str], attempts: int = 1) -> Transcript:
    """Return a transcript with segments of a second that begin at the given second."""
    segments = tuple(
        Segment(at * SECOND, (at + 1) * SECOND, text, language="en") for at, text in parts
    )
    text = " ".join(text for _, text in parts)
    timing = Timing(decode_ms=1.0, queue_ms=2.0, ipc_ms=4.0, asr_ms=8.0)
    samples = int(seconds * SECOND)
    return Transcript(text, "en", 0.9, samples, segments, timing=timing, attempts=attempts)


def test_segments_of_all_channels_are_in_the_order_of_their_times() -> None:
    first = said(6, (0, "one"), (1, "two"), (5, "six"))
    second = said(4, (1, "other two"), (3, "four"), attempts=3)
    result = merged({1: FileTranscript(second), 0: FileTranscript(first)}, ("similar",))
    whole = result.transcript
    assert whole.text == "one two\nother two four\nsix"
    assert [
        (each.start_sample // SECOND, each.channel, each.speaker) for each in whole.segments
    ] == [
        (0, 0, 0),
        (1, 0, 0),
        (1, 1, 1),
        (3, 1, 1),
        (5, 0, 0),
    ]
    assert all(segment.words is None for segment in whole.segments)
    assert whole.speakers == (Speaker(0), Speaker(1))
    assert (whole.duration_samples, whole.attempts) == (6 * SECOND, 3)
    assert whole.timing == Timing(decode_ms=2.0, queue_ms=4.0, ipc_ms=8.0, asr_ms=16.0)
    assert (result.channels, result.gaps, result.warnings) == ((first, second), (), ("similar",))


def test_the_language_is_that_of_the_channel_with_the_most_text() -> None:
    short = Transcript("ja", "de", 0.9, SECOND)
    long = Transcript("and so my fellow Americans", "en", 0.8, SECOND)
    for channels in ([short, long], [long, short]):
        whole = merged({at: FileTranscript(each) for at, each in enumerate(channels)}).transcript
        assert (whole.language, whole.language_probability) == ("en", 0.8)


def test_gaps_of_channels_and_channels_that_failed_are_listed_by_time() -> None:
    late, early = Gap(8 * SECOND, 9 * SECOND, "poison_job"), Gap(SECOND, SECOND, "decode_failed")
    found = FileTranscript(said(9, (0, "a")), (late, early), ("one", "two"))
    other = FileTranscript(said(4, (2, "b")), (early,), ("two", "three"))
    result = merged({0: found, 1: AudioError("no audio"), 2: other}, ("one",))
    assert result.gaps == (
        Gap(0, 9 * SECOND, AudioError("no audio").code, 1),
        Gap(SECOND, SECOND, "decode_failed", 0),
        Gap(SECOND, SECOND, "decode_failed", 2),
        Gap(8 * SECOND, 9 * SECOND, "poison_job", 0),
    )
    assert result.warnings == ("one", "two", "three")
    assert result.channels[1] == Transcript("", None, 0.0, 9 * SECOND)
    assert result.transcript.speakers == (Speaker(0), Speaker(1), Speaker(2))
    assert result.transcript.text == "a\nb"


def test_words_have_the_speaker_of_their_channel() -> None:
    segment = Segment(0, SECOND, "hello", (Word(0, SECOND, " hello", 0.9),))
    transcript = Transcript("hello", "en", 0.9, SECOND, (segment,))
    empty = Transcript("", None, 0.0, SECOND)
    result = merged({0: FileTranscript(empty), 1: FileTranscript(transcript, warnings=("w",))})
    (word,) = result.transcript.segments[0].words or ()
    assert (word.speaker, word.speaker_confidence) == (1, 1.0)
    assert result.transcript.language == "en"
    assert result.warnings == ("w",)


def test_channels_with_the_same_speech_are_reported() -> None:
    pair, fellow = CLIPS["pair.wav"].pcm, CLIPS["fellow.wav"].pcm

    def beginnings(*channels: Pcm16 | None) -> dict[int, list[Chunk]]:
        return {at: [Chunk(SECOND, pcm)] for at, pcm in enumerate(channels) if pcm is not None}

    assert similar_channels(beginnings(pair, None, pair)) == (
        "Channels 0 and 2 carry the same audio. If it has one channel, set channels=1; if one "
        "channel was duplicated, omit multichannel.",
    )
    sparse = {at: [Chunk(50 * SECOND, pair // 4)] for at in (0, 1)}  # quiet, and late
    assert len(similar_channels(sparse)) == 1
    assert similar_channels(beginnings(pair, fellow)) == ()
    assert similar_channels(beginnings(None, pair)) == ()
    assert similar_channels(beginnings(pair, np.zeros_like(pair))) == ()
