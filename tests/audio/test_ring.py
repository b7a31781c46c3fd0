import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio.ring import PCM16RingBuffer
from auricle.types import Pcm16

pytestmark = pytest.mark.unit


def stream(start: int, end: int) -> Pcm16:
    """Samples that tell their own position."""
    return (np.arange(start, end) % 30_000).astype(np.int16)


def test_what_was_written_can_be_read_by_its_position() -> None:
    ring = PCM16RingBuffer(100)
    assert ring.write(stream(0, 60)) == 0
    assert np.array_equal(ring.read(20, 50), stream(20, 50))
    assert (ring.start_sample, ring.end_sample, len(ring)) == (0, 60, 60)


@pytest.mark.parametrize(("samples", "dropped"), [(99, 0), (100, 0), (101, 1), (250, 150)])
def test_above_the_high_water_mark_the_oldest_are_dropped_and_counted(
    samples: int, dropped: int
) -> None:
    ring = PCM16RingBuffer(100)
    assert sum(ring.write(stream(at, at + 1)) for at in range(samples)) == dropped
    assert ring.dropped_samples == dropped
    assert ring.start_sample == dropped
    assert np.array_equal(ring.read(dropped, samples), stream(dropped, samples))


@pytest.mark.parametrize("before", [0, 1, 60, 100])
@pytest.mark.parametrize("size", [99, 100, 101, 1_000])
def test_of_a_chunk_as_large_as_the_ring_the_end_stays(before: int, size: int) -> None:
    ring = PCM16RingBuffer(100)
    ring.write(stream(0, before))
    end = before + size
    assert ring.write(stream(before, end)) == max(0, end - 100)
    assert np.array_equal(ring.read(ring.start_sample, end), stream(max(0, end - 100), end))


def test_what_was_let_go_of_is_not_counted_as_dropped() -> None:
    ring = PCM16RingBuffer(100)
    ring.write(stream(0, 100))
    ring.discard_before(70)
    assert ring.write(stream(100, 170)) == 0
    assert ring.dropped_samples == 0
    ring.discard_before(10)  # long gone: nothing comes back
    assert ring.start_sample == 70
    ring.discard_before(10**6)  # not beyond what there is
    assert (ring.start_sample, ring.end_sample) == (170, 170)


@pytest.mark.parametrize(("start", "end"), [(9, 20), (20, 31), (25, 20), (-5, 12)])
def test_reading_what_is_not_held_is_an_error(start: int, end: int) -> None:
    ring = PCM16RingBuffer(20)
    ring.write(stream(0, 30))
    with pytest.raises(IndexError):
        ring.read(start, end)


def test_a_copy_is_read() -> None:
    ring = PCM16RingBuffer(10)
    ring.write(stream(0, 10))
    copy = ring.read(0, 10)
    ring.write(stream(10, 20))
    assert np.array_equal(copy, stream(0, 10))


def test_positions_may_start_anywhere() -> None:
    ring = PCM16RingBuffer(10, start_sample=12_345)
    ring.write(stream(12_345, 12_360))
    assert np.array_equal(ring.read(12_350, 12_360), stream(12_350, 12_360))


def test_only_mono_pcm16_and_only_rings_with_room() -> None:
    with pytest.raises(ValueError, match="float32"):
        PCM16RingBuffer(10).write(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="at least 1"):
        PCM16RingBuffer(0)


@given(
    capacity=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 400)), max_size=20),
)
def test_it_behaves_like_a_list_that_is_cut_at_the_front(
    capacity: int, steps: list[tuple[int, int]]
) -> None:
    ring = PCM16RingBuffer(capacity)
    start = end = dropped = 0
    for size, discard in steps:
        over = max(0, end + size - start - capacity)
        assert ring.write(stream(end, end + size)) == over
        end, start, dropped = end + size, start + over, dropped + over
        assert np.array_equal(ring.read(start, end), stream(start, end))
        ring.discard_before(discard)
        start = min(max(start, discard), end)
        assert (ring.start_sample, ring.end_sample, len(ring)) == (start, end, end - start)
        assert ring.dropped_samples == dropped
