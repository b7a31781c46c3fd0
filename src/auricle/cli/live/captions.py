"""Live captions on a terminal."""

from collections.abc import Sequence
from math import ceil
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from auricle.cli.live.record import labelled, parts_of
from auricle.cli.support.console import errors, results
from auricle.client import CatchingUp, Connected, Disconnected, LiveEvent
from auricle.text.formats.gaps import gap_line
from auricle.values.events import (
    Final,
    Partial,
    SpeakerRevision,
    SpeakerSegment,
    SpeechStarted,
    Warned,
)
from auricle.values.types import Gap, Speaker

SPEAKER_STYLES = ("cyan", "magenta", "green", "blue", "bright_red", "bright_cyan")
PLACEHOLDER = Text("…", style="dim")
"""Shown between the start of speech and the first partial."""


class CaptionScreen:
    """Shows finals as lines, and the open utterance below: stable text bold, unstable text dim.

    Draws on stdout if finals are written there and it is a terminal. If stdout is a file or a pipe,
    writes finals to it as plain lines and draws nothing. If finals are written elsewhere, draws on
    stderr. Redraws only on changes.

    Args:
        is_written: Whether finals are written to stdout as lines; else the caller writes them.
        idle: Text to show while there is no speech.
    """

    def __init__(self, *, is_written: bool, idle: str) -> None:
        self._is_written = is_written
        self._idle = Text(idle, style="dim italic")
        self._console = _drawable(results if is_written else errors)
        self._live = None
        if self._console is not None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
        self._open = Text()
        self._status = Text()
        self._is_connected = False
        self._is_wait_shown = False
        self._is_behind = False

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(Text(), refresh=True)
            self._live.stop()

    def show(self, event: LiveEvent) -> None:
        """Show an event."""
        match event:
            case SpeechStarted():
                self._open = self._open or PLACEHOLDER
            case Partial():
                self._open = caption(event) or self._open
            case Final():
                self._open = Text()
                with self._console or errors:  # drawn at once
                    self._draw()
                    self._show_final(event)
                return
            case SpeakerRevision():
                for final in event.finals:
                    for segment in final.segments:
                        self._show_correction(segment, final.speakers)
            case CatchingUp():
                self._show_behind(event.behind_s)
                return
            case Gap():
                self._show_line(gap_line(event), style="yellow")
            case Disconnected():
                self.wait(event)
                return
            case Connected():
                self._is_connected = True
                self._status = Text()
                if self._is_wait_shown and self._live is None:
                    errors.print("Connected.", style="yellow")
                self._is_wait_shown = False
            case Warned():
                self.print_message(event.message)
            case _:
                return
        self._draw()

    def _show_behind(self, behind_s: float) -> None:
        """Show the delay of captions below them; without a screen, print it once."""
        text = f"Catching up, {behind_s:.0f} s behind." if behind_s else ""
        if self._live is not None:
            self._status = Text(text, style="yellow italic")
            self._draw()
        elif text and not self._is_behind:
            errors.print(text, style="yellow")
        self._is_behind = bool(behind_s)

    def wait(self, event: Disconnected) -> None:
        """Show that the client retries; without a screen, print it once."""
        if self._live is not None or not self._is_wait_shown:
            self.set_status(self._wait_text(event))
        self._is_wait_shown = True

    def _wait_text(self, event: Disconnected) -> str:
        if event.is_full:
            wait_s = ceil(event.retry_in_s)
            return f"Waiting for a free place: {event.reason} Trying again in {wait_s} s."
        lost = "The connection was lost: " if self._is_connected else ""
        return f"{lost}{event.reason.rstrip('.')}. Retrying…"

    def set_status(self, text: str) -> None:
        """Show a status below the captions; without a screen, print it once."""
        self._status = Text(text, style="yellow italic")
        if self._live is None:
            errors.print(self._status)
        self._draw()

    def print_message(self, text: str) -> None:
        """Print a message that remains, apart from the captions."""
        if self._console is None:
            errors.print(text, style="yellow")
        else:
            self._console.print(text, style="yellow", markup=False)

    def _draw(self) -> None:
        if self._live is None or self._console is None:
            return
        content = Text("\n").join(filter(None, (self._open, self._status)))
        if not content and self._is_connected:
            content = self._idle
        self._live.update(_end_of(content, self._console), refresh=True)

    def _show_final(self, final: Final) -> None:
        if final.error is not None:
            gap = Gap(final.start_sample, final.end_sample, final.error)
            self._show_line(gap_line(gap), style="yellow")
        for part in parts_of(final):
            if part.text.strip():
                style = "" if self._console is None else _style_of(part.speaker)
                self._show_line(labelled(part, final.speakers), style)

    def _show_correction(self, segment: SpeakerSegment, named: Sequence[Speaker]) -> None:
        """Show the speaker of an earlier line; the lines of a pipe can't be corrected."""
        if self._console is not None and segment.speaker is not None and segment.text:
            label = Speaker.of(segment.speaker, named).label
            self._console.print(f"↑ {label}: {segment.text}", style="dim", markup=False)

    def _show_line(self, text: str, style: str = "") -> None:
        if self._console is not None:
            self._console.print(text, style=style, markup=False)
        elif self._is_written:
            typer.echo(text)
        elif style:
            errors.print(text, style=style, markup=False)


def _style_of(speaker: int | None) -> str:
    """Return the colour of a speaker's lines; it repeats, so the label says who it is."""
    return "" if speaker is None else SPEAKER_STYLES[speaker % len(SPEAKER_STYLES)]


def caption(partial: Partial) -> Text:
    """Return the styled text of an open utterance."""
    return Text.assemble((partial.stable, "bold"), (partial.unstable, "dim"))


def _drawable(console: Console) -> Console | None:
    """Return a console that wraps lines between words, if this one is a terminal."""
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    return Console(stderr=console.stderr, highlight=False)


def _end_of(text: Text, console: Console) -> Text:
    """Return the last lines of a text that fit the screen, since the newest text is there."""
    lines = text.wrap(console, console.width)
    return Text("\n").join(lines[-max(1, console.height - 1) :])
