"""whisper-asr-webservice's API, with the requests of programs that use it, byte for byte."""

import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.values.errors import AudioError, Overloaded, PoisonJob, RateLimited, UnsupportedFormat
from auricle.values.types import ANONYMOUS, Task
from tests.support.decoder import file_of
from tests.support.service import (
    CLIP,
    InProcess,
    head,
    in_process,
    keys,
    live,
    poll_until,
    read_answer,
)
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

RAW = CLIP.pcm.tobytes()
WAV = CLIP.path.read_bytes()

BOUNDARY = "8530f245e71e78d2e37bebe0ff9aef17"
BAZARR = {
    "User-Agent": "Subliminal/2.3.2",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
    "Connection": "keep-alive",
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
}
"""What Bazarr sends by ``requests``; the body is the file and nothing else."""
SUBTITLES = "/asr?task=transcribe&language=en&output=srt&encode=false"
LANGUAGE = "/detect-language?encode=false&video_file=%2Ftv%2FA+show%2FS01E01.mkv"
START = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="audio_file"; filename="audio_file"'
    "\r\n\r\n"
).encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def asr(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, asr_webservice=True) as service:
        yield service


def bazarr(service: InProcess, path: str = SUBTITLES, audio: Any = RAW, **headers: str) -> Any:
    return service.client.post(path, content=START + audio + END, headers=BAZARR | headers)


def post(service: InProcess, path: str = "/asr", audio: bytes = WAV) -> Any:
    return service.client.post(path, files={"audio_file": ("a.wav", audio)})


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}


# Bazarr.


def test_bazarr_gets_subtitles_of_raw_samples(asr: InProcess) -> None:
    answer = bazarr(asr)
    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        "text/plain; charset=utf-8",
    )
    assert answer.text.startswith("1\n00:00:0")
    assert "hello" in answer.text
    (job,) = asr.transcriber.jobs
    assert (job.options.language, job.client) == ("en", ANONYMOUS)
    assert job.pcm.tobytes() in RAW
    asr.assert_works()


def test_a_long_film_is_read_as_raw_samples_by_a_decode_worker(asr: InProcess) -> None:
    answer = bazarr(asr, SUBTITLES.replace("transcribe", "translate"), RAW * 6)
    assert "hello" in answer.text
    (source,) = asr.decoder.sources
    assert (source.audio_format, source.sample_rate_hz, source.channels) == ("pcm16", 16_000, 1)
    assert asr.decoder.contents == [RAW[:100]]
    assert {job.options.task for job in asr.transcriber.jobs} == {Task.TRANSLATE}
    assert asr.decoder.left_behind() == []
    asr.assert_works()


async def test_a_film_goes_to_the_spool_and_not_to_memory(tmp_path: Path) -> None:
    parts, part = 400, bytes(100_000)
    async with live(tmp_path, asr_webservice=True) as service:
        service.decoder.script = file_of(20, 20)
        service.decoder.gate = anyio.Event()
        length = len(START) + parts * len(part) + len(END)
        lines = [f"{name}: {value}" for name, value in BAZARR.items()]
        tracemalloc.start()
        try:
            async with await service.connect() as stream:
                await stream.send(head(SUBTITLES, *lines, f"Content-Length: {length}") + START)
                for _ in range(parts):
                    await stream.send(part)
                await stream.send(END)
                await poll_until(lambda: service.decoder.open_readings)
                _, peak_bytes = tracemalloc.get_traced_memory()
                (path,) = service.spooled
                assert path.stat().st_size == parts * len(part)
                service.decoder.gate.set()
                status, _, answer = await read_answer(stream)
        finally:
            tracemalloc.stop()
        assert (status, answer.count(b"hello")) == (200, 2)
        assert peak_bytes < 8_000_000
        await service.until_at_rest()


def test_bazarr_detects_the_language_before(asr: InProcess) -> None:
    answer = bazarr(asr, LANGUAGE)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "detected_language": "english",
        "language_code": "en",
        "confidence": 0.99,
    }
    assert asr.transcriber.jobs[0].options.language is None
    asr.assert_works()


