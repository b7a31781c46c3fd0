from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from auricle.server.jobs import event_stream
from auricle.values.errors import (
    AudioError,
    AuricleError,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    TooLong,
    UnsupportedFormat,
)
from auricle.values.types import ANONYMOUS, JobKind, Options, Task
from tests.support.decoder import file_of
from tests.support.service import (
    CLIP,
    InProcess,
    Live,
    head,
    in_process,
    keys,
    live,
    poll_until,
    read_answer,
)
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

CLIP_BYTES = CLIP.path.read_bytes()
TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
TYPE = "multipart/form-data; boundary=b"


def body(content: bytes = CLIP_BYTES, **fields: str) -> bytes:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return b"".join([*parts, start, content, b"\r\n--b--\r\n"])


def post(
    service: InProcess, path: str = TRANSCRIPTIONS, content: bytes = CLIP_BYTES, **fields: Any
) -> Any:
    return service.client.post(
        path, content=body(content, **fields), headers={"content-type": TYPE}
    )


def assert_error(answer: Any, status: int, code: str, param: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")


# Files.


def test_a_file_is_returned_as_text(service: InProcess) -> None:
    answer = post(service, model="whisper-1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["text"] == "hello"
    (job,) = service.transcriber.jobs
    options = Options(sentence_times=False, is_chunk=True)
    assert (job.kind, job.options, job.client) == (JobKind.FINAL, options, ANONYMOUS)
    assert job.reservation == "room-0"
    assert service.decoder.contents == [CLIP_BYTES[:100]]
    assert service.decoder.left_behind() == []
    service.assert_works()


def test_what_the_form_asks_for_reaches_the_job(service: InProcess) -> None:
    lists: dict[str, Any] = {"keywords[]": "Auricle", "timestamp_granularities[]": "word"}
    post(
        service,
        language="de",
        prompt="Namen: Anna.",
        response_format="verbose_json",
        **lists,
    )
    assert service.transcriber.jobs[0].options == Options(
        "de",
        initial_prompt="Namen: Anna.",
        hotwords=("Auricle",),
        word_timestamps=True,
        is_chunk=True,
    )


def test_translations_are_asked_for_at_their_own_path(service: InProcess) -> None:
    answer = post(service, TRANSLATIONS, response_format="verbose_json", stream="true")
    assert (answer.json()["task"], answer.json()["language"]) == ("translate", "english")
    assert service.transcriber.jobs[0].options.task is Task.TRANSLATE


@pytest.mark.parametrize(
    ("named", "media_type"), [("text", "text/plain"), ("srt", "text/plain"), ("vtt", "text/plain")]
)
def test_formats_that_are_plain_come_as_text(
    service: InProcess, named: str, media_type: str
) -> None:
    answer = post(service, response_format=named)
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "hello" in answer.text


def test_the_content_says_what_a_file_is_and_not_its_name(service: InProcess) -> None:
    post(service, content=(CLIP.path.parent / "fellow.mp3").read_bytes())
    assert service.decoder.sources[0].audio_format == "mp3"


def test_what_is_missing_in_a_long_file_is_reported(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.transcriber.script = [lambda job: heard("one", job), PoisonJob("It crashed.")]
    answer = post(service, language="en")
    assert answer.json()["gaps"] == [
        {"start": 21.0, "end": 41.0, "code": "poison_job", "reason": "not recognised (poison_job)"}
    ]
    service.transcriber.script = [lambda job: heard("one", job), PoisonJob("It crashed.")]
    assert post(service, language="en", response_format="srt").headers["x-auricle-gaps"] == "1"


# Streams.


def test_a_stream_reports_text_while_the_file_is_worked_on(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20, 20)
    service.transcriber.script = [
        lambda job, text=text: heard(text, job)  # type: ignore[misc]  # bound now
        for text in ("One.", "Two.", "Three.")
    ]
    answer = post(service, stream="true", language="en")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    *deltas, done, end = answer.text.split("\n\n")
    assert "".join(line.split('"delta":"')[1].removesuffix('"}') for line in deltas) == (
        "One. Two. Three."
    )
    assert '"type":"transcript.text.done","text":"One. Two. Three."' in done
    assert end == ""
    service.decoder.script = None
    service.assert_works()


def test_a_short_file_is_one_delta_and_silence_none(service: InProcess) -> None:
    assert post(service, stream="1").text.count("transcript.text.delta") == 1
    service.decoder.script = file_of(2)[1:]
    silent = post(service, stream="true")
    assert "delta" not in silent.text
    assert '"text":""' in silent.text


def test_an_error_before_the_first_event_has_its_status(service: InProcess) -> None:
    service.transcriber.script = [PoisonJob("It crashed.")]
    assert_error(post(service, stream="true"), 500, "poison_job")
    service.assert_works()


@pytest.mark.parametrize(
    ("error", "code"),
    [(Draining("The service is shutting down.", 5), "draining"), (KeyError("secret"), "internal")],
)
async def test_an_error_after_the_first_event_is_the_last_event(
    running: Live, error: Exception, code: str
) -> None:
    running.decoder.script = [*file_of(20, 20, 20)[:2], error]
    answer = await post_over_socket(running, body(stream="true", language="en"))
    assert b"transcript.text.delta" in answer
    last = answer.rstrip(b"0\r\n").split(b"data: ")[-1]
    assert f'"code":"{code}"'.encode() in last
    assert b"secret" not in answer
    await running.until_at_rest()


async def test_a_server_that_shuts_down_says_so_in_a_stream_that_has_begun(running: Live) -> None:
    running.decoder.script = file_of(20, 20)
    running.transcriber.gate = anyio.Event()
    running.transcriber.holds = lambda job: job.id.endswith(":1")
    async with await running.connect() as stream:
        await stream.send(request_bytes(body(stream="true", language="en")))
        received = b""
        while b"transcript.text.delta" not in received:
            received += await stream.receive()
        running.state.lifecycle.end_requests()
        async for part in stream:
            received += part
    assert b'"code":"draining"' in received.split(b"data: ")[-1]
    assert received.endswith(b"0\r\n\r\n")
    await running.until_at_rest()


async def test_a_long_wait_is_filled_with_comments(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.01)
    running.transcriber.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes(body(stream="true")))
        received = b""
        while received.count(b": still working\n\n") < 2:
            received += await stream.receive()
        running.transcriber.gate.set()
        while b"transcript.text.done" not in received:
            received += await stream.receive()


# Refusals.


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "yaml"}, "response_format"),
        ({"temperature": "warm"}, "temperature"),
        ({"language": "klingon"}, "language"),
        ({"stream": "perhaps"}, "stream"),
    ],
)
def test_a_field_that_can_not_be_used_is_named(
    service: InProcess, fields: dict[str, Any], param: str
) -> None:
    assert_error(post(service, **fields), 400, "bad_request", param)
    assert service.transcriber.jobs == []
    service.assert_works()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnsupportedFormat("Not audio."), 400, "unsupported_format"),
        (AudioError("Broken."), 400, "bad_audio"),
        (TooLong("Too long."), 413, "too_long"),
        (PoisonJob("It crashed."), 500, "poison_job"),
        (KeyError("secret"), 500, "internal"),
    ],
)
def test_what_goes_wrong_has_openais_shape(
    service: InProcess, error: Exception, status: int, code: str
) -> None:
    service.decoder.script = [error]
    answer = post(service)
    assert_error(answer, status, code)
    assert "secret" not in answer.text
    service.decoder.script = None
    service.assert_works()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Overloaded("Full.", 3), 503, "queue_full"),
        (NoWorkerReady("None.", 3), 503, "no_worker_ready"),
        (RateLimited("Enough.", 3), 429, "rate_limit_exceeded"),
    ],
)
@pytest.mark.parametrize("size", [100, 9_000_000])
def test_no_room_is_reported_before_the_form_is_read(
    service: InProcess, error: AuricleError, status: int, code: str, size: int
) -> None:
    service.transcriber.refuse = error
    answer = post(service, content=bytes(size))
    assert_error(answer, status, code)
    assert answer.headers["retry-after"] == "3"
    assert service.decoder.sources == []
    service.assert_works()


