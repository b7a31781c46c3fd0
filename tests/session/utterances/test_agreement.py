"""Stable and unstable text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.session.utterances.agreement import Agreement, Unit, continues, units_of
from auricle.values.types import Segment, Transcript, Word

pytestmark = pytest.mark.unit

SECOND = 16_000


def hypothesis(
    text: str, seconds: float, *, language: str = "en", end_s: float = 0.0
) -> Transcript:
    """Return a transcript whose words are evenly spaced until ``end_s`` (or the end)."""
    parts = text.split(" ") if text else []
    samples = int(seconds * SECOND)
    length = int((end_s or seconds) * SECOND) // max(1, len(parts))
    words = tuple(
        Word(index * length, (index + 1) * length, f" {part}", 0.9)
        for index, part in enumerate(parts)
    )
    segment = Segment(0, samples, text, words)
    return Transcript(text, language, 0.99, samples, (segment,))


def take(agreement: Agreement, text: str, seconds: float, end_s: float = 0.0) -> tuple[str, str]:
    agreement.receive(hypothesis(text, seconds, end_s=end_s), int(seconds * SECOND))
    return agreement.stable, agreement.unstable


def test_one_hypothesis_makes_nothing_stable() -> None:
    assert take(Agreement(), "and so my", 2) == ("", "and so my")


def test_words_that_two_hypotheses_share_are_stable_except_the_last() -> None:
    agreement = Agreement()
    take(agreement, "and so my fell", 2)
    assert take(agreement, "And so my fellow Americans", 3, end_s=2.7) == (
        "And so my",
        " fellow Americans",
    )


def test_words_near_the_end_of_the_audio_wait() -> None:
    agreement = Agreement()
    take(agreement, "one two", 1)
    assert take(agreement, "one two", 2, end_s=1.9) == ("one", " two")
    assert take(agreement, "one two", 3, end_s=1.9) == ("one two", "")


def test_hypotheses_of_nearly_the_same_audio_prove_nothing() -> None:
    agreement = Agreement()
    take(agreement, "one two", 2, end_s=1)
    assert take(agreement, "one two", 2.4, end_s=1) == ("", "one two")
    assert take(agreement, "one two", 2.5, end_s=1) == ("one two", "")


def test_case_and_punctuation_are_no_difference() -> None:
    agreement = Agreement()
    take(agreement, "hello world", 2)
    assert take(agreement, "Hello, world! again", 4)[0] == "Hello, world!"


def test_stable_words_stay_when_a_later_hypothesis_says_otherwise() -> None:
    agreement = Agreement()
    take(agreement, "ill disposed to", 3)
    take(agreement, "ill disposed to go there", 5)
    assert (agreement.stable, agreement.unstable) == ("ill disposed to", " go there")
    # "ill disposed" has become one word; the words after it are matched by time.
    assert take(agreement, "illdisposed to go there now", 6) == ("ill disposed to go there", " now")


def test_an_older_answer_that_comes_late_is_ignored() -> None:
    agreement = Agreement()
    take(agreement, "one two three", 3)
    assert take(agreement, "something else", 2) == ("", "one two three")


def test_languages_without_spaces_agree_on_characters() -> None:
    agreement = Agreement()
    for text, seconds in (("今日は天", 2), ("今日は天気が", 4)):
        agreement.receive(hypothesis(text, seconds, language="ja"), seconds * SECOND)
    assert agreement.stable == "今日は天"
    assert agreement.unstable == "気が"


def test_text_without_words_is_only_a_partial() -> None:
    agreement = Agreement()
    for seconds in (2, 3, 4):
        segment = Segment(0, seconds * SECOND, "no times")
        heard = Transcript("no times", "en", 1.0, seconds * SECOND, (segment,))
        agreement.receive(heard, seconds * SECOND)
    assert (agreement.stable, agreement.unstable) == ("", "no times")


def test_an_empty_partial_is_not_shown() -> None:
    agreement = Agreement()
    take(agreement, "noise", 1)
    assert take(agreement, "", 2) == ("", "")


def worded(*words: tuple[str, float, float], language: str = "en") -> Transcript:
    """Return a transcript of words with their first and last second."""
    times = tuple(
        Word(int(start * SECOND), int(end * SECOND), text, 0.9) for text, start, end in words
    )
    text = "".join(word.text for word in times)
    samples = times[-1].end_sample
    return Transcript(text, language, 0.99, samples, (Segment(0, samples, text, times),))


def test_a_word_that_ends_half_a_second_before_the_end_is_stable_and_none_after_it() -> None:
    for end_s, stable in ((1.5, "one"), (1.51, "")):
        agreement = Agreement()
        heard = worded((" one", 0.0, end_s))
        agreement.receive(heard, SECOND)
        agreement.receive(heard, 2 * SECOND)
        assert agreement.stable == stable


def test_nothing_is_stable_after_the_first_difference() -> None:
    agreement = Agreement()
    take(agreement, "one two three four", 4)
    assert take(agreement, "one too three four", 6, end_s=4) == ("one", " too three four")
    assert take(agreement, "one too three four", 8, end_s=4) == ("one too three four", "")


def test_words_after_a_changed_beginning_follow_the_stable_ones_in_time() -> None:
    agreement = Agreement()
    first = worded((" ill", 0, 1), (" disposed", 1, 2))
    agreement.receive(first, 2 * SECOND)
    agreement.receive(first, 4 * SECOND)
    assert agreement.stable == "ill disposed"
    # The middle of "at" is at the end of "disposed", that of "so" before it.
    agreement.receive(worded((" so", 1.4, 2.5), (" at", 1.5, 2.5), (" it", 2.5, 3)), 5 * SECOND)
    assert agreement.unstable == " at it"


def test_hypotheses_are_compared_with_the_last_that_was_half_a_second_shorter() -> None:
    agreement = Agreement()
    take(agreement, "one", 2, end_s=1)
    take(agreement, "two", 2.4, end_s=1)  # shown, not compared
    assert take(agreement, "one", 2.5, end_s=1) == ("one", "")


def test_an_answer_for_the_same_audio_is_shown() -> None:
    agreement = Agreement()
    take(agreement, "one", 2)
    assert take(agreement, "two", 2) == ("", "two")


def test_a_likely_final_is_shown_after_the_stable_text_if_it_continues_it() -> None:
    agreement = Agreement()
    assert agreement.show(Transcript("Hello  there.", "en", 0.9, SECOND))
    assert (agreement.stable, agreement.unstable) == ("", "Hello there.")
    take(agreement, "hello world", 2)
    take(agreement, "hello world again", 4, end_s=3)
    assert agreement.stable == "hello world"
    assert agreement.show(Transcript("Hello, world! Again, yes.", "en", 0.9, SECOND))
    assert (agreement.stable, agreement.unstable) == ("hello world", " Again, yes.")
    assert not agreement.show(Transcript("Hello word again", "en", 0.9, SECOND))
    assert not agreement.show(Transcript("Hello", "en", 0.9, SECOND))
    assert agreement.unstable == " Again, yes."
    assert agreement.show(Transcript("Hello world.", "en", 0.9, SECOND))
    assert agreement.unstable == ""
    assert not agreement.show(Transcript("Hello world.", "ja", 0.9, SECOND))


def test_characters_share_the_time_of_their_word() -> None:
    heard = worded(("\u4eca\u65e5\u306f", 1, 4), ("\u5929", 4, 5), language="ja")
    assert [
        (each.text, each.start_sample // SECOND, each.end_sample // SECOND)
        for each in units_of(heard)
    ] == [("\u4eca", 1, 2), ("\u65e5", 2, 3), ("\u306f", 3, 4), ("\u5929", 4, 5)]


def test_a_segment_without_words_ends_with_the_audio() -> None:
    words = (Word(0, SECOND, " one", 0.9),)
    segments = (Segment(0, SECOND, " one", words), Segment(SECOND, 2 * SECOND, " two"))
    units = units_of(Transcript("one two", "en", 0.9, 3 * SECOND, segments))
    assert units == [Unit(" one", 0, SECOND), Unit(" two", SECOND, 3 * SECOND)]
    assert [unit.middle_sample for unit in units] == [SECOND // 2, 2 * SECOND]


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "b.", "A", "!", "dd"]), max_size=8).map(" ".join)


@given(steps=st.lists(st.tuples(TEXTS, st.floats(0.1, 2.0)), max_size=12))
def test_the_stable_part_only_ever_grows(steps: list[tuple[str, float]]) -> None:
    agreement = Agreement()
    seconds, before = 0.0, ""
    for text, more_s in steps:
        seconds += more_s
        stable, unstable = take(agreement, text, seconds)
        assert stable.startswith(before)
        assert not stable or not unstable or unstable[0].isspace()
        before = stable


@pytest.mark.parametrize(
    ("stable", "text", "language", "is_continued"),
    [
        ("", "", "en", True),
        ("", "Hello.", None, True),
        ("And so", "and so, my fellow", "en", True),
        ("And so.", "And so", "en", True),
        ("And so", "And", "en", False),
        ("And so", "And sold", "en", False),
        ("a well-known", "A well known man", "en", True),
        ("I'm", "I\u2019m here", "en", True),
        ("your sister", "you're a sister", "en", False),
        ("STRASSE", "Straße", "de", True),
        ("\u4f60\u597d", "\u4f60\u597d\uff0c\u4e16\u754c", "zh", True),
        ("\u4f60\u597d", "\u4f60\u597d\u4e16\u754c", "zh", True),
        ("\u4f60\u597d", "\u4f60\u4e0d\u597d", "zh", False),
        ("\u0915\u093e", "\u0915\u0940", "hi", False),  # only the vowel sign differs
    ],
)
def test_a_text_continues_another_in_words(
    stable: str, text: str, language: str | None, is_continued: bool
) -> None:
    assert continues(stable, text, language) is is_continued
