"""Transcripts of channels are merged, and channels with the same speech are reported."""

import numpy as np
import pytest

from auricle.files.assemble import FileTranscript
from auricle.files.channels.merge import merged, similar_channels
from auricle.values.errors import AudioError
from auricle.values.types import Chunk, Pcm16, Segment, Transcript, Word
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

SECOND = 16_000


def test_a_file_fails_if_all_channels_do() -> None:
    with pytest.raises(AudioError, match="first"):
        merged({0: AudioError("first"), 1: AudioError("second")})


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
