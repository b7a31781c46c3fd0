"""Figures of a run, and how those of two versions compare. No I/O.

Both versions get the same utterances, so an interval comes from a paired bootstrap: utterances are
drawn with replacement, the same ones for both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auricle.cli.bench.score import percentile
from bench.lib.scoring import Errors, total

DRAWS = 2000
INTERVAL = 5.0, 95.0
"""Percentiles of the drawn ratios: an interval of 90 %."""
PERCENTS = 50, 95
DELAYS = ("final", "last_word", "first_word")


@dataclass(slots=True)
class Runs:
    """The runs of one version with one number of streams, in the order of the rounds.

    Attributes:
        delays_s: Delay of each utterance, by the name of the delay; infinite if it never came.
        errors: Word errors of each stream.
        missing_words: Words of utterances without a final.
        partials_per_s: Partials per second and stream, of each run.
        cpu_s: CPU seconds per second of audio, of each run.
        memory_mb: Peak memory, of each run.
        refused: Streams that were refused.
    """

    delays_s: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in DELAYS})
    errors: list[Errors] = field(default_factory=list)
    missing_words: int = 0
    partials_per_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    refused: int = 0

    def figures(self) -> dict[str, Any]:
        """Return the figures of all runs together; ``None`` stands for never."""
        delays = {
            f"{name}_{p}_s": _finite(percentile(values, p))
            for name, values in self.delays_s.items()
            for p in PERCENTS
        }
        return {
            "utterances": len(self.delays_s["final"]),
            **delays,
            "missing_words": self.missing_words,
            "wer_percent": round(total(self.errors).percent, 2),
            "partials_per_s": round(float(np.median(self.partials_per_s)), 2),
            "cpu_s_per_audio_s": round(float(np.median(self.cpu_s)), 4),
            "memory_mb": round(float(np.median(self.memory_mb))),
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class Ratio:
    """This version's figure divided by the reference's, with its interval; infinite: never."""

    value: float
    low: float
    high: float

    def json(self) -> list[float | None]:
        """Return the value and the interval."""
        return [_finite(each) for each in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return "never"
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


def compare(this: Runs, reference: Runs) -> dict[str, Ratio]:
    """Return the ratios of all figures that have one."""
    ratios = {}
    for name in DELAYS:
        pair = np.array([this.delays_s[name], reference.delays_s[name]])
        for p in PERCENTS:
            ratios[f"{name}_{p}_s"] = _paired_ratio(pair, p)
    for name in ("cpu_s", "memory_mb"):
        ratios[name] = _spread(getattr(this, name), getattr(reference, name))
    return ratios


def _paired_ratio(pair: "np.ndarray[Any, np.dtype[np.float64]]", percent: float) -> Ratio:
    count = pair.shape[1]
    draws = np.random.default_rng(20261129).integers(0, count, (DRAWS, count))
    value = percentile(list(pair[0]), percent) / percentile(list(pair[1]), percent)
    drawn = _lowest_share(pair[:, draws], percent)
    with np.errstate(invalid="ignore"):
        ratios = np.nan_to_num(drawn[0] / drawn[1], nan=1.0, posinf=np.inf)  # never in both
    low, high = (_lowest_share(ratios, each) for each in INTERVAL)
    return Ratio(value, float(low), float(high))


def _lowest_share(values: "np.ndarray[Any, np.dtype[np.float64]]", percent: float) -> Any:
    """Return the percentile along the last axis, as :func:`percentile` does; may be infinite."""
    index = max(0, math.ceil(values.shape[-1] * percent / 100) - 1)
    return np.sort(values, axis=-1)[..., index]


def _spread(this: Sequence[float], reference: Sequence[float]) -> Ratio:
    """Return the ratio of the medians, and the lowest and the highest one of a round."""
    rounds = [a / b for a, b in zip(this, reference, strict=True)]
    return Ratio(float(np.median(this) / np.median(reference)), min(rounds), max(rounds))


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
