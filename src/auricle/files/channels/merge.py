"""Merge the transcripts of a file's channels by their times, without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from auricle.audio.channel_comparison import ChannelComparison
from auricle.files.assemble import FileTranscript
from auricle.values.errors import AuricleError
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Chunk,
    Gap,
    Segment,
    Speaker,
    Timing,
    Transcript,
    Word,
)


def similar_channels(beginnings: Mapping[int, Sequence[Chunk]]) -> tuple[str, ...]:
    """Return a warning if two channels have the same speech, or nearly; slow for 8 channels.

    Args:
        beginnings: The first chunks of each channel that has speech.
    """
    if len(beginnings) < 2:
        return ()
    channels = range(max(beginnings) + 1)
    samples = max(
        chunk.start_sample + chunk.pcm.size for chunks in beginnings.values() for chunk in chunks
    )
    tracks: npt.NDArray[np.int16] = np.zeros((len(channels), samples), np.int16)
    for channel, chunks in beginnings.items():
        for chunk in chunks:
            end_sample = chunk.start_sample + chunk.pcm.size
            tracks[channel, chunk.start_sample : end_sample] = chunk.pcm
    comparison = ChannelComparison(len(channels))
    blocks = range(0, samples, SAMPLE_RATE_HZ)
    found = (comparison.receive(tracks[:, at : at + SAMPLE_RATE_HZ]) for at in blocks)
    similar = next((each for each in found if each is not None), None) or comparison.finish()
    return () if similar is None else (similar.message,)


def merged(
    results: Mapping[int, FileTranscript | AuricleError], warnings: tuple[str, ...] = ()
) -> FileTranscript:
    """Return the transcripts of all channels as one; each channel is a speaker.

    Raises:
        AuricleError: All channels failed; the error of the first.
    """
    done = {at: found for at, found in results.items() if isinstance(found, FileTranscript)}
    failed = {at: error for at, error in results.items() if isinstance(error, AuricleError)}
    if not done:
        raise failed[min(failed)]
    longest = max(found.transcript.duration_samples for found in done.values())
    empty = Transcript("", None, 0.0, longest)
    channels = tuple(done[at].transcript if at in done else empty for at in sorted(results))
    gaps = [replace(gap, channel=at) for at, found in done.items() for gap in found.gaps] + [
        Gap(0, longest, error.code, at) for at, error in failed.items()
    ]
    segments = sorted(
        (
            _of_channel(segment, at)
            for at, transcript in enumerate(channels)
            for segment in transcript.segments
        ),
        key=lambda segment: (segment.start_sample, segment.speaker),
    )
    main = max(channels, key=lambda transcript: len(transcript.text))
    transcript = replace(
        main,
        text=_dialogue(segments),
        duration_samples=longest,
        segments=tuple(segments),
        speakers=tuple(map(Speaker, range(len(channels)))),
        timing=Timing(
            decode_ms=sum(each.timing.decode_ms for each in channels),
            queue_ms=sum(each.timing.queue_ms for each in channels),
            ipc_ms=sum(each.timing.ipc_ms for each in channels),
            asr_ms=sum(each.timing.asr_ms for each in channels),
        ),
        attempts=max(each.attempts for each in channels),
    )
    others = [warning for at in sorted(done) for warning in done[at].warnings]
    return FileTranscript(
        transcript,
        tuple(sorted(gaps, key=lambda gap: (gap.start_sample, gap.channel or 0))),
        tuple(dict.fromkeys([*warnings, *others])),
        channels,
    )


def _of_channel(segment: Segment, channel: int) -> Segment:
    """Return a segment with its channel, which is its speaker."""
    words = segment.words
    return replace(
        segment,
        channel=channel,
        speaker=channel,
        words=None if words is None else tuple(_spoken_by(word, channel) for word in words),
    )


def _spoken_by(word: Word, channel: int) -> Word:
    return replace(word, speaker=channel, speaker_confidence=1.0)


def _dialogue(segments: Sequence[Segment]) -> str:
    """Return the text with a line for each turn."""
    turns = groupby(segments, key=lambda segment: segment.channel)
    return "\n".join(" ".join(segment.text for segment in turn) for _, turn in turns)
