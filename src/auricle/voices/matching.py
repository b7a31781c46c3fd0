"""Which known voice is a speaker's; pure.

A speaker gets a name if the voices are much alike, and no voice of another name is nearly as much
alike: a wrong name is worse than none. The limits are those of one half of the voices of
``bench.voices``; docs/benchmarks/known_voices.json has the figures of the other half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from auricle.values.speakers import VoicePrint
from auricle.voices.narrow_band import is_narrow

SURE_COSINE = 0.7
"""Cosine from which a voice is a speaker's: of the limits that were tried, the least that names no
unknown voice of the tuning half of ``bench.voices``, among up to 30 enrolled ones."""
SURE_NARROW_COSINE = 0.89
"""The same for narrow-band speech, where two people reach 0.88: the least limit that names no
unknown voice of the tuning half, among 10 and 31 enrolled ones. See docs/decisions/187."""
SURE_MARGIN, SURE_NARROW_MARGIN = 0.1, 0.05
"""Least distance to the voice of another name. Narrow-band voices are closer to each other: with
0.1, a quarter of the known ones has no name from 5 s of speech, among 31."""
KEPT_COSINE = 0.05
"""A name stays until the cosine is this much lower: it should not come and go."""
MIN_SPEECH_S = 2.0
"""Less speech has no name."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownVoices:
    """The voices of a key that are of one model.

    Attributes:
        names: Their names; each is unique.
        vectors: Their embeddings, float32, shape [voices, dimensions], of unit length.
    """

    names: tuple[str, ...] = ()
    vectors: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @classmethod
    def of(cls, voices: Sequence[tuple[str, VoicePrint]]) -> "KnownVoices":
        """Return named voices of one model; those of another size than the first are left out."""
        same = [each for each in voices if each[1].vector.size == voices[0][1].vector.size]
        if not same:
            return NONE_KNOWN
        return cls(tuple(name for name, _ in same), np.stack([voice.vector for _, voice in same]))

    def name_of(self, voice: VoicePrint, current: str | None = None) -> str | None:
        """Return the name of a speaker's voice; ``None`` if none is certain.

        Args:
            voice: The voice, of the same model.
            current: The name that the speaker has so far.
        """
        if not self.names or voice.speech_s < MIN_SPEECH_S:
            return None
        if voice.vector.size != self.vectors.shape[1]:
            return None
        cosines = self.vectors @ voice.vector
        best = int(cosines.argmax())
        name, rival = self.names[best], float(np.delete(cosines, best).max(initial=-1.0))
        slack = KEPT_COSINE if name == current else 0.0
        sure, margin = SURE_COSINE, SURE_MARGIN
        if is_narrow(voice):
            sure, margin = SURE_NARROW_COSINE, SURE_NARROW_MARGIN
        is_sure = cosines[best] >= sure - slack
        return name if is_sure and cosines[best] - rival >= margin - slack else None


NONE_KNOWN = KnownVoices()


def names_of(
    prints: Mapping[int, VoicePrint], known: KnownVoices, current: Mapping[int, str] | None = None
) -> dict[int, str]:
    """Return the names of the speakers that are certain, by number.

    Args:
        prints: The speakers' voices.
        known: The known voices, of the same model.
        current: The names so far.
    """
    before = current or {}
    names = {number: known.name_of(voice, before.get(number)) for number, voice in prints.items()}
    return {number: name for number, name in names.items() if name is not None}
