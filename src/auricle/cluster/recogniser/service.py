"""A recogniser's HTTP side, as an ASGI application of its own: jobs in, answers and capacity out.

It knows neither Ray nor a pool, only what stands behind it (:class:`Backend`). Keys are compared
in constant time, and before a body is read. Audio is never looked at here.
"""

import asyncio
import contextlib
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import anyio

from auricle.cluster.wire.capacity import Capacity, pack_capacity
from auricle.cluster.wire.failures import pack_error
from auricle.cluster.wire.messages import (
    ANSWER_TYPE,
    CAPACITY_PATH,
    JOBS_PATH,
    MAX_JOB_BYTES,
    JobHead,
    parse_head,
)
from auricle.errors import (
    AuricleError,
    IdleTimeout,
    NotFound,
    TooLarge,
    Unauthorized,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_TIMEOUT_S = 15.0
"""For the whole body of a job, which is a megabyte at most and comes from a gateway nearby."""


class Backend(Protocol):
    """What stands behind the HTTP side."""

    def answer(self, body: bytes, head: JobHead) -> AsyncGenerator[bytes, None]:
        """Yield the packed frames of the answer to a job; closing it cancels the job.

        Raises:
            AuricleError: Before the first frame: it is told with a status of its own.
        """
        ...

    async def capacity(self) -> Capacity:
        """Return how things are."""
        ...


class _Gone(Exception):
    """Whoever asked has hung up."""


class RecogniserService:
    """The ASGI application.

    Args:
        backend: Does the work.
        key: What gateways must show as a bearer token; ``None`` asks for none.
    """

    def __init__(self, backend: Backend, key: str | None) -> None:
        self._backend = backend
        self._expected = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"a connection of type {scope['type']}")
        try:
            await self._answer(scope, receive, send)
        except AuricleError as exc:
            await _send_error(send, exc)
        except _Gone:
            pass  # there is nobody to tell

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        asked = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        self._check_key(scope)
        if asked == ("POST", JOBS_PATH):
            await self._answer_job(receive, send)
        elif asked == ("GET", CAPACITY_PATH):
            body = pack_capacity(await self._backend.capacity())
            await _send_whole(send, 200, body)
        else:
            raise NotFound("There is nothing here.")

    def _check_key(self, scope: Message) -> None:
        if self._expected is None:
            return
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) != 1 or not hmac.compare_digest(shown[0], self._expected):
            raise Unauthorized("The key is missing or wrong.")

    async def _answer_job(self, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        head, _ = parse_head(body)
        async with (
            contextlib.aclosing(self._backend.answer(body, head)) as frames,
            _while_connected(receive),
        ):
            first = await anext(frames)
            headers = [(b"content-type", ANSWER_TYPE.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for frame in frames:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def _while_connected(receive: Receive) -> AsyncGenerator[None, None]:
    """Cancel what happens inside when the other end hangs up.

    Raises:
        _Gone: It did.
    """
    with anyio.CancelScope() as scope:
        watch = asyncio.ensure_future(_cancel_when_gone(receive, scope))
        try:
            yield
        finally:
            watch.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([watch])
    if scope.cancelled_caught:
        raise _Gone


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    with anyio.move_on_after(BODY_TIMEOUT_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > MAX_JOB_BYTES:
                raise TooLarge(f"A job has at most {MAX_JOB_BYTES} bytes.")
            if not message.get("more_body", False):
                return bytes(body)
    raise IdleTimeout("The job did not come in time.")


async def _send_error(send: Send, error: AuricleError) -> None:
    headers = []
    if error.retry_after_s is not None:
        headers = [(b"retry-after", str(error.retry_after_s).encode())]
    await _send_whole(send, error.http_status, pack_error(error), headers)


async def _send_whole(
    send: Send, status: int, body: bytes, more_headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *(more_headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the server's start and end; there is nothing to do at either."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
