import numpy as np
import pytest

from auricle.values.speakers import Span
from auricle.workers.kinds.speakers.voices.stretches import cut_stretches
from auricle.workers.kinds.speakers.voices.turns import Turn, best_path, find_turns

pytestmark = pytest.mark.unit

S = 16_000


def span(start_s: float, end_s: float) -> Span:
    return round(start_s * S), round(end_s * S)


def turns_of(voiced: list[Span], change_s: float) -> list[tuple[float, float, int]]:
    """Return the turns where speaker 1 speaks from a moment on."""
    stretches = cut_stretches(voiced)
    share = [np.clip((end / S - change_s) / ((end - start) / S), 0, 1) for start, end in stretches]
    scores = np.array([[0.6 * (1 - late), 0.6 * late] for late in share])
    found = find_turns(voiced, stretches, scores)
    return [(turn.start_sample / S, turn.end_sample / S, turn.speaker) for turn in found]


def test_a_change_of_speaker_in_a_pause_ends_the_turn_there() -> None:
    voiced = [span(0, 3.3), span(3.5, 9)]
    assert turns_of(voiced, 3.4) == [(0, 3.284, 0), (3.436, 8.984, 1)]


def test_a_change_near_a_pause_is_moved_to_it() -> None:
    voiced = [span(0, 3.8), span(4.0, 9)]
    assert turns_of(voiced, 3.6) == [(0, 3.784, 0), (3.936, 8.984, 1)]


def test_a_change_without_a_pause_is_found_within_half_a_second() -> None:
    (start, middle, first), (again, end, second) = turns_of([span(0, 10)], 5.0)
    assert (start, end, first, second, middle) == (0, 9.984, 0, 1, again)
    assert abs(middle - 5.0) <= 0.5


def test_a_turn_starts_and_ends_a_little_early_but_does_not_reach_into_the_turn_before() -> None:
    voiced, stretches = [span(1, 3), span(3.02, 5)], [span(1, 3), span(3.02, 5)]
    turns = find_turns(voiced, stretches, np.array([[0.8, 0.1], [0.1, 0.8]]))
    assert [(turn.start_sample / S, turn.end_sample / S) for turn in turns] == [
        (0.936, 2.984),
        (2.984, 4.984),
    ]


def test_a_very_short_sound_between_two_speakers_is_a_turn() -> None:
    tail = (3 * S, 3 * S + 5)
    turns = find_turns(
        [span(1, 3), tail], [span(1, 3), tail], np.array([[0.8, -9000], [-9000, 9000]])
    )
    assert [(turn.start_sample, turn.end_sample) for turn in turns] == [
        (round(0.936 * S), 3 * S),
        (3 * S, 3 * S + 3),
    ]


def test_a_long_pause_ends_a_turn_and_a_short_one_does_not() -> None:
    voiced = [span(0, 2), span(2.25, 4), span(6, 8)]
    assert turns_of(voiced, 100) == [(0, 3.984, 0), (5.936, 7.984, 0)]


def test_a_sound_without_a_stretch_belongs_to_a_neighbour() -> None:
    assert turns_of([span(0, 3), span(3.25, 3.4), span(5, 8)], 4) == [
        (0, 3.384, 0),
        (4.936, 7.984, 1),
    ]


def test_a_clear_turn_is_more_confident_than_a_doubtful_one() -> None:
    voiced, stretches = [span(0, 3), span(5, 8)], [span(0, 3), span(5, 8)]
    clear, doubtful = find_turns(voiced, stretches, np.array([[0.8, 0.1], [0.42, 0.4]]))
    assert clear.confidence > 0.99
    assert 0.5 < doubtful.confidence < 0.6


def test_one_speaker_is_certain() -> None:
    assert find_turns([span(0, 3)], [span(0, 3)], np.array([[0.5]])) == [
        Turn(0, round(2.984 * S), 0, 1.0)
    ]


def test_nothing_has_no_turns() -> None:
    assert find_turns([], [], np.zeros((0, 2))) == []


def test_the_best_path_changes_only_where_that_pays() -> None:
    gains = np.array([[2.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    assert best_path(gains, np.array([1.0, 1.0, 1.0])).tolist() == [0, 0, 0, 1]
    assert best_path(gains, np.array([0.1, 0.1, 0.1])).tolist() == [0, 1, 0, 1]
