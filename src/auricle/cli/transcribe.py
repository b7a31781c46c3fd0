"""``auricle transcribe``: files in, text or subtitles out."""

import asyncio
import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import anyio
import typer

from auricle.cli.console import errors
from auricle.cli.options import setting
from auricle.cli.output import Format, destinations, render, write
from auricle.cli.progress import FileProgressBars
from auricle.cli.recogniser import Recogniser, RecogniserRequest
from auricle.cli.speech import (
    Hotwords,
    Language,
    MaxLines,
    MaxLineWidth,
    Prompt,
    TaskChoice,
    WordTimestamps,
    languages_of,
    words_of,
)
from auricle.config import Settings
from auricle.errors import AuricleError, SetupError
from auricle.files.transcribe import FileTranscript
from auricle.logs import configure_logging
from auricle.protocol.subtitle_layout import USUAL, SubtitleLimits
from auricle.types import DEFAULT_BEAM_SIZE, SAMPLE_RATE_HZ, Options, Task

FILES_AT_ONCE = 4
"""Short files share a worker's batch; more at once would only make each later."""
EXIT_SOME_FAILED = 1


def transcribe(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Recordings: wav flac mp3 m4a ogg webm.")
    ],
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="What to write.")
    ] = Format.TEXT,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="A file, or a folder for several; else stdout."),
    ] = None,
    language: Language = None,
    task: TaskChoice = Task.TRANSCRIBE,
    beam_size: Annotated[
        int, typer.Option(min=1, max=20, help="1 is quickest; 5 is a little more exact.")
    ] = DEFAULT_BEAM_SIZE,
    word_timestamps: WordTimestamps = False,
    max_line_width: MaxLineWidth = USUAL.max_line_width,
    max_lines: MaxLines = USUAL.max_lines,
    initial_prompt: Prompt = None,
    hotwords: Hotwords = None,
    url: Annotated[str | None, setting("url")] = None,
    api_key: Annotated[str | None, setting("api_key")] = None,
    model: Annotated[str | None, setting("model")] = None,
    workers: Annotated[int | None, setting("workers")] = None,
) -> None:
    """Write down what is said in recordings.

    It starts workers of its own, or uses a running server with --url. Text of several files goes
    to stdout one after another; give -o FOLDER to get a file for each. A recording that can't be
    read doesn't stop the others; the exit code is then 1.
    """
    settings = Settings.load({"url": url, "api_key": api_key, "model": model, "workers": workers})
    known, possible = languages_of(language)
    options = Options(
        language=known,
        languages=possible,
        task=task,
        beam_size=beam_size,
        initial_prompt=initial_prompt,
        hotwords=words_of(hotwords),
        word_timestamps=word_timestamps or output_format.is_subtitles,
        sentence_times=output_format is not Format.TEXT,
    )
    targets = destinations(files, output, output_format)
    recordings = [
        _Recording(RecogniserRequest(file, options), target)
        for file, target in zip(files, targets, strict=True)
    ]
    configure_logging("error")  # what was lost is told beside the text
    style = _Style(output_format, SubtitleLimits(max_line_width, max_lines))
    asyncio.run(_run(_recogniser(settings), recordings, style))
    if any(recording.problem for recording in recordings):
        raise typer.Exit(EXIT_SOME_FAILED)


@dataclass(frozen=True, slots=True)
class _Style:
    """What transcripts are written as."""

    format: Format
    limits: SubtitleLimits

    def render(self, heard: FileTranscript) -> str:
        return render(heard, self.format, limits=self.limits)


@dataclass(slots=True)
class _Recording:
    """One file, and what became of it."""

    request: RecogniserRequest
    target: Path | None
    is_done: anyio.Event = field(default_factory=anyio.Event)
    heard: FileTranscript | None = None
    problem: str = ""


def _recogniser(settings: Settings) -> Recogniser:
    """Return a server if one is named, else workers of our own."""
    if settings.client.url:
        from auricle.cli.remote import RemoteRecogniser

        return RemoteRecogniser(settings.client)
    from auricle.cli.local import LocalRecogniser

    return LocalRecogniser(settings)


async def _run(recogniser: Recogniser, recordings: list[_Recording], style: _Style) -> None:
    """Work on a few recordings at once; tell of each in the order they were given."""
    limiter = anyio.CapacityLimiter(FILES_AT_ONCE)
    is_read = True
    async with recogniser:
        with FileProgressBars() as bars:
            async with anyio.create_task_group() as work:
                for recording in recordings:
                    work.start_soon(_recognise, recogniser, recording, bars, limiter)
                for recording in recordings:
                    await recording.is_done.wait()
                    try:
                        with bars.hidden():
                            _tell(recording, style, is_one_of_several=len(recordings) > 1)
                    except BrokenPipeError:  # as after `| head`: nobody reads any more
                        is_read = False
                        work.cancel_scope.cancel()
    if not is_read:
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")


async def _recognise(
    recogniser: Recogniser,
    recording: _Recording,
    bars: FileProgressBars,
    limiter: anyio.CapacityLimiter,
) -> None:
    async with limiter:
        bar = bars.open(recording.request.path.name)
        audio_s = None
        try:
            recording.heard = await recogniser.recognise(recording.request, bar.advance)
            audio_s = recording.heard.transcript.duration_samples / SAMPLE_RATE_HZ
        except AuricleError as exc:
            recording.problem = str(exc)
        finally:
            bar.close(audio_s)
            recording.is_done.set()


def _tell(recording: _Recording, style: _Style, *, is_one_of_several: bool) -> None:
    """Write one recording's transcript, or why there is none."""
    path, heard = recording.request.path, recording.heard
    if heard is not None and recording.target is not None:
        try:
            write(style.render(heard), recording.target)
        except SetupError as exc:
            recording.problem = str(exc)
    if heard is None or recording.problem:
        errors.print(f"{path}: {recording.problem}", style="red")
        return
    for gap in heard.gaps:
        start_s, end_s = gap.start_sample / SAMPLE_RATE_HZ, gap.end_sample / SAMPLE_RATE_HZ
        line = f"{path}: {start_s:.1f} to {end_s:.1f} s is missing ({gap.code})"
        errors.print(line, style="yellow")
    if recording.target is None:
        title = f"==> {path} <==\n" if is_one_of_several and style.format is Format.TEXT else ""
        typer.echo(title + style.render(heard), nl=False)
