"""The voice in the recording of a known speaker."""

import numpy as np
import pytest

from auricle.values.errors import SpeakersUnavailable
from auricle.values.speakers import UnusableVoice
from auricle.values.types import ANONYMOUS, Chunk
from auricle.workers.kinds.speakers.local import LocalSpeakers
from auricle.workers.kinds.speakers.recorded_voice import RecordedVoice
from tests.support.embedder import LOUDNESS, FakeEmbedder

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

SECOND = 16_000


async def recorded(*voices: int, refusals: int = 0) -> RecordedVoice:
    """Return a recording of three seconds of each voice."""
    speakers = LocalSpeakers(FakeEmbedder(refusals=refusals), patience_s=0.0)
    it = speakers.read_voice("f", ANONYMOUS, 1.0)
    if voices:
        pcm = np.repeat(np.array(voices, np.int16) * LOUDNESS, 3 * SECOND)
        await it.add(Chunk(0, pcm))
    return it


async def test_one_voice_has_the_name() -> None:
    voice = (await recorded(1)).named("Ann")
    assert voice.name == "Ann"
    assert len(voice.vectors)


@pytest.mark.parametrize(("voices", "problem"), [((), "no speech"), ((1, 2), "several voices")])
async def test_other_recordings_are_unusable(voices: tuple[int, ...], problem: str) -> None:
    with pytest.raises(UnusableVoice, match=problem):
        (await recorded(*voices)).named("Ann")


async def test_a_voice_that_can_not_be_embedded_now_is_unavailable() -> None:
    with pytest.raises(SpeakersUnavailable):
        (await recorded(1, refusals=10)).named("Ann")
