"""Read audio without a container: PCM16, and Opus packets that are framed or of constant size.

Both readers keep one block of the file and its samples in memory.
"""

from contextlib import suppress

import numpy as np

from auricle.audio.opus import LibOpus, OpusPacketDecoder, packet_samples
from auricle.audio.pipeline import OpusPacketDecodingPipeline
from auricle.audio.resample import Resampler
from auricle.protocol.framing import PacketFramer
from auricle.values.errors import AudioError, AuricleError, EmptyAudio, RemoteProtocolError, TooLong
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import SAMPLE_BYTES, SAMPLE_RATE_HZ, OpusPacket, Pcm16
from auricle.workers.kinds.decode.input_file import InputFile

PCM_BLOCK_BYTES = 2**16
PACKET_BLOCK_BYTES = 2**12
"""About 1.5 s of speech; two bytes can be 120 ms, so a block is at most 4 minutes."""
MIN_PACKET_SAMPLES = SAMPLE_RATE_HZ // 400
"""Duration of the shortest packet: 2.5 ms (RFC 6716 §2.1.4)."""


class RawFile:
    """Read a file in blocks, and track progress."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        file.seek(0)
        self._size_bytes = file.size_bytes
        self._read_bytes = 0

    @property
    def fraction(self) -> float:
        """Fraction of the file that was read, 0..1."""
        return min(1.0, self._read_bytes / max(1, self._size_bytes))

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()

    def _block(self, size_bytes: int) -> bytes:
        block = self._file.read(size_bytes)
        self._read_bytes += len(block)
        return block


class PcmFileReader(RawFile):
    """Read PCM16, little endian; samples at the end that are incomplete are dropped.

    Args:
        file: The file; closed with the reader, or if the constructor fails.
        rate_hz: Sample rate of the file.
        channels: Number of channels, interleaved.
        channel: The channel to read; ``None``: all of them, mixed.

    Raises:
        BadRequest: The sample rate is out of range.
    """

    failures = 0

    def __init__(
        self, file: InputFile, rate_hz: int, channels: int = 1, channel: int | None = None
    ) -> None:
        super().__init__(file)
        self.channels = channels
        self._channel = channel
        self._frame_bytes = SAMPLE_BYTES * channels
        self._block_bytes = PCM_BLOCK_BYTES // self._frame_bytes * self._frame_bytes
        self._is_done = False
        try:
            self._resampler = Resampler(rate_hz)
        except AuricleError:
            self.close()
            raise

    def read(self) -> Pcm16 | None:
        """Return the next samples at 16 kHz, possibly an empty array; ``None`` at the end."""
        if self._is_done:
            return None
        block = self._block(self._block_bytes)
        pcm = self._samples(block[: len(block) // self._frame_bytes * self._frame_bytes])
        converted = self._resampler.receive(pcm) if pcm.size else pcm
        if len(block) < self._block_bytes:
            self._is_done = True
            return np.concatenate([converted, self._resampler.finish()])
        return converted

    def _samples(self, block: bytes) -> Pcm16:
        pcm = np.frombuffer(block, "<i2").astype(np.int16)
        if self.channels == 1:
            return pcm
        columns = pcm.reshape(-1, self.channels)
        if self._channel is not None:
            return np.ascontiguousarray(columns[:, self._channel])
        mixed: Pcm16 = np.rint(columns.mean(axis=1)).astype(np.int16)
        return mixed


class OpusFileReader(RawFile):
    """Read Opus packets; damaged packets are concealed and counted.

    The durations that the packets state are summed before any is decoded, at a hundredth of the
    cost: a megabyte can hold hours of silence. Meanwhile :meth:`read` returns no samples, so that a
    worker's step bounds this phase, too.

    Args:
        file: The file; closed with the reader, or if the constructor fails.
        library: Result of ``find_libopus``.
        packet_bytes: Size of every packet; ``None``: the packets are framed.
        max_samples: Maximum duration, in samples.

    Raises:
        AudioError: The file size is not a multiple of ``packet_bytes``.
    """

    channels = 1
    """Stereo packets are decoded to mono."""

    def __init__(
        self, file: InputFile, library: LibOpus, packet_bytes: int | None, max_samples: int
    ) -> None:
        super().__init__(file)
        self._packet_bytes = packet_bytes
        self._pipeline = OpusPacketDecodingPipeline(OpusPacketDecoder(library), max_samples)
        self._max_samples = max_samples
        self._announced_samples = 0
        self._is_checked = False
        self._framer = PacketFramer()
        if packet_bytes is not None and self._size_bytes % packet_bytes:
            self.close()
            raise AudioError(
                f"{self._size_bytes} bytes are not a whole number of packets of {packet_bytes}."
            )

    @property
    def fraction(self) -> float:
        """Fraction of the file that was decoded, 0..1."""
        return super().fraction if self._is_checked else 0.0

    @property
    def failures(self) -> int:
        """Packets that could not be decoded."""
        return self._pipeline.statistics.failures

    def read(self) -> Pcm16 | None:
        """Return the next samples, possibly an empty array; ``None`` at the end.

        Raises:
            EmptyAudio: The file contains no packets.
            AudioError: The framing is invalid, or no packet could be decoded.
            TooLong: The duration exceeds ``max_samples``.
        """
        if not self._is_checked:
            self._check_length()
            return np.zeros(0, np.int16)
        packets = self._next_packets()
        if packets is None:
            self._check_end()
            return None
        parts = [self._pipeline.receive_packet(packet) for packet in packets]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def _check_length(self) -> None:
        """Add the stated durations of the packets in the next block."""
        packets = self._next_packets()
        if packets is None:
            self._is_checked = True
            self._file.seek(0)
            self._read_bytes = 0
            self._framer = PacketFramer()
            return
        for packet in packets:
            samples = MIN_PACKET_SAMPLES  # a damaged one is concealed
            with suppress(AudioError):
                samples = packet_samples(packet)
            self._announced_samples += samples
        if self._announced_samples > self._max_samples:
            raise TooLong(
                f"The audio is longer than the maximum of {self._max_samples / SAMPLE_RATE_HZ:g} s."
            )

    def _next_packets(self) -> list[OpusPacket] | None:
        if self._packet_bytes is not None:
            block = self._block(
                max(1, PACKET_BLOCK_BYTES // self._packet_bytes) * self._packet_bytes
            )
            starts = range(0, len(block), self._packet_bytes)
            return [OpusPacket(block[at : at + self._packet_bytes]) for at in starts] or None
        block = self._block(PACKET_BLOCK_BYTES)
        if block:
            self._framer.receive_data(block)
        else:
            self._framer.receive_eof()
        packets = []
        try:
            while (packet := self._framer.next_packet()) is not None:
                packets.append(packet)
        except RemoteProtocolError as exc:
            raise AudioError(str(exc)) from exc
        return packets if block else None

    def _check_end(self) -> None:
        statistics = self._pipeline.statistics
        if not statistics.packets:
            raise EmptyAudio("The file contains no Opus packets.")
        if statistics.failures == statistics.packets:
            raise AudioError("No Opus packet can be decoded.")


def check_packet_bytes(packet_bytes: int) -> None:
    """Validate the packet size.

    Raises:
        AudioError: The size is out of range.
    """
    if not 0 < packet_bytes <= MAX_PACKET_BYTES:
        raise AudioError(f"opus_packet_bytes must be 1 to {MAX_PACKET_BYTES}.")
