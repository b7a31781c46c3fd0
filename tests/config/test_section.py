"""What all sections of settings share."""

import pytest

from auricle.config.section import Listed, Section, fixed, variable

pytestmark = pytest.mark.unit


class Mood(Section):
    """A section of two settings."""

    title = "Mood"

    mood: str = "calm"
    temper: int = fixed(1)
    causes: Listed[str] = ()


def test_a_section_reads_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Mood().mood == "calm"
    monkeypatch.setenv(variable("mood"), "")
    assert Mood().mood == "calm"
    monkeypatch.setenv("AURICLE_MOOD", "brave")
    assert Mood().mood == "brave"


def test_no_variable_sets_a_fixed_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_TEMPER", "2")
    assert [*Mood.variables()] == ["mood", "causes"]
    assert Mood().temper == 1
    assert Mood(temper=3).temper == 3


def test_a_variable_is_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_CAUSES", "a, b,,")
    assert Mood().causes == ("a", "b")
    assert Mood(causes=("a, b",)).causes == ("a, b",)
