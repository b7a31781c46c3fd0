"""Gaps: speech that no session will receive. No I/O."""

from math import inf

from auricle.values.types import Gap


class Losses:
    """Collects gaps, and reports each once, after all finals before it."""

    def __init__(self) -> None:
        self._known: list[Gap] = []  # in order of time, without overlap
        self._waiting: list[Gap] = []

    def note(self, start_sample: int, end_sample: int, code: str) -> None:
        """Add a gap; parts that are already known are not reported again."""
        for known in list(self._known):
            self._add(start_sample, min(end_sample, known.start_sample), code)
            start_sample = max(start_sample, known.end_sample)
        self._add(start_sample, end_sample, code)

    def due(self, safe_sample: float = inf) -> list[Gap]:
        """Return the gaps to report now, in order of time.

        Args:
            safe_sample: The position before which all finals have arrived; by default, all gaps
                are due.
        """
        due = [gap for gap in self._waiting if gap.start_sample <= safe_sample]
        self._waiting = [gap for gap in self._waiting if gap.start_sample > safe_sample]
        self._known = [gap for gap in self._known if gap.end_sample > safe_sample]
        return due

    def _add(self, start_sample: int, end_sample: int, code: str) -> None:
        if end_sample <= start_sample:
            return
        gap = Gap(start_sample, end_sample, code)
        for gaps in (self._known, self._waiting):
            gaps.append(gap)
            gaps.sort(key=lambda gap: gap.start_sample)
