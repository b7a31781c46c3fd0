import pytest

from bench.lib.scoring import (
    Errors,
    character_errors,
    characters,
    errors,
    paired_difference,
    total,
    word_errors,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("reference", "heard", "expected"),
    [
        ("abc", "abc", Errors(3, 0, 0, 0)),
        ("abc", "axc", Errors(3, 1, 0, 0)),
        ("abc", "abxc", Errors(3, 0, 1, 0)),
        ("abc", "ac", Errors(3, 0, 0, 1)),
        ("", "abc", Errors(0, 0, 3, 0)),
        ("abc", "", Errors(3, 0, 0, 3)),
    ],
)
def test_the_fewest_edits_are_counted(reference: str, heard: str, expected: Errors) -> None:
    assert errors(list(reference), list(heard)) == expected


def test_words_are_compared_without_case_marks_and_spelling_variants() -> None:
    assert word_errors("The colour, please!", "the color please").total == 0


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("rubout g m e f three nine", "Rub out G-M-E-F-3-9."),
        ("january seventeenth nineteen sixty one", "January 17th, 1961."),
        ("oh two three", "023"),
        ("twenty one twenty", "21 20"),
        ("may second", "May 2nd"),
        ("october twenty fourth", "October 24th"),
    ],
)
def test_spelled_letters_and_numbers_are_compared_as_characters(spoken: str, written: str) -> None:
    assert characters(spoken) == characters(written)
    assert character_errors(spoken, written).total == 0


@pytest.mark.parametrize("heard", ["", "...", "\u5e73"])
def test_hearing_no_letters_misses_them_all(heard: str) -> None:
    assert character_errors("yes", heard) == Errors(3, 0, 0, 3)


def test_errors_add_up() -> None:
    assert total([Errors(3, 1, 0, 0), Errors(5, 0, 1, 1)]) == Errors(8, 1, 1, 1)
    assert Errors(8, 1, 1, 0).percent == 25


def test_the_same_errors_differ_by_nothing() -> None:
    same = [Errors(10, 1, 0, 0), Errors(10, 0, 0, 0)] * 10
    difference = paired_difference(same, same)
    assert (difference.points, difference.low, difference.high) == (0, 0, 0)
    assert not difference.is_worse_beyond_chance


def test_errors_on_every_clip_are_beyond_chance() -> None:
    good = [Errors(10, 0, 0, 0)] * 20
    bad = [Errors(10, 1, 0, 0)] * 20
    assert paired_difference(good, bad).is_worse_beyond_chance
    assert paired_difference(good, bad).points == 10
    assert not paired_difference(bad, good).is_worse_beyond_chance
