import contextlib
import ipaddress
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from anyio.abc import SocketStream
from fastapi import FastAPI
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.config.sections.server import ServerSettings
from auricle.server.access.connection_limits import (
    ADDRESS_MARGIN,
    MARGIN,
    ConnectionLimiter,
    ConnectionLimitMiddleware,
    LimitedListener,
    Peer,
    network_of,
)
from auricle.server.http.client_address import TrustedProxies
from auricle.server.http.errors import error_response
from auricle.server.net.uvicorn_overrides.server import uvicorn_config
from auricle.values.errors import Overloaded, RateLimited
from tests.support.service import head, poll_until, read_answer

pytestmark = pytest.mark.server

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def of(limits: ConnectionLimiter, host: str, count: int) -> list[bool]:
    """Connect this number of times from an address; return whether each is admitted."""
    return [limits.enter((host, port)) for port in range(count)]


def test_an_unauthenticated_client_is_counted_by_network_except_on_loopback() -> None:
    def network(text: str) -> str:
        return str(network_of(ipaddress.ip_address(text)))

    assert network("192.0.2.1") == "192.0.2.1/32"
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert network("2001:db8:1:3::1") != network("2001:db8:1:2::1")
    assert network("127.0.0.1") == network("::1") == "None"
    assert network_of(None) is None


def test_one_address_is_reported_and_then_closed_and_others_come_in() -> None:
    limits = ConnectionLimiter(1000, 3)
    assert of(limits, "192.0.2.1", 20) == [True] * (3 + ADDRESS_MARGIN) + [False] * 9
    assert [limits.refusal(("192.0.2.1", port)) for port in range(3)] == [None] * 3
    for port in range(3, 3 + ADDRESS_MARGIN):
        error = limits.refusal(("192.0.2.1", port))
        assert isinstance(error, RateLimited)
        assert "3 connections" in str(error)
    assert of(limits, "192.0.2.2", 3) == [True] * 3
    assert limits.refusal(("192.0.2.2", 2)) is None
    limits.leave(("192.0.2.1", 0))
    assert limits.enter(("192.0.2.1", 99))  # to get an error
    assert isinstance(limits.refusal(("192.0.2.1", 99)), RateLimited)


def test_an_address_that_has_left_may_come_again() -> None:
    limits = ConnectionLimiter(1000, 3)
    for _ in range(50):
        assert of(limits, "2001:db8::1", 3) == [True] * 3
        assert limits.refusal(("2001:db8::1", 2)) is None
        for port in range(3):
            limits.leave(("2001:db8::1", port))
    assert limits.open == 0


def test_many_addresses_together_are_reported_and_then_closed() -> None:
    limits = ConnectionLimiter(10, 2)
    entered = [limits.enter((f"192.0.2.{number}", 1)) for number in range(60)]
    assert entered == [True] * (10 + MARGIN) + [False] * (50 - MARGIN)
    assert limits.refusal(("192.0.2.9", 1)) is None
    assert isinstance(limits.refusal(("192.0.2.10", 1)), Overloaded)


def test_loopback_and_trusted_proxies_come_in_when_others_cannot() -> None:
    limits = ConnectionLimiter(10, 2, [ipaddress.ip_network("198.51.100.0/24")])
    for number in range(60):
        limits.enter((f"192.0.2.{number}", 1))
    assert all(of(limits, "127.0.0.1", 8))
    assert all(of(limits, "198.51.100.7", 8))
    assert limits.refusal(("198.51.100.7", 7)) is None
    assert limits.refusal(("127.0.0.1", 7)) is None
    assert of(limits, "::1", 100)[-1] is False  # there is an end to it


def test_no_limit_by_address_is_none() -> None:
    limits = ConnectionLimiter(1000, 0)
    assert all(of(limits, "192.0.2.1", 500))
    assert limits.refusal(("192.0.2.1", 499)) is None
    network = network_of(ipaddress.ip_address("192.0.2.1"))
    assert [limits.begin_request(network) for _ in range(500)] == [None] * 500


def test_there_are_never_more_than_open_files_suffice_for() -> None:
    resource = pytest.importorskip("resource")
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, most))
        asked = ConnectionLimiter.of(ServerSettings(max_connections=100))
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    assert raised >= 100 + 2 * MARGIN
    entered = [asked.enter((f"192.0.2.{number}", 1)) for number in range(256)]
    assert 0 < sum(entered) < raised


# Over real sockets: this machine passes for another one.


class FarGate(ConnectionLimiter):
    """Takes those on loopback for somebody who is far away."""

    def enter(self, peer: Peer) -> bool:
        return super().enter(far(peer))

    def leave(self, peer: Peer) -> None:
        super().leave(far(peer))

    def refusal(self, peer: Peer) -> RateLimited | Overloaded | None:
        return super().refusal(far(peer))  # type: ignore[return-value]  # what else


