"""Reads the voice of a known speaker from a short recording."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from auricle.values.errors import SpeakersUnavailable
from auricle.values.speakers import NO_SPEECH, UnusableVoice, VoicePrint
from auricle.values.types import Chunk, SpeakerOptions
from auricle.workers.kinds.speakers.file_voices import FileVoices
from auricle.workers.kinds.speakers.voices.clustering import cluster
from auricle.workers.kinds.speakers.voices.names import Reference

MAX_COSINE_OF_TWO = 0.27
"""The two halves of a recording are more alike if one person speaks: 0 of 84 recordings of one
speaker are below, and 20 of 24 pairs of speakers (CAM++, 2 to 9 s each, AN4 and LJ Speech)."""


class RecordedVoice:
    """The voice in one recording.

    Args:
        voices: Embeds the voices of the recording.
    """

    def __init__(self, voices: FileVoices) -> None:
        self._voices = voices

    async def add(self, chunk: Chunk) -> None:
        """Embed the voices of a chunk of the recording."""
        await self._voices.add(chunk)

    def named(self, name: str) -> Reference:
        """Return the voice.

        Raises:
            SpeakersUnavailable: It could not be embedded now.
            UnusableVoice: The recording has no speech, or several voices.
        """
        if self._voices.missing:
            raise SpeakersUnavailable
        vectors = self._voices.vectors
        if not len(vectors):
            raise UnusableVoice(NO_SPEECH)
        if _has_several_voices(vectors):
            raise UnusableVoice("contains several voices")
        return Reference(name, vectors)

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker that the search for speakers finds, by number."""
        return self._voices.prints()


def _has_several_voices(vectors: npt.NDArray[np.float32]) -> bool:
    """Return whether the recording, split into two voices, has two that differ clearly."""
    seconds = np.ones(len(vectors))
    centroids = cluster(vectors, seconds, SpeakerOptions(num_speakers=2)).centroids
    return len(centroids) > 1 and float(centroids[0] @ centroids[1]) < MAX_COSINE_OF_TWO
