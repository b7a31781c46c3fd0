"""Live Opus: framed packets or one packet per message, with or without sequence numbers.

A sequence number defines the position of a packet. Packets that were already received are dropped,
by serial number arithmetic (RFC 1982), so a client that reconnects may resend any packet. Missing
numbers are a gap. The first number received sets the start.
"""

from collections import deque

from auricle.audio.opus import LibOpus
from auricle.protocol.framing import SEQ, PacketFramer
from auricle.session.wire_formats.base import Audio, DecodedAudio, StreamCounts
from auricle.session.wire_formats.packets import PacketReceiver
from auricle.values.commands import StreamParameters
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import Warned, WarningCode, Wire
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import NO_AUDIO, SAMPLE_RATE_HZ, OpusPacket

MAX_GAP_S = 3600
"""Longest gap, in seconds; a sequence number further ahead is an error."""

_SERIAL_MODULUS = 2**32
_SERIAL_HALF = 2**31
_REPEATED = Warned(WarningCode.AUDIO_DROPPED, "Repeated packets were dropped.")


class OpusWire:
    """Framed or single packets; it is resumable if they have sequence numbers.

    Args:
        libopus: The library that decodes packets.
        parameters: The format, whether packets have sequence numbers, and the declared shape.
        counts: The packet counts to update.
    """

    def __init__(
        self, libopus: LibOpus, parameters: StreamParameters, counts: StreamCounts
    ) -> None:
        self.is_resumable = parameters.seq
        self._is_framed = parameters.format is Wire.OPUS
        self._counts = counts
        self._receiver = PacketReceiver(libopus, counts, parameters)
        self.received_seq: int | None = None
        self._waiting: deque[DecodedAudio] = deque()
        self._is_catching_up = False
        self.reconnect()

    def reconnect(self) -> None:
        """Start a new byte stream; sequence numbers continue."""
        self._receiver.reconnect()
        self._framer = PacketFramer(with_seq=self.is_resumable)
        self._messages: deque[bytes] = deque()
        self._is_catching_up = True  # repeated packets are expected now

    def receive_data(self, data: bytes) -> None:
        """Receive one message."""
        if self._is_framed:
            self._framer.receive_data(data)
        else:
            self._messages.append(data)

    def next_decoded(self) -> DecodedAudio | None:
        """See :class:`auricle.session.wire_formats.base.WireFormat`."""
        while not self._waiting:
            numbered = self._next_packet()
            if numbered is None:
                return None
            packet, seq = numbered
            if seq is None or self._is_new(seq):
                self._waiting += self._receiver.receive_packet(packet, seq)
        return self._waiting.popleft()

    def finish(self) -> DecodedAudio | None:
        """Return ``None``: no complete packet is buffered."""
        return None

    def _next_packet(self) -> tuple[OpusPacket, int | None] | None:
        if self._is_framed and self.is_resumable:
            numbered = self._framer.next_numbered_packet()
            return None if numbered is None else (numbered.packet, numbered.seq)
        if self._is_framed:
            packet = self._framer.next_packet()
            return None if packet is None else (packet, None)
        if not self._messages:
            return None
        return self._parse_message(self._messages.popleft())

    def _parse_message(self, message: bytes) -> tuple[OpusPacket, int | None]:
        """Parse a message of one packet, followed by its sequence number if there is one."""
        size_bytes = len(message) - (SEQ.size if self.is_resumable else 0)
        if not 0 < size_bytes <= MAX_PACKET_BYTES:
            raise RemoteProtocolError(
                f"Invalid packet size of {size_bytes} bytes; send 1 to {MAX_PACKET_BYTES} bytes "
                "per packet."
            )
        seq = SEQ.unpack(message[size_bytes:])[0] if self.is_resumable else None
        return OpusPacket(message[:size_bytes]), seq

    def _is_new(self, seq: int) -> bool:
        """Return whether the packet is new; queue the gap before it, if any."""
        if self.received_seq is None:
            self.received_seq = seq
            return True
        ahead = (seq - self.received_seq - 1) % _SERIAL_MODULUS
        if ahead >= _SERIAL_HALF:
            self._repeated()
            return False
        if ahead * self._receiver.packet_samples > MAX_GAP_S * SAMPLE_RATE_HZ:
            raise RemoteProtocolError(f"Sequence number is {ahead} ahead of the expected one.")
        if ahead:
            last_lost = (seq - 1) % _SERIAL_MODULUS
            self._waiting.append(self._receiver.receive_gap(ahead, last_lost))
        self.received_seq = seq
        self._is_catching_up = False
        return True

    def _repeated(self) -> None:
        # One at a time, so that one step does not process many of these.
        self._waiting.append(Audio(NO_AUDIO) if self._is_catching_up else _REPEATED)
