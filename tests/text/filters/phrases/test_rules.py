import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.edits import edited_text
from auricle.text.filters.phrases.rules import Style, phrase_edits

pytestmark = pytest.mark.unit

PHRASE = Style(capitalize=False, final_period=False, names=("Zyntrix",))


def written(text: str, language: str | None = "en", style: Style = PHRASE) -> str:
    return edited_text(text, phrase_edits(text, style, frozenset(style.names), language))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("The quick brown fox.", "the quick brown fox"),
        (" The quick brown fox. ", " the quick brown fox "),
        ('"Come in," he said.', '"come in," he said'),
        ("Hello there. How are you.", "hello there. How are you"),
        ("A dog.", "a dog"),
        ("It's late.", "it's late"),
        ("No", "no"),
        ("¿Cómo estás?", "¿cómo estás?"),
        ("Élan vital.", "élan vital"),
        ("Это кот.", "это кот"),
        ("今日は晴れ。", "今日は晴れ"),
        ("यह अच्छा है।", "यह अच्छा है"),
    ],
)
def test_the_marks_of_a_sentence_are_left_out(text: str, phrase: str) -> None:
    assert written(text) == phrase


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "I",
        "I'm late",
        "I’ve seen it",
        "NASA launched it",
        "McDonald had a farm",
        "iPhones",
        "B2B sales",
        "Zyntrix arrived",
        "42 is it",
        "straße",
    ],
)
def test_what_is_not_a_mark_of_a_sentence_stays(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    "text", ["ready?", "stop!", "wait...", "wait…", "at 3 p.m.", "in the U.S.", "and so on, etc."]
)
def test_only_the_full_stop_of_a_sentence_is_left_out(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    ("text", "language", "phrase"),
    [
        ("Der Hund bellt.", "de", "der Hund bellt"),
        ("Hunde bellen.", "de", "Hunde bellen"),
        ("Sie haben recht.", "de", "Sie haben recht"),
        ("I ragazzi giocano.", "it", "i ragazzi giocano"),
        ("Işık söndü.", "tr", "ışık söndü"),
        ("İyi günler.", "tr", "İyi günler"),
        ("The end.", None, "the end"),
    ],
)
def test_languages_differ_in_their_capitals(text: str, language: str | None, phrase: str) -> None:
    assert written(text, language) == phrase


def test_each_mark_is_an_option() -> None:
    assert written("The end.", style=Style(final_period=False)) == "The end"
    assert written("The end.", style=Style(capitalize=False)) == "the end."
    assert written("The end.", style=Style()) == "The end."


@given(text=st.text(max_size=50), language=st.sampled_from(["en", "de", "tr", None]))
def test_nothing_else_changes(text: str, language: str | None) -> None:
    phrase = written(text, language)
    assert (
        phrase.casefold().strip()
        in {
            text.casefold().strip(),
            text.casefold().strip()[:-1].strip(),
        }
        or language == "tr"
    )
    assert len(text) - 1 <= len(phrase) <= len(text)
