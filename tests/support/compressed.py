"""Speech as MP3, AAC in ADTS, and FLAC, encoded by FFmpeg."""

import io

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from auricle.apis.deepgram.wire.frames.flac import FlacSplitter
from auricle.apis.deepgram.wire.frames.mpeg import MpegSplitter
from auricle.apis.deepgram.wire.frames.splitter import FrameSplitter
from auricle.values.types import SAMPLE_RATE_HZ, CompressedFrame, FrameCodec, Pcm16

_ENCODERS = {
    FrameCodec.MP3: ("libmp3lame", "mp3", "s16p"),
    FrameCodec.AAC: ("aac", "adts", "fltp"),
    FrameCodec.FLAC: ("flac", "flac", "s16"),
}


def encoded(pcm: Pcm16, codec: FrameCodec) -> bytes:
    """Return 16 kHz samples as a file of this codec."""
    encoder, container, layout = _ENCODERS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=SAMPLE_RATE_HZ)
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        stream.format = layout
        frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        resampler = av.AudioResampler(layout, "mono", SAMPLE_RATE_HZ)
        for part in resampler.resample(frame):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def splitter_of(codec: FrameCodec) -> FrameSplitter:
    return FlacSplitter() if codec is FrameCodec.FLAC else MpegSplitter(codec)


def split(data: bytes, splitter: FrameSplitter, size_bytes: int = 1000) -> list[CompressedFrame]:
    """Return the frames of a whole stream that arrives in parts of this size."""
    frames: list[CompressedFrame] = []
    for at in range(0, len(data), size_bytes):
        splitter.receive_data(data[at : at + size_bytes])
        frames += iter(splitter.next_frame, None)
    splitter.receive_eof()
    return [*frames, *iter(splitter.next_frame, None)]


def likeness(one: Pcm16, other: Pcm16) -> float:
    """Return the correlation of two recordings, at the delay at which they match best."""
    size = min(one.size, other.size)
    first, second = (np.asarray(each[:size], np.float64) for each in (one, other))
    spectrum = np.fft.rfft(first, 2 * size) * np.conj(np.fft.rfft(second, 2 * size))
    return float(
        np.fft.irfft(spectrum).max() / (np.linalg.norm(first) * np.linalg.norm(second) + 1e-9)
    )
