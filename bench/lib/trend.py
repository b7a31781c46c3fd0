"""Whether a figure grows with time: the slope of a straight line, and how sure that slope is.

Samples a few seconds apart are not independent (memory is taken in steps and kept), so a line
through all of them would look far surer than it is. Time is cut into blocks, and the line goes
through their means.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLOCKS = 20
T_95 = 2.101
"""Student's t at 97.5 % with ``BLOCKS`` - 2 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth an hour, and between which values it lies with 95 %."""

    per_hour: float
    low: float
    high: float

    def rounded(self, digits: int = 3) -> dict[str, float]:
        """Return it for JSON."""
        names = ("per_hour", "low", "high")
        return {name: round(getattr(self, name), digits) for name in names}


def trend(times_s: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Return how a figure grows, by least squares; ``None`` if a block has no sample.

    Args:
        times_s: When each sample was taken, in seconds, in any order.
        values: The samples.
    """
    at_s, found = np.asarray(times_s, np.float64), np.asarray(values, np.float64)
    if at_s.size < BLOCKS:
        return None
    edges = np.linspace(at_s.min(), at_s.max(), BLOCKS + 1)
    block = np.clip(np.searchsorted(edges, at_s, side="right") - 1, 0, BLOCKS - 1)
    counts = np.bincount(block, minlength=BLOCKS)
    if not counts.all():
        return None
    hours = np.bincount(block, at_s / 3600, BLOCKS) / counts
    means = np.bincount(block, found, BLOCKS) / counts
    deviation = hours - hours.mean()
    spread = float(deviation @ deviation)
    slope = float(deviation @ means) / spread
    residuals = means - means.mean() - slope * deviation
    error = T_95 * float(np.sqrt(residuals @ residuals / (BLOCKS - 2) / spread))
    return Trend(slope, slope - error, slope + error)
