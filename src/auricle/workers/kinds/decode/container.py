"""Decode container files with FFmpeg in this process; only for decode workers.

FFmpeg reads untrusted data, so it gets allowlists of file formats, codecs and protocols. Without
them a text file that starts with ``ffconcat`` makes it open other files of this machine, and a
session description makes it wait for the network. The format is detected from the content, never
from the name.

Decoding is incremental and keeps one packet and one second of samples in memory. The samples equal
those of faster-whisper's ``decode_audio`` (FFmpeg's resampler, 16 kHz, mono, int16).
"""

import gc
from collections.abc import Iterator
from struct import Struct

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame

from auricle.protocol.detect import DETECT_HEAD_BYTES, detect
from auricle.protocol.wav import MAX_CHUNKS
from auricle.values.audio_formats import CONTAINERS, AudioFormat
from auricle.values.errors import AudioError, EmptyAudio, TooLong, UnsupportedFormat
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from auricle.workers.kinds.decode.input_file import InputFile
from auricle.workers.kinds.decode.resampler import FrameResampler

DEMUXERS = ",".join(container.demuxer for container in CONTAINERS.values())
CODECS = frozenset(codec for container in CONTAINERS.values() for codec in container.codecs)
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 768_000
"""From the lowest sample rate used for speech to the highest used in studios."""
MAX_CHANNELS = 64
GROUP_S = 1
"""Audio that is resampled at once, in seconds; single frames take twice the time (measured
2026-11-25, Opus of 20 ms)."""
_HAS_EXACT_LENGTH = {each.demuxer: each.has_exact_length for each in CONTAINERS.values()}

OPEN_BYTES = 64 * 2**20
"""Maximum bytes read to open a file. The index of 35 hours of MP4 is 8 MB, cover art a few MB."""
OPEN_CPU_S = 1.0
"""Maximum CPU time to open a file: six times that for the index of 35 hours of MP4."""
PACKET_CPU_S = 1.0
"""Maximum CPU time to find the next packet, including data that is skipped or searched."""

_RIFF_HEADS = (b"RIFF", b"RF64")
_CHUNK = Struct("<4sI")  # RIFF: name and length of a chunk


class ContainerReader:
    """Read one file from its start, packet by packet.

    Args:
        file: The file; closed with the reader, or if the constructor fails.
        max_samples: Maximum duration in samples; a longer file is rejected before decoding if its
            header states the length.
        channel: The channel to read; ``None``: all of them, mixed.

    Attributes:
        channels: Number of channels of the file.

    Raises:
        UnsupportedFormat: The format or codec is not supported.
        EmptyAudio: The file has no audio track.
        AudioError: The file cannot be decoded.
        TooLong: The stated duration exceeds ``max_samples``.
    """

    def __init__(self, file: InputFile, max_samples: int, channel: int | None = None) -> None:
        self._file = file
        self._channel = channel
        self._size_bytes = max(1, file.size_bytes)
        self._read_bytes = 0
        self.failures = 0
        """Packets that could not be decoded."""
        self._container: av.container.InputContainer | None = None
        file.limit(max_bytes=OPEN_BYTES, max_cpu_s=OPEN_CPU_S)
        try:
            self._container = _open(file)
            self._stream = self._choose_stream(self._container, max_samples)
        except BaseException:
            self.close()
            raise
        self.channels: int = self._stream.codec_context.channels
        self._resampler: FrameResampler | None = None
        self._fifo = AudioFifo()
        self._setup: object = None
        self._blocks = self._decode()

    @property
    def fraction(self) -> float:
        """Fraction of the file that was read, 0..1."""
        return min(1.0, self._read_bytes / self._size_bytes)

    def read(self) -> Pcm16 | None:
        """Return the next samples, possibly an empty array; ``None`` at the end."""
        return next(self._blocks, None)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._resampler = None
        if self._container is not None:
            self._container.close()
        self._file.close()
        gc.collect()  # PyAV's resampler and its frames refer to each other

    def _choose_stream(
        self, container: "av.container.InputContainer", max_samples: int
    ) -> "av.AudioStream":
        streams = container.streams.audio
        if not streams:
            raise EmptyAudio("The file has no audio track.")
        context = streams[0].codec_context
        name: str = getattr(context, "name", "unknown")  # unknown codecs have no context
        if name not in CODECS:
            raise UnsupportedFormat(f"The codec {name[:20]} is not supported.")
        if not MIN_RATE_HZ <= context.sample_rate <= MAX_RATE_HZ:
            raise AudioError(
                f"Unsupported sample rate {context.sample_rate} Hz; "
                f"use {MIN_RATE_HZ} to {MAX_RATE_HZ}."
            )
        if not 1 <= context.channels <= MAX_CHANNELS:
            raise AudioError(f"Unsupported number of channels: {context.channels}.")
        context.thread_count = 1  # idle threads cost 8 MB of stack each in every open file
        try:
            context.open(strict=False)
        except (av.FFmpegError, ValueError) as exc:
            raise AudioError("The file's header is invalid.") from exc
        length_us = container.duration or 0
        if (
            _HAS_EXACT_LENGTH.get(container.format.name)
            and length_us * SAMPLE_RATE_HZ > max_samples * av.time_base
        ):
            raise TooLong(
                f"The audio is longer than the maximum of {max_samples / SAMPLE_RATE_HZ:g} s."
            )
        return streams[0]

    def _decode(self) -> Iterator[Pcm16]:
        assert self._container is not None
        packets = self._container.demux(self._stream)
        is_cut_off = False
        while not is_cut_off:
            self._file.limit(max_cpu_s=PACKET_CPU_S)
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.FFmpegError, ValueError):  # no further packet can be found
                self.failures += 1
                break
            except IndexError:  # of PyAV, at a packet of a stream that began later
                self.failures += 1
                packets = self._container.demux(self._stream)
                yield _joined([])
                continue
            is_cut_off = self._file.limit_reached
            self.failures += is_cut_off
            if packet.pos is not None:
                self._read_bytes = max(self._read_bytes, packet.pos + packet.size)
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.failures += 1
                frames = []
            yield _joined([pcm for frame in frames for pcm in self._take(frame)])
        yield _joined(self._flush())

    def _take(self, frame: AudioFrame) -> list[Pcm16]:
        """Add a frame, and return the samples that are complete.

        A file may change its sample rate or channels between frames.
        """
        if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ:
            self.failures += 1
            return []
        done: list[Pcm16] = []
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or setup != self._setup:
            done = self._flush()
            self._resampler = FrameResampler(self._channel)
            self._fifo = AudioFifo()
            self._setup = setup
        frame.pts = None  # ignore timestamps, as faster-whisper does
        self._fifo.write(frame)
        if self._fifo.samples >= frame.sample_rate * GROUP_S:
            done += self._resample(self._resampler)
        return done

    def _resample(self, resampler: FrameResampler) -> list[Pcm16]:
        group = self._fifo.read()
        if group is None:
            return []
        try:
            return [_samples(part) for part in resampler.resample(group)]
        except (av.FFmpegError, ValueError):  # a channel layout that FFmpeg cannot mix
            self.failures += 1
            self._resampler = None
            return []

    def _flush(self) -> list[Pcm16]:
        if self._resampler is None:
            return []
        done = self._resample(self._resampler)
        if self._resampler is not None:
            done += [_samples(part) for part in self._resampler.resample(None)]
            self._resampler = None
        return done


