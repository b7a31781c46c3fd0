"""Opening a connection, and the errors of failed and closed ones, over real sockets."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from auricle.client.connection import (
    MAX_RETRY_AFTER_S,
    ConnectionFailed,
    closing_error,
    open_connection,
    stream_url,
)
from auricle.values.errors import ForbiddenOrigin, RequestError, SetupError, Unauthorized
from auricle.values.events import Failed
from tests.support.live_server import live_server, refusal

pytestmark = [pytest.mark.process, pytest.mark.anyio]

LIMIT_S = 120.0
FULL = '{"error": {"code": "queue_full", "message": "It is full."}}'


@contextlib.asynccontextmanager
async def answering(reply: bytes | None) -> AsyncIterator[str]:
    """Serve a TCP port that sends this answer to all requests, or nothing if ``None``."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()
                await stream.send(reply or b"")
                while reply is None:
                    await stream.receive()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


async def fails(url: str, limit_s: float = LIMIT_S) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as caught:
        await open_connection(url, None, limit_s)
    return caught.value


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("http://127.0.0.1:6007", "ws://127.0.0.1:6007/v1/stream"),
        ("http://127.0.0.1:6007/", "ws://127.0.0.1:6007/v1/stream"),
        ("https://captions.example", "wss://captions.example/v1/stream"),
        ("ws://[::1]:80", "ws://[::1]:80/v1/stream"),
        ("wss://captions.example/v1/stream", "wss://captions.example/v1/stream"),
        ("https://example.com/auricle/", "wss://example.com/auricle/v1/stream"),
        ("http://host?token=x#y", "ws://host/v1/stream"),
    ],
)
def test_a_servers_base_says_where_its_streams_are(given: str, found: str) -> None:
    assert stream_url(given) == found


@pytest.mark.parametrize("given", ["", "127.0.0.1:6007", "http://", "http://h:0", "http://h:x"])
def test_an_invalid_base_is_reported(given: str) -> None:
    with pytest.raises(SetupError, match="Invalid URL"):
        stream_url(given)


async def test_the_key_is_shown() -> None:
    async with live_server() as server:
        for key in ("secret-key", None):
            await (await open_connection(stream_url(server.url), key, LIMIT_S)).close()
        with_key, without = server.handshakes
    assert with_key.headers["Authorization"] == "Bearer secret-key"
    assert "Authorization" not in without.headers


async def test_an_absent_server_is_explained() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # it does not listen
        port = held.getsockname()[1]
        assert (await fails(f"ws://127.0.0.1:{port}")).reason == "connection refused"


async def test_an_unknown_host_name_is_explained() -> None:
    assert (await fails("ws://no-such-host.invalid")).reason == "host name not found"


async def test_a_silent_server_is_given_up() -> None:
    async with answering(None) as place:
        assert (await fails(f"ws://{place}", 0.2)).reason == "connection timed out"


async def test_a_server_without_tls_is_explained() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as place:
        assert (
            await fails(f"wss://{place}")
        ).reason == "TLS handshake failed; the server may not use TLS"


@pytest.mark.parametrize("reply", [b"", b"220 mail.example ESMTP\r\n"])
async def test_a_server_of_another_kind_is_explained(reply: bytes) -> None:
    async with answering(reply) as place:
        reason = (await fails(f"ws://{place}")).reason
    assert reason == "the server does not support WebSocket"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RequestError), (401, Unauthorized), (403, ForbiddenOrigin), (404, RequestError)],
)
async def test_a_refusal_that_would_come_again_is_an_error(
    status: int, kind: type[RequestError]
) -> None:
    async with live_server() as server:
        server.refusals = [refusal(status, '{"error": {"code": "x", "message": "No."}}')]
        with pytest.raises(kind, match=r"^No\. \(x\)$"):
            await open_connection(stream_url(server.url), None, LIMIT_S)


