"""The audio that a session keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.session.utterances.recording import Recording
from auricle.values.types import Pcm16

pytestmark = pytest.mark.unit


def ramp(start: int, end: int) -> Pcm16:
    return np.arange(start, end).astype(np.int16)


def test_it_reads_what_it_was_given_at_its_place() -> None:
    recording = Recording(1000)
    assert recording.write(ramp(0, 100)) == 0
    recording.write(ramp(100, 300))
    assert (recording.start_sample, recording.end_sample) == (1000, 1300)
    assert recording.read(1050, 1150).tolist() == list(range(50, 150))


def test_what_is_let_go_of_is_gone() -> None:
    recording = Recording(0)
    recording.write(ramp(0, 100))
    recording.discard_before(1)
    assert recording.start_sample == 1
    recording.discard_before(40)
    recording.discard_before(10)
    assert (recording.start_sample, recording.end_sample) == (40, 100)
    assert recording.read(40, 42).tolist() == [40, 41]
    with pytest.raises(IndexError):
        recording.read(39, 50)
    with pytest.raises(IndexError):
        recording.read(50, 101)


def test_no_more_is_let_go_of_than_there_is() -> None:
    recording = Recording(0)
    recording.write(ramp(0, 100))
    recording.discard_before(500)
    assert (recording.start_sample, recording.end_sample) == (100, 100)


def test_a_copy_stays_as_it_was() -> None:
    recording = Recording(0)
    recording.write(ramp(0, 100))
    copy = recording.read(0, 100)
    recording.discard_before(100)
    recording.write(ramp(0, 100))
    assert copy.tolist() == list(range(100))


def test_the_edges_and_nothing_beyond_them_can_be_read() -> None:
    recording = Recording(500)
    recording.write(ramp(0, 100))
    assert recording.read(500, 600).tolist() == list(range(100))
    assert recording.read(600, 600).size == recording.read(550, 550).size == 0
    for start, end in ((499, 510), (590, 601), (560, 550)):
        with pytest.raises(IndexError, match=f"samples {start} to {end} are not in 500 to 600"):
            recording.read(start, end)


@given(
    start=st.integers(0, 2000),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=30),
)
def test_each_sample_has_one_place_whatever_was_forgotten(
    start: int, steps: list[tuple[bool, int]]
) -> None:
    recording, everything, first = Recording(start), [0] * start, start
    for is_added, count in steps:
        end = len(everything)
        if is_added:
            recording.write(ramp(end, end + count))
            everything += range(end, end + count)
        else:
            forgotten = first + count - 100
            recording.discard_before(forgotten)
            first = max(first, min(forgotten, end))
        assert (recording.start_sample, recording.end_sample) == (first, len(everything))
        assert recording.read(first, len(everything)).tolist() == everything[first:]
