"""A day of audio as a client sends it, step by step, with its samples.

For each wire format the samples that the server has to receive are known exactly. So a final with
the checksum of its audio (``tests/support/scripted_engine.py``) shows which audio it contains.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import av
import numpy as np

from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.protocol.framing import pack
from auricle.session.utterances.recording import Recording
from auricle.session.wire_formats.pcm import POSITION
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16
from bench.lib.audio import opus_packets

STEP_SAMPLES = SAMPLE_RATE_HZ // 10
PACKET_SAMPLES = SAMPLE_RATE_HZ // 50
STEP_PACKETS = STEP_SAMPLES // PACKET_SAMPLES
KEPT_SAMPLES = 120 * SAMPLE_RATE_HZ
"""Samples that are kept for comparison; a final arrives sooner."""
TICKS_PER_PACKET = 960
"""Of 48 kHz, which containers count in."""


class Source(Protocol):
    """Audio in steps of 100 ms."""

    query: str
    """Query of the session."""
    skipped_samples: int
    """Samples at the beginning that are not audio (pre-skip)."""

    def message(self, step: int) -> bytes:
        """Return the message of a step; steps come in order, some of them repeatedly."""
        ...

    def samples(self, start: int, end: int) -> Pcm16:
        """Return the samples that the server has to receive, from the first one.

        Raises:
            IndexError: Sent too long ago, or not yet.
        """
        ...

    def rest(self) -> bytes:
        """Return the message after the last step."""
        ...


class PcmSource:
    """PCM16 with positions, of speech that is repeated.

    Args:
        pcm: The speech.
        steps: The number of steps.
        start_sample: First sample of its clock.
    """

    def __init__(self, pcm: Pcm16, steps: int, start_sample: int) -> None:
        self.query = f"format=pcm16&seq=1&language=en&start_sample={start_sample}"
        self.skipped_samples = 0
        self._pcm, self._start_sample = pcm, start_sample
        self._end = steps * STEP_SAMPLES

    def message(self, step: int) -> bytes:
        """See :class:`Source`."""
        at = step * STEP_SAMPLES
        samples = self.samples(at, at + STEP_SAMPLES)
        return POSITION.pack(self._start_sample + at) + samples.astype("<i2").tobytes()

    def samples(self, start: int, end: int) -> Pcm16:
        """See :class:`Source`."""
        pcm = self._pcm.take(range(start, min(end, self._end)), mode="wrap")
        return np.pad(pcm, (0, end - start - pcm.size))  # as a server fills its last window

    def rest(self) -> bytes:
        """Nothing."""
        return b""


class _Decoded:
    """The samples of packets, decoded in order as the server does."""

    def __init__(self, skip_samples: int = 0) -> None:
        self._decoder = OpusPacketDecoder(find_libopus())
        self._recording = Recording(0)
        self._skip_samples = skip_samples
        self._steps = 0
        self.samples = self._recording.read

    def take(self, step: int, packets: Sequence[OpusPacket]) -> None:
        """Decode a step, unless it was decoded already."""
        if step < self._steps:
            return
        self._steps = step + 1
        for packet in packets:
            pcm = self._decoder.decode(packet)
            skipped = min(self._skip_samples, pcm.size)
            self._skip_samples -= skipped
            self._recording.write(pcm[skipped:])
        self._recording.discard_before(self._recording.end_sample - KEPT_SAMPLES)

    def end(self) -> None:
        """Add the silence with which a server fills its last window."""
        self._recording.write(np.zeros(WINDOW_SAMPLES, np.int16))


class OpusSource:
    """Framed packets with numbers: some are repeated, others come once at the end.

    Args:
        packets: Repeated.
        last: Sent once; they end with the last step.
        steps: The number of steps.
        first_seq: The first packet's number.
    """

    def __init__(
        self,
        packets: Sequence[OpusPacket],
        last: Sequence[OpusPacket],
        steps: int,
        first_seq: int,
    ) -> None:
        self.query, self.skipped_samples = "format=opus&seq=1&language=en", 0
        self._packets, self._last, self._first_seq = packets, last, first_seq
        self._last_from = steps * STEP_PACKETS - len(last)
        self._decoded = _Decoded()
        self.samples = self._decoded.samples

    def message(self, step: int) -> bytes:
        """See :class:`Source`."""
        numbers = range(step * STEP_PACKETS, (step + 1) * STEP_PACKETS)
        packets = [self._packet(number) for number in numbers]
        self._decoded.take(step, packets)
        pairs = zip(packets, numbers, strict=True)
        return b"".join(pack(packet, self._first_seq + number) for packet, number in pairs)

    def _packet(self, number: int) -> OpusPacket:
        if number >= self._last_from:
            return self._last[number - self._last_from]
        return self._packets[number % len(self._packets)]

    def rest(self) -> bytes:
        """Nothing."""
        return b""


class ContainerSource:
    """A live recording as FFmpeg writes it.

    Args:
        container: ``ogg`` or ``webm``.
        packets: Repeated.
        first_tick: Start time of the recording in 48 kHz ticks; granules have 64 bits and pass
            2^32 after 25 hours.
    """

    def __init__(self, container: str, packets: Sequence[OpusPacket], first_tick: int) -> None:
        self.query = f"format={container}&language=en"
        self._packets, self._first_tick = packets, first_tick
        self._written = bytearray()
        self._output = av.open(self, "w", format=container, options={"flush_packets": "1"})
        self._stream = self._output.add_stream("libopus", rate=48_000)
        self._stream.layout = "mono"
        # The header is written with the first packet, and says what is to be skipped.
        self._mux(0)
        (pre_skip,) = np.frombuffer(
            bytes(self._stream.codec_context.extradata or b"")[10:12], "<u2"
        )
        self.skipped_samples = int(pre_skip) * SAMPLE_RATE_HZ // 48_000
        self._decoded = _Decoded(self.skipped_samples)
        self.samples = self._decoded.samples

    def write(self, data: bytes) -> int:
        """Take what FFmpeg writes."""
        self._written += data
        return len(data)

    def message(self, step: int) -> bytes:
        """See :class:`Source`."""
        numbers = range(step * STEP_PACKETS, (step + 1) * STEP_PACKETS)
        for number in numbers:
            if number:
                self._mux(number)
        self._decoded.take(step, [self._packets[n % len(self._packets)] for n in numbers])
        return self._taken()

    def rest(self) -> bytes:
        """See :class:`Source`."""
        self._output.close()
        self._decoded.end()
        return self._taken()

    def _taken(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken

    def _mux(self, number: int) -> None:
        packet = av.Packet(self._packets[number % len(self._packets)])
        packet.stream, packet.time_base = self._stream, Fraction(1, 48_000)
        packet.pts = packet.dts = self._first_tick + number * TICKS_PER_PACKET
        packet.duration = TICKS_PER_PACKET
        self._output.mux(packet)


def steps_of(pcm: Pcm16) -> list[OpusPacket]:
    """Return speech as Opus, in whole steps."""
    return opus_packets(pcm[: pcm.size - pcm.size % STEP_SAMPLES])
