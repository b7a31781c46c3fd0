"""The only place that maps errors to HTTP responses; dialects only reformat them.

A response contains what the error class defines: a stable code, whether and when to retry, and, for
errors caused by the request or by load, a message that says what to do. Any other exception becomes
``internal`` without details, because its message may contain a transcript.
"""

import http
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from auricle.protocol.errors import ErrorBody, ErrorResponse
from auricle.server.http.request_log import REQUEST_ID, request_id_of, request_log
from auricle.system.groups import first_error
from auricle.system.logs import log_unexpected
from auricle.values.errors import (
    ApiUnavailable,
    AudioError,
    AudioMissing,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PoisonJob,
    RemoteProtocolError,
    RequestError,
    ServerFull,
)

CLIENT_VISIBLE_ERRORS = (
    RequestError,
    AudioError,
    Overloaded,
    DeadlineExceeded,
    PoisonJob,
    AudioMissing,
    ApiUnavailable,
    RemoteProtocolError,
)
"""Errors whose messages are sent to clients; others are only logged, as a class name."""

CLIENT_LEFT_STATUS = 499
"""nginx's status for a client that disconnected; only metrics and logs show it."""

UNMATCHED = "unmatched"
"""The route label of a request that matches no route."""

_log = structlog.get_logger("auricle.server")


def error_body(error: BaseException) -> ErrorBody:
    """Return the value of ``error`` in the JSON body for an error."""
    if not isinstance(error, CLIENT_VISIBLE_ERRORS):
        return {
            "code": AuricleError.code,
            "message": "Internal server error; see the server log.",
            "retryable": False,
            "retry_after_s": None,
        }
    body: ErrorBody = {
        "code": error.code,
        "message": str(error),
        "retryable": error.retryable,
        "retry_after_s": retry_after_s(error),
    }
    if isinstance(error, ServerFull):
        body["speakers"], body["capacity"] = error.speakers, error.capacity
    return body


def code_of(error: BaseException) -> str:
    """Return the code of an error for logs and metrics, ``internal`` for a bug."""
    return error.code if isinstance(error, AuricleError) else AuricleError.code


def retry_after_s(error: BaseException) -> int | None:
    """Return the number of whole seconds to wait before a retry; ``None`` if there is none."""
    if isinstance(error, AuricleError) and error.retry_after_s is not None:
        return max(1, error.retry_after_s)
    return None


Refusal = Callable[[BaseException, str], Response]
"""Returns the HTTP response for an error and a request id, in the format of a dialect."""


def refuse(scope: Scope, error: BaseException) -> Response:
    """Return the HTTP response for an error, in the format of the path's dialect.

    ``app.state.refusals`` maps path prefixes to dialects.
    """
    refusals: Mapping[str, Refusal] = scope["app"].state.refusals
    path: str = scope["path"]
    matching = (refusal for start, refusal in refusals.items() if path.startswith(start))
    refusal = next(matching, None)
    return error_response(error) if refusal is None else refusal(error, request_id_of(scope))


def error_response(error: BaseException) -> Response:
    """Return the HTTP response for an error in the native format; dialects build on it."""
    status = (
        error.http_status if isinstance(error, CLIENT_VISIBLE_ERRORS) else AuricleError.http_status
    )
    headers: dict[str, str] = {}
    if (after_s := retry_after_s(error)) is not None:
        headers["retry-after"] = str(after_s)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(
        msgspec.json.encode(ErrorResponse(error=error_body(error))),
        status,
        headers,
        media_type="application/json",
    )


async def deny_handshake(websocket: WebSocket, error: Exception) -> None:
    """Reject a WebSocket handshake with an error, in the format of the path's dialect."""
    if not isinstance(error, AuricleError):
        log_unexpected(error)
    request_log(websocket.scope).code = code_of(error)
    await websocket.send_denial_response(refuse(websocket.scope, error))


def raw_error_response(error: AuricleError, request_id: str) -> bytes:
    """Log a request that never reaches the application; return its response, which closes."""
    response = error_response(error)
    status = http.HTTPStatus(response.status_code)
    log_unseen(request_id, status, error.code)
    headers = [*response.raw_headers, (b"connection", b"close")]
    headers.append((REQUEST_ID.encode(), request_id.encode()))
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


def log_unseen(request_id: str, status: int, code: str) -> None:
    """Log the response to a request that never reaches the application, e.g. malformed HTTP."""
    _log.info("request", route=UNMATCHED, status=int(status), request_id=request_id, code=code)


async def _respond(request: Request, error: Exception) -> Response:
    record = request_log(request.scope)
    record.code = code_of(error)
    if not isinstance(error, CLIENT_VISIBLE_ERRORS):
        log_unexpected(error, **record.ids())
    return refuse(request.scope, error)


async def _respond_to_framework(request: Request, error: Exception) -> Response:
    """Return the framework's errors (no such path, no such method) in our format."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers: Mapping[str, str] = (isinstance(error, HTTPException) and error.headers) or {}
    known: AuricleError
    match status:
        case 404:
            known = NotFound("No such path.")
        case 405:
            known = MethodNotAllowed(
                "This path does not support that method; see the Allow header."
            )
        case _ if 400 <= status < 500:
            known = BadRequest("Malformed request.")
        case _:
            known = AuricleError()
    response = await _respond(request, known)
    response.headers.update(headers)
    methods = response.headers.get("allow", "").split(", ")
    if "GET" in methods:
        response.headers["allow"] = ", ".join(sorted({*methods, "HEAD"}))
    return response


async def _respond_after_disconnect(request: Request, error: Exception) -> Response:
    request_log(request.scope).code = "client_left"
    return Response(status_code=CLIENT_LEFT_STATUS)


EXCEPTION_HANDLERS: dict[
    int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]
] = {
    AuricleError: _respond,
    HTTPException: _respond_to_framework,
    ClientDisconnect: _respond_after_disconnect,
}


class ErrorBoundaryMiddleware:
    """Returns ``internal`` for unexpected exceptions, and unwraps exception groups.

    It runs inside the framework's own handler, which would log the exception's message.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def noting_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            if has_started:
                raise  # cut the connection: a partial response must not look complete
            cause = first_error(error) if isinstance(error, BaseExceptionGroup) else error
            handler = _respond_after_disconnect if isinstance(cause, ClientDisconnect) else _respond
            response = await handler(Request(scope), _as_exception(cause))
            await response(scope, receive, send)


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else AuricleError()
