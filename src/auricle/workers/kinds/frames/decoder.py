"""Decode the frames of one live stream with FFmpeg in this process; only for decode workers.

There is no demuxer: each frame is one packet, so FFmpeg sees neither tags nor other containers.
"""

from collections.abc import Iterable

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from auricle.values.types import FrameCodec, Pcm16
from auricle.workers.kinds.decode.resampler import FrameResampler

_DECODERS = {FrameCodec.MP3: "mp3float", FrameCodec.AAC: "aac", FrameCodec.FLAC: "flac"}
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 768_000
MAX_CHANNELS = 8


class LiveFrameDecoder:
    """A stream of frames; in: frames of one codec, out: 16 kHz mono.

    Args:
        codec: The codec.
        header: STREAMINFO of FLAC; empty for other codecs.
    """

    def __init__(self, codec: FrameCodec, header: bytes) -> None:
        context = av.CodecContext.create(_DECODERS[codec], "r")
        assert isinstance(context, AudioCodecContext)
        context.thread_count = 1
        if header:
            context.extradata = header
        self._context = context
        self._resampler: FrameResampler | None = None
        self._setup: object = None
        self.failures = 0
        """Frames that were not decoded since the last one that was."""

    def decode(self, frames: Iterable[tuple[bytes, int]]) -> Pcm16:
        """Return the samples of frames; one that can't be decoded is silence.

        Args:
            frames: Frames, and the duration of each in samples at 16 kHz.
        """
        parts: list[Pcm16] = []
        for data, samples in frames:
            decoded = self._decode(data)
            if decoded is None:
                self.failures += 1
                decoded = [*self._flush(), np.zeros(samples, np.int16)]
            else:
                self.failures = 0
            parts += decoded
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def _decode(self, data: bytes) -> list[Pcm16] | None:
        parts: list[Pcm16] = []
        try:
            frames = self._context.decode(av.Packet(data))
            for frame in frames:
                if not _is_usual(frame):
                    return None
                parts += self._resample(frame)
        except (av.FFmpegError, ValueError):
            return None
        return parts if frames else None

    def _resample(self, frame: AudioFrame) -> list[Pcm16]:
        rest: list[Pcm16] = []
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or setup != self._setup:
            rest = self._flush()
            self._resampler, self._setup = FrameResampler(), setup
        frame.pts = None
        return rest + [_samples(part) for part in self._resampler.resample(frame)]

    def _flush(self) -> list[Pcm16]:
        """Return what the resampler holds back; a few samples."""
        resampler, self._resampler = self._resampler, None
        return [] if resampler is None else [_samples(part) for part in resampler.resample(None)]


def _is_usual(frame: AudioFrame) -> bool:
    is_rate_usual = MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ
    return is_rate_usual and frame.layout.nb_channels <= MAX_CHANNELS


def _samples(frame: AudioFrame) -> Pcm16:
    return np.asarray(frame.to_ndarray(), np.int16).reshape(-1)
