"""Rate-limited warnings."""

from math import inf

import pytest

from auricle.session.warnings import WARN_EVERY_SAMPLES, HeldWarnings
from auricle.values.events import Warned, WarningCode

pytestmark = pytest.mark.unit

ERRORS = Warned(WarningCode.DECODE_ERRORS, "Opus packet could not be decoded.")


def gap(gap_ms: int) -> Warned:
    return Warned(WarningCode.AUDIO_GAP, "Audio is missing.", gap_ms)


def test_the_first_of_its_kind_is_reported_at_once_and_once() -> None:
    held = HeldWarnings()
    held.add(gap(20))
    held.add(ERRORS)
    assert held.due(0) == [gap(20), ERRORS]
    assert held.due(inf) == []


def test_the_next_of_its_kind_waits_for_a_second_of_audio() -> None:
    held = HeldWarnings()
    held.add(ERRORS)
    held.due(100)
    for _ in range(1000):
        held.add(ERRORS)
    held.add(gap(20))
    assert held.due(99 + WARN_EVERY_SAMPLES) == [gap(20)]
    assert held.due(100 + WARN_EVERY_SAMPLES) == [ERRORS]


def test_gaps_that_wait_are_added_up() -> None:
    held = HeldWarnings()
    held.add(gap(20))
    held.due(0)
    held.add(gap(40))
    held.add(gap(100))
    assert held.due(WARN_EVERY_SAMPLES) == [gap(140)]
    held.add(gap(20))
    assert held.due(2 * WARN_EVERY_SAMPLES) == [gap(20)]


def test_at_the_end_nothing_is_held_back() -> None:
    held = HeldWarnings()
    held.add(ERRORS)
    held.due(100)
    held.add(ERRORS)
    assert held.due(inf) == [ERRORS]
