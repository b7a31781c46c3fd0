"""Replace parts of a text, and merge the words of the same parts.

A word that a replacement covers keeps its times: the replacement of several words lasts from the
start of the first to the end of the last.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from auricle.values.types import Word

_TOKEN = re.compile(r"[\x21-\x7e‘’“”…€£]+|[^\s\x21-\x7e‘’“”…€£]+")
"""A recogniser may write digits next to Chinese without a space."""
_OPENING, _CLOSING = "\"'“”‘’¿¡([{", "\"'“”‘’.,;:!?…)]}"


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a text without spaces, at ``text[start:end]``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """The replacement of ``text[start:end]``; not empty."""

    start: int
    end: int
    text: str


def tokens_of(text: str) -> list[Token]:
    """Split a text at spaces, and between ASCII and other scripts."""
    return [Token(*match.span(), match.group()) for match in _TOKEN.finditer(text)]


def core(word: str) -> str:
    """Return a word without the spaces and punctuation around it."""
    return word.strip().lstrip(_OPENING).rstrip(_CLOSING)


def edit_of(tokens: Sequence[Token], text: str) -> Edit:
    """Return the replacement of adjacent tokens, without the punctuation around them.

    A parenthesis whose other half is among the tokens belongs to them: "(555) 1234".
    """
    first, last = tokens[0], tokens[-1]
    opening = len(first.text) - len(first.text.lstrip(_OPENING))
    end = len(last.text.rstrip(_CLOSING))
    covered = "".join(token.text for token in tokens)
    inside = covered[opening : len(covered) - (len(last.text) - end)]
    if inside.count(")") > inside.count("(") and "(" in first.text[:opening]:
        opening = first.text.rindex("(", 0, opening)
    elif inside.count("(") > inside.count(")") and ")" in last.text[end:]:
        end = last.text.index(")", end) + 1
    return Edit(first.start + opening, last.start + end, text)


def edited_text(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with replacements, which are in order and do not overlap."""
    parts: list[str] = []
    at = 0
    for edit in edits:
        parts += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join([*parts, text[at:]])


def text_of(words: Iterable[Word]) -> str:
    """Return the text that the words make up, as :func:`edited_words` counts it."""
    return "".join(word.text for word in words)


def edited_words(words: Sequence[Word], edits: Iterable[Edit]) -> tuple[Word, ...]:
    """Return words with the replacements of ``text_of(words)``.

    Args:
        words: The words, with the spaces before them.
        edits: Replacements, in order, that do not overlap.
    """
    return tuple(word for _, word in numbered_edited_words(words, edits))


def numbered_edited_words(
    words: Sequence[Word], edits: Iterable[Edit]
) -> Iterator[tuple[int, Word]]:
    """Yield the same words, each with the index of the first word that it replaces."""
    remaining = deque(edits)
    group: list[Word] = []
    start = end = 0
    for at, word in enumerate(words, 1):
        group.append(word)
        end += len(word.text)
        covered = 0
        while covered < len(remaining) and remaining[covered].start < end:
            covered += 1
        if covered and remaining[covered - 1].end > end:
            continue  # the next word belongs to the same replacement
        applied = [remaining.popleft() for _ in range(covered)]
        yield at - len(group), _merged(group, start, applied)
        group, start = [], end


def _merged(group: Sequence[Word], start: int, edits: Iterable[Edit]) -> Word:
    edits = [Edit(edit.start - start, edit.end - start, edit.text) for edit in edits]
    if not edits:
        return group[0]
    first, last = group[0], group[-1]
    return replace(
        first,
        end_sample=last.end_sample,
        text=edited_text(text_of(group), edits),
        probability=min(word.probability for word in group),
        tokens=(),
    )