def test_an_empty_file_and_no_file_are_reported(service: InProcess) -> None:
    assert_error(post(service, content=b""), 400, "empty_audio")
    headers = {"content-type": TYPE}
    empty = service.client.post(TRANSCRIPTIONS, content=b"--b--\r\n", headers=headers)
    assert_error(empty, 400, "bad_request", "file")
    for content_type in ("application/json", "audio/wav"):
        headers = {"content-type": content_type}
        answer = service.client.post(TRANSCRIPTIONS, content=CLIP_BYTES, headers=headers)
        assert_error(answer, 400, "bad_request")
    service.assert_works()


def test_more_bytes_than_the_operator_wants_are_refused(tmp_path: Path) -> None:
    with in_process(tmp_path, max_upload_mb=25) as service:
        assert_error(post(service, content=bytes(26_000_000)), 413, "too_large")
        service.assert_works()


def test_a_key_is_asked_for_once_there_are_any(tmp_path: Path) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        for answer in (
            post(service),
            service.client.get("/v1/models"),
            service.client.get("/v1/models/whisper-1"),
        ):
            assert_error(answer, 401, "invalid_api_key")
            assert answer.headers["www-authenticate"] == "Bearer"
        service.client.headers["authorization"] = "Bearer secret"
        assert post(service).status_code == 200
        assert service.transcriber.jobs[0].client == "alice"