async def test_an_answer_that_is_no_auricle_servers_is_reported() -> None:
    async with live_server() as server:
        server.refusals = [refusal(404, "<html>Not found</html>")]
        with pytest.raises(RequestError, match=r"not belong to an Auricle server \(HTTP 404\)"):
            await open_connection(stream_url(server.url), None, LIMIT_S)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("said", "waits_s"),
    [("7", 7.0), ("0", 0.0), ("999999", MAX_RETRY_AFTER_S), ("Wed, 21 Oct", 0.0), ("-1", 0.0)],
)
async def test_a_full_server_says_when_to_retry(status: int, said: str, waits_s: float) -> None:
    async with live_server() as server:
        server.refusals = [refusal(status, FULL, Retry_After=said)]
        failed = await fails(stream_url(server.url))
    assert (failed.reason, failed.retry_after_s, failed.is_refusal) == (
        "It is full. (queue_full)",
        waits_s,
        True,
    )


async def test_a_server_that_loads_its_model_is_asked_every_second() -> None:
    body = '{"error": {"code": "no_worker_ready", "message": "It is starting."}}'
    async with live_server() as server:
        server.refusals = [refusal(503, body, Retry_After="60")]
        failed = await fails(stream_url(server.url))
    assert (failed.retry_after_s, failed.max_delay_s, failed.is_refusal) == (0, 1, True)


SERVER_FULL = "12 people are being transcribed now; this server holds about 12."


async def test_a_server_that_holds_no_other_speaker_is_asked_while_it_keeps_the_position() -> None:
    body = json.dumps({"error": {"code": "server_full", "message": SERVER_FULL}})
    async with live_server() as server:
        server.refusals = [refusal(503, body, Retry_After="3")]
        failed = await fails(stream_url(server.url))
    assert (failed.reason, failed.is_full, failed.is_refusal) == (SERVER_FULL, True, True)
    assert (failed.retry_after_s, failed.max_delay_s) == (3, 2)


def test_a_session_that_is_refused_with_its_first_word_is_too() -> None:
    failed = closing_error(closed(1013), Failed("server_full", SERVER_FULL, True, 3.0))
    assert isinstance(failed, ConnectionFailed)
    assert (failed.reason, failed.is_full) == (SERVER_FULL, True)
    assert (failed.retry_after_s, failed.max_delay_s) == (3, 2)


def test_a_session_that_is_refused_while_the_model_loads_is_tried_every_second() -> None:
    failed = closing_error(closed(1013), Failed("no_worker_ready", "It is starting.", True, 60.0))
    assert isinstance(failed, ConnectionFailed)
    assert failed.reason == "It is starting. (no_worker_ready)"
    assert (failed.retry_after_s, failed.max_delay_s, failed.is_refusal) == (0, 1, True)


async def test_a_proxy_whose_server_is_away_may_be_asked_again() -> None:
    async with live_server() as server:
        server.refusals = [refusal(502, "bad gateway")]
        failed = await fails(stream_url(server.url))
    assert not failed.is_refusal
    assert "HTTP 502" in failed.reason


def closed(code: int | None, reason: str = "") -> ConnectionClosed:
    return ConnectionClosed(None if code is None else Close(code, reason), None)


def test_a_connection_that_broke_may_be_made_again() -> None:
    failed = closing_error(closed(None), None)
    assert isinstance(failed, ConnectionFailed)
    assert failed.reason == "the connection was lost"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4000])
def test_an_end_that_passes_leads_to_another_connection(code: int) -> None:
    failed = closing_error(closed(code, "why"), None)
    assert isinstance(failed, ConnectionFailed)
    assert failed.reason == f"why (close code {code})"


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010])
def test_an_end_that_would_come_again_is_one(code: int) -> None:
    error = closing_error(closed(code, "taken_over"), Failed("taken_over", "It moved.", False))
    assert isinstance(error, RequestError)
    assert str(error) == (
        f"The server ended the stream: It moved. (taken_over) (close code {code})."
    )


def test_what_the_server_calls_passing_is_passing_whatever_the_code() -> None:
    failure = Failed("idle_timeout", "Nothing came for 60 s.", True, 500.0)
    failed = closing_error(closed(1008), failure)
    assert isinstance(failed, ConnectionFailed)
    assert failed.reason == "Nothing came for 60 s. (idle_timeout)"
    assert failed.retry_after_s == MAX_RETRY_AFTER_S
