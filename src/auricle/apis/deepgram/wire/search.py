"""``search``: where terms were said.

Words that sound like a term count as this term, as with a vocabulary, so they are corrected first.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from auricle.apis.deepgram.wire.query import term_filters
from auricle.text.edits import core
from auricle.values.types import SAMPLE_RATE_HZ, Word

Json = dict[str, Any]


class TermSearch:
    """Finds the terms of one request in its results.

    Args:
        terms: The terms.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms = [(term, _tokens(term)) for term in terms]
        self._filters = term_filters(term for term, _ in self._terms)

    def fields(self, words: Sequence[Word], language: str | None) -> Json:
        """Return what a result has of the search; nothing without terms.

        Args:
            words: The words of the result, with the spaces before them.
            language: Their language; ``None`` if it is unknown.
        """
        if not self._terms:
            return {}
        corrected = self._filters.final("", words, language)[1] or ()
        tokens = [(token, word) for word in corrected for token in _tokens(word.text)]
        return {
            "search": [
                {"query": term, "hits": [_hit(words, *hit) for hit in _places(tokens, wanted)]}
                for term, wanted in self._terms
            ]
        }


def _tokens(text: str) -> list[str]:
    return [token for part in text.casefold().split() if (token := core(part))]


def _places(tokens: Sequence[tuple[str, Word]], wanted: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where some tokens follow each other, in samples."""
    for at in range(len(tokens) - len(wanted) + 1 if wanted else 0):
        found = tokens[at : at + len(wanted)]
        if [token for token, _ in found] == wanted:
            yield found[0][1].start_sample, found[-1][1].end_sample


def _hit(words: Sequence[Word], start_sample: int, end_sample: int) -> Json:
    """Return a hit, with the words as they were recognised."""
    first = bisect_left(words, start_sample, key=lambda word: word.start_sample)
    last = bisect_right(words, end_sample, key=lambda word: word.end_sample)
    said = words[first:last]
    return {
        "confidence": round(min((word.probability for word in said), default=0.0), 4),
        "start": round(start_sample / SAMPLE_RATE_HZ, 3),
        "end": round(end_sample / SAMPLE_RATE_HZ, 3),
        "snippet": "".join(word.text for word in said).strip(),
    }
