"""Words of kept transcripts with their times, and the text as which a database stores them. Pure.

::

    [[320, 510, "The"], [510, 900, " train"]]    start and end in milliseconds; without words: ""
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from auricle.values.types import SAMPLES_PER_MS, Word


@dataclass(frozen=True, slots=True)
class KeptWord:
    """A word, with the space before it.

    Attributes:
        start_ms: Start in milliseconds since the start of the audio.
        end_ms: End in milliseconds.
        text: The word.
    """

    start_ms: int
    end_ms: int
    text: str


def kept_words(words: Sequence[Word] | None) -> tuple[KeptWord, ...]:
    """Return the words of a result; none if their times were not requested."""
    return tuple(
        KeptWord(word.start_sample // SAMPLES_PER_MS, word.end_sample // SAMPLES_PER_MS, word.text)
        for word in words or ()
    )


def encode_words(words: Sequence[KeptWord]) -> str:
    """Return words as text for the database."""
    if not words:
        return ""
    return msgspec.json.encode([(each.start_ms, each.end_ms, each.text) for each in words]).decode()


def decode_words(text: str) -> tuple[KeptWord, ...]:
    """Return the words of a text from :func:`encode_words`."""
    if not text:
        return ()
    words = msgspec.json.decode(text, type=list[tuple[int, int, str]])
    return tuple(KeptWord(*each) for each in words)
