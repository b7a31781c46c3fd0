"""What was said in a live stream, and where it is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from auricle.cli.output import Format, render, write
from auricle.client import LiveClient
from auricle.errors import SetupError
from auricle.events import Final
from auricle.files.transcribe import FileTranscript
from auricle.languages import SPACELESS_LANGUAGES
from auricle.protocol.gaps import gap_line
from auricle.protocol.subtitle_layout import USUAL, SubtitleLimits
from auricle.types import Gap, Segment, Transcript

UNKNOWN_LIVE = ("language_probability", "timing_ms", "attempts")
"""What a server says of an utterance, and not of a live stream."""


@dataclass
class LiveRecord:
    """All finals and gaps of a stream, on their way to a file or to stdout.

    Attributes:
        client: Knows how long the stream is.
        written_as: The format.
        target: The file; ``None`` is stdout.
        limits: How large a subtitle may be.
        finals: What there is so far.
        gaps: Speech that is lost.
    """

    client: LiveClient
    written_as: Format
    target: Path | None
    limits: SubtitleLimits = USUAL
    finals: list[Final] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def has_lines(self) -> bool:
        """Whether each final is a line on stdout as soon as it is there."""
        return self.target is None and self.written_as is Format.TEXT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.finals and not self.gaps

    def add(self, news: Final | Gap) -> SetupError | None:
        """Take a final or a gap. A file is written anew, so that it is whole whatever comes next.

        Returns:
            Why it can't be written just now; there may be room for the next.
        """
        if isinstance(news, Final):
            self.finals.append(news)
        else:
            self.gaps.append(news)
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
            return lines_of(self.finals, self.gaps)
        heard = transcript_of(self.finals, self.client.received_sample, self.gaps)
        return render(heard, self.written_as, without=UNKNOWN_LIVE, limits=self.limits)


def lines_of(finals: Sequence[Final], gaps: Sequence[Gap] = ()) -> str:
    """Return what was said, each utterance and each gap on a line, in order of time."""
    lines = [(final.start_sample, text) for final in finals if (text := final.text.strip())]
    lines += [(gap.start_sample, gap_line(gap)) for gap in _all_gaps(finals, gaps)]
    lines.sort(key=lambda line: line[0])
    return "".join(f"{text}\n" for _, text in lines)


def transcript_of(
    finals: Sequence[Final], duration_samples: int, gaps: Sequence[Gap] = ()
) -> FileTranscript:
    """Return what was said in all, as ``auricle transcribe`` has it."""
    heard = [final for final in finals if final.text.strip()]
    missing = _all_gaps(finals, gaps)
    duration_samples = max([duration_samples, *(gap.end_sample for gap in missing)])
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
            Segment(
                final.start_sample,
                final.end_sample,
                final.text,
                final.words,
                language=final.language,
            )
            for final in heard
        ),
    )
    return FileTranscript(transcript, missing)


def _all_gaps(finals: Sequence[Final], gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """Return what was lost and what could not be recognised, in order of time."""
    failed = (
        Gap(final.start_sample, final.end_sample, final.error)
        for final in finals
        if final.error is not None
    )
    return tuple(sorted((*failed, *gaps), key=lambda gap: gap.start_sample))
