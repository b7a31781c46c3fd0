"""Rewrite the transcript of a file: its text, segments and words alike."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from auricle.text.edits import Edit, numbered_edited_words, text_of
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import Segment, Transcript, Word


def edited_segments(
    segments: Sequence[Segment], edits_of: Callable[[str], list[Edit]]
) -> list[Segment]:
    """Edit segments as one text; a replacement belongs to the segment in which it begins."""
    words: list[Word] = []
    owners: list[int] = []
    for at, segment in enumerate(segments):
        spoken = segment.words or [Word(0, 0, f" {word}", 1.0) for word in segment.text.split()]
        words += spoken
        owners += [at] * len(spoken)
    edits = edits_of(text_of(words))
    if not edits:
        return list(segments)
    kept: dict[int, list[Word]] = defaultdict(list)
    for first, word in numbered_edited_words(words, edits):
        kept[owners[first]].append(word)
    return [_rewritten(segment, kept[at]) for at, segment in enumerate(segments) if kept[at]]


def _rewritten(segment: Segment, words: Sequence[Word]) -> Segment:
    space = " " if segment.text.startswith(" ") else ""
    text = space + text_of(words).strip()
    return replace(segment, text=text, words=tuple(words) if segment.words else segment.words)


def with_segments(transcript: Transcript, segments: Sequence[Segment]) -> Transcript:
    """Return a transcript with other segments, and the text that they make up."""
    if segments == list(transcript.segments):
        return transcript
    text = ""
    for segment in segments:
        is_spaceless = (segment.language or transcript.language) in SPACELESS_LANGUAGES
        text += segment.text.strip() if is_spaceless else f" {segment.text.strip()}"
    return replace(transcript, text=text.strip(), segments=tuple(segments))
