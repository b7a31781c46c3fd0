"""A recording in memory is read as a file is: chunks of speech, then the end."""

import numpy as np
import pytest

from auricle.audio.in_memory import InMemory
from auricle.values.types import SAMPLE_RATE_HZ, Source
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

SOURCE = Source("ignored")


async def test_speech_is_yielded_as_chunks_before_the_end() -> None:
    pcm = CLIPS["fellow.wav"].pcm
    steps = [step async for step in InMemory(pcm).decode(SOURCE)]
    *chunks, last = steps
    assert chunks
    for step in chunks:
        assert step.chunk is not None
        start = step.chunk.start_sample
        assert np.array_equal(step.chunk.pcm, pcm[start : start + step.chunk.pcm.size])
        assert step.duration_samples == start + step.chunk.pcm.size
    assert (last.done, last.fraction, last.duration_samples) == (True, 1.0, pcm.size)


async def test_silence_has_no_chunks() -> None:
    silence = np.zeros(SAMPLE_RATE_HZ, np.int16)
    (last,) = [step async for step in InMemory(silence).decode(SOURCE)]
    assert last.done
