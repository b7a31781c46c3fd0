"""Find the term of a vocabulary whose sound is closest to that of some words.

Close sounds share a key: the classes of their consonants, or these without one of them. So only
sounds that may be close are compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auricle.text.filters.correction.sound import VOWELS, distance, skeleton_of

MAX_SOUNDS = 40
"""Longer terms are found as they are written only."""
_MIN_FREE_VOWELS = 3
"""Minimum consonants of sounds whose vowels may be at other places."""
_MIN_DELETED = 4
"""Minimum consonants of sounds of which one may lack one."""
_MIN_HALVED = 12
"""Minimum consonants of sounds that only need an equal beginning or end."""
_HALF = 6
_MAX_SHARING = 100
_MAX_COMPARED = 16
"""How many sounds may share a key, and how many are compared with one: they bound the time for
vocabularies whose terms are all alike."""
_MAX_DIFFERENT_KINDS = 6
_MAX_LONGER = 5


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a term may sound, and its number."""

    sound: str
    term: int


@dataclass(frozen=True, slots=True)
class Match:
    """A term, and how far its sound is from another, from 0 to 1."""

    distance: float
    term: int


@dataclass(frozen=True, slots=True)
class Search:
    """The closest term, if there is one, and the steps that the search took."""

    match: Match | None
    steps: int


class SoundIndex:
    """Spellings by the keys of their sounds.

    Args:
        spellings: The spellings.
    """

    def __init__(self, spellings: Iterable[Spelling]) -> None:
        self._by_key: dict[str, list[tuple[Spelling, int]]] = defaultdict(list)
        for spelling in spellings:
            entry = spelling, _kinds(spelling.sound)
            for key in _keys(spelling.sound):
                sharing = self._by_key[key]
                if len(sharing) < _MAX_SHARING:
                    sharing.append(entry)

    def closest(self, sound: str, limit: float) -> Search:
        """Find the closest term within a distance; of equally close ones, the first."""
        best: Match | None = None
        candidates, steps = self._candidates(sound)
        for spelling in candidates:
            steps += len(sound) * len(spelling.sound)
            found = distance(sound, spelling.sound, limit)
            if found <= limit and (
                best is None or (found, spelling.term) < (best.distance, best.term)
            ):
                best, limit = Match(found, spelling.term), found
        return Search(best, steps)

    def _candidates(self, sound: str) -> tuple[list[Spelling], int]:
        """Return the spellings to compare with a sound, and how many were looked at."""
        kinds = _kinds(sound)
        found: dict[Spelling, int] = {}
        looked_at = 0
        for key in _keys(sound):
            sharing = self._by_key.get(key, ())
            looked_at += len(sharing)
            for spelling, others in sharing:
                different = (kinds ^ others).bit_count()
                longer = abs(len(sound) - len(spelling.sound))
                if different <= _MAX_DIFFERENT_KINDS and longer <= _MAX_LONGER:
                    found[spelling] = different + longer
        if len(found) <= _MAX_COMPARED:
            return list(found), looked_at
        return sorted(found, key=found.__getitem__)[:_MAX_COMPARED], looked_at


def _keys(sound: str) -> Iterator[str]:
    skeleton = skeleton_of(sound)
    if len(skeleton) < _MIN_FREE_VOWELS:
        yield "".join(_pattern(sound))
        return
    if len(skeleton) >= _MIN_HALVED:
        yield f"<{skeleton[:_HALF]}"
        yield f">{skeleton[-_HALF:]}"
        return
    yield skeleton
    if len(skeleton) >= _MIN_DELETED:
        shorter = (skeleton[:at] + skeleton[at + 1 :] for at in range(len(skeleton)))
        yield from dict.fromkeys(shorter)


def _pattern(sound: str) -> Iterator[str]:
    """Yield the class of each consonant, and one character for vowels next to each other."""
    yield "*"
    was_vowel = False
    for each in sound:
        is_vowel = each in VOWELS
        if not is_vowel:
            yield skeleton_of(each)
        elif not was_vowel:
            yield "a"
        was_vowel = is_vowel


def _kinds(sound: str) -> int:
    """Return the sounds of a word, as bits."""
    kinds = 0
    for each in sound:
        kinds |= 1 << (ord(each) & 63)
    return kinds
