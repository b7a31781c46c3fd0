"""HTTP service of a recogniser, as an ASGI application: jobs and capacity.

It depends on neither Ray nor a pool, only on a :class:`Backend`. The key is compared in constant
time, before the body is read. Audio is passed on unread.
"""

import contextlib
import hmac
from collections.abc import AsyncGenerator
from typing import Protocol

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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
from auricle.system.asgi import while_connected
from auricle.values.errors import AuricleError, IdleTimeout, NotFound, TooLarge, Unauthorized

JSON = "application/json"

BODY_TIMEOUT_S = 15.0
"""Maximum time for the body of a job: at most ``MAX_JOB_BYTES``, sent by a nearby gateway."""


class Backend(Protocol):
    """Runs the jobs of a :class:`RecogniserService`."""

    def answer(self, body: bytes, head: JobHead) -> AsyncGenerator[bytes, None]:
        """Yield the packed frames of the answer to a job; closing it cancels the job.

        Raises:
            AuricleError: Only before the first frame; it is sent with the error's HTTP status.
        """
        ...

    async def capacity(self) -> Capacity:
        """Return the current capacity."""
        ...


class RecogniserService:
    """The ASGI application.

    Args:
        backend: Runs the jobs.
        key: Bearer token that gateways must send; ``None`` requires none.
    """

    def __init__(self, backend: Backend, key: str | None) -> None:
        self._backend = backend
        self._expected = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _acknowledge_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"unsupported connection type {scope['type']}")
        try:
            await self._answer(scope, receive, send)
        except AuricleError as exc:
            await _error_response(exc)(scope, receive, send)
        except ClientDisconnect:
            pass  # the client is gone: no response

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        self._check_key(scope)
        if route == ("POST", JOBS_PATH):
            await self._answer_job(receive, send)
        elif route == ("GET", CAPACITY_PATH):
            body = pack_capacity(await self._backend.capacity())
            await Response(body, media_type=JSON)(scope, receive, send)
        else:
            raise NotFound("Path not found.")

    def _check_key(self, scope: Scope) -> None:
        if self._expected is None:
            return
        presented = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(presented) != 1 or not hmac.compare_digest(presented[0], self._expected):
            raise Unauthorized("The key is missing or wrong.")

    async def _answer_job(self, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        head, _ = parse_head(body)
        async with (
            contextlib.aclosing(self._backend.answer(body, head)) as frames,
            while_connected(receive),
        ):
            first = await anext(frames)
            headers = [(b"content-type", ANSWER_TYPE.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for frame in frames:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    with anyio.move_on_after(BODY_TIMEOUT_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > MAX_JOB_BYTES:
                raise TooLarge(f"The job is too large; the maximum is {MAX_JOB_BYTES} bytes.")
            if not message.get("more_body", False):
                return bytes(body)
    raise IdleTimeout(f"The job was not received within {BODY_TIMEOUT_S:g} s.")


def _error_response(error: AuricleError) -> Response:
    headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
    return Response(pack_error(error), error.http_status, headers, media_type=JSON)


async def _acknowledge_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge the ASGI lifespan events; nothing is done at startup or shutdown."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
