"""Every answer of every API and layer has an ``x-request-id``, and the log has the same."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from fastapi import Request
from structlog.testing import LogCapture
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.server.net.uvicorn_overrides.http_connection import HttpConnection
from auricle.values.errors import Overloaded
from tests.support.poll import poll_until
from tests.support.service import WAV, InProcess, Live, in_process, keys, live

pytestmark = pytest.mark.server


def logged_ids(logged: LogCapture) -> list[str]:
    return [str(e["request_id"]) for e in logged.entries if e["event"] == "request"]


def assert_is_id(text: str) -> None:
    assert str(uuid.UUID(text)) == text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/health", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nothing", 404),
        ("GET", "/utterance", 405),
        ("POST", "/utterance?task=sing", 400),
        ("GET", "/jobs/none", 404),
        ("GET", "/v1/models", 200),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/audio/transcriptions", 400),
        ("POST", "/v1/listen?encoding=none", 400),
    ],
)
def test_each_answer_has_an_id_that_the_log_has_too(
    service: InProcess, logged: LogCapture, method: str, path: str, status: int
) -> None:
    answer = service.client.request(method, path)
    assert answer.status_code == status
    [request_id] = answer.headers.get_list("x-request-id")
    assert_is_id(request_id)
    assert logged_ids(logged)[-1:] in ([request_id], [])  # probes are logged at debug


def test_no_two_answers_share_one(service: InProcess) -> None:
    service.post()
    found = {service.client.get("/livez").headers["x-request-id"] for _ in range(10)}
    assert len(found) == 10


def test_what_a_client_calls_its_request_is_not_taken(service: InProcess) -> None:
    answer = service.client.get("/livez", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] != "mine"


def test_deepgrams_id_is_the_same_one(service: InProcess, logged: LogCapture) -> None:
    good = service.client.post("/v1/listen", content=b"\0" * 64, headers=WAV)
    bad = service.client.post("/v1/listen?model=", content=b"", headers=WAV)
    for answer in (good, bad):
        body = answer.json()
        request_id = answer.headers["x-request-id"]
        assert answer.headers["dg-request-id"] == request_id
        assert body.get("request_id", body.get("metadata", {}).get("request_id")) == request_id
    assert logged_ids(logged) == [a.headers["x-request-id"] for a in (good, bad)]


def test_refusals_of_the_layers_around_the_routes_have_one(tmp_path: Path) -> None:
    with in_process(tmp_path, allowed_origins=("https://a.example",)) as service:
        host = service.client.get("/livez", headers={"host": "evil.example"})
        preflight = service.client.options(
            "/utterance",
            headers={"origin": "https://a.example", "access-control-request-method": "POST"},
        )
        page = service.client.get("/livez", headers={"origin": "https://a.example"})
    assert (host.status_code, preflight.status_code) == (421, 200)
    for answer in (host, preflight):
        assert_is_id(answer.headers["x-request-id"])
    assert "x-request-id" in page.headers["access-control-expose-headers"]


def test_so_has_the_answer_to_a_bug(service: InProcess, logged: LogCapture) -> None:
    @service.app.get("/bug")
    async def bug(request: Request) -> None:
        raise RuntimeError

    answer = service.client.get("/bug")
    assert answer.status_code == 500
    [unexpected] = [e for e in logged.entries if e["event"] == "unexpected_error"]
    assert unexpected["request_id"] == answer.headers["x-request-id"]


def test_a_key_that_is_wrong_is_answered_with_one(tmp_path: Path) -> None:
    with in_process(tmp_path, api_keys=keys("anna:key")) as service:
        for path in ("/utterance", "/v1/audio/transcriptions", "/v1/listen"):
            answer = service.client.post(path)
            assert answer.status_code == 401
            assert_is_id(answer.headers["x-request-id"])


# What is written before, or without, the application.


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as service:
        yield service


async def raw(port: int, sent: bytes) -> tuple[int, dict[str, str]]:
    """Send bytes and return the answer's status and headers."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(sent)
        received = b""
        with anyio.fail_after(60):
            while b"\r\n\r\n" not in received:
                received += await stream.receive()
    head = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = (line.split(": ", 1) for line in head[1:])
    return int(head[0].split()[1]), {name.lower(): value for name, value in fields}


UPGRADE = (
    b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"this is no HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (
            b"POST /utterance HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
        (b"GET /v1/stream HTTP/1.1\r\n" + UPGRADE.replace(b"13", b"7") + b"\r\n", 400),
        (b"GET /v1/stream HTTP/1.1\r\n" + UPGRADE.replace(b"AAAA==", b"") + b"\r\n", 400),
        (b"GET /v1/stream?format=no HTTP/1.1\r\n" + UPGRADE + b"\r\n", 400),
    ],
    ids=["not HTTP", "431", "body", "version", "no handshake", "refused by the route"],
)
async def test_raw_answers_have_one_and_are_logged(
    running: Live, logged: LogCapture, sent: bytes, status: int
) -> None:
    found, headers = await raw(running.port, sent)
    assert found == status
    request_id = headers["x-request-id"]
    assert_is_id(request_id)

    def statuses() -> list[object]:
        return [e["status"] for e in logged.entries if e.get("request_id") == request_id]

    await poll_until(lambda: status in statuses())


async def test_a_head_that_takes_too_long_is_answered_with_one(
    running: Live, logged: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpConnection, "head_s", 0.5)  # it has begun to come then
    found, headers = await raw(running.port, b"GET / HTTP/1.1\r\nHost:")
    assert found == 408
    await poll_until(lambda: logged_ids(logged) == [headers["x-request-id"]])


@pytest.mark.parametrize("path", ["/v1/stream?format=pcm16", "/v1/listen", "/v1/realtime"])
async def test_the_handshake_of_each_live_api_has_one(
    running: Live, logged: LogCapture, path: str
) -> None:
    async with connect(f"ws://127.0.0.1:{running.port}{path}", proxy=None) as socket:
        assert socket.response is not None
        request_id = socket.response.headers["x-request-id"]
        if path == "/v1/listen":
            assert socket.response.headers.get_all("dg-request-id") in ([], [request_id])
            await socket.send(json.dumps({"type": "CloseStream"}))
            message = json.loads(await socket.recv())
            assert message["request_id"] == request_id
    await poll_until(lambda: logged_ids(logged) == [request_id])
    [started] = [e for e in logged.entries if e["event"] == "session_started"]
    assert started["request_id"] == request_id


@pytest.mark.parametrize("path", ["/v1/stream?format=pcm16", "/v1/listen", "/v1/realtime"])
async def test_so_has_the_refusal_of_each(running: Live, logged: LogCapture, path: str) -> None:
    running.transcriber.refuse = Overloaded("full", 1)
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://127.0.0.1:{running.port}{path}", proxy=None):
            pass
    response = caught.value.response
    assert response.status_code == 503
    await poll_until(lambda: logged_ids(logged) == [response.headers["x-request-id"]])


async def test_so_has_a_path_where_there_is_no_websocket(running: Live, logged: LogCapture) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://127.0.0.1:{running.port}/nothing", proxy=None):
            pass
    request_id = caught.value.response.headers["x-request-id"]
    await poll_until(lambda: logged_ids(logged) == [request_id])
