import hashlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from structlog.testing import LogCapture

from auricle.apis.deepgram.wire.query import parse_listen
from auricle.audio.chunks import find_chunks
from auricle.values.errors import (
    AudioError,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    TooLong,
)
from auricle.values.types import Job, Segment, Transcript, Word
from tests.support.clips import CLIPS
from tests.support.decoder import file_of
from tests.support.service import (
    CLIP,
    WAV,
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

FILE = CLIP.path.read_bytes()

Headers = Mapping[str, str]


def ask_not(job: Job) -> Transcript:
    words = (Word(1600, 8000, " Ask", 0.9), Word(8000, 16_000, " not.", 0.7))
    return heard("Ask not.", job, segments=(Segment(0, 16_000, "Ask not.", words=words),))


def post(service: InProcess, content: bytes = FILE, query: str = "", headers: Headers = WAV) -> Any:
    return service.client.post(f"/v1/listen?{query}", content=content, headers=headers)


def refused(service: InProcess, content: bytes = FILE, query: str = "") -> tuple[int, str, str]:
    """Return status, words and code of an answer that is an error; the next one is good."""
    answer = post(service, content, query)
    body = answer.json()
    assert set(body) == {"err_code", "err_msg", "request_id", "code"}
    service.assert_works()
    return answer.status_code, body["err_code"], body["code"]


def test_no_file_is_opened_for_an_answer_but_the_upload_s_own(
    service: InProcess, tmp_path: Path
) -> None:
    opened: list[str] = []
    is_watched = False

    def watch(event: str, arguments: tuple[Any, ...]) -> None:  # can't be removed
        if is_watched and event == "open" and isinstance(arguments[0], str):
            opened.append(arguments[0])

    sys.addaudithook(watch)
    assert post(service).status_code == 200
    is_watched = True  # there may be no descriptor left for another one
    assert post(service).status_code == 200
    is_watched = False
    assert opened
    memory = ("/proc/meminfo", "/proc/self/cgroup", "/sys/fs/cgroup/")  # looked up twice a second
    known = (str(tmp_path), *memory)
    assert [path for path in opened if not path.startswith(known)] == []


def test_a_file_is_returned_as_text_with_words(service: InProcess, logged: LogCapture) -> None:
    service.transcriber.answer_with = ask_not
    answer = post(service, query="model=nova-3&smart_format=true&utterances=true&keyterm=Auricle")
    assert answer.status_code == 200
    body = answer.json()
    metadata, (channel,) = body["metadata"], body["results"]["channels"]
    assert metadata["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert answer.headers["dg-request-id"] == metadata["request_id"]
    assert metadata["models"]
    assert "warnings" not in metadata
    (alternative,) = channel["alternatives"]
    assert alternative["transcript"] == "Ask not."
    assert [word["punctuated_word"] for word in alternative["words"]] == [
        "Ask",
        "not.",
    ]
    assert alternative["paragraphs"]["transcript"] == "Ask not."
    assert body["results"]["utterances"][0]["transcript"] == "Ask not."
    (job,) = service.transcriber.jobs
    assert (job.options.language, job.options.hotwords) == ("en", ("Auricle",))
    assert job.options.word_timestamps
    assert service.is_at_rest()
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["dialect"], line["job_id"]) == ("deepgram", metadata["request_id"])
    assert "Ask not" not in str(logged.entries)


def test_numbers_of_a_file_are_hidden_or_in_digits(service: InProcess) -> None:
    def card(job: Job) -> Transcript:
        text = "Twenty five cards: 4111 1111 1111 1111."
        words = tuple(
            Word(n * 1600, n * 1600 + 800, f" {word}", 0.9) for n, word in enumerate(text.split())
        )
        return heard(text, job, segments=(Segment(0, 16_000, text, words=words),))

    service.transcriber.answer_with = card
    body = post(service, query="punctuate=true&redact=pci&numerals=true").json()
    (alternative,) = body["results"]["channels"][0]["alternatives"]
    assert alternative["transcript"] == "25 cards: [CREDIT_CARD]."
    assert [(word["word"], word["start"]) for word in alternative["words"]] == [
        ("25", 0.0),
        ("cards", 0.2),
        ("[CREDIT_CARD]", 0.3),
    ]
    assert "warnings" not in body["metadata"]


@pytest.mark.parametrize("content_type", ["audio/*", "application/octet-stream", "", "video/mp4"])
@pytest.mark.parametrize("name", ["fellow.mp3", "fellow.ogg"])
def test_the_content_says_what_a_file_is(service: InProcess, name: str, content_type: str) -> None:
    answer = post(service, CLIPS[name].path.read_bytes(), headers={"content-type": content_type})
    assert answer.status_code == 200
    assert service.decoder.sources[0].audio_format == name.partition(".")[2]


def test_samples_without_a_header_are_what_the_query_says(service: InProcess) -> None:
    answer = post(service, CLIP.pcm.tobytes(), "encoding=linear16&sample_rate=16000")
    assert answer.status_code == 200
    (piece,) = find_chunks(CLIP.pcm)
    assert np.array_equal(service.transcriber.jobs[0].pcm, piece.pcm)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_those_of_a_telephone_are_expanded(service: InProcess, encoding: str) -> None:
    noise = np.random.default_rng(1).bytes(16_000)
    answer = post(service, noise, f"encoding={encoding}&sample_rate=8000")
    body = answer.json()
    assert answer.status_code == 200
    assert body["metadata"]["duration"] == pytest.approx(2.0)
    assert body["metadata"]["sha256"] == hashlib.sha256(noise).hexdigest()


def test_what_could_not_be_recognised_in_a_long_file_is_a_warning(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.transcriber.script = [PoisonJob("why")]
    answer = post(service)
    assert answer.status_code == 200
    (warning,) = answer.json()["metadata"]["warnings"]
    assert "poison_job" in warning


def test_a_language_that_is_hardly_spoken_is_a_warning(service: InProcess) -> None:
    service.decoder.script = file_of(20)
    service.transcriber.script = [lambda job: heard("So.", job, language_probability=0.001)]
    (warning,) = post(service, query="language=de").json()["metadata"]["warnings"]
    assert "German" in warning


# Bad input.


def test_urls_are_not_fetched(service: InProcess) -> None:
    for body in (b'{"url":"http://169.254.169.254/"}', b"no JSON", b""):
        answer = post(service, body, headers={"content-type": "application/json; charset=utf-8"})
        assert answer.status_code == 400
        assert "fetches no URLs" in answer.json()["err_msg"]
    service.assert_works()


def test_each_channel_of_a_call_has_its_own_transcript(service: InProcess) -> None:
    service.transcriber.answer_with = ask_not
    service.decoder.script = [replace(step, channels=2) for step in file_of(2.0)]
    query = "encoding=mulaw&channels=2&multichannel=true"
    body = post(service, b"\xff" * 40_000, query).json()
    channels = body["results"]["channels"]
    assert [c["alternatives"][0]["transcript"] for c in channels] == ["ask not", "ask not"]
    (similar,) = body["metadata"]["warnings"]
    assert similar.startswith("Channels 0 and 1 carry the same audio.")
    sources = sorted(service.decoder.sources, key=lambda source: source.channel or 0)
    assert [(each.channels, each.channel) for each in sources] == [(2, 0), (2, 1)]
    assert (sources[0].audio_format, sources[0].sample_rate_hz) == ("pcm16", 8000)
    assert service.is_at_rest()


def test_raw_channels_are_mixed_by_a_worker(service: InProcess) -> None:
    assert post(service, bytes(6400), "encoding=linear16&sample_rate=8000&channels=2").is_success
    (source,) = service.decoder.sources
    assert (source.channels, source.channel) == (2, None)


@pytest.mark.parametrize(
    "query",
    [
        "encoding=amr-nb",
        "encoding=opus",
        "encoding=linear16",
        "encoding=linear16&sample_rate=16000&channels=9",
        "language=klingon",
        "punctuate=perhaps",
        "redact=pii",
        "callback=http://example.com",
        "utt_split=-1",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(service: InProcess, query: str) -> None:
    assert refused(service, FILE, query) == (400, "Bad Request", "bad_request")
    assert len(service.transcriber.reservations) == 1  # of the good one


def test_an_empty_file_is_refused(service: InProcess) -> None:
    assert refused(service, b"") == (400, "Bad Request", "empty_audio")


def test_what_can_not_be_decoded_is_refused(service: InProcess) -> None:
    service.decoder.script = [AudioError("why")]
    assert refused(service, b"no audio") == (400, "Bad Request", "bad_audio")


def test_half_a_sample_is_refused(service: InProcess) -> None:
    query = "encoding=linear16&sample_rate=16000"
    assert refused(service, b"odd", query) == (400, "Bad Request", "bad_audio")


def test_a_file_that_is_too_large_or_too_long_is_refused(tmp_path: Path) -> None:
    with in_process(tmp_path, max_upload_mb=0.25) as service:
        assert refused(service, bytes(260_000)) == (413, "PAYLOAD_TOO_LARGE", "too_large")
        service.decoder.script = [TooLong("why")]
        assert refused(service) == (413, "PAYLOAD_TOO_LARGE", "too_long")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Overloaded("full", 7), (503, "SERVICE_UNAVAILABLE", "queue_full")),
        (NoWorkerReady("none", 7), (503, "SERVICE_UNAVAILABLE", "no_worker_ready")),
        (RateLimited("crashes", 7), (429, "TOO_MANY_REQUESTS", "rate_limited")),
    ],
)
def test_without_room_clients_learn_when_to_retry(
    service: InProcess, error: Exception, expected: tuple[int, str, str]
) -> None:
    service.transcriber.refuse = error
    assert post(service).headers["retry-after"] == "7"
    assert refused(service) == expected


def test_a_bug_of_ours_has_the_same_shape_and_reveals_nothing(service: InProcess) -> None:
    service.transcriber.script = [ValueError("what somebody said")]
    answer = post(service)
    assert answer.status_code == 500
    assert (answer.json()["err_code"], answer.json()["code"]) == (
        "INTERNAL_SERVER_ERROR",
        "internal",
    )
    assert "somebody" not in answer.text


def test_keys_come_as_clients_of_deepgram_send_them(tmp_path: Path) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        assert post(service, headers={"authorization": "Token secret"}).status_code == 200
        assert post(service, headers={"authorization": "Bearer secret"}).status_code == 200
        for headers in (WAV, {"authorization": "Token nope"}):
            answer = post(service, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["err_code"] == "INVALID_AUTH"
        grant = service.client.post("/v1/auth/grant", headers={"authorization": "Token secret"})
        token = grant.json()["access_token"]
        assert post(service, headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert {job.client for job in service.transcriber.jobs} == {"alice"}
        assert service.client.post("/v1/auth/grant").json()["err_code"] == "INVALID_AUTH"


async def test_a_client_that_hangs_up_cancels_its_work(tmp_path: Path) -> None:
    async with live(tmp_path) as service:
        service.transcriber.gate = anyio.Event()
        stream = await service.connect()
        lines = ("Content-Type: audio/wav", f"Content-Length: {len(FILE)}")
        await stream.send(head("/v1/listen", *lines) + FILE)
        await poll_until(lambda: service.transcriber.in_flight == 1)
        await stream.aclose()
        await service.until_at_rest()
        assert len(service.transcriber.cancelled) == 1


async def test_a_body_that_breaks_off_or_stops_coming_in_leaves_nothing(tmp_path: Path) -> None:
    lines = ("Content-Type: audio/wav", f"Content-Length: {len(FILE)}")
    async with live(tmp_path) as service:
        async with await service.connect() as leaving:
            await leaving.send(head("/v1/listen", *lines) + FILE[:-1000])
            await poll_until(lambda: not service.is_at_rest())
        await service.until_at_rest()
        assert service.transcriber.jobs == []
    async with live(tmp_path, body_timeout_s=0.2) as service:
        async with await service.connect() as slow:
            await slow.send(head("/v1/listen", *lines) + FILE[:-1000])
            status, headers, told = await read_answer(slow)
        assert (status, b'"err_msg":"No body data' in told) == (400, True)
        assert headers["dg-error"].startswith("No body data")
        await service.until_at_rest()
        assert service.transcriber.jobs == []


def test_the_document_describes_a_file_as_it_is_read(service: InProcess) -> None:
    post = service.client.get("/openapi.json").json()["paths"]["/v1/listen"]["post"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in post["parameters"]}
    values = {"boolean": "true", "integer": "9000", "number": "0.5", "string": "de", "array": "de"}
    raw = ("encoding", "mulaw")
    for name, schema in schemas.items():
        choices = schema.get("enum") or schema.get("items", {}).get("enum")
        value = str(choices[-1] if choices else values[schema["type"]])
        value = str(schema.get("maximum", value)) if schema["type"] == "integer" else value
        others = [raw] if name == "sample_rate" else []
        assert parse_listen([(name, value), *others]) != parse_listen(others), name
