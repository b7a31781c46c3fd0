"""Progress of downloads: a bar with rate and time left on a terminal, else plain lines."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from auricle.cli.support.console import errors
from auricle.cli.support.progress import stderr_bars

MAX_NAME_CHARS = 28
LINE_EVERY_S = 10.0
"""Interval of the plain lines."""


class DownloadProgress:
    """An :class:`auricle.engines.pull.download.PullProgress` on stderr."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Show a bar if stderr is a terminal; ``clock`` times the plain lines."""
        self._bars = stderr_bars(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=MAX_NAME_CHARS),
            ),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._clock = clock
        self._task: TaskID | None = None
        self._name, self._done_bytes, self._total_bytes = "", 0, 0
        self._first_bytes, self._began_at, self._line_at = 0, 0.0, 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """Begin or continue a file."""
        now = self._clock()
        self._name, self._done_bytes, self._total_bytes = name, done_bytes, total_bytes or 0
        self._first_bytes, self._began_at, self._line_at = done_bytes, now, now + LINE_EVERY_S
        if not errors.is_terminal:
            size = f", {total_bytes / 1e6:.1f} MB" if total_bytes else ""
            after = f", continued after {done_bytes / 1e6:.1f} MB" if done_bytes else ""
            errors.print(f"{name}{size}{after}")
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, total=total_bytes, completed=done_bytes)

    def advance(self, size_bytes: int) -> None:
        """Add bytes to the current file."""
        self._done_bytes += size_bytes
        if self._task is not None:
            self._bars.advance(self._task, size_bytes)
        elif (now := self._clock()) >= self._line_at:
            self._line_at = now + LINE_EVERY_S
            errors.print(self._line(now))

    def note(self, text: str) -> None:
        """Print a message above the bar."""
        self._bars.console.print(text, style="yellow", markup=False)

    def _line(self, now: float) -> str:
        rate = (self._done_bytes - self._first_bytes) / max(now - self._began_at, 0.001)
        if not self._total_bytes:
            return f"{self._name}: {self._done_bytes / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s"
        percent = 100 * self._done_bytes / self._total_bytes
        left_s = (self._total_bytes - self._done_bytes) / max(rate, 1.0)
        return f"{self._name}: {percent:.0f} %, {rate / 1e6:.1f} MB/s, {left_s:.0f} s left"
