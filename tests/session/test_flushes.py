"""Flushes are confirmed when the finals before them were sent."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from auricle.session.flushes import MAX_FLUSHES, PendingFlushes
from auricle.values.events import Finalized

pytestmark = pytest.mark.unit


@dataclass
class Channels:
    """Channels that owe the finals of these utterances."""

    owed: list[set[int]] = field(default_factory=lambda: [set(), set()])

    def __getitem__(self, number: int) -> Any:
        owed = self.owed[number]
        has_pending = lambda utterance: any(each <= utterance for each in owed)  # noqa: E731
        return SimpleNamespace(recognition=SimpleNamespace(has_pending=has_pending))


def test_a_flush_is_confirmed_once_when_nothing_is_owed() -> None:
    channels = Channels()
    it = PendingFlushes(channels)  # type: ignore[arg-type]  # what it uses of channels
    assert it.take_finalized() == []
    channels.owed[0] = {1, 2}
    it.add(Finalized(16_000, None), 1)
    it.add(Finalized(32_000, None), 2)
    assert it.take_finalized() == []
    channels.owed[0] = {2}
    assert it.take_finalized() == [Finalized(16_000, None)]
    channels.owed[0] = set()
    assert it.take_finalized() == [Finalized(32_000, None)]
    assert it.take_finalized() == []


def test_channels_wait_for_their_own_finals() -> None:
    channels = Channels([{1}, set()])
    it = PendingFlushes(channels)  # type: ignore[arg-type]  # what it uses of channels
    it.add(Finalized(16_000, 0), 1)
    it.add(Finalized(16_000, 1), 1)
    assert it.take_finalized() == [Finalized(16_000, 1)]


def test_flushes_are_bounded() -> None:
    it = PendingFlushes(Channels([{1}, set()]))  # type: ignore[arg-type]  # what it uses of channels
    for _ in range(MAX_FLUSHES):
        assert not it.is_full
        it.add(Finalized(0, 0), 1)
    assert it.is_full
