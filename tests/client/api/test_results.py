"""Documents of the API as values."""

import msgspec
import pytest

from auricle.client.api.results import Job, Transcript
from auricle.text.formats.native_json import transcript_body
from auricle.values.errors import PoisonJob, RequestError
from auricle.values.types import Gap, Segment, Speaker, Word
from auricle.values.types import Transcript as Recognised

pytestmark = pytest.mark.unit

RECOGNISED = Recognised(
    text="Good morning.",
    language="en",
    language_probability=0.9,
    duration_samples=32_000,
    segments=(
        Segment(
            0,
            8_000,
            "Good morning.",
            (Word(0, 4_000, "Good", 0.8, speaker=0, speaker_confidence=0.7),),
            language="en",
            speaker=0,
        ),
    ),
    speakers=(Speaker(0, "Ann"),),
)
GAPS = (Gap(16_000, 32_000, "poison_job"),)


def document() -> bytes:
    return msgspec.json.encode(
        transcript_body("a", "t", RECOGNISED, GAPS, ("Careful.",), model="base")
    )


def test_a_transcript_has_all_that_the_server_sends() -> None:
    transcript = msgspec.json.decode(document(), type=Transcript)
    assert (transcript.text, transcript.language, transcript.model) == (
        "Good morning.",
        "en",
        "base",
    )
    [segment] = transcript.segments
    assert (segment.start_s, segment.end_s, segment.speaker) == (0.0, 0.5, 0)
    assert segment.words is not None
    [word] = segment.words
    assert (word.text, word.end_s, word.probability, word.speaker_confidence) == (
        "Good",
        0.25,
        0.8,
        0.7,
    )
    assert transcript.speakers[0].name == "Ann"
    assert transcript.warnings == ("Careful.",)
    [gap] = transcript.gaps
    assert (gap.start_s, gap.end_s, gap.code) == (1.0, 2.0, "poison_job")
    assert gap.reason


def test_a_transcript_becomes_subtitles() -> None:
    transcript = msgspec.json.decode(document(), type=Transcript)
    assert "Ann: Good morning." in transcript.to_subtitles()
    assert transcript.to_subtitles("vtt").startswith("WEBVTT")


def test_a_job_without_a_transcript_says_why() -> None:
    failed = msgspec.json.decode(
        b'{"job_id": "a", "state": "failed", "progress": 1, '
        b'"error": {"code": "poison_job", "message": "It kills workers."}}',
        type=Job,
    )
    assert failed.has_ended
    with pytest.raises(PoisonJob, match="kills"):
        _ = failed.transcript
    with pytest.raises(RequestError, match="running"):
        _ = Job("a", "running", 0.5).transcript
