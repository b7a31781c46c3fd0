import pytest

from auricle.engines.whisper.alignment import Alignment, TimedWord, align_spans, timed_words
from auricle.engines.whisper.segmentation import TokenSpan

pytestmark = pytest.mark.unit

EOT = 100


def word(text: str, start_s: float, end_s: float, *tokens: int) -> TimedWord:
    return TimedWord(text, tokens or (1,), start_s, end_s, 0.9)


def span(start_s: float, end_s: float, *tokens: int) -> TokenSpan:
    return TokenSpan(tokens, round(start_s * 16_000), round(end_s * 16_000))


def test_a_word_lasts_from_its_first_tokens_position_to_the_next_words() -> None:
    path = [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5), (3, 10)]
    words = timed_words(
        [" Hel" + "lo", " you", ""], [[1, 2], [3], [EOT]], Alignment(path, [0.5, 1.0, 0.8])
    )
    assert words == [
        TimedWord(" Hello", (1, 2), 0.0, 0.08, 0.75),
        TimedWord(" you", (3,), 0.08, 0.2, 0.8),
    ]


def test_nothing_but_the_end_token_has_no_words() -> None:
    assert timed_words(["<|endoftext|>"], [[EOT]], Alignment([], [])) == []


def test_marks_join_the_words_that_they_belong_to() -> None:
    words = [
        word(' "', 0, 0.1, 1),
        word("Go", 0.1, 0.4, 2),
        word("!", 0.4, 0.5, 3),
        word(" now", 0.5, 0.8, 4),
    ]
    (aligned,) = align_spans([span(0, 1, 1, 2, 3, 4)], words, EOT, 0.0)
    assert [(each.text, each.tokens) for each in aligned.words] == [
        (' "Go!', (1, 2, 3)),
        (" now", (4,)),
    ]


def test_each_segment_gets_the_words_of_its_tokens() -> None:
    words = [word(" one", 0.0, 0.4, 1), word(" two", 0.4, 0.8, 2), word(" three", 1.5, 1.9, 3)]
    first, second = align_spans([span(0, 1, 1, 2), span(1.4, 2, 3)], words, EOT, 0.0)
    assert [each.text for each in first.words] == [" one", " two"]
    assert [each.text for each in second.words] == [" three"]
    assert (second.start_sample, second.end_sample) == (24_000, 30_400)


def test_timestamps_are_not_counted_as_words() -> None:
    words = [word(" one", 0.0, 0.4, 1), word(" two", 0.4, 0.8, 2)]
    first, second = align_spans(
        [span(0, 0.4, 200, 1, 220), span(0.4, 1, 220, 2, 250)], words, EOT, 0.0
    )
    assert [len(first.words), len(second.words)] == [1, 1]


def test_the_first_word_after_a_pause_does_not_reach_back_into_it() -> None:
    words = [word(" well", 0.0, 3.0, 1), word(" yes", 3.0, 3.3, 2), word(" no", 3.3, 3.6, 3)]
    (aligned,) = align_spans([span(2.5, 4, 1, 2, 3)], words, EOT, 0.0)
    assert aligned.words[0].start_sample == round(2.4 * 16_000)
    assert aligned.words[0].end_sample == 48_000


def test_a_mark_that_stretches_over_a_pause_is_shortened() -> None:
    words = [word(" so", 0.0, 0.3, 1), word(".", 0.3, 4.0, 2), word(" then", 4.0, 4.3, 3)]
    (aligned,) = align_spans([span(0, 5, 1, 2, 3)], words, EOT, 0.0)
    assert aligned.words[0].text == " so."
    assert aligned.words[1].start_sample == 64_000


def test_a_last_word_far_too_long_ends_with_its_segment() -> None:
    words = [word(" one", 0.0, 0.4, 1), word(" two", 0.4, 0.8, 2), word(" end", 0.8, 5.0, 3)]
    (aligned,) = align_spans([span(0, 1.5, 1, 2, 3)], words, EOT, 0.0)
    assert aligned.words[-1].end_sample == aligned.end_sample == 24_000


def test_a_segment_without_words_keeps_its_own_times() -> None:
    (aligned,) = align_spans([span(0.5, 1.5, 200)], [], EOT, 0.0)
    assert (aligned.start_sample, aligned.end_sample, aligned.words) == (8_000, 24_000, ())
