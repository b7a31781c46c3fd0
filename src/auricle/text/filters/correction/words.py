"""The words of a text, and which of them are common."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana and Han, which are written without spaces."""
_BORDER = (
    r"\s!\"'()*,./:;<=>?\[\\\]^_`{|}~\-"
    "\u00a0-\u00bf\u2010-\u205e\u3000-\u303f\uff00-\uff0f\uff1a-\uff20"
)
_LETTER = rf"[^{_BORDER}{_SPACELESS}]"
_UNIT = re.compile(rf"(?P<hidden>\[[A-Z_]+\])|(?P<word>{_LETTER}+(?:[.'’]{_LETTER}+)*)|\S")
_CONTRACTED = re.compile(r"(?:'(?:ve|ll|d|re|m|s))+$")
_POSSESSIVE = re.compile(r"['’][sS]$")
_HYPHENS = "-\u2010\u2011"
_JOINT = re.compile(rf"\s+|[{_HYPHENS}]")

_SENTENCE = re.compile(r"(?:^|[.!?…؟।][\"'”’»)\]]*\s|[。！？])\s*[\"'“‘„«¿¡(\[]*$")
_MAX_BEFORE = 10
"""How many characters before a sentence are looked at."""

_FUNCTION_WORDS = """
a about after all am an and any are as at be been before but by can could did do does for from had
has have he her here him his how i if in into is it its may me might more must my no not of on one
or our out over shall she should so some such than that the their them then there these they this
those to too under up upon us very was we were what when where which while who whom whose why will
with would yes yet you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that follow any other: by chance, both together sound like many a name."""
_SPOKEN_WORDS = frozenset(
    ("aha", "gotta", "hm", "hmm", "kinda", "mhm", "mm", "nope", "uh", "uhm", "um", "yeah", "yep")
).union(("c'mon", "d'you", "ma'am", "o'clock", "y'all"))
"""Common words that the list of written ones lacks."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A word at ``text[start:end]``, or another character.

    Attributes:
        start: Its start.
        end: Its end, before a possessive "'s".
        text: The word.
        is_word: Whether it is a word of a script with spaces.
        is_hidden: Whether another filter has written it in place of private data: ``[NUMBER]``.
        joins: Whether only a space or a hyphen is between it and the word before.
    """

    start: int
    end: int
    text: str
    is_word: bool
    is_hidden: bool
    joins: bool


def units_of(text: str) -> list[Unit]:
    """Split a text."""
    units: list[Unit] = []
    gap = 0  # where the space after the word before begins; 0 if no word precedes
    for match in _UNIT.finditer(text):
        start, end = match.span()
        if text[start] in _HYPHENS:
            continue
        is_word, is_hidden = match["word"] is not None, match["hidden"] is not None
        joins = is_word and gap > 0 and _JOINT.fullmatch(text, gap, start) is not None
        plain = _POSSESSIVE.sub("", match.group())
        units.append(Unit(start, start + len(plain), plain, is_word, is_hidden, joins))
        gap = end if is_word and start + len(plain) == end else 0
    return units


def begins_sentence(text: str, at: int) -> bool:
    """Return whether a word at a place in a text begins a sentence, or the text."""
    return _SENTENCE.search(text, max(0, at - _MAX_BEFORE), at) is not None


@cache
def common_words() -> frozenset[str]:
    """Return common English words, in lower case, and well-known names, capitalised."""
    text = files(__package__).joinpath("common_words.txt").read_text("ascii")
    return _SPOKEN_WORDS.union(text.split())


def is_common(word: str) -> bool:
    """Return whether a word is a common English one, or a contraction of one."""
    return is_function_word(word) or _uncontracted(word) in common_words()


def is_function_word(word: str) -> bool:
    """Return whether an English word follows any other; contractions of such words do, too."""
    return _uncontracted(word) in FUNCTION_WORDS


def _uncontracted(word: str) -> str:
    """Return a word in lower case, without the words that were contracted with it."""
    word = word.lower().replace("’", "'")
    return "not" if "n't" in word else _CONTRACTED.sub("", word)


def is_known_name(word: str) -> bool:
    """Return whether a word is the name of a place, a people or a well-known person."""
    names = common_words()
    return (word in names and not word.islower()) or word.capitalize() in names
