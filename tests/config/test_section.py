"""What all sections of settings share."""

import pytest

from auricle.config.section import Section, split_at_commas, variable

pytestmark = pytest.mark.unit


class Mood(Section):
    """A section of one setting."""

    title = "Mood"

    mood: str = "calm"


def test_a_section_reads_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Mood().mood == "calm"
    monkeypatch.setenv(variable("mood"), "")
    assert Mood().mood == "calm"
    monkeypatch.setenv("AURICLE_MOOD", "brave")
    assert Mood().mood == "brave"


def test_strings_are_split_at_commas() -> None:
    assert split_at_commas("a, b,,") == ("a", "b")
    assert split_at_commas(("a, b",)) == ("a, b",)
