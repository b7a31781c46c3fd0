"""Which of many alike log lines are written. No I/O, no clock: ``now`` is monotonic seconds."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

WINDOW_S = 60.0
LINES_PER_WINDOW = 5
MAX_SOURCES = 1024
"""The source that was seen longest ago is forgotten first."""


@dataclass(slots=True)
class _Source:
    began_at: float
    lines: int = 0
    left_out: int = 0


class LineSampler:
    """Lets a few lines of each source through a minute, and counts the others."""

    def __init__(self) -> None:
        self._sources: OrderedDict[Hashable, _Source] = OrderedDict()

    def admit(self, source: Hashable, now: float) -> int | None:
        """Return how many lines were left out since the last one; ``None`` to leave this one out.

        Args:
            source: Where the line comes from, such as an address.
            now: Monotonic seconds.
        """
        known = self._sources.setdefault(source, _Source(now))
        self._sources.move_to_end(source)
        if len(self._sources) > MAX_SOURCES:
            self._sources.popitem(last=False)
        if now - known.began_at >= WINDOW_S:
            known.began_at, known.lines = now, 0
        if known.lines >= LINES_PER_WINDOW:
            known.left_out += 1
            return None
        known.lines += 1
        left_out, known.left_out = known.left_out, 0
        return left_out
