"""Vosk's port over real sockets, on fakes."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest
from structlog.testing import LogCapture
from websockets.exceptions import InvalidStatus

from auricle.apis.transcripts.stored.transcripts import Transcripts
from auricle.apis.vosk.live import VOSK
from auricle.config.sections.live import LiveSettings
from auricle.values.errors import NoWorkerReady
from auricle.values.types import ANONYMOUS, JobKind
from tests.apis.vosk.service import EOF, VoskService, vosk
from tests.support.service import keys, poll_until
from tests.support.stream import SPEECH, silence
from tests.support.transcriber import heard
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

AUDIO = SPEECH.tobytes()
EMPTY_MESSAGE = b"\x82\x80\0\0\0\0"
HALF = AUDIO[:32_000]
"""Speech without the silence that would end it."""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[VoskService]:
    async with vosk(tmp_path) as started:
        yield started


async def refused(service: VoskService, path: str = "", **headers: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        async with service.call(path, **headers):
            pass
    body = caught.value.response.body
    assert body is not None
    return caught.value.response.status_code, json.loads(body)["error"]["code"]


# Speech.


async def test_speech_becomes_partials_and_a_final_in_lockstep(service: VoskService) -> None:
    async with service.call() as caller:
        await caller.config(sample_rate=16_000)
        await caller.speak(AUDIO + silence(2))
        await caller.send(EOF)
        assert await caller.until_closed() == (1000, "")
    chunks = -(-(len(AUDIO) + 64_000) // 3200)
    assert len(caller.received) == chunks + 1  # one answer for each, and one at the end
    assert caller.texts == ["hello"]
    assert {job.client for job in service.transcriber.jobs} == {VOSK}
    await service.until_at_rest()


async def test_a_client_that_does_not_wait_gets_as_many_answers(service: VoskService) -> None:
    async with service.call("?sample_rate=16000") as caller:
        for _ in range(20):
            await caller.send(HALF)
        await caller.send(EOF)
        assert await caller.until_closed() == (1000, "")
    assert len(caller.received) == 21
    assert "hello" in " ".join(caller.texts)


async def test_a_reset_ends_the_utterance_and_the_stream_goes_on(service: VoskService) -> None:
    async with service.call("?sample_rate=16000") as caller:
        for _ in range(2):
            await caller.speak(HALF)
            assert (await caller.ask('{"reset" : 1}'))["text"] == "hello"
        assert (await caller.ask(EOF))["text"] == ""


@pytest.mark.parametrize(
    ("path", "language"),
    [("de", "de"), ("asr/en-US/", "en"), ("?language=pt-BR", "pt"), ("voskEN", None), ("", None)],
)
async def test_the_language_may_be_in_the_url(
    service: VoskService, path: str, language: str | None
) -> None:
    async with service.call(path) as caller:
        await caller.config(sample_rate=16_000)
        await caller.speak(HALF)
        assert (await caller.ask(EOF))["text"] == "hello"
    jobs = [job for job in service.transcriber.jobs if job.kind is not JobKind.PARTIAL]
    assert {job.options.language for job in jobs} == {language}


async def test_a_change_of_language_holds_for_what_follows(service: VoskService) -> None:
    service.transcriber.answer_with = lambda job: heard(job.options.language or "", job)
    async with service.call() as caller:
        await caller.config(sample_rate=16_000, language="en")
        await caller.speak(HALF)
        assert (await caller.ask('{"reset" : 1}'))["text"] == "en"
        assert await caller.ask('{"config": {"language": "xx"}}') == {"success": False}
        assert await caller.ask('{"config": {"language": "de"}}') == {"success": True}
        await caller.speak(HALF)
        assert (await caller.ask(EOF))["text"] == "de"


async def test_what_has_no_effect_is_reported(service: VoskService) -> None:
    async with service.call("?colour=red&model=no-such-model") as caller:
        header = caller.connection.response
        assert header is not None
        assert "colour" in header.headers["x-auricle-warnings"]
        await caller.config(spk=1)
        warnings = " ".join((await caller.ask(b""))["warnings"])
    assert "colour" in warnings
    assert "spk" in warnings
    assert "model is not served" in warnings


# Who may use it.


async def test_it_needs_no_key_and_its_transcripts_belong_to_nobody_who_has_one(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with vosk(tmp_path, **kept_in(tmp_path), api_keys=keys("anna:secret")) as service:
        async with service.call(host="auricle:2700") as caller:
            assert (await caller.ask(EOF))["text"] == ""
        transcripts = Transcripts(service.state.storage.database)
        assert not list(transcripts.page(ANONYMOUS))
    [session] = [entry for entry in logged.entries if entry["event"] == "session_started"]
    assert (session["dialect"], session["client"]) == ("vosk", "vosk")
    [request] = [e for e in logged.entries if e["event"] == "request" and e["route"] == "vosk"]
    assert (request["status"], request["end"]) == (101, "done")


async def test_pages_of_other_sites_are_rejected(tmp_path: Path) -> None:
    async with vosk(tmp_path, api_keys=keys("k"), allowed_origins="https://a.example") as service:
        assert await refused(service, origin="https://b.example") == (403, "forbidden_origin")
        rebound = {"origin": "http://b.example:2700", "host": "b.example:2700"}
        assert await refused(service, **rebound) == (421, "forbidden_host")
        async with service.call(origin="https://a.example") as caller:
            await caller.ask(EOF)


async def test_the_port_serves_nothing_else_and_no_other_port_serves_it(
    service: VoskService,
) -> None:
    async with httpx2.AsyncClient() as http:
        for path in ("/", "/health", "/v1/audio/transcriptions"):
            answer = await http.get(f"http://127.0.0.1:{service.vosk_port}{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        live = await http.get(f"http://127.0.0.1:{service.port}/livez")
        assert live.status_code == 200
    service.vosk_port = service.port
    assert await refused(service) == (404, "not_found")


# What goes wrong.


async def test_a_query_that_can_t_be_used_is_refused(service: VoskService) -> None:
    assert await refused(service, "?sample_rate=7") == (415, "unsupported_format")
    assert await refused(service, "?language=xx") == (400, "bad_request")
    assert not service.transcriber.reserved


async def test_without_a_worker_the_handshake_fails(service: VoskService) -> None:
    service.transcriber.refuse = NoWorkerReady("No worker is ready.", 5)
    assert await refused(service) == (503, "no_worker_ready")


async def test_a_rate_that_can_t_be_used_closes_with_the_reason(service: VoskService) -> None:
    async with service.call() as caller:
        await caller.config(sample_rate=7)
        code, reason = await caller.until_closed()
    assert (code, reason) == (1008, "unsupported_format: sample_rate must be 8000 to 96000 Hz.")
    assert caller.received == []


async def test_a_flood_of_empty_messages_by_a_client_that_reads_nothing_ends(
    service: VoskService,
) -> None:
    async with service.call() as flood, service.call("?sample_rate=16000") as other:
        transport = flood.connection.transport
        transport.pause_reading()
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        transport.write(EMPTY_MESSAGE * 10_000)
        await other.speak(HALF)
        assert (await other.ask(EOF))["text"] == "hello"
        await poll_until(lambda: not service.state.live.connected)
        transport.abort()


async def test_a_client_that_vanishes_leaves_nothing_behind(service: VoskService) -> None:
    service.transcriber.gate = anyio.Event()
    async with service.call("?sample_rate=16000") as caller:
        await caller.send(HALF * 2)
        await poll_until(lambda: service.transcriber.in_flight > 0)
        caller.connection.transport.abort()
    service.transcriber.gate.set()
    await service.until_at_rest()
    await poll_until(lambda: not service.state.live.connected)


async def test_sessions_are_limited(tmp_path: Path) -> None:
    async with vosk(tmp_path, LiveSettings(max_sessions=1)) as service, service.call() as caller:
        assert await refused(service) == (503, "queue_full")
        await caller.ask(EOF)


async def test_the_open_utterance_is_sent_before_the_server_stops(service: VoskService) -> None:
    async with service.call("?sample_rate=16000") as caller:
        await caller.speak(HALF)
        service.state.drain()
        code, reason = await caller.until_closed()
    assert (code, reason.split(":")[0]) == (1012, "draining")
    assert caller.texts == ["hello"]
