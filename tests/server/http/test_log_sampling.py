import pytest

from auricle.server.http.log_sampling import LINES_PER_WINDOW, MAX_SOURCES, WINDOW_S, LineSampler

pytestmark = pytest.mark.unit


def test_a_few_lines_of_each_source_pass_and_the_others_are_counted() -> None:
    sampler = LineSampler()
    passed = [sampler.admit("a", 0.0) for _ in range(100)]
    assert passed == [0] * LINES_PER_WINDOW + [None] * (100 - LINES_PER_WINDOW)
    assert sampler.admit("b", 0.0) == 0
    assert sampler.admit("a", WINDOW_S - 0.1) is None
    assert sampler.admit("a", WINDOW_S) == 100 - LINES_PER_WINDOW + 1
    assert sampler.admit("a", WINDOW_S) == 0


def test_many_sources_are_bounded_and_the_latest_are_known() -> None:
    sampler = LineSampler()
    for number in range(3 * MAX_SOURCES):
        for _ in range(LINES_PER_WINDOW):
            sampler.admit(number, 0.0)
    assert len(sampler._sources) == MAX_SOURCES
    assert sampler.admit(3 * MAX_SOURCES - 1, 0.0) is None
