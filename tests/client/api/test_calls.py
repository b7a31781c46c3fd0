"""Requests as values."""

from datetime import UTC, datetime

import pytest

from auricle.client.api import calls
from auricle.client.api.audio import open_audio
from auricle.values.errors import BadRequest, RemoteProtocolError, SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "given",
    ["", "127.0.0.1:6007", "ftp://h", "http://h:0", "http://h:x", "http://h?a=b", " http://h"],
)
def test_an_invalid_url_is_reported(given: str) -> None:
    with pytest.raises(SetupError, match="Invalid URL"):
        calls.base_url(given)


def test_a_trailing_slash_is_dropped() -> None:
    assert calls.base_url("https://example.com/auricle/") == "https://example.com/auricle"


def test_the_url_of_openais_api_is_reported() -> None:
    with pytest.raises(SetupError, match="omit /v1"):
        calls.base_url("http://127.0.0.1:6007/v1/")


def test_ids_are_quoted() -> None:
    assert calls.get_job("a/b?c").path == "/jobs/a%2Fb%3Fc"


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_an_id_that_would_name_something_else_is_refused(job_id: str) -> None:
    with pytest.raises(BadRequest, match="Invalid ID"):
        calls.delete_job(job_id)


def test_a_recording_has_its_size_in_the_headers() -> None:
    call = calls.create_job(open_audio(b"12345"), "film", {"language": "en"})
    assert call.query == {"language": "en", "wait": "0", "job_id": "film"}
    assert call.headers["Content-Length"] == "5"
    assert call.content is None


def test_the_wait_for_a_transcript_is_longer_than_the_servers_deadline() -> None:
    audio = open_audio(b"1")
    assert calls.transcribe(audio, {"max_wait_s": 5}).limit_s == 5 + calls.DEADLINE_MARGIN_S
    assert calls.transcribe(audio, {}).limit_s == calls.TRANSCRIPTION_LIMIT_S


def test_only_changes_that_may_be_made_twice_are_repeatable() -> None:
    assert calls.get_job("a").is_repeatable
    assert calls.change_speaker("a", 0, {"name": "Ann"}).is_repeatable
    assert not calls.change_speaker("a", 0, {"merge_into": 1}).is_repeatable
    assert not calls.delete_job("a").is_repeatable
    assert not calls.delete_transcript("a").is_repeatable


def test_times_are_unix_seconds() -> None:
    since = datetime(2027, 1, 15, 12, tzinfo=UTC)
    assert calls.transcript_filter("en", None, since, 7) == {
        "language": "en",
        "since": "1800014400.0",
        "until": "7",
    }


def test_a_body_that_is_no_json_is_reported() -> None:
    with pytest.raises(RemoteProtocolError, match="not from an Auricle server"):
        calls.get_job("a").decode(b"<h1>Hello</h1>")
