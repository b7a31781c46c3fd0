"""Find what a vocabulary changes in a text.

What is written as a replacement, a term or another spelling of it is found first, in any case. The
other words are compared with the terms by their sound. How close they must be depends on how likely
they are meant as they are:

- A common word is never changed, and a well-known name only by a short vocabulary, if it sounds the
  same.
- Several words that are common, such as "new gate" for "Newgate", must sound the same; words
  that follow any other ("late in" for "Latin") do not become part of a term.
- Words in small letters must be closer than names.
- The more terms there are, the closer they must be: some are near any name.
- In other languages than English, whose common words are unknown, the sound must be almost equal,
  and words in small letters stay. Where a capital is no sign of a name, at the beginning of a
  sentence and of German nouns, short words stay, too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from auricle.text.edits import Edit
from auricle.text.filters.correction.index import MAX_SOUNDS, Match, SoundIndex, Spelling
from auricle.text.filters.correction.literals import Literal, LiteralIndex
from auricle.text.filters.correction.options import Vocabulary
from auricle.text.filters.correction.sound import sound_of
from auricle.text.filters.correction.words import (
    Unit,
    begins_sentence,
    is_common,
    is_function_word,
    is_known_name,
    units_of,
)
from auricle.text.filters.correction.written import Written

LIMITS = ((100, 0.13), (200, 0.11), (1_000, 0.07), (10_000, 0.03))
"""Maximum distance by the number of terms, for words that are neither common nor small."""
STRICT_LIMIT = 0.05
MIN_NAME_LIMIT = 0.1
"""With a lower limit, well-known names are never changed."""
LOWER_SHARE, MIN_LOWER_LIMIT = 0.5, 0.03
"""Which part of the limit words in small letters have, and at least how much."""
MIXED_LIMIT = 0.08
"""For some common words among others, as in "cube ernetes"."""
MIN_SOUNDS, MIN_UNLIKE_SOUNDS, MIN_COMMON_SOUNDS = 3, 4, 5
"""Minimum sounds of a term, of one that need not sound the same, and of one for common words."""
MAX_SPELLINGS, MAX_SPOKEN_CHARACTERS = 10_000, 60
"""More spellings, and longer ones, are found as they are written only."""
MIN_NOUN_SOUNDS = 7
"""Outside English, shorter sounds of a word that may be no name are no term: a "Bäcker" is not
"Becker"."""
MAX_WORDS = 6
"""Maximum words that are compared with one term."""
MAX_STEPS, MAX_STEPS_PER_WORD = 100_000, 2_000
"""Maximum steps of the searches in a text, and more for each word before; beyond it, words stay. A
step takes about 0.1 µs. Each word of real text takes 9 with 50 terms, and 440 with 5000."""
_MORE_WORDS = 2
"""How many more words than a term has it may be recognised as."""
_SIBILANTS = ("x", "z", "ch", "sh")
_NO_DIGITS = re.compile(r"\D+")


@dataclass(frozen=True, slots=True)
class _Term:
    """A term, its words in lower case, and its digits, which must be equal."""

    text: str
    words: frozenset[str]
    digits: str


@dataclass(frozen=True, slots=True)
class _Found:
    """Units that sound like a term: those before ``end``, and the replacement."""

    end: int
    distance: float
    edit: Edit


class Corrector:
    """Corrects texts by a vocabulary.

    Args:
        vocabulary: Terms and replacements.

    Attributes:
        removes: Whether a replacement removes words, and perhaps a comma before them.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        spoken = [Literal(each.source, each.target) for each in vocabulary.replacements]
        written = [Literal(each.term, each.term, is_term=True) for each in vocabulary.terms]
        spoken += [
            Literal(other, each.term) for each in vocabulary.terms for other in each.sounds_like
        ]
        self.literals = LiteralIndex([*written, *spoken])
        self.removes = not all(each.written for each in spoken)
        self.terms = [_term(each.term) for each in vocabulary.terms]
        self.max_words = 1
        self.sounds = SoundIndex(self._spellings(vocabulary))
        self.limit = next(limit for count, limit in LIMITS if len(self.terms) <= count)

    def _spellings(self, vocabulary: Vocabulary) -> Iterator[Spelling]:
        """Yield the sounds of the terms, then those of their other spellings."""
        texts = [(number, each.term) for number, each in enumerate(vocabulary.terms)]
        texts += [
            (number, text)
            for number, each in enumerate(vocabulary.terms)
            for text in each.sounds_like
        ]
        for number, text in texts[:MAX_SPELLINGS]:
            if len(text) > MAX_SPOKEN_CHARACTERS:
                continue
            units = units_of(text)
            if len(units) > MAX_WORDS:
                continue
            sound = _joined([sound_of(unit.text) for unit in units])
            if 0 < len(sound) <= MAX_SOUNDS and all(unit.is_word for unit in units):
                self.max_words = max(self.max_words, min(len(units) + _MORE_WORDS, MAX_WORDS))
                yield Spelling(sound, number)

    def edits(self, text: str, *, is_english: bool, capital_nouns: bool = False) -> list[Edit]:
        """Return the replacements in a text, in order.

        Args:
            text: The text.
            is_english: Whether its language is English.
            capital_nouns: Whether its language writes all nouns with capitals.
        """
        return [edit for _, edit in _Text(self, text, is_english, capital_nouns).corrections()]

    def decided(
        self, text: str, stable: int, *, is_english: bool, capital_nouns: bool = False
    ) -> tuple[list[Edit], int, list[Edit]]:
        """Return the replacements of an unfinished text.

        Args:
            text: The text.
            stable: How many characters of it no longer change.
            is_english: Whether its language is English.
            capital_nouns: Whether its language writes all nouns with capitals.

        Returns:
            The replacements that no longer change, where the text begins that may still change,
            and all replacements.
        """
        read = _Text(self, text, is_english, capital_nouns)
        complete = sum(unit.end < stable for unit in read.units)
        first_open = self.literals.first_open(text, read.units, complete)
        first_open = max(0, first_open - 2 * (self.max_words - 1))
        corrections = list(read.corrections())
        edits = [edit for at, edit in corrections if at < first_open]
        starts = [stable, *(unit.start for unit in read.units[first_open : first_open + 1])]
        start = max([min(starts), *(edit.end for edit in edits)])
        return edits, start, [edit for _, edit in corrections]


