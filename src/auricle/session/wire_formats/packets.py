"""Check, decode, conceal and count Opus packets of any wire format."""

from collections.abc import Iterator

import numpy as np

from auricle.audio.opus import LibOpus, OpusPacketDecoder
from auricle.audio.pipeline import MAX_CONCEALED_SAMPLES, OpusPacketDecodingPipeline
from auricle.protocol.opus_packet import TICKS_HZ, parse_packet
from auricle.session.wire_formats.base import Audio, DecodedAudio, Lost, StreamCounts
from auricle.values.commands import StreamParameters
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import SwitchFormat, Warned, WarningCode, Wire
from auricle.values.limits import DEFAULT_PACKET_MS
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket

FAILURES_IN_A_ROW = 3
"""Consecutive decode failures that reset the decoder; as many again switch the format."""


class PacketReceiver:
    """Decodes one stream of packets.

    Args:
        libopus: The library that decodes packets.
        counts: The packet counts to update.
        declared: The declared stream parameters, to compare packets with.

    Attributes:
        packet_samples: The length of the last decoded packet, or the declared length before that.
    """

    def __init__(
        self, libopus: LibOpus, counts: StreamCounts, declared: StreamParameters | None = None
    ) -> None:
        self._libopus = libopus
        self._pipeline = OpusPacketDecodingPipeline(OpusPacketDecoder(libopus))
        self._counts = counts
        self._declared = declared
        frame_ms = DEFAULT_PACKET_MS if declared is None else declared.frame_ms
        self.packet_samples = round(frame_ms * SAMPLE_RATE_HZ / 1000)
        self._warned_of: set[str] = set()
        self._compared_head = b""
        self._failures_in_a_row = 0
        self._is_rebuilt = False
        self._wants_switch = False

    def reconnect(self) -> None:
        """Allow another ``SwitchFormat``: the client may not have received the last one."""
        self._wants_switch = False

    def receive_packet(self, packet: OpusPacket, seq: int | None = None) -> list[DecodedAudio]:
        """Return the samples of the packet, after warnings about it."""
        # The first byte defines the shape; code 3 packets also need the second byte.
        head = packet[: 2 if packet and packet[0] & 3 == 3 else 1]
        decoded = [] if head == self._compared_head else list(self._compare(packet, head))
        before = self._pipeline.failures
        pcm = self._pipeline.receive_packet(packet)
        self._counts.packets += 1
        if self._pipeline.failures == before:
            self._failures_in_a_row = 0
            self.packet_samples = pcm.size
        else:
            decoded += self._failed()
            # Its own length is unreliable; the length of the other packets keeps the clock right.
            fitted = np.zeros(self.packet_samples, np.int16)
            fitted[: pcm.size] = pcm[: fitted.size]
            pcm = fitted
        decoded.append(Audio(pcm, seq))
        return decoded

    def receive_gap(self, packets: int, seq: int | None = None) -> Lost:
        """Return the concealment for lost packets."""
        self._counts.lost_packets += packets
        samples = packets * self.packet_samples
        pcm = self._pipeline.receive_gap(min(samples, MAX_CONCEALED_SAMPLES))
        return Lost(samples, pcm, seq)

    def _compare(self, packet: OpusPacket, head: bytes) -> Iterator[DecodedAudio]:
        """Yield a warning once for each parameter that differs from the declared one."""
        declared = self._declared
        self._compared_head = head
        if declared is None:
            return
        try:
            shape = parse_packet(packet)
        except RemoteProtocolError:  # the decoder reports it
            return
        lasts_ms = shape.ticks * 1000 / TICKS_HZ
        if lasts_ms != declared.frame_ms and "frame_ms" not in self._warned_of:
            self._warned_of.add("frame_ms")
            yield Warned(
                WarningCode.FORMAT_MISMATCH,
                f"Declared frame_ms={declared.frame_ms:g}, but packets last "
                f"{lasts_ms:g} ms; they are decoded with their actual length.",
            )
        # The reverse is valid: a stereo encoder may send quiet passages as mono.
        if shape.is_stereo and declared.channels == 1 and "channels" not in self._warned_of:
            self._warned_of.add("channels")
            yield Warned(
                WarningCode.FORMAT_MISMATCH,
                "Declared channels=1, but packets are stereo; they are mixed to mono.",
            )

    def _failed(self) -> Iterator[DecodedAudio]:
        self._counts.decode_errors += 1
        self._failures_in_a_row += 1
        yield Warned(WarningCode.DECODE_ERRORS, "Opus packet could not be decoded.")
        if self._failures_in_a_row < FAILURES_IN_A_ROW:
            return
        self._failures_in_a_row = 0
        if not self._is_rebuilt:
            self._is_rebuilt = True
            self._pipeline = OpusPacketDecodingPipeline(OpusPacketDecoder(self._libopus))
        elif not self._wants_switch:
            self._wants_switch = True
            yield SwitchFormat(
                Wire.PCM16, f"{FAILURES_IN_A_ROW} packets in a row could not be decoded"
            )
