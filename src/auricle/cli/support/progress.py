"""Progress bars on a terminal: speed relative to real time, and time left."""

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from auricle.cli.support.console import errors

OnProgress = Callable[[float, float], None]
"""Called with the completed fraction (0..1) and the seconds of audio in it."""


def stderr_bars(*columns: ProgressColumn) -> Progress:
    """Return bars on stderr that vanish at the end; nothing is shown if it is not a terminal."""
    return Progress(
        *columns,
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
        redirect_stdout=False,  # rich would send results to stderr, where the bars are
        redirect_stderr=False,
    )


class FileProgressBars:
    """One progress bar per active file; shows nothing if stderr is not a terminal."""

    def __init__(self) -> None:
        self._bars = stderr_bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )

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

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bars while other output is written."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def open(self, name: str) -> "FileBar":
        """Add and return the progress bar of a file."""
        return FileBar(self._bars, self._bars.add_task(name, total=1.0, speed=""))


class FileBar:
    """The progress bar of one file; :meth:`close` removes it."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task
        self._began_at = time.monotonic()

    def advance(self, fraction: float, audio_s: float) -> None:
        """Update the completed fraction (0..1) and the ``audio_s`` seconds of audio in it."""
        speed = speed_text(audio_s, time.monotonic() - self._began_at)
        self._bars.update(self._task, completed=fraction, speed=speed)

    def close(self, audio_s: float | None) -> None:
        """Remove the bar; with the file's length in seconds, print the speed instead."""
        elapsed_s = time.monotonic() - self._began_at
        name = self._bars.tasks[self._bars.task_ids.index(self._task)].description
        self._bars.remove_task(self._task)
        if audio_s is not None and errors.is_terminal:
            speed = speed_text(audio_s, elapsed_s)
            line = f"{name}: {audio_s:.1f} s of audio in {elapsed_s:.1f} s, {speed}"
            self._bars.console.print(line, style="dim", markup=False)


def speed_text(audio_s: float, elapsed_s: float) -> str:
    """Return the speed in multiples of real time as text."""
    if elapsed_s <= 0 or audio_s <= 0:
        return ""
    return f"{audio_s / elapsed_s:.1f} x real time"
