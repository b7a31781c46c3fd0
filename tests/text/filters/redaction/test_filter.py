import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.filters.redaction.filter import Redaction
from auricle.values.types import Redact, Segment, Transcript, Word
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit


def words(text: str) -> list[Word]:
    return [Word(at, at + 1, f" {word}", 1.0) for at, word in enumerate(text.split())]


def final(redaction: Redaction, text: str) -> str:
    shown, shown_words = redaction.final(text, words(text), "en")
    assert shown_words is not None
    assert "".join(word.text for word in shown_words).strip() == shown
    return shown


def test_a_number_continues_after_a_final_but_not_after_a_speculative_one() -> None:
    redaction = Redaction({Redact.PCI})
    assert redaction.speculative("4111 1111", None, "en") == ("[NUMBER]", None)
    assert redaction.partial("25 of", " them", None) == ("25 of", " them")
    assert final(redaction, "4111 1111") == "[NUMBER]"
    assert redaction.partial("", "1111 1111 is it", None) == ("", "[CREDIT_CARD] is it")
    assert final(redaction, "1111 1111 is it") == "[CREDIT_CARD] is it"
    assert redaction.partial("25 of", " them", None) == ("25 of", " them")


PIECES = "I look at the dot 25 4111 one double, jane.doe example.com x DE89 WEST +49 plus 2 @ so"


@given(
    st.lists(st.sampled_from(PIECES.split()), max_size=14),
    st.sets(st.sampled_from(tuple(Redact)), min_size=1),
)
def test_stable_text_only_grows(pieces: list[str], kinds: set[Redact]) -> None:
    redaction, before = Redaction(kinds), ""
    for count in range(len(pieces) + 1):
        stable, unstable = " ".join(pieces[:count]), " ".join(["", *pieces[count:]])
        shown, rest = redaction.partial(stable, unstable, None)
        assert shown.startswith(before)
        assert (shown + rest).strip() == redaction.partial(" ".join(pieces), "", None)[0]
        before = shown


def test_a_number_that_continues_in_the_next_segment_is_hidden_in_the_first() -> None:
    given = transcript(
        segment(0, "It is 4111 1111"), segment(100, "1111 1111 thanks."), segment(200, "Bye.")
    )
    hidden = Redaction({Redact.PCI}).transcript(given)
    assert hidden.text == "It is [CREDIT_CARD] thanks. Bye."
    assert [each.text for each in hidden.segments] == [" It is [CREDIT_CARD]", " thanks.", " Bye."]
    first, second, third = (each.words for each in hidden.segments)
    assert first is not None
    assert second is not None
    assert (first[-1].start_sample, first[-1].end_sample) == (2, 102)
    assert second == (Word(102, 103, " thanks.", 0.9),)
    assert third == given.segments[2].words


def test_a_number_is_hidden_in_segments_without_words() -> None:
    given = transcript(
        segment(0, "4111 1111 1111", has_words=False), segment(100, "1111", has_words=False)
    )
    hidden = Redaction({Redact.PCI}).transcript(given)
    assert hidden.text == "[CREDIT_CARD]"
    assert hidden.segments == (Segment(0, 3, " [CREDIT_CARD]"),)


def test_nothing_to_hide_changes_nothing() -> None:
    given = transcript(segment(0, "It is 25."))
    assert Redaction(set(Redact)).transcript(given) is given


def test_numbers_in_spaceless_text_are_hidden() -> None:
    one = Segment(0, 10, "号码是4111", None)
    two = Segment(10, 20, "谢谢", None)
    given = Transcript("号码是4111谢谢", "zh", 1.0, 20, (one, two))
    assert Redaction({Redact.NUMBERS}).transcript(given).text == "号码是[NUMBER]谢谢"
