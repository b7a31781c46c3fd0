"""The transcript of a live stream, and its output."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import typer

from auricle.cli.support.output import OutputFormat, content, write
from auricle.client import LiveClient
from auricle.files.transcribe import FileTranscript
from auricle.text.formats.base import USUAL, SubtitleLimits
from auricle.text.formats.gaps import gap_line
from auricle.values.errors import SetupError
from auricle.values.events import Final, SpeakerRevision, SpeakerSegment
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import Gap, Segment, Speaker, Transcript, Word

FIELDS_UNKNOWN_LIVE = ("language_probability", "timing_ms", "attempts")
"""Fields that are known for utterances, but not for a live stream."""


@dataclass
class LiveRecord:
    """Finals and gaps of a stream, written to a file or stdout.

    Attributes:
        client: Provides the length of the stream.
        output_format: The output format.
        target: The output file; ``None`` is stdout.
        limits: Limits of a subtitle's size.
        name: Name of the recording: the title of documents, and for RTTM.
        finals: Finals received so far.
        gaps: Lost speech.
    """

    client: LiveClient
    output_format: OutputFormat
    target: Path | None
    limits: SubtitleLimits = USUAL
    name: str = "audio"
    finals: list[Final] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def has_lines(self) -> bool:
        """Whether each final is printed to stdout when it is received."""
        return self.target is None and self.output_format is OutputFormat.TEXT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.finals and not self.gaps

    def add(self, item: Final | Gap) -> SetupError | None:
        """Add a final or a gap, and rewrite the output file so that it is always complete.

        Returns:
            The error if the file can't be written; the next attempt may succeed.
        """
        if isinstance(item, Final):
            self.finals.append(item)
        else:
            self.gaps.append(item)
        if self.target is None:
            return None
        try:
            write(self._rendered(), self.target)
        except SetupError as exc:
            return exc
        return None

    def revise(self, event: SpeakerRevision) -> None:
        """Replace the speakers of finals; the output file is rewritten with the next final."""
        revised = {final.id: final for final in event.finals}
        for index, final in enumerate(self.finals):
            if (known := revised.get(final.id)) is not None:
                self.finals[index] = replace(
                    final,
                    speaker=known.speaker,
                    segments=known.segments or None,
                    speakers=known.speakers,
                )

    def finish(self) -> None:
        """Write the output; if the file can't be written, print it, or the text of a document.

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
            is_binary = self.output_format is OutputFormat.DOCX
            typer.echo(self._text() if is_binary else self._rendered(), nl=False)
            raise

    def _text(self) -> str:
        return lines_of(self.finals, self.gaps)

    def _rendered(self) -> str | bytes:
        if self.output_format is OutputFormat.TEXT:
            return self._text()
        transcript = transcript_of(self.finals, self.client.received_sample, self.gaps)
        return content(transcript, self.output_format, FIELDS_UNKNOWN_LIVE, self.limits, self.name)


def lines_of(finals: Sequence[Final], gaps: Sequence[Gap] = ()) -> str:
    """Return utterances and gaps as lines, ordered by time."""
    lines = [
        (part.start_sample, labelled(part, final.speakers))
        for final in finals
        for part in parts_of(final)
        if part.text.strip()
    ]
    lines += [(gap.start_sample, gap_line(gap)) for gap in _all_gaps(finals, gaps)]
    lines.sort(key=lambda line: line[0])
    return "".join(f"{text}\n" for _, text in lines)


def transcript_of(
    finals: Sequence[Final], duration_samples: int, gaps: Sequence[Gap] = ()
) -> FileTranscript:
    """Return the whole transcript, in the form of ``auricle transcribe``."""
    spoken = [final for final in finals if final.text.strip()]
    missing = _all_gaps(finals, gaps)
    duration_samples = max([duration_samples, *(gap.end_sample for gap in missing)])
    text = ""
    for final in spoken:
        space = "" if not text or final.language in SPACELESS_LANGUAGES else " "
        text += space + final.text.strip()
    languages = [final.language for final in spoken if final.language is not None]
    transcript = Transcript(
        text=text,
        language=max(languages, key=languages.count, default=None),
        language_probability=0.0,
        duration_samples=duration_samples,
        segments=tuple(segment for final in spoken for segment in parts_of(final)),
        speakers=_speakers(spoken),
    )
    return FileTranscript(transcript, missing)


def parts_of(final: Final) -> tuple[Segment, ...]:
    """Return a final as segments: one for each of its speakers."""
    if final.segments is None:
        start, end = final.start_sample, final.end_sample
        return (Segment(start, end, final.text, final.words, language=final.language),)
    return tuple(
        Segment(
            part.start_sample,
            part.end_sample,
            part.text,
            None if final.words is None else _words_in(part, final),
            language=final.language,
            speaker=part.speaker,
        )
        for part in final.segments
    )


def labelled(part: Segment, named: Sequence[Speaker]) -> str:
    """Return the text of a segment with its speaker, if that is known."""
    text = part.text.strip()
    if part.speaker is None:
        return text
    return f"{Speaker.of(part.speaker, named).label}: {text}"


def _words_in(part: SpeakerSegment, final: Final) -> tuple[Word, ...]:
    """Return the words of a part; the last part has those after its end, too."""
    assert final.segments is not None
    end = inf if part is final.segments[-1] else 2 * part.end_sample
    start = -inf if part is final.segments[0] else 2 * part.start_sample
    return tuple(
        replace(word, speaker=part.speaker)
        for word in final.words or ()
        if start <= word.start_sample + word.end_sample < end
    )


def _speakers(finals: Sequence[Final]) -> tuple[Speaker, ...]:
    numbers = {
        part.speaker
        for final in finals
        for part in final.segments or ()
        if part.speaker is not None
    }
    named = {each.number: each for final in finals for each in final.speakers}
    return tuple(named.get(number, Speaker(number)) for number in sorted(numbers))


def _all_gaps(finals: Sequence[Final], gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """Return lost speech and failed utterances, ordered by time."""
    failed = (
        Gap(final.start_sample, final.end_sample, final.error)
        for final in finals
        if final.error is not None
    )
    return tuple(sorted((*failed, *gaps), key=lambda gap: gap.start_sample))
