import pytest

from auricle.text.edits import edited_text
from auricle.text.filters.numerals.rules import numeral_edits

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("I have twenty-five apples.", "I have 25 apples."),
        ("One of them, the second one.", "One of them, the second one."),
        ("We need one or two.", "We need 1 or 2."),
        ("(Twenty-first) century", "(21st) century"),
        ("In nineteen eighty-four and twenty twenty-six", "In 1984 and 2026"),
        ("in nineteen oh five", "in 1905"),
        ("my PIN is four one double one", "my PIN is 4111"),
        ("four one, one two three", "4 1, 123"),
        ("Dial nine-one-one.", "Dial 911."),
        ("In the nineteen eighties.", "In the nineteen eighties."),
        ("a one-two punch, four-one one-one", "a one-two punch, 4111"),
        ("room 12 and twelve", "room 12 and 12"),
        ("three point one four", "3.14"),
        ("it costs a thousand dollars", "it costs 1000 dollars"),
        ("Nothing to convert here, 4111-1111.", "Nothing to convert here, 4111-1111."),
        ("", ""),
    ],
)
def test_numbers_are_written_in_digits(text: str, written: str) -> None:
    assert edited_text(text, numeral_edits(text)) == written


def test_a_long_list_of_digits_takes_a_moment() -> None:
    text = "one two, " * 20_000  # a quadratic rule would take minutes
    assert edited_text(text, numeral_edits(text)) == "1 2, " * 20_000
