"""Live Opus: framed packets, or one packet a message, numbered or not.

A numbered packet tells where it belongs. One that was already taken is dropped, by serial number
arithmetic (RFC 1982), so a client that comes back may send again whatever it isn't sure of; numbers
that are missing are a gap. The first number that comes is the one expected.
"""

from collections import deque

from auricle.audio.opus import LibOpus
from auricle.errors import RemoteProtocolError
from auricle.events import Warned, WarningCode, Wire
from auricle.protocol.framing import MAX_PACKET_BYTES, SEQ, PacketFramer
from auricle.protocol.native.stream import StreamParameters
from auricle.session.wire_formats.base import NO_AUDIO, Audio, DecodedAudio, StreamCounts
from auricle.session.wire_formats.packets import PacketReceiver
from auricle.types import SAMPLE_RATE_HZ, OpusPacket

MAX_GAP_S = 3600
"""A number that lies further ahead is no gap but nonsense."""

_SERIAL_MODULUS = 2**32
_SERIAL_HALF = 2**31
_REPEATED = Warned(WarningCode.AUDIO_DROPPED, "Packets that were already taken came again.")


class OpusWire:
    """Framed or single packets.

    Args:
        libopus: The library.
        parameters: The format, whether packets are numbered, and what they should be.
        counts: Where packets are counted.
    """

    def __init__(
        self, libopus: LibOpus, parameters: StreamParameters, counts: StreamCounts
    ) -> None:
        self._has_seq = parameters.seq
        self._is_framed = parameters.format is Wire.OPUS
        self._counts = counts
        self._receiver = PacketReceiver(libopus, counts, parameters)
        self._received_seq: int | None = None
        self._waiting: deque[DecodedAudio] = deque()
        self._is_catching_up = False
        self.reconnect()

    @property
    def is_resumable(self) -> bool:
        """Numbered packets can go on anywhere."""
        return self._has_seq

    @property
    def received_seq(self) -> int | None:
        """The number of the last packet taken."""
        return self._received_seq

    def reconnect(self) -> None:
        """Start a new stream of bytes; packets go on with their numbers."""
        self._receiver.reconnect()
        self._framer = PacketFramer(with_seq=self._has_seq)
        self._messages: deque[bytes] = deque()
        self._is_catching_up = True  # what comes twice now was meant to

    def receive_data(self, data: bytes) -> None:
        """Take one message."""
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
        """Nothing is held back: half a packet is no packet."""
        return None

    def _next_packet(self) -> tuple[OpusPacket, int | None] | None:
        if self._is_framed and self._has_seq:
            numbered = self._framer.next_numbered_packet()
            return None if numbered is None else (numbered.packet, numbered.seq)
        if self._is_framed:
            packet = self._framer.next_packet()
            return None if packet is None else (packet, None)
        if not self._messages:
            return None
        return self._parse_message(self._messages.popleft())

    def _parse_message(self, message: bytes) -> tuple[OpusPacket, int | None]:
        """Read a message of one packet, with its number behind it if there are numbers."""
        size_bytes = len(message) - (SEQ.size if self._has_seq else 0)
        if not 0 < size_bytes <= MAX_PACKET_BYTES:
            raise RemoteProtocolError(
                f"A message holds a packet of {size_bytes} bytes; 1 to {MAX_PACKET_BYTES} are "
                "allowed."
            )
        seq = SEQ.unpack(message[size_bytes:])[0] if self._has_seq else None
        return OpusPacket(message[:size_bytes]), seq

    def _is_new(self, seq: int) -> bool:
        """Whether the packet is to be taken; a gap before it is told."""
        if self._received_seq is None:
            self._received_seq = seq
            return True
        ahead = (seq - self._received_seq - 1) % _SERIAL_MODULUS
        if ahead >= _SERIAL_HALF:
            self._repeated()
            return False
        if ahead * self._receiver.packet_samples > MAX_GAP_S * SAMPLE_RATE_HZ:
            raise RemoteProtocolError(f"A packet's number is {ahead} ahead of the one before it.")
        if ahead:
            last_lost = (seq - 1) % _SERIAL_MODULUS
            self._waiting.append(self._receiver.receive_gap(ahead, last_lost))
        self._received_seq = seq
        self._is_catching_up = False
        return True

    def _repeated(self) -> None:
        self._counts.repeated_packets += 1
        # One at a time, so that nobody has to read many of these in one go.
        self._waiting.append(Audio(NO_AUDIO) if self._is_catching_up else _REPEATED)
