import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.engines.whisper.prompt import (
    MAX_PREFIX_TOKENS,
    Prompt,
    context_tokens,
    is_untimed,
    prefix_tokens,
)
from auricle.values.types import Job, JobId, Options

pytestmark = pytest.mark.unit

SOT_PREV, BEGIN = 900, 1000


def test_without_earlier_text_there_is_no_context() -> None:
    assert context_tokens((), (), SOT_PREV) == ()


def test_hotwords_come_before_earlier_text() -> None:
    assert context_tokens((1, 2), (3, 4), SOT_PREV) == (SOT_PREV, 3, 4, 1, 2)


def test_earlier_text_keeps_its_end_and_hotwords_their_beginning() -> None:
    assert context_tokens(range(300), (), SOT_PREV) == (SOT_PREV, *range(77, 300))
    assert context_tokens((), range(300), SOT_PREV) == (SOT_PREV, *range(223))
    assert context_tokens(range(300), range(23), SOT_PREV)[24:] == tuple(range(100, 300))


@given(st.lists(st.integers(0, 99), max_size=500), st.lists(st.integers(0, 99), max_size=500))
def test_context_never_takes_more_than_half_of_the_decoder(
    previous: list[int], hotwords: list[int]
) -> None:
    assert len(context_tokens(previous, hotwords, SOT_PREV)) <= 224


def test_a_prefix_starts_at_time_zero_and_has_no_times() -> None:
    assert prefix_tokens((5, BEGIN + 7, 6), BEGIN) == (BEGIN, 5, 6)
    assert prefix_tokens((), BEGIN) == ()


def test_a_long_prefix_is_cut() -> None:
    assert len(prefix_tokens(range(500), BEGIN)) == MAX_PREFIX_TOKENS + 1


def test_a_prompts_length_leaves_the_prefix_out() -> None:
    prompt = Prompt((SOT_PREV, 1), (901, 902), (BEGIN, 5))
    assert prompt.tokens == [SOT_PREV, 1, 901, 902, BEGIN, 5]
    assert prompt.length == 4


def test_only_beams_write_pieces_without_timestamps_and_only_long_ones() -> None:
    cases = itertools.product((False, True), (1, 2, 5), (96_000, 96_001))
    untimed = [
        each
        for each in cases
        if is_untimed(
            Job(JobId("a"), np.zeros(each[2], np.int16), Options(is_chunk=each[0])), each[1]
        )
    ]
    assert untimed == [(True, 2, 96_001), (True, 5, 96_001)]
