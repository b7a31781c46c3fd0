"""Compare a transcript with what was said. No I/O."""

import re
from collections.abc import Sequence


def word_error_rate(said: str, transcript: str) -> float:
    """Return the words inserted, removed and replaced, per word that was said.

    Case and punctuation do not count.
    """
    expected, found = _words(said), _words(transcript)
    return _distance(expected, found) / len(expected)


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s']", " ", text.lower()).split()


def _distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the edit distance (Wagner and Fischer 1974)."""
    row = list(range(len(second) + 1))
    for i, word in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(second, start=1):
            above = row[j]
            row[j] = min(above + 1, row[j - 1] + 1, diagonal + (word != other))
            diagonal = above
    return row[-1]
