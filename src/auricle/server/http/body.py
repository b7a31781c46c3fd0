"""Request bodies, chunk by chunk: bounded in bytes, in pauses, and in how slowly they come."""

import time
from collections.abc import AsyncIterator
from typing import TypeVar

import anyio
import msgspec
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from auricle.errors import BadRequest, TooLarge

MIN_BYTES_PER_S = 1000
"""A body that comes more slowly, a pause aside, holds a place that others could use."""

_MB = 1_000_000

_Fields = TypeVar("_Fields")


def content_length(headers: Headers) -> int | None:
    """Return how long the body says it is; ``None`` if it comes in chunks."""
    value = headers.get("content-length")
    return int(value) if value is not None and value.isdecimal() else None


def check_length(headers: Headers, max_bytes: int) -> int | None:
    """Return the declared length, unless it alone is reason to refuse.

    Raises:
        TooLarge: It is above the limit.
    """
    length = content_length(headers)
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    return length


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {max_bytes / _MB:g} MB. Send the audio itself as the body "
        "(Content-Type: audio/*) if you sent JSON, or in parts."
    )


async def body_chunks(receive: Receive, *, max_bytes: int, pause_s: float) -> AsyncIterator[bytes]:
    """Yield the body as it comes in.

    Args:
        receive: The request's.
        max_bytes: How long the body may be, whatever it declared.
        pause_s: Longest wait for the next bytes.

    Raises:
        TooLarge: There are more bytes.
        BadRequest: It stopped coming in, or is far too slow.
        ClientDisconnect: The client is gone.
    """
    began_at, received_bytes, more = time.monotonic(), 0, True
    while more:
        message = None
        with anyio.move_on_after(pause_s):
            message = await receive()
        if message is None:
            raise BadRequest(f"The body stopped coming in for {pause_s:g} s.")
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        received_bytes += len(chunk)
        if received_bytes > max_bytes:
            raise _too_large(max_bytes)
        if time.monotonic() - began_at > pause_s + received_bytes / MIN_BYTES_PER_S:
            raise BadRequest("The body comes in too slowly.")
        if chunk:
            yield chunk


async def read_body(receive: Receive, *, max_bytes: int, pause_s: float) -> bytearray:
    """Return the whole body; for bodies that are small or have to be in one piece.

    Raises:
        TooLarge: There are more bytes.
        BadRequest: It stopped coming in, or is far too slow.
        ClientDisconnect: The client is gone.
    """
    body = bytearray()
    async for chunk in body_chunks(receive, max_bytes=max_bytes, pause_s=pause_s):
        body += chunk
    return body


def parse_json(body: bytes | bytearray, fields: type[_Fields], *, strict: bool = True) -> _Fields:
    """Return the fields of a small JSON body, which may be empty.

    Args:
        body: All of it.
        fields: What it holds.
        strict: ``False`` takes 30.0 and "30" for 30.

    Raises:
        BadRequest: It is not JSON, or a field has the wrong type.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=fields, strict=strict)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body can't be used: {str(error).rstrip('.')}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The body can't be used: it is not JSON.") from None
