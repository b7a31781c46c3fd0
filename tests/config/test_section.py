"""What all sections of settings share."""

import pytest

from auricle.config.section import Section, fixed, split_at_commas, variable

pytestmark = pytest.mark.unit


class Mood(Section):
    """A section of one setting."""

    title = "Mood"

    mood: str = "calm"
    temper: int = fixed(1)


def test_a_section_reads_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Mood().mood == "calm"
    monkeypatch.setenv(variable("mood"), "")
    assert Mood().mood == "calm"
    monkeypatch.setenv("AURICLE_MOOD", "brave")
    assert Mood().mood == "brave"


def test_no_variable_sets_a_fixed_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_TEMPER", "2")
    assert [*Mood.variables()] == ["mood"]
    assert Mood().temper == 1
    assert Mood(temper=3).temper == 3


def test_strings_are_split_at_commas() -> None:
    assert split_at_commas("a, b,,") == ("a", "b")
    assert split_at_commas(("a, b",)) == ("a, b",)
