from dataclasses import replace

import pytest

from auricle.engines.whisper.guard import (
    Attempt,
    GuardPolicy,
    Verdict,
    best_of,
    has_echo,
    judge_full,
    judge_second,
    judge_short,
)
from auricle.engines.whisper.window import TokenLimit

pytestmark = pytest.mark.unit

FRAMES = 200
POLICY = GuardPolicy(short_min_logprob=-0.6, brief_min_logprob=-100)
TEXT = "The quick brown fox jumps over the lazy dog."
GOOD = Attempt(tuple(range(12)), TEXT, avg_logprob=-0.3, no_speech_prob=0.05)
LIMIT = TokenLimit(floor=20, per_second=10)
MAX_TOKENS = LIMIT.tokens_for(FRAMES)


def test_a_likely_text_is_accepted_in_either_window() -> None:
    assert judge_short(GOOD, FRAMES, LIMIT, POLICY) is Verdict.ACCEPT
    assert judge_full(GOOD, POLICY) is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("logprob", "short", "full"),
    [
        (-0.6, Verdict.ACCEPT, Verdict.ACCEPT),
        (-0.61, Verdict.DOUBT, Verdict.ACCEPT),
        (-1.0, Verdict.DOUBT, Verdict.ACCEPT),
        (-1.01, Verdict.DOUBT, Verdict.DOUBT),
    ],
)
def test_the_short_window_must_be_surer_than_the_full_one(
    logprob: float, short: Verdict, full: Verdict
) -> None:
    attempt = replace(GOOD, avg_logprob=logprob)
    assert judge_short(attempt, FRAMES, LIMIT, POLICY) is short
    assert judge_full(attempt, POLICY) is full


@pytest.mark.parametrize(
    ("content_frames", "prefix_tokens", "logprob", "verdict"),
    [
        (600, 0, -0.5, Verdict.ACCEPT),
        (600, 0, -0.51, Verdict.UNSURE),
        (601, 0, -0.51, Verdict.ACCEPT),
        (600, 4, -0.51, Verdict.ACCEPT),
    ],
)
def test_the_text_of_brief_sound_must_be_likely_as_a_whole(
    content_frames: int, prefix_tokens: int, logprob: float, verdict: Verdict
) -> None:
    policy = GuardPolicy(brief_up_to_frames=600, brief_min_logprob=-7.5)
    tokens = tuple(range(14))
    attempt = replace(GOOD, tokens=tokens, avg_logprob=logprob, prefix_tokens=prefix_tokens)
    assert judge_short(attempt, content_frames, LIMIT, policy) is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" Erase X-A-G-N-A.", Verdict.DOUBT),
        (" Rabout EYFCX4", Verdict.DOUBT),
        (" Robert C. B. W.", Verdict.DOUBT),
        (" I was in Room 42, a while.", Verdict.UNSURE),
        (" E-Race in the 15th century", Verdict.UNSURE),
    ],
)
def test_spelled_letters_that_are_unlikely_as_a_whole_are_doubtful(
    text: str, verdict: Verdict
) -> None:
    attempt = replace(GOOD, text=text, tokens=tuple(range(20)), avg_logprob=-0.5)
    assert judge_short(attempt, 600, LIMIT, GuardPolicy(brief_min_logprob=-7.5)) is verdict


FIRST = replace(GOOD, text="first", avg_logprob=-0.5)


@pytest.mark.parametrize(
    ("text", "logprob", "verdict", "kept", "expected"),
    [
        ("second", -0.4, Verdict.ACCEPT, "second", Verdict.ACCEPT),
        ("second", -0.4, Verdict.UNSURE, "second", Verdict.ACCEPT),
        ("second", -0.6, Verdict.UNSURE, "first", Verdict.ACCEPT),
        ("second", -0.4, Verdict.DOUBT, "second", Verdict.DOUBT),
        (" ", -0.4, Verdict.ACCEPT, " ", Verdict.DOUBT),
    ],
)
def test_the_likelier_of_two_texts_is_kept_unless_the_second_is_doubtful_or_empty(
    text: str, logprob: float, verdict: Verdict, kept: str, expected: Verdict
) -> None:
    second = replace(GOOD, text=text, avg_logprob=logprob)
    attempt, result = judge_second(FIRST, second, verdict)
    assert (attempt.text, result) == (kept, expected)


