"""The words of a text: without capitals and punctuation, with approximate times, or the last."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher

from auricle.text.filters.registry import PLACEHOLDERS
from auricle.values.types import Word

INTERIM_CONFIDENCE = 0.5
"""Confidence of partials, which have no probability; clients require one."""

_MAX_SHIFT = 2
"""Words by which a final may be longer or shorter than the stable text that it begins with. In a
wider range, a frequent word is found in the wrong place."""
_INSIDE_WORDS = frozenset("'’-")


def plain(text: str) -> str:
    """Return a text without capitals and punctuation; placeholders of text filters stay."""
    return " ".join(word for word in map(_plain_word, text.split()) if word)


def _plain_word(word: str) -> str:
    if "[" in word:
        for placeholder in PLACEHOLDERS:
            if placeholder in word:
                return placeholder
    return "".join(_letters(word.lower()))


def _letters(word: str) -> Iterator[str]:
    last = len(word) - 1
    for at, character in enumerate(word):
        is_inside = 0 < at < last and character in _INSIDE_WORDS | frozenset(".,")
        if is_inside and word[at - 1].isalnum() and word[at + 1].isalnum():
            yield character  # don't, twenty-one, 3.5
        elif not unicodedata.category(character).startswith("P"):
            yield character


def approximate_words(text: str, start_sample: int, end_sample: int) -> list[Word]:
    """Return the words of a text without word times, with times distributed by their letters."""
    spoken = text.split()
    letters = sum(map(len, spoken))
    words: list[Word] = []
    before, length = 0, end_sample - start_sample
    for word in spoken:
        start = start_sample + length * before // letters
        before += len(word)
        end = start_sample + length * before // letters
        words.append(Word(start, end, word, INTERIM_CONFIDENCE))
    return words


def spaced_words(text: str, start_sample: int, end_sample: int) -> list[Word]:
    """Return the words of a text with approximate times, and with the spaces before them."""
    words = approximate_words(text, start_sample, end_sample)
    return [replace(word, text=f" {word.text}") for word in words]


def text_after(text: str, said: str, *, is_spaceless: bool = False) -> str:
    """Return the rest of a text after words that it begins with, perhaps in another form.

    A final has the words of the stable text before it, with other capitals and punctuation; rarely
    it has other words.

    Args:
        text: The text.
        said: Its beginning, as it was known before.
        is_spaceless: Whether the language has no spaces between words.
    """
    if text.startswith(said):
        return text[len(said) :].strip()
    words, before = _units(text, is_spaceless=is_spaceless), _units(said, is_spaceless=is_spaceless)
    keys, keys_before = [plain(word) for word in words], [plain(word) for word in before]
    matcher = SequenceMatcher(None, keys_before, keys[: len(before) + _MAX_SHIFT], autojunk=False)
    *blocks, _ = matcher.get_matching_blocks()
    end = len(before)
    if blocks:
        end += blocks[-1].b - blocks[-1].a
    return ("" if is_spaceless else " ").join(words[end:])


def _units(text: str, *, is_spaceless: bool) -> list[str]:
    return list(text) if is_spaceless else text.split()
