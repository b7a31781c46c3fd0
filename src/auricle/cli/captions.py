"""Captions on a terminal while they firm up, and what is left of them at the end."""

from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from auricle.cli.console import errors, results
from auricle.client import Connected, Disconnected, LiveEvent
from auricle.events import Final, Partial, Warned
from auricle.languages import SPACELESS_LANGUAGES
from auricle.longform import FileTranscript, Gap
from auricle.types import SAMPLE_RATE_HZ, Segment, Transcript

REFRESHES_PER_S = 10.0


class CaptionScreen:
    """Shows finals as lines, and below them the open utterance: firm words bold, guesses dim.

    Where nothing is a terminal, it only writes finals to stdout.

    Args:
        is_written: Whether finals are lines on stdout; else they go elsewhere at the end.
    """

    def __init__(self, *, is_written: bool) -> None:
        self._is_written = is_written
        self._console = self._find_console()
        self._live = None
        if self._console is not None:
            self._live = Live(
                console=self._console,
                refresh_per_second=REFRESHES_PER_S,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
        self._open = Text()
        self._status = Text()

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
            self._live.stop()

    def show(self, event: LiveEvent) -> None:
        """Show what came."""
        match event:
            case Partial():
                self._open = caption(event)
            case Final():
                self._open = Text()
                self._show_final(event)
            case Disconnected():
                words = f"{event.reason}; back in {event.retry_in_s:.1f} s, nothing is lost"
                self._status = Text(words, style="yellow italic")
            case Connected():
                self._status = Text()
            case Warned():
                self.say(event.message)
            case _:
                return
        if self._live is not None:
            self._live.update(Text("\n").join(filter(None, (self._open, self._status))))

    def say(self, words: str) -> None:
        """Say something that is no caption."""
        (self._console or errors).print(words, style="yellow", markup=False)

    def _find_console(self) -> Console | None:
        if self._is_written and results.is_terminal:
            return results
        return errors if errors.is_terminal else None

    def _show_final(self, final: Final) -> None:
        if final.error is not None:
            self.say(f"{_clock(final.start_sample)} to {_clock(final.end_sample)}: {final.error}")
        text = final.text.strip()
        if not text:
            return
        if self._console is not None:
            self._console.print(text, markup=False)
        if self._is_written and self._console is not results:
            typer.echo(text)


def caption(partial: Partial) -> Text:
    """Return an open utterance as it is shown."""
    return Text.assemble((partial.stable, "bold"), (partial.unstable, "dim"))


def transcript_of(finals: list[Final], duration_samples: int) -> FileTranscript:
    """Return what was said in all, as ``auricle transcribe`` has it."""
    heard = [final for final in finals if final.text.strip()]
    text = ""
    for final in heard:
        space = "" if not text or final.language in SPACELESS_LANGUAGES else " "
        text += space + final.text.strip()
    languages = [final.language for final in heard if final.language is not None]
    transcript = Transcript(
        text=text,
        language=max(languages, key=languages.count, default=None),
        language_probability=0.0,
        duration_samples=duration_samples,
        segments=tuple(
            Segment(final.start_sample, final.end_sample, final.text, final.words)
            for final in heard
        ),
    )
    gaps = tuple(
        Gap(final.start_sample, final.end_sample, final.error)
        for final in finals
        if final.error is not None
    )
    return FileTranscript(transcript, gaps)


def _clock(sample: int) -> str:
    minutes, seconds = divmod(sample / SAMPLE_RATE_HZ, 60)
    return f"{int(minutes)}:{seconds:04.1f}"
