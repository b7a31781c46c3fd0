"""Deepgram's live protocol over real sockets."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest
from structlog.testing import LogCapture
from websockets.exceptions import ConnectionClosed, InvalidStatus

from auricle.apis.deepgram.wire.live import DeepgramDialect
from auricle.audio.g711 import alaw_to_pcm16, mulaw_to_pcm16
from auricle.server.live.connection import MAX_BAD_MESSAGES
from auricle.values.errors import Draining, NoWorkerReady, Overloaded, RateLimited, ServerFull
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Job,
    Segment,
    Transcript,
    Word,
)
from auricle.workers.kinds.speakers import labels
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.apis.transcripts.test_vanished_clients import segments
from tests.support.containers import ogg_stream, webm_stream
from tests.support.embedder import TwoVoices
from tests.support.service import Live, keys, live, poll_until
from tests.support.session import spoken
from tests.support.stream import LIMIT_S, PACKETS, SPEECH, Caller, call, pcm, silence
from tests.support.telephone import companded
from tests.support.transcriber import heard
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

LINEAR: dict[str, Any] = {"encoding": "linear16", "sample_rate": 16_000, "punctuate": "true"}
WAV = (Path(__file__).parents[3] / "testdata" / "fellow.wav").read_bytes()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started


def listen(service: Live, **how: Any) -> AbstractAsyncContextManager[Caller]:
    return call(service.port, path="/v1/listen", **how)


def texts(caller: Caller) -> list[str]:
    """Return what the final results say."""
    return [text_of(result) for result in caller.of("Results") if result["is_final"]]


def text_of(result: dict[str, Any]) -> str:
    (alternative,) = result["channel"]["alternatives"]
    text: str = alternative["transcript"]
    return text


def ask_not(job: Job) -> Transcript:
    """Transcribe two words in the first second."""
    words = (Word(1600, 8000, " Ask", 0.9), Word(8000, 16_000, " not.", 0.7))
    return heard("Ask not.", job, segments=(Segment(0, 16_000, "Ask not.", words=words),))


async def refused(service: Live, **how: Any) -> tuple[int, dict[str, Any], Any]:
    """Return status, body and headers of a handshake that fails."""
    with pytest.raises(InvalidStatus) as caught:
        async with listen(service, **how):
            pass
    response = caught.value.response
    assert response.body is not None
    body = json.loads(response.body)
    assert set(body) == {"err_code", "err_msg", "request_id", "code"}
    assert response.headers["dg-error"] == body["err_msg"]
    return response.status_code, body, response.headers


# From speech to results.


async def test_a_stream_is_results_then_metadata_then_a_good_end(
    service: Live, logged: LogCapture
) -> None:
    service.transcriber.answer_with = ask_not
    async with listen(service, **LINEAR, model="nova-3") as caller:
        await caller.send(pcm(SPEECH))
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    *results, metadata = caller.received
    assert {event["type"] for event in results} == {"Results"}
    last = results[-1]
    assert (last["is_final"], last["speech_final"], last["from_finalize"]) == (True, True, False)
    (alternative,) = last["channel"]["alternatives"]
    assert alternative["transcript"] == "Ask not."
    assert alternative["confidence"] == 0.8
    first = alternative["words"][0]
    assert last["start"] <= first["start"] < first["end"] <= last["start"] + last["duration"]
    assert (first["word"], first["punctuated_word"]) == ("ask", "Ask")
    assert metadata["type"] == "Metadata"
    assert metadata["sha256"] == hashlib.sha256(pcm(SPEECH)).hexdigest()
    assert metadata["duration"] == pytest.approx(SPEECH.size / SAMPLE_RATE_HZ, abs=0.001)
    assert metadata["request_id"] == last["metadata"]["request_id"]
    assert last["metadata"]["model_info"]["name"] == "whisper-base"
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["dialect"], line["status"], line["end"]) == ("deepgram", 101, "done")
    assert "Ask not" not in str(logged.entries)
    assert all(job.options.word_timestamps for job in service.transcriber.jobs)


async def test_a_result_ends_where_the_voice_changes_and_the_first_voice_is_0(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "PATIENCE_S", 60.0)
    text = "And so my fellow. Ask not what you can."
    service.transcriber.answer_with = lambda job: spoken(text, job)
    service.state.live.workers = OptionalWorkers(speakers=LocalSpeakers(TwoVoices()))
    loud = SPEECH[: 3 * SAMPLE_RATE_HZ]
    quiet = (np.tile(loud, 2) / 6).astype(np.int16)  # speaks longer
    async with listen(service, **LINEAR, diarize="true", endpointing=1500) as caller:
        await caller.send(pcm(np.concatenate([loud, quiet])))
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    results = [result for result in caller.of("Results") if result["is_final"]]
    speakers = [
        {word["speaker"] for word in result["channel"]["alternatives"][0]["words"]}
        for result in results
    ]
    assert speakers == [{0}, {1}]
    assert " ".join(texts(caller)) == text
    first, second = results
    assert (first["speech_final"], second["speech_final"]) == (False, True)
    assert first["start"] + first["duration"] == pytest.approx(second["start"])


def in_messages(data: bytes, size_bytes: int = 3200) -> list[bytes]:
    return [data[at : at + size_bytes] for at in range(0, len(data), size_bytes)]


@pytest.mark.parametrize(
    ("encoding", "expand"), [("mulaw", mulaw_to_pcm16), ("alaw", alaw_to_pcm16)]
)
async def test_a_call_of_two_parties_has_two_channels(
    service: Live, encoding: str, expand: Any
) -> None:
    near = np.concatenate([SPEECH, np.zeros(SPEECH.size + 32_000, np.int16)])
    both = np.stack([near, near[::-1]], axis=1)[::2]
    how: dict[str, Any] = {"encoding": encoding, "channels": 2, "multichannel": "true"}
    async with listen(service, **how) as caller:
        for message in in_messages(companded(both.reshape(-1), expand), 1601):
            await caller.send(message)
        await caller.tell("Finalize")
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    results = [result for result in caller.of("Results") if result["is_final"]]
    assert {tuple(result["channel_index"]) for result in results} == {(0, 2), (1, 2)}
    assert {r["channel_index"][0] for r in results if r["from_finalize"]} == {0, 1}
    ends = [max(r["start"] for r in results if r["channel_index"][0] == n) for n in (0, 1)]
    assert ends[1] > ends[0]
    metadata = caller.received[-1]
    assert metadata["channels"] == 2
    assert metadata["duration"] == pytest.approx(near.size / SAMPLE_RATE_HZ, abs=0.05)


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"encoding": "linear16", "sample_rate": 16_000}, in_messages(pcm(SPEECH), 999)),
        ({"encoding": "linear16", "sample_rate": 8_000}, in_messages(pcm(SPEECH[::2]))),
        (
            {"encoding": "linear16", "sample_rate": 16_000, "channels": 2},
            in_messages(np.repeat(SPEECH, 2).tobytes()),
        ),
        ({"encoding": "opus", "sample_rate": 48_000}, PACKETS),
        ({"encoding": "ogg-opus"}, in_messages(ogg_stream(PACKETS), 500)),
        ({}, in_messages(ogg_stream(PACKETS), 7)),
        ({}, in_messages(webm_stream(PACKETS), 500)),
        ({}, in_messages(WAV)),
        ({"encoding": "mulaw"}, in_messages(companded(SPEECH[::2], mulaw_to_pcm16))),
        ({"encoding": "alaw"}, in_messages(companded(SPEECH[::2], alaw_to_pcm16))),
    ],
    ids=["linear16", "8kHz", "stereo", "opus", "ogg-opus", "ogg", "webm", "wav", "mulaw", "alaw"],
)
async def test_every_format_is_transcribed_in_full(
    service: Live, query: dict[str, Any], messages: Iterable[bytes]
) -> None:
    async with listen(service, **query) as caller:
        for message in messages:
            await caller.send(message)
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    assert set(texts(caller)) == {"hello"}
    duration = caller.received[-1]["duration"]
    assert duration == pytest.approx(SPEECH.size / SAMPLE_RATE_HZ, abs=0.05)
    heard_samples = sum(job.pcm.size for job in service.transcriber.jobs)
    assert heard_samples > SPEECH.size / 2


@pytest.mark.parametrize("wanted", [True, False])
async def test_partials_are_sent_only_if_requested(service: Live, wanted: bool) -> None:
    async with listen(service, **LINEAR, interim_results=str(wanted).lower()) as caller:
        await caller.send(pcm(SPEECH[:32_000]))
        if wanted:
            interim = await caller.until("Results", is_final=False)
            assert text_of(interim) == "hello"
            assert not interim["speech_final"]
        await caller.tell("CloseStream")
        await caller.until_closed()
    assert any(not result["is_final"] for result in caller.of("Results")) is wanted


async def test_the_start_of_speech_and_the_end_of_words_are_reported(service: Live) -> None:
    service.transcriber.answer_with = ask_not
    query = LINEAR | {"vad_events": "true", "utterance_end_ms": 1000, "interim_results": "true"}
    async with listen(service, **query) as caller:
        await caller.send(pcm(SPEECH))
        started = await caller.until("SpeechStarted")
        assert 0 <= started["timestamp"] < 1
        for _ in range(30):
            await caller.send(silence(0.1))
        end = await caller.until("UtteranceEnd")
        assert 0 < end["last_word_end"] < 7
        last = [event for event in caller.received if event["type"] == "Results"][-1]
        assert last["speech_final"]


async def test_keyterms_reach_the_recogniser_and_can_be_changed(service: Live) -> None:
    async with listen(service, **LINEAR, keyterm=["Auricle", "pre-roll"]) as caller:
        for _ in range(2):
            await caller.send(pcm(SPEECH[:16_000]))
            await caller.tell("Finalize")
            await caller.until("Results", from_finalize=True)
            await caller.tell("Configure", keyterms=["fellow"])
            assert (await caller.until("ConfigureSuccess"))["keyterms"] == ["fellow"]
    heard_with = [job.options.hotwords for job in service.transcriber.jobs]
    assert list(dict.fromkeys(heard_with)) == [("Auricle", "pre-roll"), ("fellow",)]


# Finalize, KeepAlive, CloseStream.


async def test_finalize_is_answered_with_text_and_without(service: Live) -> None:
    async with listen(service, **LINEAR, endpointing="false") as caller:
        await caller.tell("Finalize")
        empty = await caller.until("Results", from_finalize=True)
        assert (text_of(empty), empty["is_final"]) == ("", True)
        await caller.send(pcm(SPEECH[:16_000]))
        await caller.tell("Finalize")
        full = await caller.until("Results", from_finalize=True)
        assert (text_of(full), full["is_final"]) == ("hello", True)
        await caller.send(silence(2))
        await caller.tell("Finalize")
        silent = await caller.until("Results", from_finalize=True)
        assert text_of(silent) == ""
        assert 2.5 < silent["start"] + silent["duration"] <= 3.0  # a word may begin before it shows
    assert len([result for result in caller.of("Results") if result["from_finalize"]]) == 3


async def test_a_stream_without_audio_ends_well(service: Live) -> None:
    for ending in ('{"type":"CloseStream"}', b""):
        async with listen(service, **LINEAR) as caller:
            await caller.tell("KeepAlive")
            await caller.send(ending)
            assert await caller.until_closed() == (1000, "")
        (metadata,) = caller.received
        assert metadata["duration"] == 0


async def test_what_comes_after_the_end_is_ignored(service: Live) -> None:
    service.transcriber.gate = anyio.Event()
    async with listen(service, **LINEAR) as caller:
        await caller.send(pcm(SPEECH[:16_000]))
        await caller.tell("CloseStream")
        await caller.send(pcm(SPEECH[16_000:]))
        await caller.tell("Finalize")
        await caller.tell("CloseStream")
        await poll_until(lambda: bool(service.transcriber.jobs))
        service.transcriber.gate.set()
        assert await caller.until_closed() == (1000, "")
    assert len(texts(caller)) == 1
    assert caller.received[-1]["duration"] == pytest.approx(1.0)


async def test_silence_on_the_line_ends_it_as_clients_know(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeepgramDialect, "idle_timeout_s", 0.05)
    async with listen(service, **LINEAR) as caller:
        code, reason = await caller.until_closed()
    assert code == 1011
    assert reason.startswith("NET-0001")


async def test_it_is_reported_when_the_server_goes(service: Live) -> None:
    async with listen(service, **LINEAR, vad_events="true") as caller:
        await caller.send(pcm(SPEECH[:16_000]))
        await caller.until("SpeechStarted")
        service.state.live.drain()
        code, reason = await caller.until_closed()
    assert code == 1012
    assert reason.startswith("draining")
    assert texts(caller) == ["hello"]


async def test_words_are_waited_for_no_longer_than_the_server_may(tmp_path: Path) -> None:
    async with live(tmp_path, drain_s=1.0) as service, listen(service, **LINEAR) as caller:
        service.transcriber.gate = anyio.Event()
        await caller.send(pcm(SPEECH[:16_000]))
        await caller.tell("Finalize")
        await poll_until(lambda: service.transcriber.in_flight > 0)
        service.state.live.drain()
        assert (await caller.until_closed())[0] == 1012
    assert not texts(caller)


# Bad input.


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ({}, b"This is no audio at all." * 10),
        ({}, b"fLaC" + bytes(100)),
        ({}, bytes(3200)),
        ({}, ogg_stream(PACKETS)[:40] + b"not a page" * 40),
        ({"encoding": "ogg-opus"}, b"not a page" * 40),
        ({}, WAV[:20] + b"\x03" + WAV[21:]),
    ],
)
async def test_what_is_no_audio_ends_the_stream_and_nothing_else(
    service: Live, query: dict[str, Any], data: bytes, logged: LogCapture
) -> None:
    async with listen(service, **LINEAR) as neighbour:
        async with listen(service, **query) as caller:
            await caller.send(data)
            code, reason = await caller.until_closed()
        assert code == 1008
        assert reason.startswith("DATA-0000: ")
        await neighbour.send(pcm(SPEECH[:16_000]))
        await neighbour.tell("CloseStream")
        assert await neighbour.until_closed() == (1000, "")
    assert texts(neighbour) == ["hello"]
    assert not [entry for entry in logged.entries if entry["event"] == "unexpected_error"]


async def test_invalid_packets_end_the_stream(service: Live) -> None:
    async with listen(service, encoding="opus") as caller:
        with anyio.fail_after(LIMIT_S), contextlib.suppress(ConnectionClosed):
            while True:
                await caller.send(b"\xff\xff" + bytes(50))
        code, reason = await caller.until_closed()
    assert code == 1008
    assert reason.startswith("DATA-0000: ")


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"type":"Dance"}', '{"type":"Configure","keyterms":7}', "\x00"]
)
async def test_an_invalid_message_is_reported_and_the_stream_continues(
    service: Live, text: str
) -> None:
    async with listen(service, **LINEAR) as caller:
        await caller.send(text)
        error = await caller.until("Error")
        assert error["variant"] == "SchemaError"
        assert error["description"]
        await caller.send(pcm(SPEECH[:16_000]))
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    assert texts(caller) == ["hello"]


async def test_many_of_them_are_the_end(service: Live) -> None:
    async with listen(service, **LINEAR) as caller:
        for _ in range(MAX_BAD_MESSAGES):
            await caller.send("no JSON")
        code, reason = await caller.until_closed()
    assert code == 1008
    assert reason.startswith("bad_request: ")


async def test_a_private_number_is_nowhere(tmp_path: Path, logged: LogCapture) -> None:
    def card(job: Job) -> Transcript:
        text = "My card is 4111-1111-1111-1111 okay."
        return heard(text, job, segments=(Segment(0, 16_000, text),))

    async with live(tmp_path, **kept_in(tmp_path)) as service:
        service.transcriber.answer_with = card
        how = LINEAR | {"redact": "pci", "interim_results": "true"}
        async with listen(service, **how) as caller:
            await caller.send(pcm(SPEECH))
            await caller.tell("CloseStream")
            await caller.until("Metadata")
        shown = [text_of(result) for result in caller.of("Results")]
        await poll_until(lambda: segments(service))
        kept = [segment.text for segment in segments(service)]
    assert "My card is [CREDIT_CARD] okay." in shown
    assert set(kept) == {"My card is [CREDIT_CARD] okay."}
    assert "4111" not in f"{caller.received}{kept}{logged.entries}"


# The handshake.


@pytest.mark.parametrize(
    "query",
    [
        {"encoding": "amr-nb"},
        {"encoding": "linear16"},
        {"encoding": "linear16", "sample_rate": 1},
        {"language": "klingon"},
        {"interim_results": "perhaps"},
        {"channels": 16, "multichannel": "true", "encoding": "mulaw"},
        {"channels": 2, "multichannel": "true", "encoding": "ogg-opus"},
        {"redact": ["pci", "pii"]},
        {"callback": "https://receiver.example/"},
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(service: Live, query: dict[str, Any]) -> None:
    status, body, _ = await refused(service, **query)
    assert (status, body["err_code"], body["code"]) == (400, "Bad Request", "bad_request")
    assert service.transcriber.reservations == []


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Overloaded("full", 7), 503, "SERVICE_UNAVAILABLE"),
        (ServerFull("full", 7, speakers=3, capacity=3), 503, "SERVICE_UNAVAILABLE"),
        (NoWorkerReady("none", 7), 503, "SERVICE_UNAVAILABLE"),
        (Draining("going", 7), 503, "SERVICE_UNAVAILABLE"),
        (RateLimited("crashes", 7), 429, "TOO_MANY_REQUESTS"),
    ],
)
async def test_without_room_clients_learn_when_to_retry(
    service: Live, error: Exception, status: int, words: str
) -> None:
    service.transcriber.refuse = error
    found, body, headers = await refused(service, **LINEAR)
    assert (found, body["err_code"], headers["retry-after"]) == (status, words, "7")


async def test_keys_come_as_clients_of_deepgram_send_them(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        for how in (
            {"headers": {"authorization": "Token secret"}},
            {"headers": {"authorization": "Bearer secret"}},
            {"subprotocols": ["token", "secret"]},
            {"subprotocols": ["bearer", "secret"]},
        ):
            async with listen(service, **LINEAR, **how) as caller:
                offered = how.get("subprotocols", [None])
                assert caller.connection.subprotocol == offered[0]  # type: ignore[index]
                await caller.tell("CloseStream")
                assert await caller.until_closed() == (1000, "")
        status, body, headers = await refused(service, **LINEAR)
        assert (status, body["err_code"], body["code"]) == (401, "INVALID_AUTH", "unauthorized")
        assert headers["www-authenticate"] == "Token"
        status, _, _ = await refused(service, subprotocols=["token", "nope"])
        assert status == 401


async def test_a_path_that_there_is_not_is_refused_in_deepgram_s_shape(service: Live) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with call(service.port, path="/v1/listen/other"):
            pass
    body = caught.value.response.body
    assert body is not None
    assert set(json.loads(body)) == {"err_code", "err_msg", "request_id", "code"}


@pytest.mark.parametrize("path", ["/v1/listen/", "/v2/listen/"])
async def test_a_stream_s_path_may_end_in_a_slash(service: Live, path: str) -> None:
    async with call(service.port, path=path, encoding="opus") as caller:
        await caller.send(b"")


async def test_a_file_s_path_may_end_in_a_slash(service: Live) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http:
        answer = await http.post("/v1/listen/", content=WAV, headers={"content-type": "audio/wav"})
    assert answer.status_code == 200
