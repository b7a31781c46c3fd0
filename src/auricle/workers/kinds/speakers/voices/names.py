"""Find the speakers that reference recordings name; no I/O.

A reference gives its name to a speaker only if the voices are much alike and no other pair of a
reference and a speaker is nearly as much alike: a wrong name is worse than none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SURE_COSINE = 0.6
"""On the tuning half of bench/speakers, 99 % of references of 3 s reach 0.61 with their speaker in
another conversation, and none exceeds 0.51 with another speaker."""
SURE_MARGIN = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A named voice.

    Attributes:
        name: The name to give to its speaker.
        vectors: Embeddings of the stretches of the reference, shape [stretches, dimensions];
            without stretches it matches no speaker.
    """

    name: str
    vectors: npt.NDArray[np.float32]


def match_names(
    centroids: npt.NDArray[np.float32], references: Sequence[Reference]
) -> tuple[str | None, ...]:
    """Return the name of each speaker, ``None`` where there is no sure match.

    Args:
        centroids: Mean voice of each speaker, of unit length, shape [speakers, dimensions].
        references: The named voices; their names are unique.
    """
    names: list[str | None] = [None] * len(centroids)
    known = [reference for reference in references if len(reference.vectors)]
    if not known or not len(centroids):
        return tuple(names)
    means = np.stack([reference.vectors.mean(axis=0) for reference in known])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    cosines = centroids @ means.T
    for speaker, row in enumerate(cosines):
        best = int(row.argmax())
        rivals = np.concatenate([np.delete(row, best), np.delete(cosines[:, best], speaker)])
        if row[best] >= SURE_COSINE and row[best] - rivals.max(initial=-1.0) >= SURE_MARGIN:
            names[speaker] = known[best].name
    return tuple(names)
