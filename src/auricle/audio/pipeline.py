"""A stream of Opus packets in, 16 kHz speech on an unbroken clock out, and a count of it all.

It takes packets, not bytes: cutting them out of a stream is the protocol's part.
"""

from dataclasses import dataclass

import numpy as np

from auricle.audio.opus import CONCEAL_STEP_SAMPLES, OpusPacketDecoder, packet_samples
from auricle.errors import AudioError, TooLong
from auricle.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

MAX_CONCEALED_SAMPLES = SAMPLE_RATE_HZ // 10
"""After 100 ms concealment is no longer like speech: exact silence follows."""


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """What went through a pipeline so far.

    Attributes:
        packets: Packets taken, damaged ones among them.
        samples: 16 kHz samples given out, concealed ones among them.
        concealed_samples: Samples that stand in for what was damaged or lost.
        failures: Packets that could not be decoded.
        failures_in_a_row: How many of those since the last good packet.
    """

    packets: int = 0
    samples: int = 0
    concealed_samples: int = 0
    failures: int = 0
    failures_in_a_row: int = 0


class OpusPacketDecodingPipeline:
    """Decodes one stream of packets; damage and loss cost their own time and nothing more.

    Args:
        decoder: A decoder that nobody else uses.
        max_samples: Most samples that may come out; ``None`` sets no limit.
    """

    def __init__(self, decoder: OpusPacketDecoder, max_samples: int | None = None) -> None:
        self._decoder = decoder
        self._max_samples = max_samples
        self._packets = 0
        self._samples = 0
        self._concealed_samples = 0
        self._failures = 0
        self._failures_in_a_row = 0
        self._last_packet_samples = 0
        self._is_full = False

    @property
    def statistics(self) -> PipelineStatistics:
        """What went through so far."""
        return PipelineStatistics(
            packets=self._packets,
            samples=self._samples,
            concealed_samples=self._concealed_samples,
            failures=self._failures,
            failures_in_a_row=self._failures_in_a_row,
        )

    @property
    def failures(self) -> int:
        """How many packets could not be decoded so far."""
        return self._failures

    def receive_packet(self, packet: OpusPacket) -> Pcm16:
        """Return the packet's speech.

        A packet that can't be decoded is counted and concealed for as long as it says it lasts, or
        else as long as the packet before it; if there was none, nothing comes out.

        Raises:
            TooLong: More than ``max_samples`` would have come out; now and for every later packet.
        """
        lasts_samples = self._duration_samples(packet)
        self._meter(lasts_samples)
        self._packets += 1
        try:
            pcm = self._decoder.decode(packet)
        except AudioError:
            self._failures += 1
            self._failures_in_a_row += 1
            return self._conceal(lasts_samples)
        self._failures_in_a_row = 0
        self._last_packet_samples = pcm.size
        self._samples += pcm.size
        return pcm

    def receive_gap(self, samples: int) -> Pcm16:
        """Return what stands in for lost speech: 100 ms of concealment, then exact silence.

        Raises:
            TooLong: As :meth:`receive_packet` does.
        """
        self._meter(samples)
        return self._conceal(samples)

    def _duration_samples(self, packet: OpusPacket) -> int:
        try:
            return packet_samples(packet)
        except AudioError:
            return self._last_packet_samples

    def _meter(self, samples: int) -> None:
        limit = self._max_samples
        if limit is not None and (self._is_full or self._samples + samples > limit):
            self._is_full = True
            raise TooLong(
                f"The audio lasts longer than the {limit / SAMPLE_RATE_HZ:g} s that are allowed."
            )

    def _conceal(self, samples: int) -> Pcm16:
        pcm = np.zeros(samples, np.int16)
        most = min(samples, MAX_CONCEALED_SAMPLES)
        most -= most % CONCEAL_STEP_SAMPLES
        if most:
            pcm[:most] = self._decoder.conceal(most)
        self._samples += samples
        self._concealed_samples += samples
        return pcm
