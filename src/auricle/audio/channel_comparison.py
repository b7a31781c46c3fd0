"""Find channels that carry the same audio: mono stored as stereo, or mono sent as two channels.

If the samples of one channel alternate between two, these are not equal, but similar: 0.84 to 0.97
in speech, where two speakers have less than 0.01.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

COMPARED_SAMPLES = 10 * SAMPLE_RATE_HZ
"""Audio with sound that is compared, from the start of a stream: longer than a dial tone that both
channels of a call have in common."""
SIMILARITY = 0.7
"""Least share of their energy that similar channels have in common."""
EQUAL_SIMILARITY = 0.999
"""The same for a channel that was duplicated; codecs change it a little."""
_MIN_POWER = 100.0**2
"""Mean power of sound, in squares of samples: -50 dB of full scale."""


@dataclass(frozen=True, slots=True)
class SimilarChannels:
    """Two channels that have the same audio, or nearly."""

    first: int
    second: int
    is_equal: bool

    @property
    def message(self) -> str:
        """The warning for clients."""
        how = "the same" if self.is_equal else "nearly the same"
        return (
            f"Channels {self.first} and {self.second} carry {how} audio. If it has one channel, "
            "set channels=1; if one channel was duplicated, omit multichannel."
        )


class ChannelComparison:
    """Compares the channels of one stream once, after enough sound.

    Args:
        channels: Number of channels; one is not compared.
    """

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))
        self._samples = 0 if channels > 1 else COMPARED_SAMPLES

    def receive(self, pcm: npt.NDArray[np.int16] | Sequence[Pcm16]) -> SimilarChannels | None:
        """Add the next samples; return a finding at most once.

        Args:
            pcm: Shape [channels, samples].
        """
        if self._samples >= COMPARED_SAMPLES:
            return None
        self._add(np.asarray(pcm, np.float64))
        return self._similar() if self._samples >= COMPARED_SAMPLES else None

    def finish(self) -> SimilarChannels | None:
        """End the stream; return the finding for one with less sound."""
        if self._samples >= COMPARED_SAMPLES:
            return None
        found, self._samples = self._similar(), COMPARED_SAMPLES
        return found

    def _add(self, samples: npt.NDArray[np.float64]) -> None:
        products = samples @ samples.T
        if samples.shape[1] and products.diagonal().max() >= _MIN_POWER * samples.shape[1]:
            self._products += products
            self._samples += samples.shape[1]

    def _similar(self) -> SimilarChannels | None:
        """Return the most similar pair, if it is similar enough."""
        energies = self._products.diagonal()
        best, found = SIMILARITY, None
        for second in range(1, len(energies)):
            for first in range(second):
                energy = energies[first] + energies[second]
                similarity = 2 * self._products[first, second] / energy if energy else 0.0
                if similarity >= best:
                    best = similarity
                    found = SimilarChannels(first, second, similarity >= EQUAL_SIMILARITY)
        return found