def test_only_the_first_speech_is_needed_for_the_language(asr: InProcess) -> None:
    asr.decoder.script = file_of(11, 11, 11, 11, 11)
    asr.transcriber.answer_with = lambda job: heard("guten Tag", job, language="de")
    assert bazarr(asr, LANGUAGE, RAW * 6).json()["language_code"] == "de"
    assert len(asr.transcriber.jobs) == 3
    assert asr.decoder.open_readings == 0


def test_silence_has_no_language(asr: InProcess) -> None:
    answer = bazarr(asr, LANGUAGE, bytes(64_000))
    assert (answer.status_code, answer.json()["language_code"]) == (200, "und")
    assert bazarr(asr, audio=bytes(64_000)).text == ""


async def test_clients_that_stop_sending_or_hang_up_leave_nothing(tmp_path: Path) -> None:
    async with live(tmp_path, asr_webservice=True, body_timeout_s=0.2) as service:
        request = head(SUBTITLES, f"Content-Type: {BAZARR['Content-Type']}", "Content-Length: 9999")
        async with await service.connect() as stream:
            await stream.send(request + START)
            status, _, answer = await read_answer(stream)
        assert (status, b'"detail":"No body data' in answer) == (400, True)
        async with await service.connect() as stream:
            await stream.send(request + START + RAW[:1000])
        await service.until_at_rest()


# Others.


def test_a_file_is_plain_text_by_default(asr: InProcess) -> None:
    answer = post(asr)
    assert (answer.text, answer.headers["content-type"]) == (
        "hello\n",
        "text/plain; charset=utf-8",
    )
    assert "x-auricle-warnings" not in answer.headers
    flac = post(asr, "/asr/?vad_filter=true", (CLIP.path.parent / "fellow.flac").read_bytes())
    assert flac.text == "hello\n"
    assert asr.decoder.sources[-1].audio_format == "flac"


def test_wav_is_read_as_such_even_if_the_client_says_it_is_raw(asr: InProcess) -> None:
    assert bazarr(asr, audio=WAV).status_code == 200
    assert [source.audio_format for source in asr.decoder.sources] == ["wav"]


def test_what_has_no_effect_is_reported(asr: InProcess) -> None:
    files = {"audio_file": ("a.wav", WAV)}
    answer = asr.client.post(
        "/asr?output=json&beam_size=3", files=files, data={"language": "de", "empty": ""}
    )
    warnings = [
        "beam_size is not supported and has no effect.",
        "language is not supported and has no effect.",
    ]
    assert answer.json()["warnings"] == warnings
    assert answer.headers["x-auricle-warnings"] == " ".join(warnings)


def test_what_is_missing_in_a_long_file_is_visible(asr: InProcess) -> None:
    asr.decoder.script = file_of(20, 20)
    asr.transcriber.script = [lambda job: heard("one", job), PoisonJob("It crashed.")]
    answer = bazarr(asr, audio=RAW * 6)
    assert "20.0 s missing" in answer.text
    assert answer.headers["x-auricle-gaps"] == "1"


# Keys.


