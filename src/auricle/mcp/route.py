"""``POST /mcp``: the streamable HTTP of the Model Context Protocol, without sessions.

The key, the origin and the size of the body are checked before the SDK gets the request. Its tools
send requests with the same key to the application itself, which applies its rights and limits.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
import httpx2 as httpx
from anyio import to_thread
from fastapi import APIRouter
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from auricle.client.api.calls import Call
from auricle.client.api.failures import error_of_response
from auricle.mcp.recordings import AUDIO_TOOL
from auricle.mcp.server import server_of
from auricle.protocol.errors import ErrorResponse
from auricle.server.http.body import check_length, media_type, read_body
from auricle.server.http.openapi import POSTED, answer, json_body, refusals
from auricle.server.lifecycle import Lifecycle
from auricle.server.service import Service
from auricle.system.asgi import while_connected
from auricle.values.errors import Overloaded, UnsupportedFormat
from auricle.values.types import ClientId

T = TypeVar("T")

MAX_BODY_BYTES = 64_000
MAX_AUDIO_BODY_BYTES = 500_000
"""Largest body, without and with audio. The SDK parses it on the event loop, and takes up to 0.2 s
for half a megabyte of empty lists."""
MAX_AT_ONCE = 32
"""Messages of one key at once: a tool that waits polls, and so costs what many requests cost."""
RETRY_S = 2


class InProcess:
    """The HTTP API of the application that serves a request, with the rights of its client.

    Args:
        request: The request.
        key: The key or token in it; empty if there is none.
        lifecycle: Whether the server drains.
    """

    def __init__(self, request: Request, key: str, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(
                request.app, raise_app_exceptions=False, client=request.scope["client"]
            ),
            base_url="http://localhost",  # any server accepts it
            headers=httpx.Headers(headers, encoding="latin-1"),
            timeout=None,
        )

    @property
    def may_wait(self) -> bool:
        """Whether the server does not drain."""
        return not self._lifecycle.is_draining

    async def send(self, call: Call[T]) -> T:
        """Return the result of a request.

        Raises:
            AuricleError: The application rejected it.
        """
        content = call.content if call.audio is None else b"".join(call.audio.chunks())
        response = await self._http.request(
            call.method, call.path, params=call.query, content=content, headers=call.headers
        )
        if response.is_success:
            return await to_thread.run_sync(call.decode, response.content)
        raise error_of_response(response.status_code, response.headers, response.content)


async def _answer(server: Any, request: Request, body: bytes) -> Response:
    """Return the response of a server of the SDK to a request whose body was read.

    Raises:
        ClientDisconnect: The client has disconnected.
    """
    manager = StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=MAX_AUDIO_BODY_BYTES
    )
    to_receive: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not to_receive:
            await anyio.sleep_forever()
        return to_receive.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async with while_connected(request.receive), manager.run():
        await manager.handle_request(request.scope, receive, send)
    start, *parts = sent
    response = Response(b"".join(part.get("body", b"") for part in parts), int(start["status"]))
    response.raw_headers = list(start["headers"])
    return response


@contextmanager
def _counted(open_of: Counter[ClientId], client: ClientId) -> Iterator[None]:
    """Count a message of a client while the block runs.

    Raises:
        Overloaded: The client has too many.
    """
    if open_of[client] >= MAX_AT_ONCE:
        raise Overloaded(f"This key has {MAX_AT_ONCE} messages at /mcp; wait for one.", RETRY_S)
    open_of[client] += 1
    try:
        yield
    finally:
        open_of[client] -= 1
        if not open_of[client]:
            del open_of[client]


def routes(service: Service, *, can_transcribe: bool) -> APIRouter:
    """Return the route of a server.

    Args:
        service: The parts of the server.
        can_transcribe: Whether agents may send recordings.
    """
    writing = (AUDIO_TOOL,) if can_transcribe else ()
    max_bytes = MAX_AUDIO_BODY_BYTES if can_transcribe else MAX_BODY_BYTES
    open_of: Counter[ClientId] = Counter()
    router = APIRouter(default_response_class=Response)
    access, pause_s = service.access, service.settings.server.body_timeout_s

    @router.post(
        "/mcp",
        summary="Model Context Protocol (streamable HTTP, without sessions)",
        responses={
            200: answer("The JSON-RPC response.", dict[str, Any]),
            202: {"description": "A notification was accepted."},
            406: {"description": "The client does not accept JSON."},
            **refusals(ErrorResponse, *POSTED, 415),
            400: answer("The message is invalid: a JSON-RPC error.", dict[str, Any]),
            404: answer("There is no such method: a JSON-RPC error.", dict[str, Any]),
        },
        openapi_extra=json_body(dict[str, Any], is_required=True),
    )
    async def post_mcp(request: Request) -> Response:
        """Answer one JSON-RPC message of an agent, such as ``tools/list`` or ``tools/call``."""
        client = access.admit(request)
        if media_type(request.headers) != "application/json":
            raise UnsupportedFormat("Send JSON (Content-Type: application/json).")
        check_length(request.headers, max_bytes)
        body = await read_body(request.receive, max_bytes=max_bytes, pause_s=pause_s)
        api = InProcess(request, access.keyring.style.sent(request.headers), service.lifecycle)
        with _counted(open_of, client):
            return await _answer(server_of(api, writing), request, bytes(body))

    return router
