"""Framed Opus packets: how Auricle's own clients send audio.

Layout of a stream: ``[uint16_le length][packet]``, again and again; with ``with_seq`` a
``[uint32_le seq]`` follows each packet. Chunks of the stream may hold several packets, and a
packet may be split over chunks anywhere. ``testdata/wire_vectors.json`` pins the format.

Packets are not looked into here: a framer cuts, a decoder judges.
"""

from dataclasses import dataclass
from struct import Struct

from auricle.errors import LocalProtocolError, RemoteProtocolError
from auricle.types import OpusPacket

LENGTH = Struct("<H")  # bytes of the packet that follows
SEQ = Struct("<I")  # of the packet before it; counts up and wraps round (RFC 1982)

# RFC 6716 §3.4 [R5]: at most 120 ms a packet; [R2]: at most 1275 bytes a frame. Speech needs some
# 50 bytes for each 20 ms, so 4000 leave ample room and keep a packet's cost small.
MAX_PACKET_BYTES = 4000


@dataclass(frozen=True, slots=True)
class NumberedPacket:
    """A packet with its place in the client's own count."""

    packet: OpusPacket
    seq: int


class PacketFramer:
    """Cuts a byte stream into packets; I/O-free.

    Feed :meth:`receive_data`, then pull packets until ``None``. Pulled dry, the framer holds no
    more than one incomplete packet. Time is linear in the bytes, however they are split. Good
    packets before a fault still come out; the fault is raised when its place is reached.

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
        """How many bytes wait in the buffer."""
        return len(self._buffer)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the stream; after a fault they are ignored."""
        if self._at_eof:
            raise LocalProtocolError("receive_data() after receive_eof()")
        if self._failure is None:
            self._buffer += data

    def receive_eof(self) -> None:
        """Take note that no more bytes will come; idempotent."""
        self._at_eof = True

    def next_packet(self) -> OpusPacket | None:
        """Return the next whole packet, or ``None`` when more data is needed.

        Raises:
            RemoteProtocolError: The stream is broken, now and for every later call.
        """
        numbered = self._next()
        return None if numbered is None else numbered[0]

    def next_numbered_packet(self) -> NumberedPacket | None:
        """Return the next whole packet and its number, or ``None`` when more data is needed.

        Raises:
            LocalProtocolError: This framer was made without ``with_seq``.
            RemoteProtocolError: The stream is broken, now and for every later call.
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
                    f"A packet announces {length} bytes; 1 to {MAX_PACKET_BYTES} are allowed."
                )
            packet_end = LENGTH.size + length
            end = packet_end + self._trailer_bytes
            if len(buffer) >= end:
                packet = OpusPacket(bytes(buffer[LENGTH.size : packet_end]))
                trailer = bytes(buffer[packet_end:end])
                del buffer[:end]  # a bytearray forgets its front without moving the rest
                return packet, trailer
        if self._at_eof and buffer:
            raise self._fail(f"The stream ends {len(buffer)} bytes into a packet.")
        return None

    def _fail(self, reason: str) -> RemoteProtocolError:
        self._failure = reason
        self._buffer.clear()
        return RemoteProtocolError(reason)


def pack(packet: OpusPacket, seq: int | None = None) -> bytes:
    """Return the packet as it travels; ``seq`` is taken modulo 2**32.

    Raises:
        LocalProtocolError: The packet is empty or too large for the format.
    """
    if not 0 < len(packet) <= MAX_PACKET_BYTES:
        raise LocalProtocolError(f"A packet of {len(packet)} bytes can't be framed.")
    trailer = b"" if seq is None else SEQ.pack(seq & 0xFFFFFFFF)
    return LENGTH.pack(len(packet)) + packet + trailer
