"""Embeddings of made-up voices: as alike as those of CAM++ for stretches of 1.5 s.

Two stretches of a voice have a cosine of 0.58, those of two voices one of 0.16, as the means of
bench/speakers: all voices have a part in common.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

DIMENSIONS = 192
BETWEEN, WITHIN = 0.16, 0.58
SPREAD = (1 - WITHIN) ** 0.5
"""Length of the part that differs between the stretches of a voice."""


def voice(number: int) -> npt.NDArray[np.float32]:
    """Return the mean of a voice, of unit length."""
    mean: npt.NDArray[np.float32] = embeddings([number], spread=0.0)[0]
    return mean


def embeddings(
    labels: Sequence[int], seed: int = 1, spread: float = SPREAD, common: float = BETWEEN
) -> npt.NDArray[np.float32]:
    """Return an embedding for each stretch, given its voice; shape [stretches, dimensions].

    Args:
        labels: The voice of each stretch.
        seed: Of the part that differs between stretches.
        spread: Its length; more in noise.
        common: Square of the part that the voices have in common; more if they are alike.
    """
    vectors = np.random.default_rng(seed).standard_normal((len(labels), DIMENSIONS))
    vectors *= spread / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[np.arange(len(labels)), np.array(labels, np.intp)] += (WITHIN - BETWEEN) ** 0.5
    vectors[:, -1] += common**0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)
