"""Limits repeated log lines. No I/O, no clock: ``now`` is monotonic seconds."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

WINDOW_S = 60.0
LINES_PER_WINDOW = 5
MAX_SOURCES = 1024
"""Above this number, the least recently seen source is dropped."""


@dataclass(slots=True)
class _Source:
    began_at: float
    lines: int = 0
    left_out: int = 0


class LineSampler:
    """Allows a few lines a minute for each source, and counts those left out."""

    def __init__(self) -> None:
        self._sources: OrderedDict[Hashable, _Source] = OrderedDict()

    def admit(self, source: Hashable, now: float) -> int | None:
        """Return the number of lines left out since the last one; ``None`` to leave this out.

        Args:
            source: What the line is about, such as a client address.
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
