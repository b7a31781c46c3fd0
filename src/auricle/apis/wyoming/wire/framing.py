"""Frame Wyoming events in a byte stream.

::

    {"type": "audio-chunk", "data": {…}, "data_length": n, "payload_length": m} LF
    [n bytes of JSON, merged into "data"][m bytes, such as PCM]

Only the type is required. Lengths are checked before their data is read, so that a client cannot
make the server buffer more than one event of maximum size.
"""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from auricle.protocol.fields import decode_json
from auricle.values.errors import BadRequest, RemoteProtocolError, TooLarge

MAX_LINE_BYTES = 64 * 1024
MAX_DATA_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 2**20
"""Half a minute of PCM16 in one event; clients send tens of milliseconds."""

_Length = Annotated[int, Meta(ge=0)] | None


class _Header(msgspec.Struct, frozen=True):
    type: str
    data: dict[str, Any] | None = None
    data_length: _Length = None
    payload_length: _Length = None


class WyomingEvent(msgspec.Struct, frozen=True):
    """An event from the client or the server."""

    type: str
    data: dict[str, Any] = {}
    payload: bytes = b""


_Part = TypeVar("_Part")


class EventFramer:
    """Splits a byte stream into events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched_bytes = 0
        self._header: _Header | None = None

    def receive_data(self, data: bytes) -> None:
        """Receive the next bytes of the stream."""
        self._buffer += data

    def next_event(self) -> WyomingEvent | None:
        """Return the next event, or ``None`` if it is incomplete.

        Raises:
            RemoteProtocolError: The event is invalid; the start of the next one is unknown.
            TooLarge: The event exceeds a size limit.
        """
        header = self._header = self._header or self._next_header()
        if header is None:
            return None
        data_bytes, payload_bytes = header.data_length or 0, header.payload_length or 0
        end = data_bytes + payload_bytes
        if len(self._buffer) < end:
            return None
        taken = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._header = None
        data = header.data or {}
        if data_bytes:
            data = data | _parsed(taken[:data_bytes], dict[str, Any])
        return WyomingEvent(header.type, data, taken[data_bytes:])

    def _next_header(self) -> _Header | None:
        end = self._buffer.find(b"\n", self._searched_bytes)
        if (len(self._buffer) if end < 0 else end) > MAX_LINE_BYTES:
            raise TooLarge(f"Event line is too long; send at most {MAX_LINE_BYTES} bytes.")
        if end < 0:
            self._searched_bytes = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched_bytes = 0
        header = _parsed(line, _Header)
        if (header.data_length or 0) > MAX_DATA_BYTES:
            raise TooLarge(f"data_length must be at most {MAX_DATA_BYTES}.")
        if (header.payload_length or 0) > MAX_PAYLOAD_BYTES:
            raise TooLarge(
                f"payload_length must be at most {MAX_PAYLOAD_BYTES}; send smaller chunks."
            )
        return header


def _parsed(text: bytes, into: type[_Part]) -> _Part:
    try:
        return decode_json(text, into, "event")
    except BadRequest as error:
        raise RemoteProtocolError(
            "Invalid Wyoming event; send a line with a JSON object that has a `type`."
        ) from error


def pack_event(type: str, data: dict[str, Any] | None = None) -> str:
    """Encode an event without payload; its data follows the line, as in Wyoming's own programs."""
    if not data:
        return msgspec.json.encode({"type": type}).decode() + "\n"
    body = msgspec.json.encode(data)
    head = msgspec.json.encode({"type": type, "data_length": len(body)})
    return (head + b"\n" + body).decode()


def error_event(code: str, text: str) -> str:
    """Return an ``error`` event."""
    return pack_event("error", {"text": text, "code": code})