def far(peer: Peer) -> Peer:
    return "192.0.2.1", peer[1]


@asynccontextmanager
async def serving(limits: ConnectionLimiter) -> AsyncIterator[int]:
    app = FastAPI()
    app.state.refusals = {"/other": lambda error, _: error_response(error)}

    @app.get("/{path}")
    async def answer(path: str) -> str:
        return path

    @app.websocket("/ws")
    async def listen(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive()

    app.add_middleware(ConnectionLimitMiddleware, limiter=limits)
    app.add_middleware(TrustedProxies, trusted=[LOOPBACK])
    server = uvicorn.Server(uvicorn_config(app))
    listener = LimitedListener.around(socket.create_server(("127.0.0.1", 0)), limits)
    sockets: list[socket.socket] = [listener]
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [*sockets])
        await poll_until(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True


async def connected(
    stack: contextlib.AsyncExitStack, port: int, limits: ConnectionLimiter
) -> SocketStream:
    """Connect, and wait until that is known."""
    before = limits.open
    stream = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
    await poll_until(lambda: limits.open == before + 1)
    return stream


async def answer_to(stream: SocketStream, path: str = "/hello", *lines: str) -> tuple[int, str]:
    """Ask; return the status, and the code of the error or the text."""
    await stream.send(head(path, *lines, method="GET"))
    status, headers, body = await read_answer(stream)
    connection = json.loads(body)
    if status >= 400:
        assert headers["connection"] == "close"
        assert int(headers["retry-after"]) > 0
        return status, connection["error"]["code"]
    return status, connection


async def assert_is_closed(port: int) -> None:
    stream = await anyio.connect_tcp("127.0.0.1", port)
    with anyio.fail_after(60), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await stream.receive()
    await stream.aclose()


@pytest.mark.parametrize(
    ("limits", "margin", "refusal"),
    [
        (FarGate(100, 2), ADDRESS_MARGIN, (429, "rate_limited")),
        (FarGate(2, 100), MARGIN, (503, "queue_full")),
    ],
    ids=["address", "all"],
)
async def test_a_connection_above_the_limit_gets_an_error_until_others_close(
    limits: FarGate, margin: int, refusal: tuple[int, str]
) -> None:
    async with serving(limits) as port, contextlib.AsyncExitStack() as stack:
        first, second = [await connected(stack, port, limits) for _ in range(2)]
        over = [await connected(stack, port, limits) for _ in range(margin)]
        await assert_is_closed(port)
        assert await answer_to(over[0]) == refusal
        assert await answer_to(over[1], "/other") == refusal
        assert await answer_to(over[2], "/livez") == (200, "livez")
        assert await answer_to(first) == (200, "hello")
        await over[3].send(b"half a hea")  # may get an error or be cut, and is no longer counted
        for stream in over:
            await stream.aclose()
        await second.aclose()
        await poll_until(lambda: limits.open == 1)
        again = await connected(stack, port, limits)
        assert await answer_to(again) == (200, "hello")
    assert limits.open == 0


async def test_a_websocket_is_refused_at_the_handshake() -> None:
    limits = FarGate(100, 1)
    async with serving(limits) as port, contextlib.AsyncExitStack() as stack:
        await connected(stack, port, limits)
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None):
                pass
        response = caught.value.response
        assert response.status_code == 429
        assert response.headers["retry-after"] == "10"
        assert json.loads(response.body)["error"]["code"] == "rate_limited"
        await poll_until(lambda: limits.open == 1)


async def test_clients_of_a_trusted_proxy_are_counted_by_their_own_address() -> None:
    limits = ConnectionLimiter(100, 2, [LOOPBACK])

    def from_(number: int) -> str:
        return f"x-forwarded-for: 203.0.113.{number}"

    async with serving(limits) as port, contextlib.AsyncExitStack() as stack:
        headers = {"x-forwarded-for": "203.0.113.1"}
        for _ in range(2):
            url = f"ws://127.0.0.1:{port}/ws"
            await stack.enter_async_context(connect(url, proxy=None, additional_headers=headers))
        one, two = [await connected(stack, port, limits) for _ in range(2)]
        assert await answer_to(one, "/hello", from_(1)) == (429, "rate_limited")
        assert await answer_to(two, "/hello", from_(2)) == (200, "hello")
        assert await answer_to(two, "/hello", from_(2)) == (200, "hello")
    async with serving(limits) as port, contextlib.AsyncExitStack() as stack:
        one = await connected(stack, port, limits)
        assert await answer_to(one, "/hello", from_(1)) == (200, "hello")
