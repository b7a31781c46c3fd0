"""The search for the largest number of streams that is held."""

import math

import pytest

from auricle.cli.bench.levels import MAX_FIRST, MAX_STREAMS, LevelSearch, first_level

pytestmark = pytest.mark.unit


def tried(first: int, holds: int, max_levels: int = 20) -> tuple[list[int], int]:
    """Search on a machine that holds this number; return the levels, and what was found."""
    search, levels = LevelSearch(first, max_levels), []
    while (level := search.next_level()) is not None:
        levels.append(level)
        search.add(level, 1.9 if level <= holds else 2.5, 2.0)
    return levels, search.holds


@pytest.mark.parametrize("first", [1, 3, 10, 30, 48])
@pytest.mark.parametrize("holds", [1, 2, 5, 13, 36, 200])
def test_it_finds_what_the_machine_holds_within_an_eighth(first: int, holds: int) -> None:
    _, found = tried(first, holds)
    assert holds / 1.13 - 1 < found <= holds


def test_from_a_good_start_four_levels_are_enough() -> None:
    assert tried(30, 33, 4) == ([30, 45, 37, 33], 33)
    assert tried(30, 22, 4) == ([30, 20, 25, 22], 22)


def test_no_level_is_tried_twice() -> None:
    for holds in range(60):
        levels, _ = tried(10, holds)
        assert len(levels) == len(set(levels))


def test_a_machine_that_holds_none_is_tried_with_one() -> None:
    assert tried(4, 0) == ([4, 3, 2, 1], 0)


def test_a_level_that_is_held_beyond_one_that_failed_does_not_count() -> None:
    search = LevelSearch(10, 9)
    search.add(10, 1.0, 2.0)
    search.add(15, 2.1, 2.0)
    search.add(20, 1.9, 2.0)
    assert search.holds == 10


@pytest.mark.parametrize(("p95_s", "following"), [(2.1, 20), (4.0, 15), (math.inf, 10)])
def test_the_later_the_finals_the_smaller_is_the_next_level(p95_s: float, following: int) -> None:
    search = LevelSearch(30, 9)
    search.add(30, p95_s, 2.0)
    assert search.next_level() == following


def test_it_ends_at_the_maximum() -> None:
    levels, found = tried(48, 10_000)
    assert (levels[-1], found) == (MAX_STREAMS, MAX_STREAMS)


@pytest.mark.parametrize(("speed", "level"), [(67, 30), (1.0, 1), (0.1, 1), (500, MAX_FIRST)])
def test_the_first_level_follows_the_speed_for_recordings(speed: float, level: int) -> None:
    assert first_level(speed) == level
