"""What was said in a live stream, and where it is written."""

from dataclasses import dataclass, field
from pathlib import Path

import typer

from auricle.cli.output import Format, render, write
from auricle.client import LiveClient
from auricle.errors import SetupError
from auricle.events import Final
from auricle.languages import SPACELESS_LANGUAGES
from auricle.longform import FileTranscript, Gap
from auricle.types import Segment, Transcript

UNKNOWN_LIVE = ("language_probability", "timing_ms", "attempts")
"""What a server says of an utterance, and not of a live stream."""


@dataclass
class LiveRecord:
    """All finals of a stream, on their way to a file or to stdout.

    Attributes:
        client: Knows how long the stream is.
        written_as: The format.
        target: The file; ``None`` is stdout.
        finals: What there is so far.
    """

    client: LiveClient
    written_as: Format
    target: Path | None
    finals: list[Final] = field(default_factory=list)

    @property
    def has_lines(self) -> bool:
        """Whether each final is a line on stdout as soon as it is there."""
        return self.target is None and self.written_as is Format.TEXT

    def add(self, final: Final) -> SetupError | None:
        """Take a final. A file is written anew, so that it is whole whatever happens next.

        Returns:
            Why it can't be written just now; there may be room for the next.
        """
        self.finals.append(final)
        if self.target is None:
            return None
        try:
            write(self._rendered(), self.target)
        except SetupError as exc:
            return exc
        return None

    def finish(self) -> None:
        """Write what is not written yet; what a file has no room for goes to stdout.

        Raises:
            SetupError: The file can't be written.
        """
        if self.target is None:
            if not self.has_lines:
                typer.echo(self._rendered(), nl=False)
            return
        try:
            write(self._rendered(), self.target)
        except SetupError:
            typer.echo(self._rendered(), nl=False)
            raise

    def _rendered(self) -> str:
        if self.written_as is Format.TEXT:
            return lines_of(self.finals)
        heard = transcript_of(self.finals, self.client.received_sample)
        return render(heard, self.written_as, without=UNKNOWN_LIVE)


def lines_of(finals: list[Final]) -> str:
    """Return what was said, each utterance on a line."""
    return "".join(f"{text}\n" for final in finals if (text := final.text.strip()))


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
