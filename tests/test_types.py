"""Values that packages exchange."""

import numpy as np
import pytest

from auricle.types import SAMPLE_RATE_HZ, Job, JobId, Segment, Transcript

pytestmark = pytest.mark.unit

PCM = np.ones(SAMPLE_RATE_HZ // 2, np.int16)


def test_a_job_locks_its_audio_and_knows_its_length() -> None:
    job = Job(JobId("a"), PCM.copy())
    assert job.audio_s == 0.5
    assert not job.pcm.flags.writeable
    assert job.utterance == "a"
    assert Job(JobId("a"), PCM.copy(), utterance="b").utterance == "b"


def test_audio_of_a_job_is_contiguous() -> None:
    job = Job(JobId("a"), np.arange(10, dtype=np.int16)[::2])
    assert job.pcm.flags.c_contiguous
    assert job.pcm.tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    "pcm", [PCM.astype(np.float32), PCM.reshape(2, -1), PCM[:0]], ids=["float", "stereo", "empty"]
)
def test_other_audio_is_a_bug_of_the_caller(pcm: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not int16"):
        Job(JobId("a"), pcm)


def test_a_transcript_lists_its_languages_once_the_main_one_first() -> None:
    segments = [Segment(0, 1, "x", language=language) for language in ("fr", "en", None, "fr")]
    assert Transcript("x", "en", 1.0, 1, tuple(segments)).languages == ("en", "fr")
    assert Transcript("", None, 0.0, 1).languages == ()
