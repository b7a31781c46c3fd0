"""Decode a stream of Opus packets to 16 kHz audio without gaps in time, with statistics.

The input is packets, not bytes: the protocol splits the byte stream.
"""

from dataclasses import dataclass

import numpy as np

from auricle.audio.opus import CONCEAL_STEP_SAMPLES, OpusPacketDecoder, packet_samples
from auricle.values.errors import AudioError, TooLong
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

MAX_CONCEALED_SAMPLES = SAMPLE_RATE_HZ // 10
"""After 100 ms concealment no longer resembles speech; digital silence follows."""


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """Counts of a pipeline so far.

    Attributes:
        packets: Packets received, including damaged ones.
        samples: 16 kHz samples returned, including concealed ones.
        failures: Packets that could not be decoded.
    """

    packets: int = 0
    samples: int = 0
    failures: int = 0


class OpusPacketDecodingPipeline:
    """Decode one stream of packets; damage and loss affect only their own time.

    Args:
        decoder: A decoder that is not used elsewhere.
        max_samples: Maximum number of samples returned; ``None`` sets no limit.
    """

    def __init__(self, decoder: OpusPacketDecoder, max_samples: int | None = None) -> None:
        self._decoder = decoder
        self._max_samples = max_samples
        self._packets = 0
        self._samples = 0
        self._failures = 0
        self._last_packet_samples = 0
        self._is_full = False

    @property
    def statistics(self) -> PipelineStatistics:
        """Counts so far."""
        return PipelineStatistics(
            packets=self._packets,
            samples=self._samples,
            failures=self._failures,
        )

    @property
    def failures(self) -> int:
        """Number of packets that could not be decoded so far."""
        return self._failures

    def receive_packet(self, packet: OpusPacket) -> Pcm16:
        """Return the packet's audio.

        A packet that cannot be decoded is counted and concealed. The length is the one that its
        header states, else that of the previous packet; without one, no samples are returned.

        Raises:
            TooLong: The output would exceed ``max_samples``, now and for every later packet.
        """
        lasts_samples = self._duration_samples(packet)
        self._meter(lasts_samples)
        self._packets += 1
        try:
            pcm = self._decoder.decode(packet)
        except AudioError:
            self._failures += 1
            return self._conceal(lasts_samples)
        self._last_packet_samples = pcm.size
        self._samples += pcm.size
        return pcm

    def receive_gap(self, samples: int) -> Pcm16:
        """Return a replacement for lost audio: 100 ms of concealment, then digital silence.

        Raises:
            TooLong: Same as :meth:`receive_packet`.
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
        concealed_samples = min(samples, MAX_CONCEALED_SAMPLES)
        concealed_samples -= concealed_samples % CONCEAL_STEP_SAMPLES
        if concealed_samples:
            pcm[:concealed_samples] = self._decoder.conceal(concealed_samples)
        self._samples += samples
        return pcm
