"""Delays of finals: which final belongs to a sentence, what is missing, and percentiles."""

import math

import pytest

from auricle.cli.bench.score import (
    MAX_P95_S,
    LevelResult,
    PlayedStream,
    ReceivedFinal,
    level_result,
    percentile,
)

pytestmark = pytest.mark.unit


def result(*played: PlayedStream) -> LevelResult:
    return level_result(played, has_partials=True, seconds=10.0, cores=1.5, other_cores=0.25)


def test_a_delay_is_the_time_from_the_end_of_speech_to_the_final_that_contains_it() -> None:
    finals = [ReceivedFinal(5.9, 1.0, 5.4), ReceivedFinal(11.3, 6.3, 10.5)]
    stream = PlayedStream((5.0, 10.2), finals=finals)
    assert list(stream.delays_s()) == pytest.approx([0.9, 1.1])


def test_the_first_final_with_the_end_of_a_sentence_counts() -> None:
    finals = [ReceivedFinal(4.0, 1.0, 3.0), ReceivedFinal(6.0, 3.1, 5.3), ReceivedFinal(7.0, 0, 9)]
    assert list(PlayedStream((5.0,), finals=finals).delays_s()) == [1.0]


def test_a_sentence_without_a_final_is_infinitely_late() -> None:
    finals = [ReceivedFinal(5.9, 1.0, 5.4)]
    assert list(PlayedStream((5.0, 10.2), finals=finals).delays_s())[1] == math.inf
    assert not result(PlayedStream((5.0,))).is_held


def test_refused_streams_make_a_level_fail() -> None:
    served = PlayedStream((5.0,), finals=[ReceivedFinal(5.5, 1.0, 5.2)])
    refused = PlayedStream((5.0,), is_refused=True)
    assert result(served).is_held
    level = result(served, refused)
    assert (level.is_held, level.refused, level.late_p99_s) == (False, 1, 0.0)


def test_the_figures_of_a_level() -> None:
    streams = [
        PlayedStream((1.0,), [0.0, 0.02], [ReceivedFinal(1.5 + i / 10, 0.2, 1.2)], partials=5)
        for i in range(20)
    ]
    level = result(*streams)
    assert (level.streams, level.finals, level.cores, level.other_cores) == (20, 20, 1.5, 0.25)
    assert (level.p50_s, level.p95_s) == pytest.approx((1.4, 2.3))
    assert level.partials_per_s == 0.5
    assert level.late_p99_s == 0.02
    assert level.is_held is (level.p95_s <= MAX_P95_S) is False


def test_percentiles() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0], 95) == 3.0
    assert percentile([], 50) == math.inf
