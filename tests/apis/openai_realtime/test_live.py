"""OpenAI's Realtime transcription over real sockets."""

import base64
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from structlog.testing import LogCapture
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.apis.openai_realtime.live import MAX_MESSAGE_BYTES
from auricle.audio.g711 import mulaw_to_pcm16
from auricle.values.errors import NoWorkerReady
from tests.support.service import Live, keys, live, poll_until
from tests.support.stream import LIMIT_S, SPEECH, Caller, call, pcm

pytestmark = pytest.mark.server

TRANSCRIPTION = "conversation.item.input_audio_transcription"
PCM_16K = {"format": {"type": "audio/pcm", "rate": 16_000}}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started


class Client(Caller):
    """One connection, with OpenAI's events."""

    async def update(self, **fields: Any) -> dict[str, Any]:
        """Set something below ``audio.input``; return the session as it is then."""
        session = {"type": "transcription", "audio": {"input": fields}}
        await self.tell("session.update", session=session)
        found: dict[str, Any] = (await self.until("session.updated"))["session"]
        return found

    async def append(self, audio: bytes) -> None:
        await self.tell("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    async def commit(self) -> None:
        await self.tell("input_audio_buffer.commit")

    async def completed(self) -> dict[str, Any]:
        return await self.until(f"{TRANSCRIPTION}.completed")

    async def error(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.until("error"))["error"]
        return found


@asynccontextmanager
async def client(
    port: int,
    *,
    query: str = "?intent=transcription",
    headers: dict[str, str] | None = None,
    subprotocols: Sequence[Any] | None = None,
) -> AsyncIterator[Client]:
    async with connect(
        f"ws://127.0.0.1:{port}/v1/realtime{query}",
        additional_headers=headers,
        subprotocols=subprotocols,
        ping_interval=None,
        proxy=None,
        max_size=None,
        open_timeout=LIMIT_S,
        close_timeout=5,
    ) as connection:
        yield Client(connection)


@asynccontextmanager
async def committing(service: Live) -> AsyncIterator[Client]:
    """Return a client that commits by itself, and whose PCM has 16 kHz."""
    async with client(service.port) as it:
        await it.until("session.created")
        await it.update(turn_detection=None, **PCM_16K)
        yield it


# Words.


async def test_turns_are_found_and_reported(service: Live, logged: LogCapture) -> None:
    async with client(service.port, query="?intent=transcription&model=gpt-4o-transcribe") as it:
        created = await it.until("session.created")
        transcription = created["session"]["audio"]["input"]["transcription"]
        assert transcription["model"] == "gpt-4o-transcribe"
        await it.update(transcription={"language": "en", "keywords": ["Auricle"]}, **PCM_16K)
        await it.append(pcm(SPEECH) + bytes(32_000))
        completed = await it.completed()
    assert completed["transcript"] == "hello"
    kinds = [event["type"] for event in it.received]
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index(
        "input_audio_buffer.speech_stopped"
    )
    assert "error" not in kinds
    jobs = service.transcriber.jobs
    assert {(job.options.language, job.options.hotwords) for job in jobs} == {("en", ("Auricle",))}
    await poll_until(lambda: any(entry["event"] == "request" for entry in logged.entries))
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["route"], line["dialect"], line["end"]) == (
        "/v1/realtime",
        "openai-realtime",
        "client_left",
    )
    assert "hello" not in str(logged.entries)


async def test_a_client_may_commit_by_itself(service: Live) -> None:
    async with committing(service) as it:
        for _ in range(2):
            await it.append(pcm(SPEECH[:32_000]))
            await it.commit()
            assert (await it.completed())["transcript"] == "hello"
    assert not it.of("input_audio_buffer.speech_started")
    assert not it.of("error")
    assert len(it.of("conversation.item.added")) == 2


async def test_what_is_cleared_costs_nothing_and_is_no_item(service: Live) -> None:
    async with committing(service) as it:
        await it.append(pcm(SPEECH[:16_000]))
        await it.tell("input_audio_buffer.clear")
        await it.until("input_audio_buffer.cleared")
        await it.append(bytes(32_000))
        await it.commit()
        assert (await it.completed())["transcript"] == ""


