"""Embeddings of made-up voices: unit vectors around a mean, as alike as those of real speech."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

DIMENSIONS = 192
SPREAD = 1.0
"""Length of the part that differs between stretches, relative to the voice's: a mean cosine of
0.5 between stretches of a voice, as CAM++ has for 1.5 s."""


def voice(number: int) -> npt.NDArray[np.float64]:
    """Return the mean of a voice, orthogonal to all others."""
    return np.asarray(np.eye(DIMENSIONS)[number])


def embeddings(
    labels: Sequence[int], seed: int = 1, spread: float = SPREAD
) -> npt.NDArray[np.float32]:
    """Return an embedding for each stretch, given its voice; shape [stretches, dimensions]."""
    noise = np.random.default_rng(seed).standard_normal((len(labels), DIMENSIONS))
    noise *= spread / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors = np.eye(DIMENSIONS)[np.array(labels, np.intp)] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)
