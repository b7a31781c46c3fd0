"""Open a WebSocket to a server, and convert failures to Auricle errors."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from auricle.client.network import describe_failure, key_headers
from auricle.values.errors import (
    AuricleError,
    ForbiddenOrigin,
    NoWorkerReady,
    RequestError,
    ServerFull,
    SetupError,
    Unauthorized,
)
from auricle.values.events import Failed

PATH = "/v1/stream"
CLOSE_LIMIT_S = 2.0
MAX_MESSAGE_BYTES = 2**20
MAX_RETRY_AFTER_S = 120.0
"""Maximum delay that a server can request."""
STARTING_DELAY_S = 1.0
"""Maximum delay while a server loads its model. Its Retry-After is the time of a whole start, for
requests that cost more than a handshake."""
FULL_DELAY_S = 2.0
"""Maximum delay besides the Retry-After of a full server, which keeps a client's position for 5 s
longer."""

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_REFUSALS: dict[int, type[RequestError]] = {401: Unauthorized, 403: ForbiddenOrigin}
_FULL = (429, 503)
_FATAL_CLOSE_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
"""RFC 6455 §7.4.1: reconnecting with the same stream would fail in the same way."""


class ConnectionFailed(Exception):
    """The connection failed; a retry may succeed.

    Attributes:
        reason: The reason, as text.
        retry_after_s: Minimum delay that the server requested, in seconds.
        max_delay_s: Maximum delay in place of the rules' one, in seconds.
        is_refusal: Whether a server answered that it is full or not ready.
        is_full: Whether the machine holds no other speaker; the reason is then a sentence.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after_s: float = 0.0,
        max_delay_s: float | None = None,
        is_refusal: bool = False,
        is_full: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.is_refusal, self.is_full = reason, is_refusal, is_full
        self.retry_after_s, self.max_delay_s = retry_after_s, max_delay_s


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    error: _Problem


def stream_url(url: str) -> str:
    """Return the WebSocket URL of a server's live sessions, from its http(s) or ws(s) base URL.

    Raises:
        SetupError: The URL is invalid.
    """
    try:
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme)
        is_address = scheme is not None and parts.hostname and parts.port != 0
    except ValueError:  # a port out of range or an incomplete IPv6 address
        is_address = False
    if not is_address:
        raise SetupError(f"Invalid URL {url}; use a URL such as http://127.0.0.1:6007.")
    path = parts.path.rstrip("/").removesuffix(PATH) + PATH
    return urlunsplit((scheme, parts.netloc, path, "", ""))


async def open_websocket(
    url: str,
    limit_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    ping_interval_s: float | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> ClientConnection:
    """Return an open WebSocket.

    Pings are off by default: a server with enough audio stops reading, and so does not answer them
    for a while. :mod:`auricle.client.live` sends pings itself.

    Args:
        url: Its URL.
        limit_s: Longest time until it is open, in seconds.
        headers: Headers of the handshake.
        subprotocols: Names of subprotocols, if any.
        ping_interval_s: Interval between pings, in seconds; ``None``: none are sent.
        max_message_bytes: Maximum size of a received message.

    Raises:
        OSError: The server does not answer.
        TimeoutError: It has not answered in time.
        EOFError: It has closed the connection.
        InvalidHandshake: It does not accept the connection.
    """
    return await connect(
        url,
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        compression=None,  # costs 95 ms for 2 MB of audio, which is incompressible
        ping_interval=ping_interval_s,
        open_timeout=limit_s,
        close_timeout=CLOSE_LIMIT_S,
        max_size=max_message_bytes,
    )


async def open_connection(
    url: str, api_key: str | None, connect_limit_s: float
) -> ClientConnection:
    """Return an open connection.

    Raises:
        ConnectionFailed: The connection failed; a retry may succeed.
        AuricleError: The server rejected the request; a retry would fail too.
    """
    try:
        return await open_websocket(url, connect_limit_s, headers=key_headers(api_key))
    except InvalidStatus as exc:
        raise _refusal(exc.response) from exc
    except (OSError, TimeoutError, InvalidHandshake, EOFError) as exc:
        raise ConnectionFailed(_reason(exc)) from exc


def _reason(error: BaseException) -> str:
    if isinstance(error, InvalidHandshake | EOFError):
        return "the server does not support WebSocket"
    return describe_failure(error)


def _refusal(response: Response) -> ConnectionFailed | AuricleError:
    """Return the error for an HTTP response to the WebSocket handshake."""
    status = response.status_code
    try:
        error = msgspec.json.decode(response.body or b"", type=_Body).error
        text = f"{error.message} ({error.code})"
    except msgspec.DecodeError:
        error = _Problem()
        text = f"The URL does not belong to an Auricle server (HTTP {status})."
    if error.code == NoWorkerReady.code:
        return _starting(text)
    if error.code == ServerFull.code:
        return _full(error.message, _retry_after_s(response))
    if status in _FULL:
        return ConnectionFailed(text, retry_after_s=_retry_after_s(response), is_refusal=True)
    if status >= 500:  # usually from a proxy while its server starts
        return ConnectionFailed(text, retry_after_s=_retry_after_s(response))
    return _REFUSALS.get(status, RequestError)(text)


def _starting(text: str) -> ConnectionFailed:
    return ConnectionFailed(text, max_delay_s=STARTING_DELAY_S, is_refusal=True)


def _full(message: str, retry_after_s: float) -> ConnectionFailed:
    return ConnectionFailed(
        message,
        retry_after_s=retry_after_s,
        max_delay_s=FULL_DELAY_S,
        is_refusal=True,
        is_full=True,
    )


def _retry_after_s(response: Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), MAX_RETRY_AFTER_S) if text.isdecimal() else 0.0


def closing_error(
    closed: ConnectionClosed, failed: Failed | None
) -> ConnectionFailed | AuricleError:
    """Return the error for a closed connection.

    Args:
        closed: The exception of the library.
        failed: The last error that the server sent, if any.
    """
    frame = closed.rcvd
    if frame is None:
        return ConnectionFailed("the connection was lost")
    text = f"{failed.message} ({failed.code})" if failed else frame.reason or "no reason given"
    if failed is not None and failed.retryable:
        retry_after_s = min(failed.retry_after_s or 0.0, MAX_RETRY_AFTER_S)
        if failed.code == ServerFull.code:
            return _full(failed.message, retry_after_s)
        if failed.code == NoWorkerReady.code:
            return _starting(text)
        return ConnectionFailed(text, retry_after_s=retry_after_s)
    if frame.code in _FATAL_CLOSE_CODES:
        return RequestError(f"The server ended the stream: {text} (close code {frame.code}).")
    return ConnectionFailed(f"{text} (close code {frame.code})")
