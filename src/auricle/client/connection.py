"""Opens a WebSocket to a server, and says in our own errors why that can't be.

No pings of the library's own: a server that has enough audio stops reading for a while, pings with
it, and is not gone for that. :mod:`auricle.client.live` asks in its own time.
"""

import socket
import ssl
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from auricle.errors import (
    AuricleError,
    ForbiddenOrigin,
    RequestError,
    SetupError,
    Unauthorized,
)
from auricle.events import Failed

PATH = "/v1/stream"
CLOSE_LIMIT_S = 2.0
MAX_MESSAGE_BYTES = 2**20
MAX_RETRY_AFTER_S = 120.0
"""No server is stayed away from for longer, whatever it says."""

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_REFUSALS: dict[int, type[RequestError]] = {401: Unauthorized, 403: ForbiddenOrigin}
_FULL = (429, 503)
_FATAL_CLOSE_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
"""RFC 6455 §7.4.1: coming back with the same stream would end in the same way."""


class ConnectionFailed(Exception):
    """There is no connection now; there may be one later.

    Attributes:
        reason: Why, in words.
        asked_s: How long the server asked us to stay away.
        is_refusal: A server answered, and was full or about to start.
    """

    def __init__(self, reason: str, *, asked_s: float = 0.0, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.asked_s, self.is_refusal = reason, asked_s, is_refusal


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    error: _Problem


def stream_url(url: str) -> str:
    """Return where a server's live sessions are; ``url`` is its base, as http or as ws.

    Raises:
        SetupError: It is no address.
    """
    try:
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme)
        is_address = scheme is not None and parts.hostname and parts.port != 0
    except ValueError:  # of a port out of range, or half an IPv6 address
        is_address = False
    if not is_address:
        raise SetupError(f"{url} is not an address like http://127.0.0.1:6007.")
    path = parts.path.rstrip("/").removesuffix(PATH) + PATH
    return urlunsplit((scheme, parts.netloc, path, "", ""))


async def open_connection(
    url: str, api_key: str | None, connect_limit_s: float
) -> ClientConnection:
    """Return a connection that is open.

    Raises:
        ConnectionFailed: Not now; try again.
        AuricleError: Not ever, in this way.
    """
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    try:
        return await connect(
            url,
            additional_headers=headers,
            compression=None,  # 95 ms on 2 MB of audio that can't be made smaller
            ping_interval=None,
            open_timeout=connect_limit_s,
            close_timeout=CLOSE_LIMIT_S,
            max_size=MAX_MESSAGE_BYTES,
        )
    except InvalidStatus as exc:
        raise _refusal(exc.response) from exc
    except (OSError, TimeoutError, InvalidHandshake, EOFError) as exc:
        raise ConnectionFailed(why_not(exc)) from exc


def why_not(error: BaseException) -> str:
    """Return why there is no connection, in words for people."""
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message
            return (
                f"its certificate is not to be trusted ({why}); SSL_CERT_FILE=FILE names another CA"
            )
        case ssl.SSLError():
            return "what answers there speaks no TLS"
        case socket.gaierror():
            return "nobody knows this name"
        case ConnectionRefusedError():
            return "nobody listens there"
        case TimeoutError():
            return "no answer in time"
        case InvalidHandshake() | EOFError():
            return "what answers there speaks no WebSocket"
        case _:
            return f"no connection ({getattr(error, 'strerror', None) or type(error).__name__})"


def _refusal(response: Response) -> ConnectionFailed | AuricleError:
    """Return what an HTTP answer in the place of a WebSocket means."""
    status = response.status_code
    try:
        error = msgspec.json.decode(response.body or b"", type=_Body).error
        words = f"{error.message} ({error.code})"
    except msgspec.DecodeError:
        words = f"What answers there is no Auricle server (HTTP {status})."
    if status in _FULL:
        return ConnectionFailed(words, asked_s=_retry_after_s(response), is_refusal=True)
    if status >= 500:  # of a proxy whose server is being started, as a rule
        return ConnectionFailed(words, asked_s=_retry_after_s(response))
    return _REFUSALS.get(status, RequestError)(words)


def _retry_after_s(response: Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), MAX_RETRY_AFTER_S) if text.isdecimal() else 0.0


def why_closed(closed: ConnectionClosed, told: Failed | None) -> ConnectionFailed | AuricleError:
    """Return what the end of a connection means.

    Args:
        closed: As the library tells it.
        told: The last error that the server told before, if any.
    """
    frame = closed.rcvd
    if frame is None:
        return ConnectionFailed("the connection was lost")
    words = f"{told.message} ({told.code})" if told else frame.reason or "no reason given"
    if told is not None and told.retryable:
        asked_s = min(told.retry_after_s or 0.0, MAX_RETRY_AFTER_S)
        return ConnectionFailed(words, asked_s=asked_s)
    if frame.code in _FATAL_CLOSE_CODES:
        return RequestError(f"The server ended the stream: {words} (close code {frame.code}).")
    return ConnectionFailed(f"{words} (close code {frame.code})")
