"""Figures of a comparison."""

from math import inf

import pytest

from bench.compare.figures import DELAYS, Runs, compare
from bench.lib.scoring import word_errors

pytestmark = pytest.mark.unit


def runs(delays_s: list[float], cpu_s: float = 1.0) -> Runs:
    made = Runs(cpu_s=[cpu_s] * 3, memory_mb=[100.0] * 3, partials_per_s=[0.5])
    made.errors.append(word_errors("we saw her", "we saw"))
    for name in DELAYS:
        made.delays_s[name] = list(delays_s)
    return made


def test_delays_of_half_the_length_are_half_with_a_narrow_interval() -> None:
    reference = [0.5 + i / 100 for i in range(200)]
    ratio = compare(runs([each / 2 for each in reference], 0.25), runs(reference))
    assert ratio["final_50_s"].json() == [0.5, 0.5, 0.5]
    assert str(ratio["last_word_95_s"]) == "0.50 (0.50-0.50)"
    assert ratio["cpu_s"].json() == [0.25, 0.25, 0.25]


def test_an_interval_holds_the_ratio_of_noisy_delays() -> None:
    one, other = [1.0, 2.0, 3.0, 9.0] * 20, [2.0, 1.0, 4.0, 8.0] * 20
    ratio = compare(runs(one), runs(other))["final_50_s"]
    assert ratio.low < ratio.value <= ratio.high


def test_what_never_came_is_no_number() -> None:
    lost = runs([1.0, inf, inf])
    assert lost.figures()["final_50_s"] is None
    assert str(compare(lost, runs([1.0, 1.0, 1.0]))["final_50_s"]) == "never"


def test_errors_of_all_streams_count_together() -> None:
    assert runs([1.0]).figures()["wer_percent"] == pytest.approx(33.33)
