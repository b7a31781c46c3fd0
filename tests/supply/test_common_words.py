from pathlib import Path

import pytest

from auricle.text.filters.correction.words import common_words as listed
from supply.common_words import common_words

pytestmark = pytest.mark.unit


def test_words_are_small_and_names_capitalised_without_other_entries(tmp_path: Path) -> None:
    for name, text in {
        "english-words.10": "able\nable's\nI\nrésumé",
        "american-words.35": "color",
        "english-words.40": "abaci",
        "english-upper.50": "Aachen\nAble\nGermany's",
        "english-proper-names.50": "Mary\nO'Neil",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert common_words(tmp_path) == ["Aachen", "Mary", "able", "color", "i"]


def test_the_list_is_what_the_program_makes() -> None:
    assert len(listed()) == 49_342
    assert {"colour", "color", "printing", "Germany"} <= listed()
