"""Values that packages exchange."""

import numpy as np
import pytest

from auricle.values.errors import BadRequest
from auricle.values.types import (
    MAX_SPEAKERS,
    NO_AUDIO,
    SAMPLE_RATE_HZ,
    EmbedJob,
    Job,
    JobId,
    Segment,
    Speaker,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
    TurnDetection,
    TurnJob,
)

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


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ({"num_speakers": 0}, "num_speakers"),
        ({"num_speakers": MAX_SPEAKERS + 1}, "num_speakers"),
        ({"min_speakers": -1}, "min_speakers"),
        ({"max_speakers": 10_000}, "max_speakers"),
        ({"min_speakers": 4, "max_speakers": 3}, "min_speakers"),
        ({"num_speakers": 5, "max_speakers": 4}, "num_speakers"),
        ({"num_speakers": 1, "min_speakers": 2}, "num_speakers"),
    ],
)
def test_impossible_numbers_of_speakers_name_the_parameter(
    numbers: dict[str, int], field: str
) -> None:
    with pytest.raises(BadRequest, match=field) as raised:
        SpeakerOptions(**numbers)
    assert raised.value.field == field


def test_limits_of_the_number_of_speakers_include_their_ends() -> None:
    for number in (1, MAX_SPEAKERS):
        assert SpeakerOptions(number, number, number).num_speakers == number


def test_people_read_a_speakers_name_or_a_number_from_one() -> None:
    assert (Speaker(0).label, Speaker(0, "Ann").label) == ("Speaker 1", "Ann")


def test_a_job_for_embeddings_locks_its_audio_and_counts_what_it_embeds() -> None:
    pcm = np.zeros(48_000, np.int16)
    job = EmbedJob(JobId("a"), pcm, ((0, 16_000), (16_000, 24_000)))
    assert job.audio_s == 1.5
    assert not job.pcm.flags.writeable


@pytest.mark.parametrize(
    "stretches", [(), ((0, 0),), ((-1, 5),), ((0, 101),)], ids=["none", "empty", "before", "after"]
)
def test_stretches_outside_the_audio_are_a_bug_of_the_caller(
    stretches: tuple[tuple[int, int], ...],
) -> None:
    with pytest.raises(ValueError, match="stretch"):
        EmbedJob(JobId("a"), np.zeros(100, np.int16), stretches)


def test_embeddings_have_one_row_for_each_stretch() -> None:
    vectors = np.zeros((2, 192), np.float32)
    assert not SpeakerEmbeddings(((0, 5), (5, 9)), vectors).vectors.flags.writeable
    with pytest.raises(ValueError, match="not float32"):
        SpeakerEmbeddings(((0, 5),), vectors)


@pytest.mark.parametrize("pcm", [np.zeros(0, np.int16), np.zeros(3), np.zeros(128_001, np.int16)])
def test_a_turn_has_samples_and_not_more_than_the_model_reads(pcm: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pcm"):
        TurnJob(JobId("a"), pcm, 1.0)


def test_a_turn_is_read_only_and_contiguous() -> None:
    job = TurnJob(JobId("a"), np.zeros(200, np.int16)[::2], 1.0)
    assert job.pcm.flags.c_contiguous
    assert not job.pcm.flags.writeable


def test_turn_detection_names_the_parameter_that_is_out_of_range() -> None:
    for wrong in ({"threshold": -0.1}, {"eager_threshold": 1.1}, {"limit_ms": 60_001}):
        with pytest.raises(BadRequest) as rejected:
            TurnDetection(**wrong)
        assert rejected.value.field == f"turn_{next(iter(wrong))}"


def test_no_audio_is_read_only() -> None:
    assert (NO_AUDIO.size, NO_AUDIO.flags.writeable) == (0, False)
    assert NO_AUDIO.dtype == np.int16
