"""Reads request bodies, with limits on their size, pauses and minimum rate."""

import time
from collections.abc import AsyncIterator
from typing import TypeVar

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from auricle.protocol.fields import decode_json
from auricle.values.errors import BadRequest, TooLarge

T = TypeVar("T")

MIN_BYTES_PER_S = 1000
"""Minimum average rate of a body, after one pause: a slower one occupies a slot for too long."""

_MB = 1_000_000


def content_length(headers: Headers) -> int | None:
    """Return the declared length of the body in bytes; ``None`` if it is chunked."""
    value = headers.get("content-length")
    return int(value) if value is not None and value.isdecimal() else None


def media_type(headers: Headers) -> str:
    """Return the media type of the body in lower case, without parameters; may be empty."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_length(headers: Headers, max_bytes: int) -> int | None:
    """Return the declared length in bytes, if it is within the limit.

    Raises:
        TooLarge: It exceeds the limit.
    """
    length = content_length(headers)
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    return length


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The body exceeds {max_bytes / _MB:g} MB. If it is JSON, send the audio itself as the "
        "body (Content-Type: audio/*); otherwise split the audio."
    )


async def body_chunks(receive: Receive, *, max_bytes: int, pause_s: float) -> AsyncIterator[bytes]:
    """Yield the body as it arrives.

    Args:
        receive: The request's ASGI callable.
        max_bytes: Maximum size of the body, regardless of its declared length.
        pause_s: Maximum wait for the next bytes, in seconds.

    Raises:
        TooLarge: The body is larger.
        BadRequest: The client stopped sending, or sends below :data:`MIN_BYTES_PER_S`.
        ClientDisconnect: The client has disconnected.
    """
    began_at, received_bytes, more = time.monotonic(), 0, True
    while more:
        message = None
        with anyio.move_on_after(pause_s):
            message = await receive()
        if message is None:
            raise BadRequest(f"No body data received for {pause_s:g} s.")
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        received_bytes += len(chunk)
        if received_bytes > max_bytes:
            raise _too_large(max_bytes)
        if time.monotonic() - began_at > pause_s + received_bytes / MIN_BYTES_PER_S:
            raise BadRequest(f"The body is too slow; send at least {MIN_BYTES_PER_S} bytes/s.")
        if chunk:
            yield chunk


async def read_body(receive: Receive, *, max_bytes: int, pause_s: float) -> bytearray:
    """Return the whole body; for small bodies, and those that are parsed as a whole.

    Raises:
        TooLarge: The body is larger.
        BadRequest: The client stopped sending, or sends below :data:`MIN_BYTES_PER_S`.
        ClientDisconnect: The client has disconnected.
    """
    body = bytearray()
    async for chunk in body_chunks(receive, max_bytes=max_bytes, pause_s=pause_s):
        body += chunk
    return body


async def read_json(receive: Receive, *, max_bytes: int, pause_s: float) -> bytes:
    """Return a small JSON body; an empty one is an object without fields.

    Raises:
        TooLarge: The body is larger.
        BadRequest: The client stopped sending, or is too slow.
        ClientDisconnect: The client has disconnected.
    """
    return bytes(await read_body(receive, max_bytes=max_bytes, pause_s=pause_s)) or b"{}"


async def read_fields(request: Request, into: type[T], *, max_bytes: int, pause_s: float) -> T:
    """Return a small JSON body as a value of a type.

    Raises:
        TooLarge: The body is larger.
        BadRequest: It is not JSON or not valid, or the client stopped sending, or is too slow.
        ClientDisconnect: The client has disconnected.
    """
    check_length(request.headers, max_bytes)
    body = await read_body(request.receive, max_bytes=max_bytes, pause_s=pause_s)
    return decode_json(body, into, "JSON body")
