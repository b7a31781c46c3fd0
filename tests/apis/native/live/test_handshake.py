"""Handshake of a live session: keys, tokens, parameters and limits."""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.datastructures import Headers
from structlog.testing import LogCapture

from auricle.config.sections.live import LiveSettings
from auricle.server.live.admission import admission
from auricle.server.live.admission import line as waiting_line
from auricle.server.live.admission.activity import NewSession
from auricle.values.errors import Draining, NoWorkerReady, Overloaded, RateLimited
from auricle.values.types import Job, JobKind
from tests.apis.native.live.helpers import START, refused, started
from tests.support.service import Live, keys, live, poll_until
from tests.support.stream import PACKETS, SPEECH, call, framed, pcm, silence

pytestmark = pytest.mark.server


async def test_opus_packets_become_captions(service: Live, logged: LogCapture) -> None:
    async with call(service.port, format="opus", seq=1) as caller:
        ready = await caller.until("ready")
        assert (ready["resumed"], ready["resumable"], ready["received"]) == (False, True, 0)
        await caller.send(framed(PACKETS, first_seq=0))
        await caller.tell("stop")
        assert await caller.until_closed() == (1000, "done")
    (final,) = caller.of("final")
    assert (final["id"], final["text"], final["error"]) == (1, "hello", None)
    assert caller.received[-1]["type"] == "closed"
    assert caller.received[-1]["packets"] == len(PACKETS)
    assert caller.of("warning") == caller.of("error") == []
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["route"], line["status"], line["end"]) == ("/v1/stream", 101, "done")
    assert line["session"] == ready["session"]
    assert ready["secret"] not in str(logged.entries)
    assert "hello" not in str(logged.entries)


async def test_the_parameters_may_come_in_a_first_message(service: Live) -> None:
    async with call(service.port) as caller:
        await caller.tell("start", format="pcm16", language="en-GB", start_sample=32_000)
        assert (await caller.until("ready"))["received"] == 32_000
        await caller.caption()
    assert {job.options.language for job in service.transcriber.jobs} == {"en"}


async def test_each_session_holds_a_reservation_until_it_is_over(service: Live) -> None:
    async with started(service) as (caller, _):
        (request,) = service.transcriber.reserved.values()
        assert (request.audio_s, request.standing) == (0.0, True)
        (reservation,) = service.transcriber.reserved
        finals: list[Job] = []
        while not finals:  # the text may be that of an early final
            await caller.caption()
            finals = [job for job in service.transcriber.jobs if job.kind is JobKind.FINAL]
        assert {job.reservation for job in finals} == {reservation}
        await caller.tell("ack", result=1)
        await caller.tell("stop")
        await caller.until_closed()
    await poll_until(lambda: not service.transcriber.reserved)


@pytest.mark.wall_clock
async def test_health_and_metrics_report_sessions(tmp_path: Path) -> None:
    import httpx2

    async with (
        live(tmp_path, learns=True) as service,
        started(service, format="opus", seq=1) as (caller, _),
    ):
        await caller.send(framed(PACKETS[:1], 0))
        registry = service.state.metrics.registry
        delays = "auricle_live_node_delay_seconds_count"
        await poll_until(lambda: registry.get_sample_value(delays) == 1)
        await caller.send(framed(PACKETS[1:], 1))
        await caller.tell("finalize")
        await caller.until("final")
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
            health = (await client.get("/health")).json()
            metrics = (await client.get("/metrics")).text.splitlines()
    assert health["sessions"] == {"connected": 1, "waiting": 0, "max": 1000}
    assert (health["live"]["capacity"], health["live"]["learned"]) == (12.0, False)
    assert 'auricle_live_sessions{state="connected"} 1.0' in metrics
    assert 'auricle_live_starts_total{how="new"} 1.0' in metrics
    assert "auricle_live_capacity 12.0" in metrics
    assert "auricle_live_late 0.0" in metrics
    assert "auricle_live_waiting_clients 0.0" in metrics
    assert 'auricle_live_finals_total{outcome="text"} 1.0' in metrics
    assert any(line.startswith(f"{delays} ") for line in metrics)


