"""Find numbers in English speech, written in words or in digits.

Speech recognisers write the same number as ``1984``, ``nineteen eighty-four`` or ``19 84``. This
module reads all of them: cardinals to trillions, ordinals, decimals, digits said one by one with
``oh``, ``double`` and ``triple``, also as ``five-five-five``, and digits with separators:
``4111-1111``, ``$1,200``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auricle.text.edits import core

_UNIT_WORDS = "one two three four five six seven eight nine"
_TEEN_WORDS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {word: value for value, word in enumerate(_UNIT_WORDS.split(), 1)}
_TEENS = {word: value for value, word in enumerate(_TEEN_WORDS.split(), 10)}
_TENS = {word: 10 * value for value, word in enumerate(_TENS_WORDS.split(), 2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = {
    "first": "one",
    "second": "two",
    "third": "three",
    "fifth": "five",
    "eighth": "eight",
    "ninth": "nine",
    "twelfth": "twelve",
    **{f"{word[:-1]}ieth": word for word in _TENS},
    **{
        f"{word}th": word
        for word in (*_UNITS, *_TEENS, "hundred", *_SCALES)
        if word not in ("one", "two", "three", "five", "eight", "nine", "twelve")
    },
}
_REPEATS = {"double": 2, "triple": 3}
_ZEROS = frozenset({"zero", "oh", "o"})
_ALONE_ZERO = "zero"
_HUNDRED = ("hundred", "hundredth")

_DIGITS = re.compile(r"[+#$£€-]*\d(?:[\d.,:/()-]*\d)?(?:st|nd|rd|th|s)?%?", re.IGNORECASE)
_BREAK = re.compile(r"[.,;:!?…]")


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was found.

    Attributes:
        first: Index of its first word.
        end: Index after its last word.
        digits: Its digits, without separators.
        text: How it is written in digits, without the punctuation around it.
        is_spoken: Whether any of it was written in words.
        is_ordinal: Whether it is an ordinal that was written in words.
        is_digits: Whether its digits were said one by one, as in "four", "double four" or
            "four-four".
    """

    first: int
    end: int
    digits: str
    text: str
    is_spoken: bool
    is_ordinal: bool = False
    is_digits: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """A word, or a part of a hyphenated one."""

    text: str
    word: int
    is_last_of_word: bool
    breaks: bool
    """Whether punctuation follows, which ends a number."""


def ends_phrase(word: str) -> bool:
    """Return whether punctuation follows a word, which ends a number."""
    return bool(_BREAK.match(word.strip()[-1:]))


def numbers_in(words: Sequence[str]) -> list[Number]:
    """Return the numbers in a text, in order.

    A number ends at punctuation, and never covers only a part of a hyphenated word.

    Args:
        words: The words, with their punctuation; spaces around them are ignored.
    """
    return _Reader([part for at, word in enumerate(words) for part in _parts(word, at)]).numbers()


def _parts(word: str, at: int) -> list[_Part]:
    bare = core(word)
    breaks = ends_phrase(word)
    texts = [bare.lower()]
    if "-" in bare and not any(character.isdigit() for character in bare):
        split = bare.lower().split("-")
        if all(_is_number_word(text) for text in split):
            texts = split
    last = len(texts) - 1
    return [_Part(text, at, n == last, breaks and n == last) for n, text in enumerate(texts)]


def _is_number_word(text: str) -> bool:
    text = _ORDINALS.get(text, text)
    return (
        text in _UNITS
        or text in _TEENS
        or text in _TENS
        or text in _SCALES
        or text in _ZEROS
        or text in ("hundred", "and")
    )