@pytest.mark.parametrize("path", [SUBTITLES, LANGUAGE])
def test_the_key_may_be_a_password(tmp_path: Path, path: str) -> None:
    with in_process(tmp_path, asr_webservice=True, api_keys=keys("alice:geheim:ß")) as service:
        for headers in (
            basic(":geheim:ß"),
            basic("anybody:geheim:ß"),
            {"authorization": basic(":geheim:ß")["Authorization"].replace("Basic", "bASIC")},
            {"Authorization": "Bearer geheim:ß".encode().decode("latin-1")},
            {"api-key": "geheim:ß".encode().decode("latin-1")},
        ):
            sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
            answer = service.client.post(
                path,
                content=START + RAW + END,
                headers=[*sent.items(), (b"content-type", BAZARR["Content-Type"].encode())],
            )
            assert answer.status_code == 200, headers
        assert {job.client for job in service.transcriber.jobs} == {"alice"}
        for headers in (
            {},
            basic(":wrong"),
            basic("geheim:ß:"),
            basic("geheim"),
            {"Authorization": "Basic geheim"},
            {"Authorization": "Basic =?"},
            {"Authorization": "Basic"},
        ):
            answer = bazarr(service, path, **headers)
            assert answer.status_code == 401, headers
            assert answer.json()["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == 'Basic realm="Auricle"'


def test_a_password_opens_no_other_path(tmp_path: Path) -> None:
    with in_process(tmp_path, asr_webservice=True, api_keys=keys("secret")) as service:
        headers = basic(":secret")
        assert service.client.get("/v1/models", headers=headers).status_code == 401
        answer = service.client.post("/utterance", content=WAV, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_pages_of_other_sites_are_refused(asr: InProcess) -> None:
    answer = bazarr(asr, Origin="https://evil.example")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")


# Refusals.


def assert_error(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"detail", "code"}
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/asr?task=sing", WAV, 400, "bad_request"),
        ("/asr?language=klingon", WAV, 400, "bad_request"),
        ("/asr?encode=perhaps", WAV, 400, "bad_request"),
        ("/detect-language?encode=perhaps", WAV, 400, "bad_request"),
        ("/asr?encode=false", b"\0", 422, "bad_audio"),
        ("/asr", b"", 422, "empty_audio"),
        ("/detect-language", b"", 422, "empty_audio"),
    ],
)
def test_what_can_not_be_done_is_said(
    asr: InProcess, path: str, content: bytes, status: int, code: str
) -> None:
    assert_error(post(asr, path, content), status, code)
    assert asr.transcriber.jobs == []
    asr.assert_works()


def test_a_body_that_is_not_the_form_is_refused(asr: InProcess) -> None:
    for content, content_type in (
        (START + RAW, BAZARR["Content-Type"]),  # cut off
        (b"text where bytes belong", BAZARR["Content-Type"]),
        (START + RAW + b"\r\n" + START + RAW + END, BAZARR["Content-Type"]),  # two files
        (RAW, "audio/wav"),
        (b'{"audio_file": "a.wav"}', "application/json"),
        (b"", "multipart/form-data"),
    ):
        answer = asr.client.post(SUBTITLES, content=content, headers={"content-type": content_type})
        assert_error(answer, 400, "bad_request")
    missing = asr.client.post("/asr", files={"file": ("a.wav", WAV)})
    assert_error(missing, 400, "bad_request")
    assert "audio_file" in missing.json()["detail"]
    asr.assert_works()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnsupportedFormat("Not audio."), 415, "unsupported_format"),
        (AudioError("Broken."), 422, "bad_audio"),
        (PoisonJob("It crashed."), 500, "poison_job"),
        (KeyError("secret"), 500, "internal"),
    ],
)
def test_errors_have_the_service_s_shape(
    asr: InProcess, error: Exception, status: int, code: str
) -> None:
    asr.decoder.script = [error]
    answer = post(asr)
    assert_error(answer, status, code)
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Overloaded("Full.", 3), 503, "queue_full"),
        (RateLimited("Enough.", 3), 429, "rate_limited"),
    ],
)
def test_no_room_is_reported_before_the_film_is_read(
    asr: InProcess, error: Exception, status: int, code: str
) -> None:
    asr.transcriber.refuse = error
    answer = bazarr(asr, audio=RAW * 12)
    assert_error(answer, status, code)
    assert answer.headers["retry-after"] == "3"
    assert asr.decoder.sources == []


def test_methods_and_sizes(tmp_path: Path) -> None:
    with in_process(tmp_path, asr_webservice=True, max_upload_mb=0.1) as service:
        assert_error(service.client.get("/asr"), 405, "method_not_allowed")
        assert_error(bazarr(service), 413, "too_large")


def test_without_the_setting_there_is_no_such_path(service: InProcess) -> None:
    for path in (SUBTITLES, LANGUAGE):
        answer = bazarr(service, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "/asr" not in service.client.get("/openapi.json").json()["paths"]
