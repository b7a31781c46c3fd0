import pytest

from auricle.text.filters.correction.words import (
    begins_sentence,
    is_common,
    is_function_word,
    is_known_name,
    units_of,
)

pytestmark = pytest.mark.unit


def test_units_are_words_without_punctuation_and_possessive_endings() -> None:
    text = "“Zyntrix’s, O'Neil-Smith (Node.js) C++!"
    assert [unit.text for unit in units_of(text) if unit.is_word] == [
        *("Zyntrix", "O'Neil", "Smith", "Node.js", "C++")
    ]
    assert all(text[unit.start : unit.end] == unit.text for unit in units_of(text))


def test_only_a_space_or_a_hyphen_joins_words() -> None:
    joined = [unit.text for unit in units_of("a b-c d, e f's g. h") if unit.joins]
    assert joined == ["b", "c", "d", "f"]


def test_hidden_data_and_characters_of_scripts_without_spaces_are_no_words() -> None:
    units = units_of("[PHONE_NUMBER] 用Go")
    assert [(unit.text, unit.is_word, unit.is_hidden) for unit in units] == [
        ("[PHONE_NUMBER]", False, True),
        ("用", False, False),
        ("Go", True, False),
    ]


def test_common_words_and_well_known_names_are_listed() -> None:
    assert is_common("Printing")
    assert is_common("can't")
    assert is_known_name("McDonald")
    assert not is_common("Germany")
    assert is_known_name("germany")
    assert not is_known_name("Printing")
    assert not is_common("Kubernetes")
    assert not is_known_name("Kubernetes")


def test_contractions_are_as_common_as_their_first_word() -> None:
    assert is_common("Mustn’t")
    assert is_common("printing'll")
    assert is_common("yeah")
    assert not is_common("O'Neil")
    assert is_function_word("We’d've")
    assert not is_function_word("printing'll")


@pytest.mark.parametrize("before", ["", "“", "So. ", 'said "so." ', "why?  (", "是。"])
def test_a_sentence_begins_the_text_or_follows_another(before: str) -> None:
    assert begins_sentence(f"{before}It", len(before))


@pytest.mark.parametrize("before", ["so ", "so, ", "node.", "a very long text and “"])
def test_other_words_are_in_a_sentence(before: str) -> None:
    assert not begins_sentence(f"{before}It", len(before))
