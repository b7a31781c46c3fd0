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
        record = self._sources.setdefault(source, _Source(now))
        self._sources.move_to_end(source)
        if len(self._sources) > MAX_SOURCES:
            self._sources.popitem(last=False)
        if now - record.began_at >= WINDOW_S:
            record.began_at, record.lines = now, 0
        if record.lines >= LINES_PER_WINDOW:
            record.left_out += 1
            return None
        record.lines += 1
        left_out, record.left_out = record.left_out, 0
        return left_out
