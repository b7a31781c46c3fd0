"""The newest audio of a session."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.session.utterances.ring import PCM16RingBuffer
from auricle.values.types import Pcm16

pytestmark = pytest.mark.unit


def ramp(start: int, end: int) -> Pcm16:
    return np.arange(start, end).astype(np.int16)


def test_it_reads_what_it_was_given_at_its_place() -> None:
    ring = PCM16RingBuffer(500, 1000)
    assert ring.write(ramp(0, 100)) == ring.write(ramp(100, 300)) == 0
    assert (ring.start_sample, ring.end_sample, len(ring)) == (1000, 1300, 300)
    assert ring.read(1050, 1150).tolist() == list(range(50, 150))
    assert ring.dropped_samples == 0


def test_the_oldest_samples_are_dropped_for_newer_ones() -> None:
    ring = PCM16RingBuffer(100)
    assert ring.write(ramp(0, 80)) == 0
    assert ring.write(ramp(80, 100)) == 0
    assert ring.write(ramp(100, 130)) == 30
    assert (ring.start_sample, ring.end_sample, ring.dropped_samples) == (30, 130, 30)
    assert ring.read(30, 130).tolist() == list(range(30, 130))
    with pytest.raises(IndexError):
        ring.read(29, 130)


def test_of_more_than_it_holds_the_newest_stay() -> None:
    ring = PCM16RingBuffer(100, 7)
    ring.write(ramp(0, 50))
    assert ring.write(ramp(50, 1050)) == 950
    assert (ring.start_sample, ring.end_sample) == (957, 1057)
    assert ring.read(957, 1057).tolist() == list(range(950, 1050))


def test_what_was_released_makes_room_and_is_not_dropped() -> None:
    ring = PCM16RingBuffer(100)
    ring.write(ramp(0, 100))
    ring.discard_before(40)
    ring.discard_before(10)
    assert ring.start_sample == 40
    assert ring.write(ramp(100, 150)) == 10
    assert ring.dropped_samples == 10
    ring.discard_before(1000)
    assert (ring.start_sample, ring.end_sample, len(ring)) == (150, 150, 0)


def test_the_edges_and_nothing_beyond_them_can_be_read() -> None:
    ring = PCM16RingBuffer(100, 500)
    ring.write(ramp(0, 100))
    assert ring.read(500, 600).tolist() == list(range(100))
    assert ring.read(600, 600).size == ring.read(550, 550).size == 0
    for start, end in ((499, 510), (590, 601), (560, 550)):
        with pytest.raises(IndexError, match=f"samples {start} to {end} are not in 500 to 600"):
            ring.read(start, end)


def test_a_copy_stays_as_it_was() -> None:
    ring = PCM16RingBuffer(100)
    ring.write(ramp(0, 100))
    copy, given = ring.read(0, 100), ramp(100, 200)
    ring.write(given)
    given[:] = 0
    assert copy.tolist() == list(range(100))
    assert ring.read(100, 200).tolist() == list(range(100, 200))


def test_a_ring_that_holds_nothing_and_other_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        PCM16RingBuffer(0)
    ring = PCM16RingBuffer(10)
    wrong: Any
    for wrong in (np.zeros(5, np.float32), np.zeros((5, 2), np.int16)):
        with pytest.raises(ValueError, match="not int16"):
            ring.write(wrong)
    assert len(ring) == 0


@given(
    capacity=st.integers(1, 300),
    start=st.integers(0, 2000),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 700)), max_size=30),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_each_sample_has_one_place_and_the_oldest_are_dropped_at_the_mark(
    capacity: int, start: int, steps: list[tuple[bool, int]], cut: tuple[float, float]
) -> None:
    ring, everything = PCM16RingBuffer(capacity, start), [0] * start
    first, dropped = start, 0
    for is_written, count in steps:
        end = len(everything)
        if is_written:
            everything += ramp(end, end + count).tolist()
            oldest = max(first, len(everything) - capacity)
            assert ring.write(ramp(end, end + count)) == oldest - first
            dropped += oldest - first
            first = oldest
        else:
            released = first + count - 100
            ring.discard_before(released)
            first = max(first, min(released, end))
        end = len(everything)
        assert (ring.start_sample, ring.end_sample, len(ring)) == (first, end, end - first)
        assert len(ring) <= capacity
        assert ring.dropped_samples == dropped
        part = sorted(first + round(share * (end - first)) for share in cut)
        for a, b in ((first, end), part):
            assert ring.read(a, b).tolist() == everything[a:b]
