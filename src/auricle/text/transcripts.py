"""Rewrite the transcript of a file: its text, segments and words alike."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from auricle.text.edits import Edit, numbered_edited_words, text_of
from auricle.text.numerals import LANGUAGE, numeral_edits
from auricle.text.redaction import redaction_edits
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import Redact, Segment, Transcript, Word


def redacted(transcript: Transcript, kinds: Collection[Redact]) -> Transcript:
    """Return a transcript without private data; a number may continue in the next segment."""
    segments = transcript.segments
    return _with(transcript, _edited(segments, lambda text: redaction_edits(text, kinds)))


def with_numerals(transcript: Transcript) -> Transcript:
    """Return a transcript whose English segments have their numbers in digits."""
    segments: list[Segment] = []
    for segment in transcript.segments:
        is_english = (segment.language or transcript.language) == LANGUAGE
        segments += _edited([segment], numeral_edits) if is_english else [segment]
    return _with(transcript, segments)


def _edited(segments: Sequence[Segment], edits_of: Callable[[str], list[Edit]]) -> list[Segment]:
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


def _with(transcript: Transcript, segments: Sequence[Segment]) -> Transcript:
    if segments == list(transcript.segments):
        return transcript
    text = ""
    for segment in segments:
        is_spaceless = (segment.language or transcript.language) in SPACELESS_LANGUAGES
        text += segment.text.strip() if is_spaceless else f" {segment.text.strip()}"
    return replace(transcript, text=text.strip(), segments=tuple(segments))
