"""Gaps are reported once, in order, after the finals before them."""

import pytest

from auricle.client.losses import Losses
from auricle.values.types import Gap

pytestmark = pytest.mark.unit


def test_a_gap_waits_for_the_finals_before_it() -> None:
    losses = Losses()
    losses.note(100, 200, "audio_lost")
    assert losses.due(99) == []
    assert losses.due(100) == [Gap(100, 200, "audio_lost")]
    assert losses.due() == []


def test_gaps_are_due_in_order_of_time() -> None:
    losses = Losses()
    losses.note(300, 400, "b")
    losses.note(100, 200, "a")
    assert [gap.code for gap in losses.due()] == ["a", "b"]


def test_only_unknown_parts_of_a_gap_are_added() -> None:
    losses = Losses()
    losses.note(100, 200, "a")
    losses.note(50, 250, "b")
    assert losses.due() == [Gap(50, 100, "b"), Gap(100, 200, "a"), Gap(200, 250, "b")]
    losses = Losses()
    losses.note(100, 200, "a")
    assert losses.due(150) == [Gap(100, 200, "a")]
    losses.note(120, 210, "a")
    assert losses.due(200) == [Gap(200, 210, "a")]


@pytest.mark.parametrize(("start", "end"), [(100, 100), (200, 100)])
def test_an_empty_range_is_no_gap(start: int, end: int) -> None:
    losses = Losses()
    losses.note(start, end, "a")
    assert losses.due() == []
