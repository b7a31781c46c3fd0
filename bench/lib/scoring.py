"""Word and character error rates, and confidence intervals for differences between them.

jiwer counts the edits. Words are compared after Whisper's English normalizer (package
``whisper-normalizer``); spelled letters and numbers as characters without spaces, with number words
as digits and "oh" as 0.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

import jiwer
import numpy as np

BOOTSTRAP_ROUNDS = 10_000


def _words(text: str) -> list[str]:
    return text.split()


_UNITS = _words("zero one two three four five six seven eight nine")
_TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_ORDINALS = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
NUMBERS = {
    **{word: str(i) for i, word in enumerate([*_UNITS, *_TEENS])},
    **{word: f"{i}{_SUFFIXES.get(i, 'th')}" for i, word in enumerate(_ORDINALS, 1)},
    "oh": "0",
}
TENS = {word: str(i) for i, word in enumerate(_TENS, 2)}
UNITS_AFTER_TENS = frozenset([*_UNITS[1:], *_ORDINALS[:9]])


@dataclass(frozen=True, slots=True)
class Errors:
    """The edits that turn a text into its reference."""

    reference: int
    substitutions: int
    insertions: int
    deletions: int

    @property
    def total(self) -> int:
        """All edits."""
        return self.substitutions + self.insertions + self.deletions

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.reference + other.reference,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
        )

    @property
    def percent(self) -> float:
        """The error rate, as a percentage of the reference."""
        return 100 * self.total / max(self.reference, 1)


def total(errors: Sequence[Errors]) -> Errors:
    return sum(errors, Errors(0, 0, 0, 0))


@cache
def _normalizer() -> Callable[[str], str]:
    with warnings.catch_warnings():  # it has an invalid escape in a docstring
        warnings.simplefilter("ignore")
        from whisper_normalizer.english import EnglishTextNormalizer
    normalize: Callable[[str], str] = EnglishTextNormalizer()
    return normalize


def words(text: str) -> list[str]:
    return _normalizer()(text).split()


def characters(text: str) -> list[str]:
    tokens = re.findall(r"[a-z]+|[0-9]+", text.lower())
    out = []
    for word, following in zip_longest(tokens, tokens[1:], fillvalue=""):
        if word in TENS:  # "twenty one" is 21, "twenty" alone is 20
            out.append(TENS[word] + ("" if following in UNITS_AFTER_TENS else "0"))
        else:
            out.append(NUMBERS.get(word, word))
    return list("".join(out))


def errors(reference: Sequence[str], hypothesis: Sequence[str]) -> Errors:
    """Count the fewest edits between two sequences of words or characters."""
    counts = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return Errors(len(reference), counts.substitutions, counts.insertions, counts.deletions)


def word_errors(reference: str, hypothesis: str) -> Errors:
    return errors(words(reference), words(hypothesis))


def character_errors(reference: str, hypothesis: str) -> Errors:
    return errors(characters(reference), characters(hypothesis))


@dataclass(frozen=True, slots=True)
class Difference:
    """The second engine's error rate minus the first's, in points, with its 95 % interval."""

    points: float
    low: float
    high: float

    @property
    def is_worse_beyond_chance(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0


def paired_difference(first: Sequence[Errors], second: Sequence[Errors]) -> Difference:
    """Resample clips, the same ones for both engines (paired bootstrap)."""
    counts = np.array(
        [[a.total, b.total, a.reference] for a, b in zip(first, second, strict=True)], float
    )
    draws = np.random.default_rng(20261125).integers(
        0, len(counts), (BOOTSTRAP_ROUNDS, len(counts))
    )
    sums = counts[draws].sum(axis=1)
    differences = 100 * (sums[:, 1] - sums[:, 0]) / sums[:, 2]
    observed = counts.sum(axis=0)
    low, high = np.percentile(differences, [2.5, 97.5])
    points = 100 * (observed[1] - observed[0]) / observed[2]
    return Difference(float(points), float(low), float(high))