async def test_a_wrong_key_is_refused_at_the_handshake(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        wrong_key: dict[str, Any] = {"headers": {"authorization": "Bearer nope"}}
        for how in ({}, wrong_key):
            status, error, _ = await refused(service, **how)
            assert (status, error["code"]) == (401, "unauthorized")
        protocols = ["auricle", "key.nope"]
        status, error, _ = await refused(service, subprotocols=protocols)
        assert (status, error["code"]) == (401, "unauthorized")
        assert service.transcriber.reservations == []


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"authorization": "Bearer secret"}},
        {"subprotocols": ["auricle", "key.secret"]},
    ],
)
async def test_a_key_comes_in_a_header_or_as_a_subprotocol_that_is_not_echoed(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    async with (
        live(tmp_path, api_keys=keys("alice:secret")) as service,
        call(service.port, **START, **how) as caller,
    ):
        await caller.until("ready")
        expected = "auricle" if "subprotocols" in how else None
        assert caller.connection.subprotocol == expected
        await caller.caption()
        assert {job.client for job in service.transcriber.jobs} == {"alice"}


async def test_a_token_comes_in_the_address_too(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        headers, now = Headers({"authorization": "Bearer secret"}), time.time()
        ring = service.state.access.keyring
        token = ring.issue_token(headers, 60, now=now)
        for how in ({"token": token}, {"subprotocols": ["auricle", f"key.{token}"]}):
            async with call(service.port, **START, **how) as caller:
                await caller.until("ready")
                await caller.caption()
        assert {job.client for job in service.transcriber.jobs} == {"alice"}
        late = ring.issue_token(headers, 1, now=now - 60)
        status, error, _ = await refused(service, token=late)
        assert (status, error["code"]) == (401, "token_expired")
        status, error, _ = await refused(service, token="secret")
        assert (status, error["code"]) == (401, "unauthorized")


async def test_a_key_at_its_limit_is_refused_at_the_handshake_but_may_resume(
    tmp_path: Path,
) -> None:
    limits: dict[str, Any] = {"key_sessions": 1, "key_requests": 2}
    headers = {"authorization": "Bearer secret"}
    async with live(tmp_path, api_keys=keys("alice:secret"), **limits) as service:
        async with started(service, seq=1, headers=headers) as (_, ready):
            status, error, retry_after = await refused(service, **START, headers=headers)
            assert (status, error["code"], retry_after) == (429, "rate_limited", "10")
            status, error, retry_after = await refused(service, **START, headers=headers)
            assert (status, error["code"]) == (429, "rate_limited")
            assert 10 < int(retry_after or 0) <= 30
        async with call(service.port, resume=1, headers=headers) as caller:
            await caller.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await caller.until("ready"))["resumed"] is True
            await caller.caption()


async def test_a_page_of_another_origin_is_refused(service: Live) -> None:
    status, error, _ = await refused(service, headers={"origin": "https://evil.example"})
    assert (status, error["code"]) == (403, "forbidden_origin")
    origin = f"http://127.0.0.1:{service.port}"
    async with call(service.port, **START, headers={"origin": origin}) as caller:
        await caller.until("ready")


@pytest.mark.parametrize(
    "query", [{"format": "mp3"}, {"endpoint_ms": 1}, {"language": "klingon"}, {"seq": "maybe"}]
)
async def test_parameters_that_make_no_sense_are_refused(
    service: Live, query: dict[str, Any]
) -> None:
    status, error, _ = await refused(service, **query)
    assert (status, error["code"]) == (400, "bad_request")
    assert service.transcriber.reservations == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Overloaded("full", 7), 503),
        (NoWorkerReady("none", 7), 503),
        (Draining("going", 7), 503),
        (RateLimited("crashes", 7), 429),
    ],
)
async def test_no_room_is_reported_at_the_handshake_with_when_to_retry(
    service: Live, error: Overloaded, status: int
) -> None:
    async with started(service) as (neighbour, _):
        service.transcriber.refuse = error
        assert (await refused(service, **START))[::2] == (status, "7")
        assert (await refused(service, **START))[1]["code"] == error.code
        await neighbour.caption()
    assert service.state.live.connected == 1 or service.state.live.waiting == 1


async def test_the_number_of_sessions_is_limited(tmp_path: Path) -> None:
    async with (
        live(tmp_path, LiveSettings(max_sessions=2)) as service,
        started(service, seq=1) as (neighbour, _),
    ):
        async with started(service, seq=1):
            status, error, retry_after = await refused(service, **START)
            assert (status, error["code"], retry_after) == (503, "queue_full", "10")
        async with started(service) as (caller, _):  # in place of the one that has left
            await caller.caption()
        await neighbour.tell("finalize")


async def test_a_connection_that_has_not_said_what_it_wants_counts(tmp_path: Path) -> None:
    async with live(tmp_path, LiveSettings(max_sessions=1)) as service:
        async with call(service.port):
            status, error, _ = await refused(service, **START)
            assert (status, error["code"]) == (503, "queue_full")
        await poll_until(lambda: not service.transcriber.reserved)
        async with started(service) as (caller, _):
            await caller.caption()