class _Reader:
    """A recursive-descent reader of numbers, at a position in the parts of the words."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        self._at = self._first = 0
        self._is_ordinal = False

    def numbers(self) -> list[Number]:
        found: list[Number] = []
        while self._at < len(self._parts):
            number = self._number(found[-1] if found else None)
            if number is None:
                self._at += 1
            else:
                found.append(number)
        return found

    def _number(self, before: Number | None) -> Number | None:
        first = self._first = self._at
        part = self._parts[first]
        follows = before is not None and before.end == part.word
        if first and not self._parts[first - 1].is_last_of_word:
            return None
        self._is_ordinal = False
        spelled = self._repeated() or self._hyphenated()
        read = spelled or self._digits_and_scale() or self._cardinal(follows=follows)
        if read is None or not self._parts[self._at - 1].is_last_of_word:
            self._at = first
            return None
        digits, text = read
        is_spoken = any(
            not any(character.isdigit() for character in each.text)
            for each in self._parts[first : self._at]
        )
        end = self._parts[self._at - 1].word + 1
        is_digits = spelled is not None or (is_spoken and len(text) == 1)
        return Number(part.word, end, digits, text, is_spoken, self._is_ordinal, is_digits)

    def _peek(self) -> str:
        """Return the next part of the same number; empty if there is none."""
        if self._at >= len(self._parts):
            return ""
        if self._at > self._first and self._parts[self._at - 1].breaks:
            return ""
        return self._parts[self._at].text

    def _next(self, words: Mapping[str, int]) -> int | None:
        """Read a word of a table, or its ordinal, which ends the number."""
        text = self._peek()
        value = None if self._is_ordinal else words.get(_ORDINALS.get(text, text))
        if value is not None:
            self._is_ordinal = text in _ORDINALS
            self._at += 1
        return value

    def _repeated(self) -> tuple[str, str] | None:
        """Read ``double four``."""
        times = _REPEATS.get(self._parts[self._at].text)
        if times is None or self._parts[self._at].breaks:
            return None
        self._at += 1
        text = self._peek()
        digit = "0" if text in _ZEROS else str(_UNITS.get(text, text))
        if not (len(digit) == 1 and digit.isdecimal()):
            self._at -= 1
            return None
        self._at += 1
        return digit * times, digit * times

    def _hyphenated(self) -> tuple[str, str] | None:
        """Read ``five-five-five``."""
        at, word, digits = self._at, self._parts[self._at].word, ""
        while at < len(self._parts) and self._parts[at].word == word:
            text = self._parts[at].text
            if text not in _UNITS and text not in _ZEROS:
                return None
            digits += str(_UNITS.get(text, 0))
            at += 1
        if len(digits) < 2:
            return None
        self._at = at
        return digits, digits

    def _digits_and_scale(self) -> tuple[str, str] | None:
        """Read digits, as in ``20`` or ``20 thousand``."""
        part = self._parts[self._at]
        if not _DIGITS.fullmatch(part.text):
            return None
        self._at += 1
        digits = "".join(character for character in part.text if character.isdecimal())
        if part.text.isdecimal() and part.text.isascii() and len(digits) <= 3 and not part.breaks:
            scale = self._next(_SCALES)
            if scale is not None:
                value = self._below(int(digits) * scale, scale)
                return str(value), self._written(value)
        return digits, part.text

    def _cardinal(self, *, follows: bool) -> tuple[str, str] | None:
        """Read a number in words; ``oh`` is a digit only after a number."""
        text = self._parts[self._at].text
        if text == _ALONE_ZERO or (follows and text in _ZEROS):
            self._at += 1
            return self._decimals("0") or ("0", "0")
        if text in ("a", "an"):
            self._at += 1
            if self._peek() not in ("hundred", *_SCALES):
                self._at -= 1
                return None
            value = 1
        else:
            small = self._small()
            if small is None:
                return None
            value = small
        if not self._is_ordinal:
            value = self._scaled(value)
        return self._decimals(str(value)) or (str(value), self._written(value))

    def _small(self) -> int | None:
        """Read a number from 1 to 99."""
        tens = self._next(_TENS)
        if tens is not None:
            return tens + (self._next(_UNITS) or 0)
        teen = self._next(_TEENS)
        return self._next(_UNITS) if teen is None else teen

    def _scaled(self, value: int) -> int:
        value = self._hundreds(value)
        scale = self._next(_SCALES)
        return value if scale is None else self._below(value * scale, scale)

    def _hundreds(self, value: int) -> int:
        if value > 99 or self._next({"hundred": 100}) is None:
            return value
        return value * 100 + (self._after_and(self._rest_of_hundred) or 0)

    def _rest_of_hundred(self) -> int | None:
        """Read what follows ``hundred``; in ``one hundred two hundred``, another number does."""
        start = self._at
        value = self._small()
        if not self._is_ordinal and self._peek() in _HUNDRED:
            self._at = start
            return None
        return value

    def _below(self, value: int, scale: int) -> int:
        """Read what follows ``thousand`` and the like: smaller scales, and the rest below 1000."""
        while not self._is_ordinal and scale > 1:
            start = self._at
            small = self._after_and(self._small)
            if small is None:
                break
            small = self._hundreds(small)
            following = self._next(_SCALES)
            if following is not None and following >= scale:
                self._at = start
                break
            scale = following or 1
            value += small * scale
        return value

    def _after_and(self, read: Callable[[], int | None]) -> int | None:
        if self._is_ordinal:
            return None
        start = self._at
        if self._peek() == "and":
            self._at += 1
        value = read()
        if value is None:
            self._at = start
        return value

    def _decimals(self, whole: str) -> tuple[str, str] | None:
        """Read ``point one four``."""
        if self._is_ordinal or self._peek() != "point":
            return None
        start = self._at
        self._at += 1
        decimals = ""
        while (text := self._peek()) in _UNITS or text in _ZEROS:
            decimals += "0" if text in _ZEROS else str(_UNITS[text])
            self._at += 1
        if not decimals:
            self._at = start
            return None
        return whole + decimals, f"{whole}.{decimals}"

    def _written(self, value: int) -> str:
        if not self._is_ordinal:
            return str(value)
        suffixes = {1: "st", 2: "nd", 3: "rd"}
        ending = "th" if value // 10 % 10 == 1 else suffixes.get(value % 10, "th")
        return f"{value}{ending}"