def _open(file: InputFile) -> "av.container.InputContainer":
    options = {
        "format_whitelist": DEMUXERS,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "protocol_whitelist": "none",  # never open what a file refers to
    }
    try:
        if _wav_length_lies(file):
            options["ignore_length"] = "1"
        file.seek(0)
        # FFmpeg queries the file size and seeks back and forth for every chunk of a WAV.
        file.is_seekable = file.read(4) not in _RIFF_HEADS
        file.seek(0)
        container = av.open(file, mode="r", options=options, metadata_errors="ignore")
    except av.FFmpegError as exc:
        raise _why_not(file) from exc
    if file.limit_reached:
        container.close()
        raise _why_not(file)
    return container


def _why_not(file: InputFile) -> AudioError | UnsupportedFormat:
    """Return the error for a file that cannot be opened: damaged or unsupported."""
    if file.limit_reached:
        return AudioError("The file's header takes too much work to read.")
    file.seek(0)
    head = file.read(DETECT_HEAD_BYTES)
    if not head:
        return EmptyAudio("The file is empty.")
    if detect(head, file.size_bytes) is not AudioFormat.UNKNOWN:
        return AudioError("The file is damaged or incomplete.")
    *titles, last = (container.title for container in CONTAINERS.values())
    return UnsupportedFormat(f"Unsupported file format; use {', '.join(titles)} or {last}.")


def _wav_length_lies(file: InputFile) -> bool:
    """Return whether a WAV file has more samples than its header states.

    Recorders that write the header first may leave any length in it. The samples end at the end of
    the file, or at another chunk within it.

    Raises:
        AudioError: There are too many chunks before the samples.
    """
    if file.read(4) != b"RIFF":
        return False
    at = 12
    for _ in range(MAX_CHUNKS):
        if (chunk := _riff_chunk(file, at)) is None:
            return False
        name, length = chunk
        at += _CHUNK.size + length + length % 2
        if name == b"data":
            break
    else:
        raise AudioError(f"The WAV file has more than {MAX_CHUNKS} chunks before its samples.")
    if (chunk := _riff_chunk(file, at)) is None:
        return False
    name, length = chunk
    return not (name.isalnum() or name.strip().isalnum()) or at + length > file.size_bytes


def _riff_chunk(file: InputFile, at: int) -> tuple[bytes, int] | None:
    """Return name and length of the chunk at this position; ``None`` at the end."""
    if at + _CHUNK.size > file.size_bytes:
        return None
    file.seek(at)
    head = file.read(_CHUNK.size)
    return _CHUNK.unpack(head) if len(head) == _CHUNK.size else None


def _samples(frame: AudioFrame) -> Pcm16:
    return np.asarray(frame.to_ndarray(), np.int16).reshape(-1)


def _joined(parts: list[Pcm16]) -> Pcm16:
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)
