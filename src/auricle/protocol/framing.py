"""Framed Opus packets, the audio format of Auricle's own clients.

A stream is a sequence of ``[uint16_le length][packet]``; with ``with_seq``, a ``[uint32_le seq]``
follows each packet. Messages may hold several packets, and a packet may be split across messages at
any byte. ``testdata/wire_vectors.json`` pins the format.

The framer does not validate the contents of packets; the decoder does.
"""

from struct import Struct
from typing import NamedTuple

from auricle.values.errors import LocalProtocolError, RemoteProtocolError
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import OpusPacket

LENGTH = Struct("<H")  # size of the packet that follows, in bytes
SEQ = Struct("<I")  # sequence number of the preceding packet; wraps around (RFC 1982)


class NumberedPacket(NamedTuple):
    """A packet with its sequence number."""

    packet: OpusPacket
    seq: int


class PacketFramer:
    """Splits a byte stream into packets, without I/O.

    Feed :meth:`receive_data`, then pull packets until ``None``. After that, the framer buffers at
    most one incomplete packet. Time is linear in the number of bytes, however they are split. Valid
    packets before an error are returned first; then the error is raised.

    Args:
        with_seq: Whether a sequence number follows each packet.
    """

    def __init__(self, *, with_seq: bool = False) -> None:
        self._buffer = bytearray()
        self._trailer_bytes = SEQ.size if with_seq else 0
        self._at_eof = False
        self._failure: str | None = None

    @property
    def buffered_bytes(self) -> int:
        """The number of buffered bytes."""
        return len(self._buffer)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Receive the next bytes of the stream; they are ignored after an error."""
        if self._at_eof:
            raise LocalProtocolError("receive_data() after receive_eof()")
        if self._failure is None:
            self._buffer += data

    def receive_eof(self) -> None:
        """Mark the end of the stream; idempotent."""
        self._at_eof = True

    def next_packet(self) -> OpusPacket | None:
        """Return the next complete packet, or ``None`` when more data is needed.

        Raises:
            RemoteProtocolError: The stream is invalid; raised by every later call.
        """
        numbered = self._next()
        return None if numbered is None else numbered[0]

    def next_numbered_packet(self) -> NumberedPacket | None:
        """Return the next complete packet and its number, or ``None`` when more data is needed.

        Raises:
            LocalProtocolError: The framer was created without ``with_seq``.
            RemoteProtocolError: The stream is invalid; raised by every later call.
        """
        if not self._trailer_bytes:
            raise LocalProtocolError("next_numbered_packet() without with_seq")
        numbered = self._next()
        if numbered is None:
            return None
        packet, trailer = numbered
        return NumberedPacket(packet, SEQ.unpack(trailer)[0])

    def _next(self) -> tuple[OpusPacket, bytes] | None:
        if self._failure is not None:
            raise RemoteProtocolError(self._failure)
        buffer = self._buffer
        if len(buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer)
            if not 0 < length <= MAX_PACKET_BYTES:  # don't wait for the payload
                raise self._fail(
                    f"Invalid packet length of {length} bytes; use 1 to {MAX_PACKET_BYTES}."
                )
            packet_end = LENGTH.size + length
            end = packet_end + self._trailer_bytes
            if len(buffer) >= end:
                packet = OpusPacket(bytes(buffer[LENGTH.size : packet_end]))
                trailer = bytes(buffer[packet_end:end])
                del buffer[:end]  # a bytearray deletes its front without moving the rest
                return packet, trailer
        if self._at_eof and buffer:
            raise self._fail(f"Stream ends {len(buffer)} bytes into an incomplete packet.")
        return None

    def _fail(self, reason: str) -> RemoteProtocolError:
        self._failure = reason
        self._buffer.clear()
        return RemoteProtocolError(reason)


def pack(packet: OpusPacket, seq: int | None = None) -> bytes:
    """Return the framed packet; ``seq`` is taken modulo 2**32.

    Raises:
        LocalProtocolError: The packet is empty or too large for the format.
    """
    if not 0 < len(packet) <= MAX_PACKET_BYTES:
        raise LocalProtocolError(
            f"Cannot frame a packet of {len(packet)} bytes; use 1 to {MAX_PACKET_BYTES}."
        )
    trailer = b"" if seq is None else SEQ.pack(seq & 0xFFFFFFFF)
    return LENGTH.pack(len(packet)) + packet + trailer
