"""The texts of segments before they were corrected."""

from collections.abc import Sequence
from dataclasses import replace

from auricle.values.types import Segment, Transcript


def with_originals(transcript: Transcript, before: Sequence[Segment]) -> Transcript:
    """Return a transcript whose segments have their texts before corrections, where they differ.

    Args:
        transcript: The transcript after a correction, which may have made a segment part of the one
            before it.
        before: Its segments before the correction.
    """
    after, texts = transcript.segments, list[str]()
    if after == tuple(before):
        return transcript
    for segment in before:
        next_one = after[len(texts)] if len(texts) < len(after) else None
        if next_one and (next_one.start_sample, next_one.channel) == (
            segment.start_sample,
            segment.channel,
        ):
            texts.append(segment.original or segment.text)
        elif texts:
            texts[-1] += segment.original or segment.text
    segments = [
        replace(segment, original=text) if text.strip() != segment.text.strip() else segment
        for segment, text in zip(after, texts, strict=False)
    ]
    return replace(transcript, segments=(*segments, *after[len(texts) :]))
