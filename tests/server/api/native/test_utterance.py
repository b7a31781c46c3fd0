from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.audio.pieces import find_pieces
from auricle.errors import (
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
from auricle.protocol.framing import pack
from auricle.server.uploads.params import Fields
from auricle.types import ANONYMOUS, JobKind, Options, Segment, Task, Word
from tests.support.clips import CLIPS
from tests.support.decoder import file_of
from tests.support.opus import encode_packets, tone
from tests.support.service import (
    CLIP,
    WAV,
    InProcess,
    Live,
    head,
    in_base64,
    in_process,
    keys,
    live,
    poll_until,
    read_answer,
    speech_json,
)
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

NOISE = np.random.default_rng(7).bytes(20_000)
(PIECE,) = find_pieces(CLIP.pcm)
"""All speech of the clip, without the silence around it."""
CLIP_BYTES = CLIP.path.read_bytes()
FRAMED = CLIPS["fellow.opus-packets"].path.read_bytes()


def test_a_language_that_is_hardly_spoken_is_told(service: InProcess) -> None:
    service.transcriber.script.append(lambda job: heard("So.", job, language_probability=1e-5))
    body = service.post(language="de").json()
    assert body["language_probability"] == 0.00001
    (warning,) = body["warnings"]
    assert "German" in warning


def test_speech_in_json_comes_back_as_text(service: InProcess) -> None:
    service.transcriber.script.append(lambda job: heard("Ask not.", job))
    answer = service.post(job_id="a1", trace_id="t1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    timing = body.pop("timing_ms")
    assert body == {
        "job_id": "a1",
        "trace_id": "t1",
        "text": "Ask not.",
        "language": "en",
        "language_probability": 0.99,
        "duration_ms": 6068,
        "segments": [
            {"start": 0.352, "end": 5.632, "text": "Ask not.", "language": "en", "words": None}
        ],
        "attempts": 1,
        "error": None,
    }
    assert timing["decode"] > 0
    assert (timing["queue"], timing["ipc"], timing["asr"]) == (1.0, 0.5, 20.0)
    assert service.is_at_rest()


def test_an_utterance_is_one_final_with_room_and_a_deadline(service: InProcess) -> None:
    service.post(job_id="a1", trace_id="t1", language="en", task="translate", beam_size=1)
    (job,) = service.transcriber.jobs
    assert job.kind is JobKind.FINAL
    assert job.id.startswith("a1#")
    assert job.trace_id == "t1"
    options = Options("en", Task.TRANSLATE, 1, word_timestamps=True, is_piece=True)
    assert job.options == options
    assert job.max_wait_s == pytest.approx(30, abs=5)
    assert job.reservation == "room-0"
    assert service.transcriber.reservations[0].audio_s < 30
    assert np.array_equal(job.pcm, PIECE.pcm)


def test_two_callers_may_choose_the_same_id(service: InProcess) -> None:
    service.post(job_id="same")
    service.post(job_id="same")
    assert len({job.id for job in service.transcriber.jobs}) == 2


def test_words_are_told_when_asked_for(service: InProcess) -> None:
    segment = Segment(0, 32_000, "hi", words=(Word(16_000, 24_000, "hi", 0.87654),))
    service.transcriber.script.append(heard("hi", segments=(segment,)))
    body = service.post(word_timestamps=True).json()
    assert service.transcriber.jobs[0].options.word_timestamps
    assert body["segments"][0]["words"] == [
        {"start": 1.0, "end": 1.5, "word": "hi", "probability": 0.8765}
    ]


@pytest.mark.parametrize("named", ["opus", "auto"])
def test_framed_packets_are_decoded_here(service: InProcess, named: str) -> None:
    answer = service.post(audio=in_base64(FRAMED), audio_format=named)
    assert answer.json()["text"] == "hello"
    assert service.decoder.sources == []
    assert service.transcriber.jobs[0].pcm.size == pytest.approx(PIECE.pcm.size, abs=1024)


@pytest.mark.parametrize(
    ("name", "named", "read_as"),
    [
        ("fellow.wav", "auto", "wav"),
        ("fellow.flac", "flac", "flac"),
        ("fellow.mp3", "mp3", "mp3"),
        ("fellow.m4a", "m4a", "m4a"),
        ("fellow.ogg", "opus", "ogg"),
        ("fellow.webm", "opus", "webm"),
    ],
)
def test_containers_go_through_a_decode_worker(
    service: InProcess, name: str, named: str, read_as: str
) -> None:
    audio = CLIPS[name].path.read_bytes()
    answer = service.post(audio=in_base64(audio), audio_format=named)
    assert answer.status_code == 200
    assert service.decoder.sources[0].audio_format == read_as
    assert service.decoder.contents == [audio[:100]]
    assert service.decoder.left_behind() == []
    assert service.transcriber.jobs[0].kind is JobKind.FINAL
    assert service.transcriber.jobs[0].reservation == "room-0"
    service.assert_works()


def test_a_body_that_is_the_audio_is_answered_alike(service: InProcess) -> None:
    answer = service.client.post(
        "/utterance?job_id=a1&audio_format=wav&language=en&hotwords=Auricle,Opus",
        content=CLIP_BYTES,
        headers=WAV,
    )
    assert (answer.status_code, answer.json()["job_id"]) == (200, "a1")
    (job,) = service.transcriber.jobs
    assert (job.options.language, job.options.hotwords) == ("en", ("Auricle", "Opus"))
    assert service.decoder.left_behind() == []


@pytest.mark.parametrize(
    "content_type",
    ["audio/wav", "audio/webm;codecs=opus", "video/webm", "application/octet-stream"],
)
def test_every_type_of_audio_is_taken(service: InProcess, content_type: str) -> None:
    answer = service.client.post(
        "/utterance", content=FRAMED, headers={"content-type": content_type}
    )
    assert answer.status_code == 200
    assert service.decoder.sources == []  # framed packets are short: decoded here


def test_raw_pcm_is_read_at_the_rate_that_the_query_says(service: InProcess) -> None:
    answer = service.client.post(
        "/utterance?audio_format=pcm16&sample_rate=8000",
        content=CLIP.pcm[::2].tobytes(),
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.json()["text"] == "hello"
    assert service.transcriber.jobs[0].pcm.size == pytest.approx(PIECE.pcm.size, abs=1024)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/html"])
def test_other_types_are_told_what_to_send(service: InProcess, content_type: str) -> None:
    answer = service.client.post("/utterance", content=b"x", headers={"content-type": content_type})
    assert_error(answer, 415, "unsupported_format")
    service.assert_works()


def test_json_without_its_type_is_taken_as_curl_sends_it(service: InProcess) -> None:
    content = service.client.build_request("POST", "/", json=speech_json()).content
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = service.client.post("/utterance", content=content, headers=headers)
    assert answer.status_code == 200


def test_silence_is_empty_text_without_a_job(service: InProcess) -> None:
    quiet = np.random.default_rng(1).integers(-3, 4, 80_000).astype(np.int16)
    answer = service.post(audio=in_base64(quiet.tobytes()), language="de")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["text"], body["segments"], body["duration_ms"]) == ("", [], 5000)
    assert body["language"] == "de"
    assert service.transcriber.jobs == []
    service.assert_works()


def test_silence_in_a_file_is_empty_text_too(service: InProcess) -> None:
    service.decoder.script = file_of(2)[1:]
    answer = service.client.post("/utterance", content=CLIP_BYTES, headers=WAV)
    assert (answer.status_code, answer.json()["text"]) == (200, "")
    assert service.transcriber.jobs == []


def test_long_pcm_is_cut_by_a_decode_worker_into_file_jobs(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    long = np.tile(CLIP.pcm, 6)
    answer = service.post(audio=in_base64(long.tobytes()), sample_rate=16_000)
    assert answer.json()["text"] == "hello hello"
    source = service.decoder.sources[0]
    assert (source.audio_format, source.sample_rate_hz) == ("pcm16", 16_000)
    assert {job.kind for job in service.transcriber.jobs} == {JobKind.FILE}
    service.decoder.script = None
    service.assert_works()


def test_a_gap_in_a_long_file_is_told_beside_its_text(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.transcriber.script = [lambda job: heard("one", job), PoisonJob("It crashed.")]
    body = service.client.post("/utterance", content=CLIP_BYTES, headers=WAV).json()
    assert body["text"] == "one"
    assert body["error"]["code"] == "poison_job"
    assert body["error"]["gaps"] == [
        {"start": 21.0, "end": 41.0, "code": "poison_job", "reason": "not recognised (poison_job)"}
    ]


def test_condition_on_previous_text_reaches_the_pieces(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.client.post(
        "/utterance?condition_on_previous_text=true&language=en", content=CLIP_BYTES, headers=WAV
    )
    assert service.transcriber.jobs[1].options.initial_prompt == "hello"


def assert_error(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert set(error) == {"code", "message", "retryable", "retry_after_s"}


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
def test_what_the_decoder_finds_wrong_is_told(
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
def test_what_the_transcriber_says_is_told(
    service: InProcess, error: AuricleError, status: int
) -> None:
    service.transcriber.script.append(error)
    answer = service.post()
    assert_error(answer, status, error.code)
    retry_after_s = getattr(error, "retry_after_s", None)
    assert answer.headers.get("retry-after") == (retry_after_s and str(retry_after_s))
    service.assert_works()


def test_a_bug_is_internal_and_tells_nothing(service: InProcess) -> None:
    service.transcriber.script.append(RuntimeError("what somebody said"))
    answer = service.post()
    assert_error(answer, 500, "internal")
    assert "somebody" not in answer.text
    service.assert_works()


@pytest.mark.parametrize("error", [Overloaded("full", 3), NoWorkerReady("none", 2)])
@pytest.mark.parametrize("query", ["", "?wait=0"])
def test_no_room_is_told_before_anything_is_read(
    service: InProcess, error: Overloaded, query: str
) -> None:
    service.transcriber.refuse = error
    for answer in (
        service.client.post(f"/utterance{query}", json=speech_json()),
        service.client.post(f"/utterance{query}", content=CLIP_BYTES, headers=WAV),
        service.client.post(f"/utterance{query}", content=bytes(9_000_000), headers=WAV),
    ):
        assert_error(answer, 503, error.code)
        assert answer.headers["retry-after"] == str(error.retry_after_s)
    service.assert_works()


def test_while_shutting_down_new_work_is_refused(service: InProcess) -> None:
    service.state.is_draining = True
    assert_error(service.post(), 503, "draining")
    service.state.is_draining = False
    service.assert_works()


def test_the_deadline_may_be_named(service: InProcess) -> None:
    service.post(max_wait_s=2.5)
    deadline_s = service.transcriber.jobs[0].max_wait_s
    assert deadline_s is not None
    assert 0 < deadline_s <= 2.5


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


def test_files_have_a_bound_of_their_own(tmp_path: Path) -> None:
    with in_process(tmp_path, max_file_jobs=1) as service, service.state.file_slots.take(ANONYMOUS):
        long = bytes(9_000_000)
        answer = service.client.post("/utterance", content=long, headers=WAV)
        assert_error(answer, 503, "queue_full")
        answer = service.client.post("/utterance?wait=0", content=b"x", headers=WAV)
        assert_error(answer, 503, "queue_full")
        answer = service.post(audio=in_base64(long), audio_format="wav")
        assert_error(answer, 503, "queue_full")
        assert service.post().status_code == 200  # an utterance needs no such place


def test_a_full_disk_is_a_reason_to_come_back(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("auricle.server.uploads.spool._write_all", full)
    answer = service.client.post("/utterance", content=CLIP_BYTES, headers=WAV)
    assert_error(answer, 503, "queue_full")
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


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        yield started


def request_bytes(path: str, content_type: str, content: bytes) -> bytes:
    lines = (f"Content-Type: {content_type}", f"Content-Length: {len(content)}")
    return head(path, *lines) + content


JSON_CONTENT = (
    b'{"audio_format": "pcm16", "audio": "' + in_base64(CLIP.pcm.tobytes()).encode() + b'"}'
)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("application/json", JSON_CONTENT), ("audio/wav", CLIP_BYTES)],
    ids=["json", "audio"],
)
async def test_a_caller_that_hangs_up_cancels_its_work(
    running: Live, content_type: str, content: bytes
) -> None:
    running.transcriber.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", content_type, content))
        await poll_until(lambda: running.transcriber.in_flight == 1)
    await running.until_at_rest()
    assert len(running.transcriber.cancelled) == 1
    running.transcriber.gate = None
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", content_type, content))
        status, _, _ = await read_answer(stream)
        assert status == 200


async def test_a_caller_that_hangs_up_cancels_the_reading_of_its_file(running: Live) -> None:
    running.decoder.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", "audio/wav", CLIP_BYTES))
        await poll_until(lambda: running.decoder.open_readings == 1)
    await running.until_at_rest()
    assert running.decoder.left_behind() == []


@pytest.mark.parametrize("content_type", ["application/json", "audio/wav"])
async def test_a_caller_that_hangs_up_in_the_middle_of_its_body_leaves_nothing(
    running: Live, content_type: str
) -> None:
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", content_type, JSON_CONTENT)[:-1000])
        await poll_until(lambda: not running.is_at_rest())
    await running.until_at_rest()
    assert running.transcriber.jobs == []


@pytest.mark.parametrize("content_type", ["application/json", "audio/wav"])
async def test_a_body_that_stops_coming_in_is_given_up(tmp_path: Path, content_type: str) -> None:
    async with live(tmp_path, body_timeout_s=0.2) as impatient:
        async with await impatient.connect() as stream:
            await stream.send(request_bytes("/utterance", content_type, JSON_CONTENT)[:-1000])
            status, headers, body = await read_answer(stream)
            assert (status, headers["connection"]) == (400, "close")
            assert b"No body data" in body
        await impatient.until_at_rest()


async def test_a_large_upload_is_never_whole_in_memory(running: Live) -> None:
    size = 60_000_000
    before = memory_bytes()
    async with await running.connect() as stream:
        await stream.send(head("/utterance", "Content-Type: audio/flac", f"Content-Length: {size}"))
        running.decoder.script = file_of(20, 20)
        for _ in range(size // 500_000):
            await stream.send(bytes(500_000))
        status, _, _ = await read_answer(stream)
        assert status == 200
    assert memory_bytes() - before < size / 2


def memory_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
