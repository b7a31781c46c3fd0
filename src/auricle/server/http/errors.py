"""Errors become HTTP answers here and nowhere else; dialects only give them another shape.

An answer tells what the error class says of itself: a stable code, whether to try again and when,
and, for errors that are the caller's or the load's, the sentence that says what to do. All else is
``internal`` and tells nothing: an exception's message may hold what somebody said.
"""

import http
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auricle.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PoisonJob,
    RemoteProtocolError,
    RequestError,
)
from auricle.groups import first_error
from auricle.server.http.request_log import REQUEST_ID, request_id_of, request_log

CLIENT_VISIBLE_ERRORS = (
    RequestError,
    AudioError,
    Overloaded,
    DeadlineExceeded,
    PoisonJob,
    RemoteProtocolError,
)
"""Their messages are written for clients; others stay in the logs, as a class name."""

CLIENT_LEFT_STATUS = 499
"""nginx's number for it; nobody is there to read it, but metrics and logs are."""

UNMATCHED = "unmatched"
"""The route of a request that matches none."""

_MAX_FRAMES = 12

_log = structlog.get_logger("auricle.server")


def error_body(error: BaseException) -> dict[str, object]:
    """Return what a client is told of an error: what stands below ``error`` in the answer."""
    if not isinstance(error, CLIENT_VISIBLE_ERRORS):
        return {
            "code": AuricleError.code,
            "message": "Something went wrong in the server; its log says what.",
            "retryable": False,
            "retry_after_s": None,
        }
    return {
        "code": error.code,
        "message": str(error),
        "retryable": error.retryable,
        "retry_after_s": retry_after_s(error),
    }


def retry_after_s(error: BaseException) -> int | None:
    """Return after how many whole seconds a retry may succeed; ``None`` if none will."""
    if isinstance(error, AuricleError) and error.retry_after_s is not None:
        return max(1, error.retry_after_s)
    return None


Refusal = Callable[[BaseException, str], Response]
"""Makes the HTTP answer for an error and a request's id, in one dialect's shape."""


def refuse(scope: Scope, error: BaseException) -> Response:
    """Return the HTTP answer for an error in the shape of the dialect that was spoken to.

    ``app.state.refusals`` names the dialects by the beginnings of their paths.
    """
    refusals: Mapping[str, Refusal] = scope["app"].state.refusals
    path: str = scope["path"]
    found = (refusal for start, refusal in refusals.items() if path.startswith(start))
    refusal = next(found, None)
    return error_response(error) if refusal is None else refusal(error, request_id_of(scope))


def error_response(error: BaseException) -> Response:
    """Return the HTTP answer for an error in the native shape; others are made from it."""
    status = (
        error.http_status if isinstance(error, CLIENT_VISIBLE_ERRORS) else AuricleError.http_status
    )
    headers: dict[str, str] = {}
    if (after_s := retry_after_s(error)) is not None:
        headers["retry-after"] = str(after_s)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(
        msgspec.json.encode({"error": error_body(error)}),
        status,
        headers,
        media_type="application/json",
    )


def raw_error_response(error: AuricleError, request_id: str) -> bytes:
    """Log a request that no application sees, and return its answer; the connection ends."""
    response = error_response(error)
    status = http.HTTPStatus(response.status_code)
    log_unseen(request_id, status, error.code)
    headers = [*response.raw_headers, (b"connection", b"close")]
    headers.append((REQUEST_ID.encode(), request_id.encode()))
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


def log_unseen(request_id: str, status: int, code: str) -> None:
    """Log the answer to a request that no application sees, such as one that isn't HTTP."""
    _log.info("request", route=UNMATCHED, status=int(status), request_id=request_id, code=code)


def log_unexpected(error: BaseException, **context: object) -> None:
    """Log a bug: the class and the frames, never the message, which may hold speech."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    _log.error(
        "unexpected_error",
        error=type(error).__name__,
        frames=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        **context,
    )


async def _answer_ours(request: Request, error: Exception) -> Response:
    record = request_log(request.scope)
    record.code = error.code if isinstance(error, AuricleError) else AuricleError.code
    if not isinstance(error, CLIENT_VISIBLE_ERRORS):
        log_unexpected(error, **record.ids())
    return refuse(request.scope, error)


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answer what the framework found wrong (no such path, no such method) as ours."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers: Mapping[str, str] = (isinstance(error, HTTPException) and error.headers) or {}
    ours: AuricleError
    match status:
        case 404:
            ours = NotFound("There is nothing at this path.")
        case 405:
            ours = MethodNotAllowed(
                "This path does not support that method; see the Allow header for those it does."
            )
        case _ if 400 <= status < 500:
            ours = BadRequest("The request can't be read.")
        case _:
            ours = AuricleError()
    response = await _answer_ours(request, ours)
    response.headers.update(headers)
    methods = response.headers.get("allow", "").split(", ")
    if "GET" in methods:
        response.headers["allow"] = ", ".join(sorted({*methods, "HEAD"}))
    return response


async def _answer_nobody(request: Request, error: Exception) -> Response:
    request_log(request.scope).code = "client_left"
    return Response(status_code=CLIENT_LEFT_STATUS)


EXCEPTION_HANDLERS: dict[
    int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]
] = {
    AuricleError: _answer_ours,
    HTTPException: _answer_http,
    ClientDisconnect: _answer_nobody,
}


class ErrorBoundaryMiddleware:
    """Answers ``internal`` for what nobody expected, and unwraps groups that hold one of ours.

    It stands inside the framework's own last resort, which would log the exception's message.
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
                raise  # the connection is cut: half an answer must not look like a whole one
            cause = first_error(error) if isinstance(error, BaseExceptionGroup) else error
            handler = _answer_nobody if isinstance(cause, ClientDisconnect) else _answer_ours
            response = await handler(Request(scope), _as_exception(cause))
            await response(scope, receive, send)


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else AuricleError()
