import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.engines.whisper.segmentation import (
    Split,
    TokenSpan,
    split_at_sentences,
    split_at_timestamps,
)

pytestmark = pytest.mark.unit

BEGIN = 1000
STEP = 320


def at(seconds: float) -> int:
    return BEGIN + round(seconds * 50)


def test_a_text_between_two_timestamps_is_one_segment() -> None:
    split = split_at_timestamps([at(0), 1, 2, at(2)], BEGIN, content_frames=300)
    assert split.spans == (TokenSpan((at(0), 1, 2, at(2)), 0, 32_000),)
    assert (split.consumed_frames, split.is_whole) == (300, True)


def test_two_timestamps_in_a_row_end_one_segment_and_start_the_next() -> None:
    split = split_at_timestamps([at(0), 1, at(1), at(1.2), 2, at(3)], BEGIN, 320)
    assert split.spans == (
        TokenSpan((at(0), 1, at(1)), 0, 16_000),
        TokenSpan((at(1.2), 2, at(3)), 19_200, 48_000),
    )
    assert (split.consumed_frames, split.is_whole) == (320, True)


def test_a_pair_at_the_end_leaves_the_rest_to_another_window() -> None:
    split = split_at_timestamps([at(0), 1, at(1), at(1), 2, at(2), at(2)], BEGIN, 900)
    assert [span.tokens for span in split.spans] == [(at(0), 1, at(1)), (at(1), 2, at(2))]
    assert (split.consumed_frames, split.is_whole) == (200, False)


def test_an_unfinished_last_segment_is_left_to_another_window() -> None:
    split = split_at_timestamps([at(0), 1, at(1), at(1), 2, 3], BEGIN, 900)
    assert [span.tokens for span in split.spans] == [(at(0), 1, at(1))]
    assert (split.consumed_frames, split.is_whole) == (100, False)


def test_text_without_times_lasts_as_long_as_the_sound() -> None:
    split = split_at_timestamps([1, 2, 3], BEGIN, 250)
    assert split.spans == (TokenSpan((1, 2, 3), 0, 40_000),)


def test_a_start_without_an_end_lasts_as_long_as_the_sound() -> None:
    assert split_at_timestamps([at(0), 1, 2], BEGIN, 250).spans[0].end_sample == 40_000


def test_a_pair_of_zeros_can_not_stop_the_job_from_continuing() -> None:
    split = split_at_timestamps([at(0), at(0), 1, 2], BEGIN, 250)
    assert split.spans == (TokenSpan((at(0), at(0), 1, 2), 0, 40_000),)
    assert (split.consumed_frames, split.is_whole) == (250, True)


def test_times_behind_the_sound_settle_no_more_than_the_sound() -> None:
    assert split_at_timestamps([at(0), 1, at(9), at(9)], BEGIN, 250).consumed_frames == 250


def test_nothing_generated_is_one_empty_segment() -> None:
    assert split_at_timestamps([], BEGIN, 100).spans == (TokenSpan((), 0, 16_000),)


@given(st.lists(st.integers(0, BEGIN + 1500), max_size=60), st.integers(1, 3000))
def test_whatever_is_generated_the_window_moves_on_and_stays_inside(
    tokens: list[int], content_frames: int
) -> None:
    split = split_at_timestamps(tokens, BEGIN, content_frames)
    assert 0 < split.consumed_frames <= content_frames
    flat = [token for span in split.spans for token in span.tokens]
    assert flat == tokens[: len(flat)]
    assert not split.is_whole or flat == tokens


def sentences(*parts: str) -> list[str]:
    settled = Split((), 250, is_whole=False)
    split = split_at_sentences(parts, [[i] for i in range(len(parts))], settled)
    assert (split.consumed_frames, split.is_whole) == (250, False)
    assert {(span.start_sample, span.end_sample) for span in split.spans} == {(0, 40_000)}
    assert [token for span in split.spans for token in span.tokens] == list(range(len(parts)))
    return ["".join(parts[token] for token in span.tokens) for span in split.spans]


def test_a_text_is_cut_behind_each_sentence() -> None:
    found = sentences(" Come", " in", ".", " Where", " is", " it", "?", " Here", "!")
    assert found == [" Come in.", " Where is it?", " Here!"]


def test_closing_marks_stay_with_their_sentence() -> None:
    assert sentences(' "', "Stop", "!", '"', " he", " said") == [' "Stop!" he said']
    assert sentences(' "', "Stop", "!", '"', " She", " ran") == [' "Stop!"', " She ran"]
    assert sentences(" Is", " it", "?", "!", " Yes") == [" Is it?!", " Yes"]


@pytest.mark.parametrize(
    "parts",
    [
        (" Mr", ".", " Smith"),
        (" I", " know", " Dr", ".", " No"),
        (" U", ".", "S", ".", " Army"),
        (" about", " 3", ".", "14", " or"),
        (" well", "...", " perhaps"),
        (" Yes", ".", " That", " is", " it"),
        (" The", " end", ".", " "),
    ],
    ids="".join,
)
def test_what_only_looks_like_the_end_of_a_sentence_is_none(parts: tuple[str, ...]) -> None:
    assert sentences(*parts) == ["".join(parts)]


def test_languages_without_spaces_are_cut_at_their_own_marks() -> None:
    found = sentences("你", "好", "。", "」", "再", "见", "！", "好")
    assert found == ["你好。」", "再见！", "好"]


def test_nothing_written_is_one_empty_sentence() -> None:
    assert sentences() == [""]
