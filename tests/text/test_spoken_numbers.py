import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.spoken_numbers import numbers_in

pytestmark = pytest.mark.unit


def texts(text: str) -> list[str]:
    return [number.text for number in numbers_in(text.split())]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty-five apples", ["25"]),
        ("twenty five, six", ["25", "6"]),
        ("a hundred and five", ["105"]),
        ("seven million two hundred thousand and six", ["7200006"]),
        ("twenty thousand two hundred", ["20200"]),
        ("20 thousand two hundred", ["20200"]),
        ("nineteen hundred", ["1900"]),
        ("two thousand three million", ["2000", "3000000"]),
        ("one hundred two hundred and three hundred", ["100", "200", "300"]),
        ("one hundred two thousand two hundred", ["102200"]),
        ("five-five-five one-two-oh-four", ["555", "1204"]),
        ("four-one, one-on-one", ["41"]),
        ("zero point five", ["0.5"]),
        ("three point", ["3"]),
        ("double four triple oh", ["44", "000"]),
        ("five oh oh", ["5", "0", "0"]),
        ("oh, double the size", []),
        ("the twenty-first", ["21st"]),
        ("two hundred and twelfth", ["212th"]),
        ("a twenty-one-year-old", []),
        ("five hundred and more", ["500"]),
        ("(555) 123-4567, $1,200.50", ["555", "123-4567", "$1,200.50"]),
        ("B2B, 4pm", []),
        ("thousand of them", []),
    ],
)
def test_numbers(text: str, numbers: list[str]) -> None:
    assert texts(text) == numbers


def test_words_and_digits_of_a_number() -> None:
    (number,) = numbers_in(["call", "(five)", "hundred-and-two!"])
    assert (number.first, number.end, number.digits) == (1, 3, "502")
    assert number.is_spoken


ONE_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
TENS_WORDS = "- - twenty thirty forty fifty sixty seventy eighty ninety"
ONES, TENS = ONE_WORDS.split(), TENS_WORDS.split()


def spelled(value: int) -> str:
    for scale, name in (
        (10**9, "billion"),
        (10**6, "million"),
        (1000, "thousand"),
        (100, "hundred"),
    ):
        if value >= scale:
            rest = value % scale
            return f"{spelled(value // scale)} {name}" + (f" {spelled(rest)}" if rest else "")
    if value < 20:
        return ONES[value]
    return TENS[value // 10] + (f"-{ONES[value % 10]}" if value % 10 else "")


@given(st.integers(0, 10**12 - 1))
def test_every_number_is_read_as_it_is_spelled(value: int) -> None:
    assert texts(spelled(value)) == [str(value)]


PIECES = "one twenty hundred thousand and point double oh first a 5 20 x twenty-one , . -"


@given(st.lists(st.sampled_from(PIECES.split()), max_size=20))
def test_numbers_are_in_order_and_do_not_overlap(words: list[str]) -> None:
    numbers = numbers_in(words)
    ends = [0, *(number.end for number in numbers)]
    assert all(end <= number.first < number.end for end, number in zip(ends, numbers, strict=False))
    assert ends[-1] <= len(words)
    assert all(number.digits.isdecimal() for number in numbers)
