"""Speech as files and packets that clients send."""

import io
import wave
from collections.abc import Iterable

import av

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16


def as_wav(pcm: Pcm16) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(pcm.astype("<i2").tobytes())
    return out.getvalue()


def as_file(pcm: Pcm16, container: str, codec: str) -> bytes:
    """Return speech as FFmpeg writes it with this container and codec."""
    return as_long_file([pcm], container, codec)


def as_long_file(
    parts: Iterable[Pcm16], container: str, codec: str, options: dict[str, str] | None = None
) -> bytes:
    """Return speech that comes in parts as FFmpeg writes it.

    Args:
        parts: The speech.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the codec.
        options: Options of the codec.
    """
    out = io.BytesIO()
    rate_hz = 48_000 if codec == "libopus" else SAMPLE_RATE_HZ
    with av.open(out, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate_hz, options=options or {})
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.format, "mono", rate_hz, stream.frame_size or 4096)
        for pcm in parts:
            frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            for part in resampler.resample(frame):
                target.mux(stream.encode(part))
        for rest in [*resampler.resample(None), None]:
            target.mux(stream.encode(rest))
    return out.getvalue()


def opus_packets(pcm: Pcm16) -> list[OpusPacket]:
    """Return speech as Opus packets of 20 ms; an incomplete last packet is left out."""
    encoder = OpusPacketEncoder(find_libopus())
    size = encoder.frame_samples
    return [encoder.encode(pcm[at : at + size]) for at in range(0, pcm.size - size + 1, size)]
