"""Invalid requests, limits, and errors of the decoder and the transcriber."""

import time
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.protocol.framing import pack
from auricle.server.uploads.params import Fields
from auricle.values.errors import (
    AudioError,
    AuricleError,
    DeadlineExceeded,
    Draining,
    EmptyAudio,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    TooLong,
    UnsupportedFormat,
)
from auricle.values.types import ANONYMOUS
from tests.apis.native.files.helpers import CLIP_BYTES, assert_error
from tests.support.decoder import file_of
from tests.support.opus import encode_packets, tone
from tests.support.service import WAV, InProcess, in_base64, in_process, keys, speech_json

pytestmark = pytest.mark.server

NOISE = np.random.default_rng(7).bytes(20_000)
FRAMED_TONE = b"".join(map(pack, encode_packets(tone(440, 16_000))))
BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("not base64", {"audio": "*****"}, 400, "bad_request"),
    ("audio is no string", {"audio": 5}, 400, "bad_request"),
    ("noise as opus", {"audio_format": "opus"}, 422, "opus_without_boundaries"),
    ("empty", {"audio": ""}, 422, "empty_audio"),
    ("empty opus: no packets", {"audio": "", "audio_format": "opus"}, 422, "empty_audio"),
    (
        "truncated packet",
        {"audio": in_base64(FRAMED_TONE[:-3]), "audio_format": "opus"},
        422,
        "bad_audio",
    ),
    (
        "length 65535",
        {"audio": in_base64(b"\xff\xff" + FRAMED_TONE), "audio_format": "opus"},
        422,
        "opus_without_boundaries",
    ),
    (
        "length 65535 later",
        {"audio": in_base64(FRAMED_TONE + b"\xff\xff"), "audio_format": "opus"},
        422,
        "bad_audio",
    ),
    ("odd pcm", {"audio": in_base64(b"123")}, 422, "bad_audio"),
    ("7 Hz", {"sample_rate": 7}, 400, "bad_request"),
    ("1 MHz", {"sample_rate": 1_000_000}, 400, "bad_request"),
    ("rate is a string", {"sample_rate": "16000"}, 400, "bad_request"),
    ("unknown language", {"language": "klingon"}, 400, "bad_request"),
    ("unknown task", {"task": "sing"}, 400, "bad_request"),
    ("unknown format", {"audio_format": "midi"}, 415, "unsupported_format"),
    ("job id", {"job_id": "a b"}, 400, "bad_request"),
    ("beam", {"beam_size": 0}, 400, "bad_request"),
    ("deadline", {"max_wait_s": 0}, 400, "bad_request"),
]


