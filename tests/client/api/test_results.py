"""Documents of the API as values."""

from typing import Any

import msgspec
import pytest

from auricle.apis.native import job_bodies, tokens
from auricle.apis.readers import routes
from auricle.apis.transcripts import routes as transcripts
from auricle.apis.transcripts.stored import events as transcript_events
from auricle.client.api import results
from auricle.client.api.failures import Problem
from auricle.client.api.results import Job, Transcript
from auricle.protocol.errors import ErrorBody
from auricle.server import webhooks
from auricle.text.formats import gaps, native_json
from auricle.text.formats.native_json import parse_transcript, transcript_body
from auricle.text.formats.registry import format_of
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
    assert parse_transcript(msgspec.to_builtins(transcript)) == (RECOGNISED, GAPS)
    expected = format_of("srt").document(RECOGNISED.segments, GAPS, speakers=RECOGNISED.speakers)
    assert transcript.to_subtitles() == expected
    assert "Ann: Good morning." in expected
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


DOCUMENTS: list[tuple[Any, Any, set[str]]] = [
    (Problem, ErrorBody, {"speakers", "capacity"}),
    (results.Transcript, native_json.TranscriptBody, {"timing_ms"}),
    (results.TranscriptSegment, native_json.SegmentBody, set()),
    (results.SpokenWord, native_json.WordBody, set()),
    (results.NamedSpeaker, native_json.SpeakerBody, set()),
    (results.MissingPart, gaps.GapBody, set()),
    (results.Job, job_bodies.JobBody, set()),
    (results.Webhook, webhooks.WebhookBody, set()),
    (results.JobSummary, job_bodies.JobSummary, set()),
    (results.KeptTranscript, transcripts.WholeTranscriptBody, set()),
    (results.TranscriptSummary, transcript_events.TranscriptSummary, set()),
    (results.KeptSegment, transcripts.SegmentBody, {"starts_paragraph"}),
    (results.KeptWord, transcripts.WordBody, set()),
    (results.Match, transcripts.MatchBody, set()),
    (results.LiveSession, routes.SessionBody, set()),
    (results.Token, routes._TokenBody, set()),
    (results.Token, tokens._Token, set()),
]
"""A value of the client, the server's document, and fields of it that the client ignores."""


def schema(kind: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a type and those that it refers to."""
    [_], schemas = msgspec.json.schema_components([kind])
    return schemas[kind.__name__], schemas


def types(field: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """Return the kinds of JSON values of a field, or the values where they are listed."""
    match field:
        case {"type": str(name)}:
            return {name}
        case {"type": names}:
            return set(names)
        case {"enum": values}:
            return set(map(str, values))
        case {"$ref": name}:
            return types(schemas[name.rpartition("/")[2]], schemas)
    return set().union(*(types(each, schemas) for each in field["anyOf"]))


@pytest.mark.parametrize(
    ("ours", "theirs", "ignored"), DOCUMENTS, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_value_has_the_fields_of_the_server_s_document(
    ours: type, theirs: type, ignored: set[str]
) -> None:
    value, values = schema(ours)
    body, bodies = schema(theirs)
    assert set(body["properties"]) - set(value["properties"]) == ignored
    assert set(value["properties"]) <= set(body["properties"])
    assert set(value["required"]) <= set(body["required"])
    for name, field in value["properties"].items():
        sent, accepted = types(body["properties"][name], bodies), types(field, values)
        assert sent - accepted <= ({"integer"} if "number" in accepted else set()), name