@pytest.mark.parametrize(
    ("earlier_logprob", "no_speech_prob", "verdict"),
    [(-1.1, 0.61, Verdict.SILENT), (-0.9, 0.61, Verdict.ACCEPT), (-1.1, 0.6, Verdict.ACCEPT)],
)
def test_likely_words_over_no_speech_are_dropped_if_others_were_unlikely_before(
    earlier_logprob: float, no_speech_prob: float, verdict: Verdict
) -> None:
    attempt = replace(GOOD, avg_logprob=-0.9, no_speech_prob=no_speech_prob)
    earlier = [GOOD, replace(GOOD, avg_logprob=earlier_logprob)]
    assert judge_full(attempt, POLICY, earlier) is verdict


def test_an_improbable_partial_is_accepted_unless_it_loops() -> None:
    policy = POLICY.for_partials()
    for unlikely in (replace(GOOD, avg_logprob=-3.0), replace(GOOD, no_speech_prob=0.9)):
        assert judge_short(unlikely, FRAMES, LIMIT, policy) is Verdict.ACCEPT
        assert judge_full(unlikely, policy) is Verdict.ACCEPT
    assert judge_short(replace(GOOD, is_cut=True), FRAMES, LIMIT, policy) is Verdict.DOUBT
    assert judge_short(replace(GOOD, avg_logprob=-3.0), 100, LIMIT, policy) is Verdict.ACCEPT


def test_only_the_full_window_may_decide_that_there_is_no_speech() -> None:
    attempt = replace(GOOD, avg_logprob=-1.2, no_speech_prob=0.7)
    assert judge_short(attempt, FRAMES, LIMIT, POLICY) is Verdict.DOUBT
    assert judge_full(attempt, POLICY) is Verdict.SILENT


def test_confident_words_are_kept_even_without_detected_speech() -> None:
    assert judge_short(replace(GOOD, no_speech_prob=0.9), FRAMES, LIMIT, POLICY) is Verdict.ACCEPT


def test_more_tokens_than_the_sound_can_hold_are_doubtful_in_the_short_window_only() -> None:
    attempt = replace(GOOD, tokens=tuple(range(MAX_TOKENS + 1)))
    assert judge_short(attempt, FRAMES, LIMIT, POLICY) is Verdict.DOUBT
    assert (
        judge_short(replace(attempt, tokens=tuple(range(MAX_TOKENS))), FRAMES, LIMIT, POLICY)
        is Verdict.ACCEPT
    )
    assert judge_full(attempt, POLICY) is Verdict.ACCEPT


def test_a_text_that_met_its_limit_is_doubtful() -> None:
    assert judge_short(replace(GOOD, is_cut=True), FRAMES, LIMIT, POLICY) is Verdict.DOUBT


def test_a_text_that_compresses_too_well_is_doubtful() -> None:
    attempt = replace(GOOD, text="very very well " * 12)
    assert attempt.compression_ratio > 2.4
    assert judge_short(attempt, FRAMES, LIMIT, POLICY) is Verdict.DOUBT
    assert judge_full(attempt, POLICY) is Verdict.DOUBT


def test_repeated_tokens_are_doubtful_even_if_the_text_is_too_short_to_compress() -> None:
    attempt = replace(GOOD, tokens=(1, 2, 3) * 6, text="ha")
    assert judge_full(attempt, POLICY) is Verdict.DOUBT


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([*range(8), *range(8)], True),
        ([9, *range(8), 11, 12, *range(8), 13], True),
        ([*range(7), 20, *range(7), 21], False),
        ([7] * 15, False),
        ([*range(8)], False),
        ([], False),
    ],
)
def test_eight_tokens_that_come_twice_are_an_echo(tokens: list[int], expected: bool) -> None:
    assert has_echo(tokens) is expected


def test_only_the_full_window_may_repeat_a_sentence() -> None:
    attempt = replace(GOOD, tokens=(*range(10), 50, *range(10)))
    assert judge_short(attempt, FRAMES, LIMIT, POLICY) is Verdict.DOUBT
    assert judge_full(attempt, POLICY) is Verdict.ACCEPT


def test_the_likeliest_of_doubtful_attempts_wins_unless_it_loops() -> None:
    loop = replace(GOOD, tokens=(5,) * 30, avg_logprob=-0.1)
    unsure, surer = replace(GOOD, avg_logprob=-1.4), replace(GOOD, avg_logprob=-1.1)
    assert best_of([loop, unsure, surer], POLICY) is surer
    assert best_of([loop], POLICY) is loop


def test_an_empty_text_has_no_compression() -> None:
    assert replace(GOOD, text="").compression_ratio == 0
