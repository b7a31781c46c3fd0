"""Audio without a container: PCM16, and Opus packets that are framed or all of one size.

Both readers hold one block of the file and its samples.
"""

from contextlib import suppress

import numpy as np

from auricle.audio.opus import LibOpus, OpusPacketDecoder, packet_samples
from auricle.audio.pipeline import OpusPacketDecodingPipeline
from auricle.audio.resample import Resampler
from auricle.errors import AudioError, AuricleError, EmptyAudio, RemoteProtocolError, TooLong
from auricle.protocol.framing import MAX_PACKET_BYTES, PacketFramer
from auricle.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16
from auricle.workers.decode.input_file import InputFile

PCM_BLOCK_BYTES = 2**16
PACKET_BLOCK_BYTES = 2**12
"""Some 1.5 s of speech; two bytes can be 120 ms, so no block is more than 4 minutes."""
MIN_PACKET_SAMPLES = SAMPLE_RATE_HZ // 400
"""2.5 ms, the shortest packet (RFC 6716 §2.1.4)."""


class RawFile:
    """A file's bytes in blocks, and how far it was read."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        file.seek(0)
        self._size_bytes = file.size_bytes
        self._read_bytes = 0

    @property
    def fraction(self) -> float:
        """How much of the file was read, 0..1."""
        return min(1.0, self._read_bytes / max(1, self._size_bytes))

    def close(self) -> None:
        """Let go of the file; idempotent."""
        self._file.close()

    def _block(self, size_bytes: int) -> bytes:
        block = self._file.read(size_bytes)
        self._read_bytes += len(block)
        return block


class PcmFileReader(RawFile):
    """Reads PCM16 little endian, mono; half a sample at the end is dropped.

    Args:
        file: The file, which is closed with the reader, or at once if this fails.
        rate_hz: Its sample rate.

    Raises:
        BadRequest: The rate is out of range.
    """

    failures = 0

    def __init__(self, file: InputFile, rate_hz: int) -> None:
        super().__init__(file)
        self._is_done = False
        try:
            self._resampler = Resampler(rate_hz)
        except AuricleError:
            self.close()
            raise

    def read(self) -> Pcm16 | None:
        """Return the next samples at 16 kHz, maybe none; ``None`` at the end."""
        if self._is_done:
            return None
        block = self._block(PCM_BLOCK_BYTES)
        pcm = np.frombuffer(block[: len(block) // 2 * 2], "<i2").astype(np.int16)
        converted = self._resampler.receive(pcm) if pcm.size else pcm
        if len(block) < PCM_BLOCK_BYTES:
            self._is_done = True
            return np.concatenate([converted, self._resampler.finish()])
        return converted


class OpusFileReader(RawFile):
    """Reads Opus packets; damaged ones cost their own time and are counted.

    What the packets say that they last is added up before any is decoded, which costs a hundredth
    of it: hours of nothing fit into a megabyte. :meth:`read` returns no samples meanwhile, so that
    a step of the worker bounds that, too.

    Args:
        file: The file, which is closed with the reader, or at once if this fails.
        library: As ``find_libopus`` gives it.
        packet_bytes: The size of every packet; ``None``: the packets are framed.
        max_samples: Most samples that may come out.

    Raises:
        AudioError: The file is not a whole number of packets of that size.
    """

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
        """How much of the file was decoded, 0..1."""
        return super().fraction if self._is_checked else 0.0

    @property
    def failures(self) -> int:
        """Packets that could not be decoded."""
        return self._pipeline.statistics.failures

    def read(self) -> Pcm16 | None:
        """Return the next samples, maybe none; ``None`` at the end.

        Raises:
            EmptyAudio: There was no packet at all.
            AudioError: The framing is broken, or not a single packet could be decoded.
            TooLong: More than ``max_samples`` would come out.
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
        """Add up what the packets of one more block say."""
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
                f"The audio lasts longer than the {self._max_samples / SAMPLE_RATE_HZ:g} s allowed."
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
            raise EmptyAudio("There is no Opus packet.")
        if statistics.failures == statistics.packets:
            raise AudioError("Not a single Opus packet can be decoded.")


def check_packet_bytes(packet_bytes: int) -> None:
    """Make sure that packets of this size can be.

    Raises:
        AudioError: They can't.
    """
    if not 0 < packet_bytes <= MAX_PACKET_BYTES:
        raise AudioError(f"opus_packet_bytes must be 1 to {MAX_PACKET_BYTES}.")
