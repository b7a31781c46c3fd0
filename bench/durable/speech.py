"""Long speech without repetition: blocks of sentences, each with different noise.

Finished chunks of a job are found again by their audio. Identical blocks would be found too, and
hide repeated work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_long_file
from bench.lib.speech import READ, TESTDATA, Clip, in_room, joined, load_audio, read_clips

BLOCK_S = 300.0
TONE = 8.0
PAUSES_S = (0.8, 1.3, 0.9)


@dataclass(frozen=True)
class LongSpeech:
    """Speech of any length.

    Attributes:
        seconds: Its length.
        is_real: Read sentences of the corpus; otherwise the clips of ``testdata``.
    """

    seconds: float
    is_real: bool

    @cached_property
    def ogg(self) -> bytes:
        """The speech as Opus in Ogg."""
        return as_long_file(self._blocks(), "ogg", "libopus", {"compression_level": "2"})

    def _blocks(self) -> Iterator[Pcm16]:
        pcm, _ = joined(self._clips(), PAUSES_S)
        block = np.resize(pcm, int(BLOCK_S * SAMPLE_RATE_HZ))  # repeated as needed
        samples = int(self.seconds * SAMPLE_RATE_HZ)
        for seed, at in enumerate(range(0, samples, block.size)):
            yield in_room(block[: samples - at], TONE, np.random.default_rng(seed))

    def _clips(self) -> list[Clip]:
        if self.is_real:
            return read_clips(12.0)
        names = ("fellow.wav", "short.wav", "pair.wav")
        return [Clip(name, READ, load_audio(TESTDATA / name), "") for name in names]
