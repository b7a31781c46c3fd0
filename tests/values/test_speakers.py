"""Without the part that distinguishes speakers, none is found, and nothing waits for one."""

from math import inf

import numpy as np
import pytest

from auricle.values.errors import SpeakersUnavailable
from auricle.values.events import Final
from auricle.values.speakers import NO_SPEAKERS, NONE_FOUND, UnusableVoice
from auricle.values.types import ANONYMOUS, Chunk, EmbedJob, JobId, SpeakerOptions, Transcript

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

FINAL = Final(1, 1, "One.", 0, 1600, "en", None, 0.0, False)
JOB = EmbedJob(JobId("S:1:v1"), np.zeros(16_000, np.int16), ((0, 16_000),))


async def test_nothing_is_embedded() -> None:
    NO_SPEAKERS.prepare()
    with pytest.raises(SpeakersUnavailable):
        await NO_SPEAKERS.embed(JOB)
    assert not NO_SPEAKERS.stats().ready
    assert not NO_SPEAKERS.is_available


def test_a_session_has_no_labels() -> None:
    it = NO_SPEAKERS.label_session("S", ANONYMOUS, SpeakerOptions(), b"voices")
    it.utterance_paused(1, JOB.pcm, 0, [(0, 16_000)], 0.0)
    it.utterance_ended(1, JOB.pcm, 0, [(0, 16_000)], 0.0)
    it.job_done(JOB.id, SpeakersUnavailable(), 0.0)
    assert not it.due_jobs(0.0, is_live=True)
    assert not it.holds(1, 0.0)
    assert it.labelled(FINAL) is FINAL
    it.finish()
    assert not it.revised()
    assert not it.revised_before(1)
    assert not it.take_unknown()
    assert (it.wake_at, it.is_settled, it.labelled_finals, it.voices()) == (inf, True, 0, b"")


async def test_a_file_with_speech_has_a_warning() -> None:
    transcript = Transcript("One.", "en", 1.0, 16_000)
    it = NO_SPEAKERS.label_file("f", ANONYMOUS, None, SpeakerOptions())
    assert it.assign(transcript) == (transcript, ())
    await it.add(Chunk(0, JOB.pcm))
    assert it.assign(transcript) == (transcript, (NONE_FOUND,))


async def test_a_recording_has_no_voice() -> None:
    it = NO_SPEAKERS.read_voice("f", ANONYMOUS, None)
    with pytest.raises(UnusableVoice, match="no speech"):
        it.named("Ann")
    await it.add(Chunk(0, JOB.pcm))
    with pytest.raises(SpeakersUnavailable):
        it.named("Ann")
