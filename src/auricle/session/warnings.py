"""Rate-limit warnings: each code at most once per second of audio, with gap lengths added up."""

from dataclasses import replace
from math import inf

from auricle.values.events import Warned, WarningCode
from auricle.values.types import SAMPLE_RATE_HZ

WARN_EVERY_SAMPLES = SAMPLE_RATE_HZ


class HeldWarnings:
    """Warnings that were not sent yet: the newest of each code."""

    def __init__(self) -> None:
        self._next_at: dict[WarningCode, float] = {}
        self._held: dict[WarningCode, Warned] = {}

    def add(self, warning: Warned) -> None:
        """Add a warning; it replaces an unsent one with the same code."""
        if (earlier := self._held.get(warning.code)) is not None and earlier.gap_ms is not None:
            warning = replace(warning, gap_ms=earlier.gap_ms + (warning.gap_ms or 0))
        self._held[warning.code] = warning

    def due(self, sample: float) -> list[Warned]:
        """Remove and return the warnings that may be sent now.

        Args:
            sample: Position of the session's clock; infinity to return all of them.
        """
        codes = [code for code in self._held if self._next_at.get(code, -inf) <= sample]
        for code in codes:
            self._next_at[code] = sample + WARN_EVERY_SAMPLES
        return [self._held.pop(code) for code in codes]
