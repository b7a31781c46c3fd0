"""Write numbers in digits: "twenty-five" as "25".

Only English numbers are converted. A lone "one" and ordinals below "tenth" stay words, as in most
style guides: "one of them", "the second time". So do "nineteen eighties" and a lone "one-two".
Digits that are said one by one are joined from three on, and the two halves of a year.
"""

from collections.abc import Sequence

from auricle.text.edits import Edit, core, edit_of, tokens_of
from auricle.text.spoken_numbers import Number, ends_phrase, numbers_in

MIN_ORDINAL = 10
MIN_JOINED_DIGITS = 3
_YEAR_HUNDREDS = range(15, 21)
"""What begins a year that is said in two halves: 1500 to 2099."""
_DECADES = frozenset(
    f"{tens}ies" for tens in ["twent", "thirt", "fort", "fift", "sixt", "sevent", "eight", "ninet"]
)


def numeral_edits(text: str) -> list[Edit]:
    """Return the replacements that write the numbers of an English text in digits."""
    tokens = tokens_of(text)
    words = [token.text for token in tokens]
    edits: list[Edit] = []
    for group in _groups(numbers_in(words), words):
        is_decade = any(
            core(word).lower() in _DECADES for word in words[group[-1].end : group[-1].end + 1]
        )
        if is_decade or not any(number.is_spoken for number in group):
            continue
        text = "".join(number.text for number in group)
        edits.append(edit_of(tokens[group[0].first : group[-1].end], text))
    return edits


def _groups(numbers: Sequence[Number], words: Sequence[str]) -> list[list[Number]]:
    """Return the numbers to convert, those together that are written as one."""
    groups: list[list[Number]] = []
    at = 0
    while at < len(numbers):
        count = max(1, _count_digits(numbers, at, words), _count_year(numbers[at : at + 3], words))
        group = list(numbers[at : at + count])
        at += count
        near = (*numbers[max(0, at - 2) : at - 1], *numbers[at : at + 1])
        has_neighbour = any(_lie_close(group[0], each) for each in near if not each.is_ordinal)
        if count > 1 or not _stays(group[0], has_neighbour=has_neighbour):
            groups.append(group)
    return groups


def _stays(number: Number, *, has_neighbour: bool) -> bool:
    if number.is_ordinal:
        return int(number.digits) < MIN_ORDINAL
    if number.is_digits and number.end == number.first + 1 and len(number.digits) == 2:
        return True
    return number.text == "1" and number.is_spoken and not has_neighbour


def _lie_close(number: Number, other: Number) -> bool:
    """Return whether at most one word is between two numbers, as in "one or two"."""
    return max(number.first, other.first) - min(number.end, other.end) <= 1


def _adjoins(before: Number, number: Number, words: Sequence[str]) -> bool:
    is_next = before.end == number.first and not ends_phrase(words[before.end - 1])
    return is_next and before.is_spoken and number.is_spoken and not number.is_ordinal


def _count_digits(numbers: Sequence[Number], start: int, words: Sequence[str]) -> int:
    """Return how many numbers from ``start`` on are digits that were said one by one."""
    count = digits = 0
    for at in range(start, len(numbers)):
        number = numbers[at]
        if not number.is_digits or (count and not _adjoins(numbers[at - 1], number, words)):
            break
        count, digits = count + 1, digits + len(number.digits)
    return count if digits >= MIN_JOINED_DIGITS and count > 1 else 0


def _count_year(numbers: Sequence[Number], words: Sequence[str]) -> int:
    """Return how many numbers are the parts of a year, as in "nineteen eighty-four"."""
    texts = [number.text for number in numbers]
    if len(texts) < 2 or texts[0] not in map(str, _YEAR_HUNDREDS):
        return 0
    if not _adjoins(numbers[0], numbers[1], words):
        return 0
    if len(texts[1]) == 2 and texts[1].isdecimal():
        return 2
    is_early = len(texts) > 2 and texts[1] == "0" and len(texts[2]) == 1
    return 3 if is_early and _adjoins(numbers[1], numbers[2], words) else 0
