"""The speech that ``auricle doctor --client`` sends: two sentences of the shipped clip."""

import io
import wave
from dataclasses import dataclass

import numpy as np
import soxr

from auricle.audio.opus import LibOpus
from auricle.cli.support.speech_clip import speech_clip
from auricle.protocol.client_profile import Container
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

SENTENCES = 2
MARGIN_S = 0.3
"""Silence before the first sentence and after the last one."""
_CODECS = {
    Container.MP3: ("mp3", "libmp3lame", 44_100),
    Container.WEBM: ("webm", "libopus", 48_000),
    Container.M4A: ("ipod", "aac", 16_000),
}


@dataclass(frozen=True, slots=True)
class SpeechSample:
    """Speech with its text.

    Attributes:
        pcm: int16, shape [samples], 16 kHz mono.
        text: What is said.
    """

    pcm: Pcm16
    text: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.pcm.size / SAMPLE_RATE_HZ

    def at_rate(self, rate_hz: int) -> Pcm16:
        """Return the samples at another rate: int16, shape [samples]."""
        if rate_hz == SAMPLE_RATE_HZ:
            return self.pcm
        resampled = soxr.resample(self.pcm.astype(np.float32), SAMPLE_RATE_HZ, rate_hz)
        rounded: Pcm16 = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
        return rounded

    def encoded(self, container: Container) -> bytes:
        """Return the speech as a file."""
        if container is Container.SAMPLES:
            return self.pcm.astype("<i2").tobytes()
        if container is Container.WAV:
            return _wav(self.pcm)
        return _encoded(self, container)


def speech_sample(library: LibOpus) -> SpeechSample:
    """Return the speech."""
    clip = speech_clip()
    first, last = clip.sentences[0], clip.sentences[SENTENCES - 1]
    start = int((first.start_s - MARGIN_S) * SAMPLE_RATE_HZ)
    end = int((last.end_s + MARGIN_S) * SAMPLE_RATE_HZ)
    text = " ".join(sentence.text for sentence in clip.sentences[:SENTENCES])
    return SpeechSample(clip.pcm(library)[start:end].copy(), text)


def _wav(pcm: Pcm16) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sink:
        sink.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        sink.writeframes(pcm.tobytes())
    return file.getvalue()


def _encoded(sample: SpeechSample, container: Container) -> bytes:
    import av  # only a program that needs an encoder waits for it

    name, codec, rate_hz = _CODECS[container]
    file = io.BytesIO()
    with av.open(file, "w", format=name) as sink:
        stream = sink.add_stream(codec, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            sample.at_rate(rate_hz)[np.newaxis, :], format="s16", layout="mono"
        )
        frame.sample_rate = rate_hz
        sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return file.getvalue()