@pytest.mark.parametrize(
    ("fields", "status", "code"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_json_input_gets_a_clear_error_and_the_next_request_works(
    service: InProcess, fields: dict[str, Any], status: int, code: str
) -> None:
    if fields.get("audio_format") == "opus":
        fields = {"audio": in_base64(NOISE), **fields}
    assert_error(service.post(**fields), status, code)
    assert service.transcriber.jobs == []
    service.assert_works()


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
NAMES = st.sampled_from([*Fields.__struct_fields__, "audio", "unknown"])
ANYTHING = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=4)


@given(fields=ANYTHING)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_fields_are_the_answer_is_one_of_ours(
    service: InProcess, fields: dict[str, Any]
) -> None:
    answer = service.client.post("/utterance", json={**speech_json(), **fields})
    assert answer.status_code in (200, 400, 415, 422, 504)
    assert ("text" if answer.status_code == 200 else "error") in answer.json()
    assert service.is_at_rest()


@pytest.mark.parametrize(
    "content", [b"", b"not json", b'{"audio": "YWJj", "sample_rate": NaN}', b"[1]"]
)
def test_what_is_not_json_gets_a_clear_error(service: InProcess, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert_error(
        service.client.post("/utterance", content=content, headers=headers), 400, "bad_request"
    )
    service.assert_works()


@pytest.mark.parametrize("query", ["sample_rate=nan", "sample_rate=7", "language=xx", "task=x"])
def test_a_bad_query_is_refused_before_the_body_is_spooled(service: InProcess, query: str) -> None:
    answer = service.client.post(f"/utterance?{query}", content=CLIP_BYTES, headers=WAV)
    assert_error(answer, 400, "bad_request")
    service.assert_works()


@pytest.mark.parametrize("query", ["", "audio_format=pcm16", "audio_format=opus", "wait=0"])
def test_an_empty_body_is_empty_audio(service: InProcess, query: str) -> None:
    answer = service.client.post(f"/utterance?{query}", content=b"", headers=WAV)
    assert_error(answer, 422, "empty_audio")
    service.assert_works()


def test_a_json_body_of_100_mb_is_refused(service: InProcess) -> None:
    content = b'{"audio": "' + bytes(100_000_000)
    headers = {"content-type": "application/json"}
    answer = service.client.post("/utterance", content=content, headers=headers)
    assert_error(answer, 413, "too_large")
    service.assert_works()


FROM_DECODER = [
    (UnsupportedFormat("This is not audio."), 415),
    (AudioError("It is broken."), 422),
    (EmptyAudio("There is nothing in it."), 422),
    (TooLong("It lasts for days."), 413),
    (PoisonJob("It crashed."), 500),
    (Draining("Bye.", 5), 503),
]


@pytest.mark.parametrize(("error", "status"), FROM_DECODER, ids=lambda value: repr(value)[:20])
def test_invalid_audio_found_by_the_decoder_is_reported(
    service: InProcess, error: AuricleError, status: int
) -> None:
    service.decoder.script = [error]
    answer = service.client.post("/utterance", content=CLIP_BYTES, headers=WAV)
    assert_error(answer, status, error.code)
    assert answer.json()["error"]["message"] == str(error)
    service.decoder.script = None
    service.assert_works()


FROM_TRANSCRIBER = [
    (Overloaded("The queue is full.", 3), 503),
    (NoWorkerReady("Starting.", 2), 503),
    (DeadlineExceeded("Too late."), 504),
    (PoisonJob("It crashed."), 500),
    (AudioError("The engine can't."), 422),
    (RateLimited("Too many crashes.", 60), 429),
]


@pytest.mark.parametrize(("error", "status"), FROM_TRANSCRIBER, ids=lambda value: repr(value)[:20])
def test_errors_of_the_transcriber_are_reported(
    service: InProcess, error: AuricleError, status: int
) -> None:
    service.transcriber.script.append(error)
    answer = service.post()
    assert_error(answer, status, error.code)
    retry_after_s = getattr(error, "retry_after_s", None)
    assert answer.headers.get("retry-after") == (retry_after_s and str(retry_after_s))
    service.assert_works()


def test_a_bug_is_internal_and_reveals_nothing(service: InProcess) -> None:
    service.transcriber.script.append(RuntimeError("what somebody said"))
    answer = service.post()
    assert_error(answer, 500, "internal")
    assert "somebody" not in answer.text
    service.assert_works()


@pytest.mark.parametrize("error", [Overloaded("full", 3), NoWorkerReady("none", 2)])
def test_no_room_is_reported_before_anything_is_read(service: InProcess, error: Overloaded) -> None:
    service.transcriber.refuse = error
    for answer in (
        service.client.post("/utterance", json=speech_json()),
        service.client.post("/utterance", content=CLIP_BYTES, headers=WAV),
        service.client.post("/utterance", content=bytes(9_000_000), headers=WAV),
    ):
        assert_error(answer, 503, error.code)
        assert answer.headers["retry-after"] == str(error.retry_after_s)
    service.assert_works()


def test_while_shutting_down_new_work_is_refused(service: InProcess) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service.state.lifecycle, "is_draining", True)
        assert_error(service.post(), 503, "draining")
    service.assert_works()


def test_the_deadline_may_be_named(service: InProcess) -> None:
    service.post(max_wait_s=250.0)
    deadline_s = service.transcriber.jobs[0].max_wait_s
    assert deadline_s is not None
    assert 0 < deadline_s <= 250.0


def test_room_is_asked_for_with_the_deadline_in_the_query(service: InProcess) -> None:
    service.client.post("/utterance?max_wait_s=2.5", content=CLIP_BYTES, headers=WAV)
    service.client.post("/utterance", content=CLIP_BYTES, headers=WAV)
    assert [request.max_wait_s for request in service.transcriber.reservations] == [2.5, 30.0]


def test_a_long_file_has_the_deadline_that_was_named(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.decoder.gate = anyio.Event()
    answer = service.client.post("/utterance?max_wait_s=0.1", content=CLIP_BYTES, headers=WAV)
    assert_error(answer, 504, "deadline_exceeded")
    assert answer.json()["error"]["retry_after_s"] == int(answer.headers["retry-after"]) >= 1
    service.decoder.script = service.decoder.gate = None
    service.assert_works()


def test_files_have_their_own_bound(tmp_path: Path) -> None:
    with (
        in_process(tmp_path, max_file_jobs=1) as service,
        service.state.uploads.file_slots.take(ANONYMOUS, time.monotonic()),
    ):
        long = bytes(9_000_000)
        answer = service.client.post("/utterance", content=long, headers=WAV)
        assert_error(answer, 503, "queue_full")
        answer = service.post(audio=in_base64(long), audio_format="wav")
        assert_error(answer, 503, "queue_full")
        assert service.post().status_code == 200  # an utterance needs no such place


def test_a_full_disk_is_a_retryable_error(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("auricle.server.uploads.spool._write_all", full)
    for query in ("", "?wait=0"):
        answer = service.client.post(f"/utterance{query}", content=CLIP_BYTES, headers=WAV)
        assert_error(answer, 503, "ledger_full")
        assert "disk" in answer.json()["error"]["message"]
        assert answer.headers["retry-after"] == "30"
    service.assert_works()


def test_a_key_is_asked_for_once_there_are_any(tmp_path: Path) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answer = service.client.post("/utterance", json=speech_json(), headers=headers)
            assert_error(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert service.transcriber.reservations == []
        headers = {"authorization": "Bearer secret"}
        answer = service.client.post("/utterance", json=speech_json(), headers=headers)
        assert answer.status_code == 200
        assert service.transcriber.jobs[0].client == "alice"
        assert service.transcriber.reservations[0].client == "alice"


def test_pages_of_other_sites_are_refused(service: InProcess) -> None:
    headers = {"origin": "https://evil.example"}
    answer = service.client.post("/utterance", json=speech_json(), headers=headers)
    assert_error(answer, 403, "forbidden_origin")
    service.assert_works()
