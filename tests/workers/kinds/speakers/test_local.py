"""Speakers by embeddings: sessions that continue with known voices."""

import numpy as np
import pytest

from auricle.values.events import Final
from auricle.values.types import ANONYMOUS, SpeakerEmbeddings, SpeakerOptions
from auricle.workers.kinds.speakers.labels import SpeakerLabels
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import LOUDNESS, FakeEmbedder

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

LENGTH = 4 * 16_000


async def speak(it: LocalSpeakers, labels: SpeakerLabels, voice: int) -> int | None:
    """Return the speaker of an utterance."""
    pcm = np.full(LENGTH, voice * LOUDNESS, np.int16)
    labels.utterance_ended(1, pcm, 0, [(0, LENGTH)], 0.0)
    (job,) = labels.due_jobs(0.0, is_live=True)
    result = await it.embed(job)
    assert isinstance(result, SpeakerEmbeddings)
    labels.job_done(job.id, result, 0.0)
    return labels.labelled(Final(1, 1, "One.", 0, LENGTH, "en", (), 0.0, False)).speaker


async def test_the_voices_of_a_session_are_known_in_the_next_one() -> None:
    it = LocalSpeakers(FakeEmbedder(), "model")
    first = it.label_session("1:0", ANONYMOUS, SpeakerOptions(), b"")
    assert await speak(it, first, 2) == 0
    voices = first.voices()
    assert it.can_continue(voices)
    for voice, number in ((2, 0), (1, 1)):
        later = it.label_session("2:0", ANONYMOUS, SpeakerOptions(), voices)
        assert await speak(it, later, voice) == number


async def test_voices_of_another_model_are_not_used() -> None:
    it, other = LocalSpeakers(FakeEmbedder(), "model"), LocalSpeakers(FakeEmbedder(), "other")
    first = it.label_session("1:0", ANONYMOUS, SpeakerOptions(), b"")
    await speak(it, first, 2)
    assert not other.can_continue(first.voices())
    later = other.label_session("2:0", ANONYMOUS, SpeakerOptions(), first.voices())
    assert await speak(other, later, 1) == 0


async def test_the_workers_are_the_embedders() -> None:
    it = LocalSpeakers(FakeEmbedder())
    it.prepare()
    assert it.stats().ready
    assert it.is_available
