"""Words and segments from tokens and their times."""

import pytest

from auricle.engines.sherpa.words import MAX_TOKEN_S, Hypothesis, segments_of, words_of
from auricle.values.types import SAMPLE_RATE_HZ

pytestmark = pytest.mark.unit

SAMPLES = 3 * SAMPLE_RATE_HZ


def timed(*tokens: str, step_s: float = 0.1, **fields: tuple[float, ...]) -> Hypothesis:
    starts = tuple(step_s * index for index in range(len(tokens)))
    return Hypothesis("".join(tokens).strip(), tokens, starts, **fields)  # type: ignore[arg-type]


def texts(hypothesis: Hypothesis) -> list[str]:
    return [word.text for word in words_of(hypothesis, SAMPLES) or ()]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((" he", "llo", ",", " wor", "ld", "."), [" hello,", " world."]),
        (("he", "llo", " you"), [" hello", " you"]),
        ((" ", "he", "llo", " ", "you"), [" hello", " you"]),
        (("你", "好", "。", "吗"), ["你", "好。", "吗"]),
        ((" ok", "你", "好", " bye"), [" ok", "你", "好", " bye"]),
        ((), []),
    ],
)
def test_a_token_with_a_space_starts_a_word(tokens: tuple[str, ...], expected: list[str]) -> None:
    assert texts(timed(*tokens)) == expected


def test_a_word_lasts_until_its_last_token_ends() -> None:
    first, second = words_of(timed(" a", "b", " c"), SAMPLES) or ()
    assert (first.start_sample, first.end_sample) == (0, int(0.2 * SAMPLE_RATE_HZ))
    assert second.end_sample - second.start_sample == pytest.approx(
        MAX_TOKEN_S * SAMPLE_RATE_HZ, abs=1
    )


def test_durations_end_words_sooner() -> None:
    first, _ = words_of(timed(" a", " b", durations_s=(0.05, 0.1)), SAMPLES) or ()
    assert first.end_sample == int(0.05 * SAMPLE_RATE_HZ)


def test_words_at_one_time_have_lengths_and_stay_in_the_audio() -> None:
    words = words_of(timed(" a", " b", " c", step_s=0.0), SAMPLES) or ()
    assert all(word.start_sample < word.end_sample for word in words)
    late = words_of(timed(" a", " b", step_s=9.0), SAMPLES) or ()
    assert late[-1].start_sample < late[-1].end_sample <= SAMPLES


def test_probabilities_are_means_of_tokens() -> None:
    first, second = words_of(timed(" a", "b", " c", logprobs=(-1.0, -3.0, 0.0)), SAMPLES) or ()
    assert first.probability == pytest.approx(0.1353, abs=1e-4)
    assert second.probability == 1.0
    assert timed(" a", " b", logprobs=(-1.0, -2.0)).avg_logprob == -1.5


@pytest.mark.parametrize(
    "hypothesis",
    [
        Hypothesis("a b", (" a", " b")),
        Hypothesis("a b", (" a",), (0.0,)),
        Hypothesis("a b", (), ()),
    ],
    ids=["no-times", "other-text", "bytes"],
)
def test_tokens_that_do_not_make_up_the_text_are_no_words(hypothesis: Hypothesis) -> None:
    assert words_of(hypothesis, SAMPLES) is None
    (segment,) = segments_of(hypothesis, SAMPLES, by_sentence=True, with_words=True)
    assert (segment.text, segment.words, segment.end_sample) == (" a b", None, SAMPLES)


def test_a_segment_has_words_on_request() -> None:
    hypothesis = timed(" One", " two", ".", " Three", "!")
    (plain,) = segments_of(hypothesis, SAMPLES, by_sentence=False, with_words=False)
    assert (plain.text, plain.words) == (" One two. Three!", None)
    (timed_segment,) = segments_of(hypothesis, SAMPLES, by_sentence=False, with_words=True)
    assert len(timed_segment.words or ()) == 3
    first, second = segments_of(hypothesis, SAMPLES, by_sentence=True, with_words=False)
    assert (first.text, second.text) == (" One two.", " Three!")
    assert first.end_sample <= second.start_sample
