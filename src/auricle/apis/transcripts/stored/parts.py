"""Parts of kept segments, whose speakers and paragraphs their owner has changed. Pure.

A segment stays as it was recognised; its parts say who said which words, and where a paragraph
starts::

    [[0, 0, 1, null], [2400, 31, 0, true]]    start in milliseconds and in the text; speaker; start

An empty text is a segment that was not changed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec

from auricle.apis.transcripts.stored.words import KeptWord

_ROUNDING_MS = 1
"""Clients with times in seconds are off by as much."""
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Myanmar, Khmer, Kana and Han: each character is a word."""
_WORD = re.compile(rf"[{_SPACELESS}]|[^\s{_SPACELESS}]+")


@dataclass(frozen=True, slots=True)
class KeptSegment:
    """A segment of a kept transcript, or a part of one.

    Attributes:
        position: Index in the transcript; parts of a segment have the same.
        start_ms: Start in milliseconds since the start of the audio.
        end_ms: End in milliseconds.
        text: What was said.
        speaker: Number of the speaker, if known.
        words: Its words, if their times were requested; a search leaves them out.
        starts_paragraph: Whether a paragraph starts with it; ``None``: as pauses and speakers say.
    """

    position: int
    start_ms: int
    end_ms: int
    text: str
    speaker: int | None = None
    words: tuple[KeptWord, ...] = ()
    starts_paragraph: bool | None = None


@dataclass(frozen=True, slots=True)
class ParagraphChange:
    """A change of the words that a speaker begins in a range of time.

    Attributes:
        start_ms: Start of the first word.
        end_ms: End; a word that starts here is not changed.
        from_speaker: Who has said them so far; ``None``: unknown.
        speaker: Who has said them; ``None``: unknown.
        starts_paragraph: Whether a paragraph starts with the first of them; ``None``: as pauses and
            speakers say.
    """

    start_ms: int
    end_ms: int
    from_speaker: int | None
    speaker: int | None
    starts_paragraph: bool | None


@dataclass(frozen=True, slots=True)
class KeptPart:
    """The start of a part, in milliseconds and as an index of the text, and what it has."""

    start_ms: int
    start_character: int
    speaker: int | None
    starts_paragraph: bool | None


def encode_parts(parts: Sequence[KeptPart]) -> str:
    """Return parts as text for the database."""
    rows = [(p.start_ms, p.start_character, p.speaker, p.starts_paragraph) for p in parts]
    return msgspec.json.encode(rows).decode()


def decode_parts(text: str) -> tuple[KeptPart, ...]:
    """Return the parts of a text from :func:`encode_parts`; none of an empty one."""
    if not text:
        return ()
    rows = msgspec.json.decode(text, type=list[tuple[int, int, int | None, bool | None]])
    return tuple(KeptPart(*row) for row in rows)


def split(segment: KeptSegment, parts: Sequence[KeptPart]) -> Iterator[KeptSegment]:
    """Yield the parts of a segment as segments; the segment itself without parts."""
    if not parts:
        yield segment
        return
    end = KeptPart(segment.end_ms, len(segment.text), None, None)
    for part, following in pairwise([*parts, end]):
        is_last = following is end
        words = tuple(
            word
            for word in segment.words
            if (part is parts[0] or word.start_ms >= part.start_ms)
            and (is_last or word.start_ms < following.start_ms)
        )
        end_ms = following.start_ms
        if words and not is_last:
            end_ms = max(part.start_ms, min(words[-1].end_ms, end_ms))
        text = segment.text[part.start_character : following.start_character].strip()
        yield replace(
            segment,
            start_ms=part.start_ms,
            end_ms=end_ms,
            text=text,
            speaker=part.speaker,
            words=words,
            starts_paragraph=part.starts_paragraph,
        )


class SegmentEdit:
    """A segment while its words get other speakers, and start paragraphs."""

    def __init__(self, segment: KeptSegment, parts: Sequence[KeptPart]) -> None:
        self.position = segment.position
        self.is_changed = False
        self._starts = _word_starts(segment)
        self._speakers = [segment.speaker] * len(self._starts)
        self._marks: list[bool | None] = [None] * len(self._starts)
        for part in parts:
            for index, (start_ms, character) in enumerate(self._starts):
                if character >= part.start_character:
                    self._speakers[index] = part.speaker
                    if (start_ms, character) == (part.start_ms, part.start_character):
                        self._marks[index] = part.starts_paragraph

    def apply(self, change: ParagraphChange, *, is_first: bool) -> bool:
        """Change the words in a range of time; return whether there are any.

        Args:
            change: The change.
            is_first: Whether no earlier segment has words in the range.
        """
        found = [
            index
            for index, (start_ms, _) in enumerate(self._starts)
            if change.start_ms - _ROUNDING_MS <= start_ms < change.end_ms
            and self._speakers[index] == change.from_speaker
        ]
        for index in found:
            self._speakers[index] = change.speaker
        if found and is_first:
            self._marks[found[0]] = change.starts_paragraph
        self.is_changed = self.is_changed or bool(found)
        return bool(found)

    def parts(self) -> tuple[KeptPart, ...]:
        """Return the parts now: words of one speaker up to a start of a paragraph."""
        parts: list[KeptPart] = []
        for (start_ms, character), speaker, mark in zip(
            self._starts, self._speakers, self._marks, strict=True
        ):
            if not parts or speaker != parts[-1].speaker or mark:
                parts.append(KeptPart(start_ms, character, speaker, mark))
        return tuple(parts)


def merged_parts(parts: Sequence[KeptPart], speaker: int, into: int) -> tuple[KeptPart, ...]:
    """Return parts in which one speaker is another one."""
    return tuple(replace(p, speaker=into) if p.speaker == speaker else p for p in parts)


def _word_starts(segment: KeptSegment) -> list[tuple[int, int]]:
    """Return the starts of a segment's words, in milliseconds and as indices of the text.

    The first word starts with the segment. Without the times of words, the segment's time is
    distributed by the lengths of the words, as on the page (``web/page/recordings/words.ts``).
    """
    text = "".join(word.text for word in segment.words)
    starts: list[tuple[int, int]] = []
    if segment.words and text.strip() == segment.text.strip():
        character = (
            len(segment.text) - len(segment.text.lstrip()) - (len(text) - len(text.lstrip()))
        )
        for word in segment.words:
            starts.append((word.start_ms, max(0, character)))
            character += len(word.text)
    else:
        found = list(_WORD.finditer(segment.text))
        letters = sum(len(each.group()) for each in found)
        before = 0
        for each in found:
            share = (segment.end_ms - segment.start_ms) * before / letters
            starts.append((round(segment.start_ms + share), each.start()))
            before += len(each.group())
    return [(segment.start_ms, 0), *starts[1:]]
