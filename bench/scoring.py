"""How far a text is from what was said: errors counted, rates, and what chance explains.

Words are compared after Whisper's English normalizer (package ``whisper-normalizer``), spelled
letters and numbers as characters without spaces, number words as digits, "oh" as 0.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

import numpy as np

BOOTSTRAP_ROUNDS = 10_000

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_LATER_ORDINALS = (
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
NUMBERS = {
    **{word: str(i) for i, word in enumerate([*_UNITS, *_TEENS])},
    **{
        word: f"{i}{_SUFFIXES.get(i, 'th')}"
        for i, word in enumerate(f"{_ORDINALS} {_LATER_ORDINALS}".split(), 1)
    },
    "oh": "0",
}
TENS = {
    word: str(i)
    for i, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
UNITS_BEHIND_TENS = frozenset([*_UNITS[1:], *_ORDINALS.split()[:9]])


@dataclass(frozen=True, slots=True)
class Errors:
    """What it takes to turn a text into its reference."""

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
        """The rate, as a percentage of the reference."""
        return 100 * self.total / max(self.reference, 1)


def total(errors: Sequence[Errors]) -> Errors:
    return sum(errors, Errors(0, 0, 0, 0))


@cache
def _normalizer() -> Callable[[str], str]:
    with warnings.catch_warnings():  # it has a bad escape in a docstring
        warnings.simplefilter("ignore")
        from whisper_normalizer.english import EnglishTextNormalizer
    normalize: Callable[[str], str] = EnglishTextNormalizer()
    return normalize


def words(text: str) -> list[str]:
    return _normalizer()(text).split()


def characters(text: str) -> list[str]:
    heard = re.findall(r"[a-z]+|[0-9]+", text.lower())
    out = []
    for word, following in zip_longest(heard, heard[1:], fillvalue=""):
        if word in TENS:  # "twenty one" is 21, "twenty" alone is 20
            out.append(TENS[word] + ("" if following in UNITS_BEHIND_TENS else "0"))
        else:
            out.append(NUMBERS.get(word, word))
    return list("".join(out))


def errors(reference: Sequence[str], heard: Sequence[str]) -> Errors:
    """Count the fewest edits, preferring substitutions."""
    # Cost, substitutions, insertions, deletions of the best path to each cell of one row.
    row = [(j, 0, j, 0) for j in range(len(heard) + 1)]
    for i, wanted in enumerate(reference, 1):
        above, row = row, [(i, 0, 0, i)]
        for j, got in enumerate(heard, 1):
            c, s, n, d = above[j - 1]
            same = (c, s, n, d) if wanted == got else (c + 1, s + 1, n, d)
            c, s, n, d = row[j - 1]
            extra = (c + 1, s, n + 1, d)
            c, s, n, d = above[j]
            missing = (c + 1, s, n, d + 1)
            row.append(min(same, extra, missing, key=lambda cell: cell[0]))
    _, substitutions, insertions, deletions = row[-1]
    return Errors(len(reference), substitutions, insertions, deletions)


def word_errors(reference: str, heard: str) -> Errors:
    return errors(words(reference), words(heard))


def character_errors(reference: str, heard: str) -> Errors:
    return errors(characters(reference), characters(heard))


@dataclass(frozen=True, slots=True)
class Difference:
    """The second engine's rate less the first's, in points, with its 95 % interval."""

    points: float
    low: float
    high: float

    @property
    def is_worse_beyond_chance(self) -> bool:
        """Whether even the interval's better end is worse."""
        return self.low > 0


def paired_difference(first: Sequence[Errors], second: Sequence[Errors]) -> Difference:
    """Draw clips again and again, the same for both engines (paired bootstrap)."""
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
