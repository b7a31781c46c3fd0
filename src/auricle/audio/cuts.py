"""Choose where to cut speech without a long pause; no I/O.

The best place is where speech is least likely and quietest: in a pause if there is one, preferably
in the last third of the maximum length.
"""

import numpy as np
import numpy.typing as npt

from auricle.audio.vad import WINDOW_SAMPLES
from auricle.values.types import Pcm16

Scores = npt.NDArray[np.float64]

# Smoothing widths of the scores: 3 windows find a dip; 15 (half a second) distinguish a pause from
# a dip and have their minimum in its middle.
_DIP_WINDOWS, _PAUSE_WINDOWS = 3, 15
# A cut before the last third must be better by a quarter of the scale, that is, in a real pause.
_EARLY_PENALTY = 0.5
_FULL_SCALE_DB = 90.0


def loudness(pcm: Pcm16) -> Scores:
    """Return the loudness of each window of 512 samples, 0..1 on a decibel scale.

    Args:
        pcm: int16, shape [samples]; an incomplete last window is padded with silence.
    """
    windows = -(-pcm.size // WINDOW_SAMPLES)
    if pcm.size == windows * WINDOW_SAMPLES:
        samples = pcm.astype(np.float64)
    else:
        samples = np.zeros(windows * WINDOW_SAMPLES)  # np.pad() would take longer than the rest
        samples[: pcm.size] = pcm
    by_window = samples.reshape(windows, WINDOW_SAMPLES)
    # Sums of squares of int16 are exact in a double, in any order.
    power = np.einsum("ij,ij->i", by_window, by_window) / WINDOW_SAMPLES
    return np.asarray(np.log10(power + 1) * 10 / _FULL_SCALE_DB, np.float64)


def best_cut(
    probabilities: npt.ArrayLike, loudnesses: npt.ArrayLike, before_samples: int, limit_samples: int
) -> int:
    """Return the index of the window that starts the next stretch.

    Args:
        probabilities: Probability of speech for each window of the stretch.
        loudnesses: Loudness of each window, from :func:`loudness`.
        before_samples: Length of the part of the stretch before its first window.
        limit_samples: Maximum length of a stretch; no cut lies in its first third.
    """
    likely = np.asarray(probabilities, np.float64)
    score = _smooth(likely, _DIP_WINDOWS) + _smooth(likely, _PAUSE_WINDOWS)
    score += np.asarray(loudnesses, np.float64)
    lengths = before_samples + np.arange(likely.size) * WINDOW_SAMPLES
    score[lengths < limit_samples * 2 // 3] += _EARLY_PENALTY
    score[lengths < limit_samples // 3] = np.inf
    return int(score.argmin())


def _smooth(values: Scores, width: int) -> Scores:
    """Return the moving average; the first and last values are repeated beyond the ends."""
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")