async def test_a_telephone_s_audio_is_understood(service: Live) -> None:
    codes = bytes(range(256)) * 100
    async with client(service.port) as it:
        await it.update(turn_detection=None, format={"type": "audio/pcmu"})
        await it.append(codes)
        await it.commit()
        await it.completed()
    async with client(service.port) as other:
        await other.update(turn_detection=None, format={"type": "audio/pcm", "rate": 8000})
        await other.append(mulaw_to_pcm16(codes))
        await other.commit()
        await other.completed()
    transcripts = [job.pcm.tobytes() for job in service.transcriber.jobs]
    assert len(transcripts) % 2 == 0
    assert transcripts[: len(transcripts) // 2] == transcripts[len(transcripts) // 2 :]


async def test_the_largest_message_is_taken_while_others_continue(service: Live) -> None:
    data = bytes(11 * 2**20)  # 15 MiB of base64
    async with committing(service) as it, call(service.port, format="pcm16") as other:
        await it.append(data)
        await it.commit()
        for _ in range(3):
            await other.caption()
        assert (await it.completed())["transcript"] == ""
        await it.connection.send("x" * (MAX_MESSAGE_BYTES + 1))
        assert (await it.until_closed())[0] == 1009


# Coming and going.


async def refused(port: int, **how: Any) -> tuple[int, dict[str, Any], str | None]:
    with pytest.raises(InvalidStatus) as caught:
        async with client(port, **how):
            pass
    response = caught.value.response
    assert response.body is not None
    after = response.headers.get("retry-after")
    return response.status_code, json.loads(response.body)["error"], after


async def test_overload_and_wrong_keys_are_refused_in_openai_s_words(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        for headers in ({}, {"authorization": "Bearer nope"}):
            status, error, _ = await refused(service.port, headers=headers)
            assert (status, error["code"]) == (401, "invalid_api_key")
            assert set(error) == {"message", "type", "param", "code"}
        service.transcriber.refuse = NoWorkerReady("Workers are starting.", 3)
        headers = {"authorization": "Bearer secret"}
        status, error, after = await refused(service.port, headers=headers)
        assert (status, error["code"], after) == (503, "no_worker_ready", "3")
        service.transcriber.refuse = None
        async with client(service.port, headers=headers) as it:
            await it.until("session.created")


async def test_a_session_ends_with_its_connection(service: Live) -> None:
    service.transcriber.gate = anyio.Event()
    async with committing(service) as it:
        await it.append(pcm(SPEECH[:32_000]))
        await it.commit()
        await it.until("input_audio_buffer.committed")
        await poll_until(lambda: service.transcriber.in_flight > 0)
        assert service.transcriber.reserved
    await poll_until(lambda: not service.transcriber.in_flight)
    await poll_until(lambda: not service.transcriber.reserved)
    assert service.transcriber.cancelled


async def test_finals_are_sent_before_the_server_stops(service: Live) -> None:
    async with client(service.port) as it:
        await it.update(**PCM_16K)
        await it.append(pcm(SPEECH[:32_000]))
        await it.until("input_audio_buffer.speech_started")
        service.state.drain()
        code, reason = await it.until_closed()
    assert (code, reason) == (1012, "draining")
    assert it.of(f"{TRANSCRIPTION}.completed")
    assert it.received[-1]["error"]["code"] == "draining"


async def test_a_client_of_the_beta_is_known_by_its_header(service: Live) -> None:
    async with client(service.port, headers={"openai-beta": "realtime=v1"}) as it:
        await it.until("transcription_session.created")
        await it.tell("transcription_session.update", session={"input_audio_format": "pcm16"})
        await it.until("transcription_session.updated")


# Bad input.


async def test_nothing_that_a_client_says_wrongly_ends_its_session(service: Live) -> None:
    wrong: list[str | bytes] = [
        "{",
        "[]",
        '{"type": "response.create"}',
        '{"type": "input_audio_buffer.append", "audio": "!!!"}',
        '{"type": "input_audio_buffer.append", "audio": 7}',
        '{"type": "input_audio_buffer.commit"}',
        '{"type": "session.update", "session": {"audio": 5}}',
        b"\0\0",
    ]
    async with committing(service) as it:
        for message in wrong * 3:
            await it.send(message)
            error = await it.error()
            assert error["type"] == "invalid_request_error"
            assert error["message"]
        await it.append(pcm(SPEECH[:32_000]))
        await it.commit()
        assert (await it.completed())["transcript"] == "hello"


# Secrets.


async def posted(service: Live, path: str, body: object, key: str = "secret") -> Any:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http:
        headers = {"authorization": f"Bearer {key}"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await http.post(f"/v1/realtime/{path}", content=content, headers=headers)


async def test_a_secret_opens_a_session_that_is_set_as_it_says(tmp_path: Path) -> None:
    session = {
        "type": "transcription",
        "audio": {
            "input": {
                "transcription": {"model": "whisper-1", "language": "de", "prompt": "Grüße"},
                "turn_detection": None,
            }
        },
    }
    body = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": session}
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        asked_at = time.time()
        answer = await posted(service, "client_secrets", body)
        secret = answer.json()
        assert secret["value"].startswith("ek_")
        assert asked_at + 59 <= secret["expires_at"] <= time.time() + 61
        assert secret["session"]["audio"]["input"]["transcription"]["language"] == "de"
        assert answer.headers["cache-control"] == "no-store"
        assert "null" not in answer.text
        assert "turn_detection" not in secret["session"]["audio"]["input"]
        offered = ["realtime", f"openai-insecure-api-key.{secret['value']}"]
        async with client(service.port, subprotocols=offered) as it:
            assert it.connection.subprotocol == "realtime"
            created = (await it.until("session.created"))["session"]["audio"]["input"]
            assert created["transcription"]["prompt"] == "Grüße"
            assert created["turn_detection"] is None
            await it.append(pcm(SPEECH))
            await it.commit()
            await it.completed()
        assert {job.options.language for job in service.transcriber.jobs} == {"de"}
        assert {job.client for job in service.transcriber.jobs} == {"alice"}


async def test_a_plain_secret_does_as_well_and_another_is_refused(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        value = (await posted(service, "client_secrets", b"")).json()["value"]
        assert "~" not in value
        headers = {"authorization": f"Bearer {value}"}
        async with client(service.port, headers=headers) as it:
            await it.until("session.created")
        for wrong in (value[:-2], f"{value}~e30!", f"{value}~W10"):
            status, error, _ = await refused(
                service.port, headers={"authorization": f"Bearer {wrong}"}
            )
            expected = 400 if "~" in wrong else 401
            assert status == expected, error


async def test_the_beta_s_sessions_have_their_secret_inside(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        body = {"input_audio_format": "pcm16", "input_audio_transcription": {"language": "fr"}}
        session = (await posted(service, "transcription_sessions", body)).json()
        assert session["input_audio_transcription"]["language"] == "fr"
        headers = {"authorization": f"Bearer {session['client_secret']['value']}"}
        async with client(service.port, headers=headers) as it:
            created = (await it.until("session.created"))["session"]["audio"]["input"]
            assert created["transcription"]["language"] == "fr"


@pytest.mark.parametrize("path", ["client_secrets", "transcription_sessions"])
async def test_secrets_are_refused_in_openai_s_shape(tmp_path: Path, path: str) -> None:
    long = {"audio": {"input": {"transcription": {"prompt": "x" * 9000}}}}
    beta_long = {"input_audio_transcription": {"prompt": "x" * 9000}}
    wrong: list[object] = [
        b"{",
        b'{"new": ' + b"[" * 5000,
        [],
        {"expires_after": {"seconds": 5}, "client_secret": {"expires_at": {"seconds": 5}}},
        {"session": {"audio": {"input": {"format": {"type": "x"}}}}, "input_audio_format": "x"},
        {"session": long, **beta_long},
    ]
    async with live(tmp_path, api_keys=keys("alice:secret")) as service:
        for body in wrong:
            answer = await posted(service, path, body)
            assert answer.status_code == 400, body
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert (await posted(service, path, {}, key="nope")).status_code == 401
        token = (await posted(service, path, {})).json()
        value = token.get("value") or token["client_secret"]["value"]
        assert (await posted(service, path, {}, key=value)).status_code == 401  # no key itself


async def test_the_path_may_end_in_a_slash_and_messages_are_as_large(service: Live) -> None:
    async with call(service.port, path="/v1/realtime/") as caller:
        await caller.tell("input_audio_buffer.append", audio="A" * 2**21)
        await caller.until("session.created")
        await caller.send(b"")
