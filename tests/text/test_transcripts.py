import re

import pytest

from auricle.text.edits import Edit
from auricle.text.transcripts import edited_segments, with_segments
from auricle.values.types import Segment, Transcript
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit


def digits_replaced(text: str) -> list[Edit]:
    """Replace all digits, and the spaces between them, by an X."""
    return [Edit(*match.span(), "X") for match in re.finditer(r"\d+(?: \d+)*", text)]


def edited(given: Transcript) -> Transcript:
    return with_segments(given, edited_segments(given.segments, digits_replaced))


def test_a_replacement_belongs_to_the_segment_in_which_it_begins() -> None:
    given = transcript(segment(0, "It is 4111"), segment(100, "1111 thanks."), segment(200, "Bye."))
    shown = edited(given)
    assert shown.text == "It is X thanks. Bye."
    assert [each.text for each in shown.segments] == [" It is X", " thanks.", " Bye."]
    first, second, third = (each.words for each in shown.segments)
    assert first is not None
    assert second is not None
    assert (first[-1].start_sample, first[-1].end_sample) == (2, 101)
    assert [word.text for word in second] == [" thanks."]
    assert third == given.segments[2].words


def test_a_segment_without_words_is_rewritten_and_one_without_text_is_dropped() -> None:
    shown = edited(
        transcript(segment(0, "41 11", has_words=False), segment(100, "11", has_words=False))
    )
    assert shown.text == "X"
    assert shown.segments == (Segment(0, 2, " X"),)


def test_a_transcript_without_replacements_is_the_same() -> None:
    given = transcript(segment(0, "It is fine."))
    assert edited(given) is given


def test_spaceless_text_stays_so() -> None:
    one = Segment(0, 10, "号码是4111", None)
    two = Segment(10, 20, "谢谢", None)
    shown = edited(Transcript("号码是4111谢谢", "zh", 1.0, 20, (one, two)))
    assert shown.text == "号码是X谢谢"
