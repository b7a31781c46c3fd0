import pytest

from auricle.text.transcripts import redacted, with_numerals
from auricle.values.types import Redact, Segment, Transcript, Word

pytestmark = pytest.mark.unit


def segment(
    start: int, text: str, *, has_words: bool = True, language: str | None = None
) -> Segment:
    words = tuple(
        Word(start + at, start + at + 1, f" {word}", 0.9) for at, word in enumerate(text.split())
    )
    return Segment(
        start, start + len(words), f" {text}", words if has_words else None, language=language
    )


def transcript(*segments: Segment, language: str = "en") -> Transcript:
    text = " ".join(each.text.strip() for each in segments)
    return Transcript(text, language, 1.0, 1000, segments)


def test_a_number_that_continues_in_the_next_segment_is_hidden_in_the_first() -> None:
    given = transcript(
        segment(0, "It is 4111 1111"), segment(100, "1111 1111 thanks."), segment(200, "Bye.")
    )
    hidden = redacted(given, {Redact.PCI})
    assert hidden.text == "It is [CREDIT_CARD] thanks. Bye."
    assert [each.text for each in hidden.segments] == [" It is [CREDIT_CARD]", " thanks.", " Bye."]
    first, second, third = (each.words for each in hidden.segments)
    assert first is not None
    assert second is not None
    assert (first[-1].start_sample, first[-1].end_sample) == (2, 102)
    assert second == (Word(102, 103, " thanks.", 0.9),)
    assert third == given.segments[2].words


def test_a_segment_without_words_is_rewritten_and_one_without_text_is_dropped() -> None:
    given = transcript(
        segment(0, "4111 1111 1111", has_words=False), segment(100, "1111", has_words=False)
    )
    hidden = redacted(given, {Redact.PCI})
    assert hidden.text == "[CREDIT_CARD]"
    assert hidden.segments == (Segment(0, 3, " [CREDIT_CARD]"),)


def test_nothing_to_hide_changes_nothing() -> None:
    given = transcript(segment(0, "It is 25."))
    assert redacted(given, set(Redact)) is given


def test_only_english_segments_get_digits() -> None:
    given = transcript(
        segment(0, "twenty five cats"), segment(100, "six chats", language="fr"), language="en"
    )
    written = with_numerals(given)
    assert written.text == "25 cats six chats"
    assert written.segments[0].words == (Word(0, 2, " 25", 0.9), Word(2, 3, " cats", 0.9))
    assert written.segments[1] is given.segments[1]


def test_spaceless_text_stays_so() -> None:
    one = Segment(0, 10, "号码是4111", None)
    two = Segment(10, 20, "谢谢", None)
    hidden = redacted(Transcript("号码是4111谢谢", "zh", 1.0, 20, (one, two)), {Redact.NUMBERS})
    assert hidden.text == "号码是[NUMBER]谢谢"