@dataclass(slots=True)
class _Text:
    """One text that is corrected."""

    corrector: Corrector
    text: str
    is_english: bool
    capital_nouns: bool = False
    units: Sequence[Unit] = field(init=False)
    _sounds: dict[str, str] = field(default_factory=dict)
    _closest_terms: dict[str, Match | None] = field(default_factory=dict)
    _found: dict[int, _Found | None] = field(default_factory=dict)
    _written: Written = field(init=False)
    _steps: int = 0

    def __post_init__(self) -> None:
        self.units = units_of(self.text)
        literals = self.corrector.literals
        self._written = Written(literals, self.text, self.units, self.is_english)

    def corrections(self) -> Iterator[tuple[int, Edit]]:
        """Yield the replacements with the number of the unit that decides them."""
        at = 0
        while at < len(self.units):
            if at in self._written.moved:
                yield self._written.moved[at]
            end, edit = self._written.locked.get(at) or self._by_sound(at)
            edit = self._written.capitalised(at, edit)
            if edit is not None and edit.text != self.text[edit.start : edit.end]:
                yield at, edit
            at = end

    def _by_sound(self, at: int) -> tuple[int, Edit | None]:
        """Return the unit after a correction, unless one that begins later is closer."""
        found = self._closest(at)
        if found is None:
            return at + 1, None
        for other in range(at + 1, found.end):
            rival = self._closest(other)
            if rival is not None and rival.distance < found.distance:
                return at + 1, None
        return found.end, found.edit

    def _closest(self, at: int) -> _Found | None:
        if at not in self._found:
            self._found[at] = min(
                self._matches(at), key=lambda each: (each.distance, -each.end), default=None
            )
        return self._found[at]

    def _matches(self, at: int) -> Iterator[_Found]:
        """Yield what sounds like a term, from a unit on."""
        words: list[str] = []
        for end in range(at + 1, min(at + self.corrector.max_words, len(self.units)) + 1):
            unit = self.units[end - 1]
            if not unit.is_word or (end - 1) in self._written.locked or _is_spelled(unit.text):
                break
            if words and not unit.joins:
                break
            words.append(unit.text)
            if len(words) == 1 and is_common(unit.text):
                continue
            for ending in ("", "s"):
                found = self._match(at, end, words, ending)
                if found is not None:
                    yield found

    def _match(self, at: int, end: int, words: Sequence[str], ending: str) -> _Found | None:
        last = words[-1].removesuffix(ending)
        if ending and (last == words[-1] or len(last) < 2):
            return None
        sound = _joined([self._sound(word) for word in (*words[:-1], last)])
        match = self._closest_term(sound, at)
        if match is None or match.distance > self._limit(words, sound, match):
            return None
        if not (self.is_english or self._may_be_name(at, words, sound, match)):
            return None
        term = self.corrector.terms[match.term].text
        if ending:
            if term[-1] in "sS":
                return None
            ending = "es" if term.endswith(_SIBILANTS) else ending
        if words[0][0].isupper() and term.islower():
            term = term[0].upper() + term[1:]
        start = self.units[at].start
        return _Found(end, match.distance, Edit(start, self.units[end - 1].end, term + ending))

    def _closest_term(self, sound: str, at: int) -> Match | None:
        if sound not in self._closest_terms:
            if self._steps > MAX_STEPS + MAX_STEPS_PER_WORD * at:
                return None
            search = self.corrector.sounds.closest(sound, self.corrector.limit)
            self._closest_terms[sound] = search.match
            self._steps += search.steps
        return self._closest_terms[sound]

    def _may_be_name(self, at: int, words: Sequence[str], sound: str, match: Match) -> bool:
        """Return whether words may be a name in a language whose common words are unknown."""
        term = self.corrector.terms[match.term]
        if any(word[0].islower() and word.lower() not in term.words for word in words):
            return False
        if len(sound) >= MIN_NOUN_SOUNDS or not words[0][0].isupper():
            return True
        return not (self.capital_nouns or begins_sentence(self.text, self.units[at].start))

    def _sound(self, word: str) -> str:
        if word not in self._sounds:
            self._sounds[word] = sound_of(word)
        return self._sounds[word]

    def _limit(self, words: Sequence[str], sound: str, match: Match) -> float:
        """Return how far the sound of words may be from that of a term; negative if no distance."""
        term = self.corrector.terms[match.term]
        limit = self.corrector.limit
        if _NO_DIGITS.sub("", "".join(words)) != term.digits or len(sound) < MIN_SOUNDS:
            return -1
        if not self.is_english:
            limit = min(limit, STRICT_LIMIT)
        if len(sound) < MIN_UNLIKE_SOUNDS or (
            not self.is_english and len(words) != len(term.words)
        ):
            limit = 0
        if not words[0][0].isupper():  # small letters, or a script without capitals
            lower = max(limit * LOWER_SHARE, MIN_LOWER_LIMIT)
            limit = min(limit, lower) if self.is_english else 0
        if len(words) == 1 and is_known_name(words[0]):
            is_likely = len(sound) >= MIN_UNLIKE_SOUNDS and limit >= MIN_NAME_LIMIT
            return 0 if is_likely else -1
        if len(words) == 1:
            return limit
        others = [word.lower() for word in words if word.lower() not in term.words]
        if any(map(is_function_word, others)):
            return -1
        common = sum(is_common(word) for word in others)
        if not common:
            return limit
        if common < len(others):
            return min(limit, MIXED_LIMIT)
        return 0 if len(sound) >= MIN_COMMON_SOUNDS else -1


def _term(text: str) -> _Term:
    words = frozenset(unit.text.lower() for unit in units_of(text))
    return _Term(text, words, _NO_DIGITS.sub("", text))


def _is_spelled(word: str) -> bool:
    """Return whether a word is spelled letter by letter, or an abbreviation."""
    return len(word) == 1 or word.isupper()


def _joined(sounds: Sequence[str]) -> str:
    joined = ""
    for sound in sounds:
        joined += sound[1:] if joined[-1:] == sound[:1] else sound
    return joined