@pytest.mark.usefixtures("speakers_at_once")
async def test_who_would_be_one_speaker_too_many_is_refused_with_numbers(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with live(tmp_path, LiveSettings(live_speakers=1)) as service:
        service.transcriber.gate = anyio.Event()
        async with started(service) as (caller, _):
            await caller.send(pcm(SPEECH[:32_000]))
            await poll_until(lambda: service.state.live.admission.speakers == 1)
            status, error, retry_after = await refused(service, **START)
            assert (status, retry_after) == (503, "5")
            assert error == {
                "code": "server_full",
                "message": "1 person is being transcribed now; this server holds about 1.",
                "retryable": True,
                "retry_after_s": 5,
                "speakers": 1,
                "capacity": 1,
            }
            assert service.state.live.admission.load().waiting == 1
            service.transcriber.gate.set()
            await caller.tell("finalize")
            await caller.until("final")
    lines = [entry for entry in logged.entries if entry["event"] == "request"]
    assert [(line["status"], line.get("code")) for line in lines][0] == (503, "server_full")


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_client_that_says_who_it_is_keeps_its_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_line, "GRACE_S", 60.0)
    async with live(tmp_path, LiveSettings(live_speakers=1)) as service:
        service.transcriber.gate = anyio.Event()
        async with started(service) as (caller, _):
            await caller.send(pcm(SPEECH[:32_000]))
            await poll_until(lambda: service.state.live.admission.speakers == 1)
            for waiter in ("first", "second", "first"):
                assert (await refused(service, **START, waiter=waiter))[0] == 503
            assert service.state.live.admission.load().waiting == 2
            service.transcriber.gate.set()
            await caller.tell("stop")
            await caller.until_closed()
        await poll_until(lambda: not service.transcriber.reserved)
        assert (await refused(service, **START, waiter="second"))[1]["code"] == "server_full"
        async with started(service, waiter="first") as (caller, _):
            assert not caller.of("warning")


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_session_that_has_closed_has_left_its_place(tmp_path: Path) -> None:
    async with live(tmp_path, LiveSettings(live_speakers=1)) as service:
        for _ in range(3):
            async with started(service) as (caller, _):
                await caller.send(pcm(SPEECH[:32_000]))
                await poll_until(lambda: service.state.live.admission.speakers == 1)
                await caller.tell("stop")
                await caller.until("closed")
                async with started(service):
                    pass


async def test_silent_sessions_keep_no_speaker_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "SILENT", NewSession(0.2, 0.1))
    async with live(tmp_path, LiveSettings(live_speakers=1)) as service, AsyncExitStack() as stack:
        for _ in range(3):
            silent, _ = await stack.enter_async_context(started(service))
            await silent.send(silence(1))
            await poll_until(lambda: service.state.live.admission.speakers == 0)
        caller, _ = await stack.enter_async_context(started(service))
        await caller.caption()
        assert service.state.live.connected == 4


@pytest.mark.wall_clock
async def test_a_newcomer_whose_first_word_is_one_too_many_is_told_to_come_back(
    tmp_path: Path,
) -> None:
    async with live(tmp_path, LiveSettings(live_speakers=1)) as service, AsyncExitStack() as stack:
        service.transcriber.gate = anyio.Event()
        callers = []
        for _ in range(4):
            callers.append((await stack.enter_async_context(started(service)))[0])
            await poll_until(lambda: service.state.live.admission.speakers == 0)
        for caller in callers[:3]:
            await caller.send(pcm(SPEECH[:32_000]))
            await caller.until("speech_started")
        await callers[3].send(pcm(SPEECH[:32_000]))
        assert await callers[3].until_closed() == (1013, "server_full")
        (error,) = callers[3].of("error")
        assert (error["code"], error["retryable"]) == ("server_full", True)
        assert error["retry_after_s"] >= 1
        assert service.state.live.connected == 3


async def test_a_server_that_goes_takes_no_new_sessions(service: Live) -> None:
    service.state.drain()
    status, error, retry_after = await refused(service, **START)
    assert (status, error["code"], retry_after) == (503, "draining", "5")


async def test_an_unexpected_error_at_the_handshake_reveals_nothing(
    service: Live, logged: LogCapture
) -> None:
    service.transcriber.refuse = RuntimeError("what somebody said")
    status, error, _ = await refused(service, **START)
    assert (status, error["code"]) == (500, "internal")
    assert "what somebody said" not in str(error) + str(logged.entries)


@pytest.mark.parametrize(
    ("message", "code", "close_code"),
    [
        (b"\0" * 640, "protocol_error", 1002),
        ('{"type":"stop"}', "protocol_error", 1002),
        ("hello", "bad_request", 1008),
        ('{"type":"start","format":"mp3"}', "bad_request", 1008),
        ('{"type":"start","language":"klingon"}', "bad_request", 1008),
    ],
)
async def test_another_first_message_than_start_or_resume_ends_the_connection(
    service: Live, message: str | bytes, code: str, close_code: int
) -> None:
    async with started(service) as (neighbour, _), call(service.port) as caller:
        await caller.send(message)
        assert await caller.until_closed() == (close_code, code)
        assert [event["code"] for event in caller.of("error")] == [code]
        await neighbour.caption()
    await poll_until(lambda: len(service.transcriber.reserved) == 1)


async def test_a_client_that_connects_and_sends_nothing_is_closed(tmp_path: Path) -> None:
    async with live(tmp_path, LiveSettings(idle_timeout_s=0.2)) as service:
        async with call(service.port) as caller:
            assert await caller.until_closed() == (1008, "idle_timeout")
        await poll_until(lambda: not service.transcriber.reserved)


async def test_a_client_that_leaves_before_it_starts_holds_nothing(service: Live) -> None:
    async with call(service.port):
        assert len(service.transcriber.reserved) == 1
    await poll_until(lambda: not service.transcriber.reserved)