def test_pages_of_other_sites_are_refused(service: InProcess) -> None:
    service.client.headers["origin"] = "https://evil.example"
    assert_error(post(service), 403, "forbidden_origin")


def test_paths_and_methods_that_are_not_there_are_reported_in_openais_shape(
    service: InProcess,
) -> None:
    assert_error(service.client.get(TRANSCRIPTIONS), 405, "method_not_allowed")
    assert_error(service.client.post("/v1/audio/speech"), 404, "not_found")
    assert_error(service.client.get("/v1/realtime/client_secrets"), 405, "method_not_allowed")
    assert "retryable" in service.client.get("/v1/nothing").json()["error"]


# Over a socket.


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        yield started


def request_bytes(content: bytes) -> bytes:
    lines = (f"Content-Type: {TYPE}", f"Content-Length: {len(content)}", "Connection: close")
    return head(TRANSCRIPTIONS, *lines) + content


async def post_over_socket(running: Live, content: bytes) -> bytes:
    """Return all received data, until the server closes."""
    received = b""
    async with await running.connect() as stream:
        await stream.send(request_bytes(content))
        with anyio.fail_after(60):
            async for part in stream:
                received += part
    return received


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_caller_that_hangs_up_cancels_its_work(running: Live, is_streamed: bool) -> None:
    running.transcriber.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes(body(stream=str(is_streamed))))
        await poll_until(lambda: running.transcriber.in_flight == 1)
    await running.until_at_rest()
    assert len(running.transcriber.cancelled) == 1


async def test_a_file_that_turns_out_to_be_long_keeps_no_place(running: Live) -> None:
    mp3 = (CLIP.path.parent / "fellow.mp3").read_bytes() + bytes(300_000)
    running.decoder.script = file_of(20, 20)
    running.transcriber.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes(body(mp3, stream="true", language="en")))
        await poll_until(lambda: running.transcriber.in_flight)
        assert (running.state.uploads.file_slots.taken, running.transcriber.reserved) == (1, {})
    await running.until_at_rest()


async def test_a_caller_that_hangs_up_after_some_text_cancels_the_rest(running: Live) -> None:
    running.decoder.script = file_of(20, 20, 20)
    running.transcriber.gate = anyio.Event()
    running.transcriber.holds = lambda job: not job.id.endswith(":0")
    async with await running.connect() as stream:
        await stream.send(request_bytes(body(stream="true", language="en")))
        received = b""
        while b"transcript.text.delta" not in received:
            received += await stream.receive()
    await running.until_at_rest()
    assert running.transcriber.cancelled


async def test_a_caller_that_reads_nothing_keeps_no_place(running: Live) -> None:
    running.decoder.script = file_of(20, 20)
    running.transcriber.answer_with = lambda job: heard("x" * 20_000_000, job)
    async with await running.connect() as stream:
        await stream.send(request_bytes(body(stream="true", language="en")))
        await poll_until(lambda: running.transcriber.jobs)
        await running.until_at_rest()


async def test_a_caller_that_hangs_up_in_the_middle_of_its_form_leaves_nothing(
    running: Live,
) -> None:
    async with await running.connect() as stream:
        await stream.send(request_bytes(body())[:-1000])
        await poll_until(lambda: not running.is_at_rest())
    await running.until_at_rest()
    assert running.transcriber.jobs == []


async def test_a_form_that_stops_coming_in_is_given_up(tmp_path: Path) -> None:
    async with live(tmp_path, body_timeout_s=0.2) as impatient:
        async with await impatient.connect() as stream:
            await stream.send(request_bytes(body())[:-1000])
            status, _, told = await read_answer(stream)
        assert (status, b'"type":"invalid_request_error"' in told) == (400, True)
        await impatient.until_at_rest()


@pytest.mark.wall_clock
async def test_a_large_form_is_never_whole_in_memory(running: Live) -> None:
    size, before = 60_000_000, memory_bytes()
    start, end = body(b"|").split(b"|")
    async with await running.connect() as stream:
        length = len(start) + size + len(end)
        lines = (f"Content-Type: {TYPE}", f"Content-Length: {length}")
        await stream.send(head(TRANSCRIPTIONS, *lines) + start)
        running.decoder.script = file_of(20, 20)
        for _ in range(size // 500_000):
            await stream.send(bytes(500_000))
        await stream.send(end)
        status, _, _ = await read_answer(stream)
        assert status == 200
    assert memory_bytes() - before < size / 2


def memory_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
