"""Where to cut speech that won't pause; I/O-free.

The best place is where speech is least likely and quietest: in a pause if there is one, preferably
in the last third of what is allowed.
"""

import numpy as np
import numpy.typing as npt

from auricle.audio.vad import WINDOW_SAMPLES
from auricle.types import Pcm16

Scores = npt.NDArray[np.float64]

# How far a place for a cut is looked at: 3 windows find a dip, 15 (half a second) tell a pause from
# a dip and lead to its middle.
_DIP_WINDOWS, _PAUSE_WINDOWS = 3, 15
# A place before the last third has to be better by a quarter of the scale: by a real pause.
_EARLY_PENALTY = 0.5
_FULL_SCALE_DB = 90.0


def loudness(pcm: Pcm16) -> Scores:
    """Return how loud each window of 512 samples is, in 0..1 on a scale of decibels.

    Args:
        pcm: int16, shape [samples]; a last window that is incomplete is filled with silence.
    """
    windows = -(-pcm.size // WINDOW_SAMPLES)
    samples = np.zeros(windows * WINDOW_SAMPLES)  # np.pad() would take longer than all the rest
    samples[: pcm.size] = pcm
    by_window = samples.reshape(windows, WINDOW_SAMPLES)
    # Sums of squares of int16 are exact in a double, whatever their order.
    power = np.einsum("ij,ij->i", by_window, by_window) / WINDOW_SAMPLES
    return np.asarray(np.log10(power + 1) * 10 / _FULL_SCALE_DB, np.float64)


def best_cut(
    probabilities: npt.ArrayLike, loudnesses: npt.ArrayLike, lead_samples: int, limit_samples: int
) -> int:
    """Return the index of the window that the next stretch starts with.

    Args:
        probabilities: Of speech, for each window of the stretch.
        loudnesses: As :func:`loudness` tells them, for each window.
        lead_samples: How much of the stretch lies before its first window.
        limit_samples: How long a stretch may be; no cut lies in its first third.
    """
    likely = np.asarray(probabilities, np.float64)
    score = _smooth(likely, _DIP_WINDOWS) + _smooth(likely, _PAUSE_WINDOWS)
    score += np.asarray(loudnesses, np.float64)
    lengths = lead_samples + np.arange(likely.size) * WINDOW_SAMPLES
    score[lengths < limit_samples * 2 // 3] += _EARLY_PENALTY
    score[lengths < limit_samples // 3] = np.inf
    return int(score.argmin())


def _smooth(values: Scores, width: int) -> Scores:
    """Return the mean around each value; beyond the ends lies more of the same."""
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")
