"""The words of a text: without capitals and punctuation, or with approximate times."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from auricle.text.filters.registry import PLACEHOLDERS
from auricle.values.types import Word

INTERIM_CONFIDENCE = 0.5
"""Confidence of partials, which have no probability; clients require one."""

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
