"""The audio that a session keeps."""

import numpy as np
import pytest

from auricle.session.recording import Recording
from auricle.types import Pcm16

pytestmark = pytest.mark.unit


def ramp(start: int, end: int) -> Pcm16:
    return np.arange(start, end).astype(np.int16)


def test_it_reads_what_it_was_given_at_its_place() -> None:
    recording = Recording(1000)
    recording.add(ramp(0, 100))
    recording.add(ramp(100, 300))
    assert (recording.start_sample, recording.end_sample) == (1000, 1300)
    assert recording.read(1050, 1150).tolist() == list(range(50, 150))


def test_what_is_let_go_of_is_gone() -> None:
    recording = Recording(0)
    recording.add(ramp(0, 100))
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
    recording.add(ramp(0, 100))
    recording.discard_before(500)
    assert (recording.start_sample, recording.end_sample) == (100, 100)


def test_a_copy_stays_as_it_was() -> None:
    recording = Recording(0)
    recording.add(ramp(0, 100))
    copy = recording.read(0, 100)
    recording.discard_before(100)
    recording.add(ramp(0, 100))
    assert copy.tolist() == list(range(100))
