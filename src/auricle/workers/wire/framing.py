"""Framing of msgpack messages between processes and machines: ``[uint32_le length][body]``."""

from struct import Struct
from typing import TypeVar

import msgspec

LENGTH = Struct("<I")
"""Prefix of a body, in bytes; the reader checks it against its own limit."""

T = TypeVar("T")
Body = bytes | bytearray | memoryview

_encoder = msgspec.msgpack.Encoder()


def pack(message: msgspec.Struct) -> bytes:
    """Encode a message with its length prefix."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def decode(decoder: msgspec.msgpack.Decoder[T] | msgspec.json.Decoder[T], body: Body) -> T:
    """Decode an untrusted body.

    Raises:
        msgspec.DecodeError: The body is not a message of the decoder's type.
    """
    try:
        return decoder.decode(body)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError("invalid UTF-8, or nested too deeply") from error
