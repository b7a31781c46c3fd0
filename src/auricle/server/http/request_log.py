"""Request ids, and the fields of a request's log line.

Each request has one log line, written at its end: ids, sizes, durations, error code. Its id is a
UUID, which every response has as ``x-request-id``. A live session also has a line at its start.
"""

import uuid
from dataclasses import dataclass, field

import structlog
from starlette.datastructures import Headers
from starlette.types import Message, Scope, Send

from auricle.server.http.client_address import client_address

REQUEST_ID = "x-request-id"
MAX_AGENT_CHARS = 200

_KEY = "auricle.log"
_HEADS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})

_log = structlog.get_logger("auricle.server")


@dataclass(slots=True)
class RequestLog:
    """The fields of a request's log line; handlers set them."""

    job_id: str | None = None
    trace_id: str | None = None
    client: str | None = None
    code: str | None = None
    details: dict[str, float | int | str] = field(default_factory=dict)
    request_id: str | None = None

    def ids(self) -> dict[str, str]:
        """Return the ids that are set."""
        ids = {
            "request_id": self.request_id,
            "job_id": self.job_id,
            "trace_id": self.trace_id,
            "client": self.client,
        }
        return {name: value for name, value in ids.items() if value is not None}

    def line(self) -> dict[str, object]:
        """Return all fields that are set."""
        code = {} if self.code is None else {"code": self.code}
        return {**self.ids(), **code, **self.details}


def request_log(scope: Scope) -> RequestLog:
    """Return the log record of a request; the first call creates it."""
    record = scope.get(_KEY)
    if record is None:
        record = scope[_KEY] = RequestLog(request_id=new_request_id())
    assert isinstance(record, RequestLog)
    return record


def new_request_id() -> str:
    """Return a new request id: a UUID, as clients of some APIs expect."""
    return str(uuid.uuid4())


def request_id_of(scope: Scope) -> str:
    """Return the id of a request."""
    return request_log(scope).request_id or ""


def with_request_id(scope: Scope, send: Send) -> Send:
    """Return a ``send`` that adds the request's id to the response headers."""
    header = (REQUEST_ID.encode(), request_id_of(scope).encode())

    async def send_with_id(message: Message) -> None:
        if message["type"] in _HEADS:
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return send_with_id


def log_session(event: str, scope: Scope, session_id: str, dialect: str) -> None:
    """Log that a live session started or resumed.

    Args:
        event: ``session_started`` or ``session_resumed``.
        scope: The handshake's ASGI scope.
        session_id: Id of the session.
        dialect: Name of the client's wire protocol.
    """
    address = client_address(scope)
    agent = Headers(scope=scope).get("user-agent") if "headers" in scope else None
    _log.info(
        event,
        session=session_id,
        **request_log(scope).ids(),
        address=None if address is None else str(address),
        dialect=dialect,
        user_agent=None if agent is None else printable(agent),
    )


def printable(text: str) -> str:
    """Return a client's text in a form that is safe to log: short, printable ASCII only."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:MAX_AGENT_CHARS])
