"""The last lines of a worker's stderr, at a bounded cost for each part that is read. No I/O.

A library may print without end, and a compromised worker may print millions of empty lines: only
the last lines of each part are separated, and all before is counted.
"""

from collections import deque
from collections.abc import Iterator

MAX_LINES = 200
MAX_LINE_BYTES = 2000


class StderrTail:
    """The last lines; never log them, they may contain speech."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._open = b""
        self.dropped_bytes = 0
        """Bytes that were skipped, or cut from long lines."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def receive_data(self, data: bytes) -> None:
        """Append a part of the output."""
        *lines, unfinished = (self._open + data).rsplit(b"\n", MAX_LINES + 1)
        if len(lines) > MAX_LINES:
            self.dropped_bytes += len(lines.pop(0)) + 1
        self._lines.extend(self._cut(line).decode("utf-8", "replace").rstrip() for line in lines)
        self._open = self._cut(unfinished)

    def receive_eof(self) -> None:
        """Append the last line, which may have no end."""
        self._lines.append(self._open.decode("utf-8", "replace"))
        self._open = b""

    def clear(self) -> None:
        """Forget the lines so far."""
        self._lines.clear()

    def _cut(self, line: bytes) -> bytes:
        self.dropped_bytes += max(0, len(line) - MAX_LINE_BYTES)
        return line[:MAX_LINE_BYTES]
