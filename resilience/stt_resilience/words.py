"""Count words that a disturbed run lost, changed, doubled or invented. Pure functions.

Texts are compared as lists of words (:func:`normalise`), by an alignment with the fewest edits.
Recognition makes errors without any fault, too. So a word counts as lost only if it is missing from
the disturbed run, while the undisturbed run of the same clips by the same server has it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"\w+(?:['’]\w+)*")
MAX_SPAN = 40
"""Longest distance, in words of the reference, at which a repeated word counts as doubled."""


def normalise(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation and accents."""
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [word.replace("'", "").replace("’", "") for word in WORD.findall(plain)]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a text differs from a reference.

    Attributes:
        matches: For each word of the reference, the index of the equal word in the text, or
            ``None``.
        substituted: Words of the reference with another word in their place.
        deleted: Words of the reference with none in their place.
        inserted: For each inserted word of the text, its index, and how many words of the
            reference are before it.
    """

    matches: tuple[int | None, ...]
    substituted: frozenset[int]
    deleted: frozenset[int]
    inserted: tuple[tuple[int, int], ...]

    @property
    def errors(self) -> int:
        """Word errors: substitutions, deletions and insertions."""
        return len(self.substituted) + len(self.deleted) + len(self.inserted)


def align(reference: Sequence[str], text: Sequence[str]) -> Alignment:
    """Align a text with a reference by the fewest edits."""
    rows, columns = len(reference) + 1, len(text) + 1
    cost = [[0] * columns for _ in range(rows)]
    cost[0] = list(range(columns))
    for i in range(1, rows):
        row, above = cost[i], cost[i - 1]
        row[0] = i
        for j in range(1, columns):
            is_other = reference[i - 1] != text[j - 1]
            row[j] = min(above[j - 1] + is_other, above[j] + 1, row[j - 1] + 1)
    matches: list[int | None] = [None] * len(reference)
    substituted, deleted, inserted = set(), set(), []
    i, j = len(reference), len(text)
    while i or j:
        is_other = i == 0 or j == 0 or reference[i - 1] != text[j - 1]
        if i and j and cost[i][j] == cost[i - 1][j - 1] + is_other:
            i, j = i - 1, j - 1
            if is_other:
                substituted.add(i)
            else:
                matches[i] = j
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            deleted.add(i)
        else:
            j -= 1
            inserted.append((j, i))
    return Alignment(
        tuple(matches), frozenset(substituted), frozenset(deleted), tuple(reversed(inserted))
    )


@dataclass(frozen=True, slots=True)
class Count:
    """Words of a disturbed run, compared with the reference text and the undisturbed run.

    Attributes:
        reference: Words of the reference text.
        errors: Word errors of the disturbed run against the reference text.
        undisturbed_errors: The same of the undisturbed run.
        lost: Words of the reference that are missing from the disturbed run, but not from the
            undisturbed one.
        changed: Words that are other ones in the disturbed run only.
        doubled: Additional words that repeat words nearby.
        invented: Other additional words.
    """

    reference: int
    errors: int
    undisturbed_errors: int
    lost: int
    changed: int
    doubled: int
    invented: int


def count(reference: str, undisturbed: str, disturbed: str) -> Count:
    """Count the words of a disturbed run.

    Args:
        reference: What is said in the clips.
        undisturbed: What the same server made of the same clips without a fault.
        disturbed: What it made of them with the fault.
    """
    words, before, after = normalise(reference), normalise(undisturbed), normalise(disturbed)
    calm, now = align(words, before), align(words, after)
    known = Counter(before[index] for index, _ in calm.inserted)
    doubled = invented = 0
    for index, position in now.inserted:
        word = after[index]
        if known[word]:  # the undisturbed run inserts it as well
            known[word] -= 1
        elif word in words[max(0, position - MAX_SPAN) : position + MAX_SPAN] and _is_repeated(
            after, index, words
        ):
            doubled += 1
        else:
            invented += 1
    return Count(
        reference=len(words),
        errors=now.errors,
        undisturbed_errors=calm.errors,
        lost=len(now.deleted - calm.deleted),
        changed=len(now.substituted - calm.substituted - calm.deleted),
        doubled=doubled,
        invented=invented,
    )


def beginning(reference: str, text: str, words: int) -> str:
    """Return the words of a text that belong to the first words of the reference."""
    known, said = normalise(reference), normalise(text)
    rest = [match for match in align(known, said).matches[words:] if match is not None]
    return " ".join(said[: rest[0]] if rest else said)


def _is_repeated(text: Sequence[str], index: int, words: Sequence[str]) -> bool:
    """Whether a word is in the text more often than it is said."""
    return text.count(text[index]) > words.count(text[index])
