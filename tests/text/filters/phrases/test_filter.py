import pytest

from auricle.text.filters.phrases.filter import Phrases
from auricle.text.filters.phrases.rules import Style
from auricle.text.filters.registry import open_filters
from auricle.values.errors import BadRequest
from auricle.values.text_filters import FilterChoice
from auricle.values.types import Word
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit

PHRASE = Style(capitalize=False, final_period=False)
WORDS = (Word(0, 1, " The", 0.9), Word(1, 2, " end.", 0.8))


def test_finals_change_in_their_text_and_words() -> None:
    text, words = Phrases(PHRASE).final(" The end.", WORDS, "en")
    assert text == " the end"
    assert words == (Word(0, 1, " the", 0.9), Word(1, 2, " end", 0.8))
    assert Phrases(PHRASE).speculative("The end.", None, "en") == ("the end", None)


def test_a_partial_keeps_its_text() -> None:
    assert Phrases(PHRASE).partial("The", " end.", "en") == ("The", " end.")


def test_a_file_changes_at_its_beginning_and_at_its_end() -> None:
    given = transcript(
        segment(0, "The fox ran."), segment(100, "Then it slept."), segment(200, "It woke.")
    )
    written = Phrases(PHRASE).transcript(given)
    assert written.text == "the fox ran. Then it slept. It woke"
    assert [each.text for each in written.segments] == [
        " the fox ran.",
        " Then it slept.",
        " It woke",
    ]
    assert written.segments[1] == given.segments[1]
    assert Phrases(Style()).transcript(given) is given


def test_a_file_without_speech_stays_empty() -> None:
    assert Phrases(PHRASE).transcript(transcript()).text == ""


def test_requests_choose_it_by_its_options() -> None:
    filters = open_filters([FilterChoice.of("phrases", {"capitalize": False})])
    assert filters.final("The end.", None, "en") == ("the end.", None)
    with pytest.raises(BadRequest):
        open_filters([FilterChoice.of("phrases", {"capitals": False})])
