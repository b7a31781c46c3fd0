"""``auricle transcribe``: transcribe files to text, JSON or subtitles."""

import asyncio
import errno
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import anyio
import typer

from auricle.cli.support.console import INSTALL_SERVER, errors
from auricle.cli.support.output import (
    OutputFormat,
    check_supported,
    chosen_format,
    content,
    destinations,
    render,
    write,
)
from auricle.cli.support.progress import FileProgressBars
from auricle.cli.support.setting_options import setting
from auricle.cli.support.speech_options import (
    Hotwords,
    Language,
    MaxLines,
    MaxLineWidth,
    NumSpeakers,
    Prompt,
    Speakers,
    StrictLanguage,
    TaskChoice,
    Vocabulary,
    WordTimestamps,
    parse_languages,
    speaker_options,
    split_hotwords,
)
from auricle.cli.transcribe.recogniser import FileRecogniser, RecogniserRequest
from auricle.config.settings import Settings
from auricle.files.transcribe import FileTranscript
from auricle.text.formats.base import USUAL, SubtitleLimits
from auricle.values.audio_formats import FILE_NAMES
from auricle.values.errors import AuricleError, RequestError, SetupError
from auricle.values.types import DEFAULT_BEAM_SIZE, MAX_BEAM_SIZE, SAMPLE_RATE_HZ, Options, Task

FILES_AT_ONCE = 4
"""Short files share a worker's batch; more concurrent files would only delay each one."""
EXIT_SOME_FAILED = 1


def transcribe(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help=f"Recordings: {FILE_NAMES}.")
    ],
    output_format: Annotated[
        OutputFormat | None,
        typer.Option(
            "--format", "-f", help="Output format. [dim]\\[from -o's suffix, else text][/]"
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Output file, or a folder for several files; default: stdout."
        ),
    ] = None,
    language: Language = None,
    strict_language: StrictLanguage = False,
    task: TaskChoice = Task.TRANSCRIBE,
    beam_size: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_BEAM_SIZE,
            help="Number of beams: 1 is fastest, 5 is slightly more accurate.",
        ),
    ] = DEFAULT_BEAM_SIZE,
    word_timestamps: WordTimestamps = False,
    speakers: Speakers = False,
    num_speakers: NumSpeakers = None,
    multichannel: Annotated[
        bool,
        typer.Option(
            "--multichannel", help="Transcribe each channel apart: a call with a party in each."
        ),
    ] = False,
    max_line_width: MaxLineWidth = USUAL.max_line_width,
    max_lines: MaxLines = USUAL.max_lines,
    prompt: Prompt = None,
    hotwords: Hotwords = None,
    vocabulary: Vocabulary = "",
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Print the IDs of jobs on the server, and do not wait."),
    ] = False,
    callback_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="With --detach: the server sends each job to this URL at its end."
        ),
    ] = None,
    url: Annotated[str | None, setting("url")] = None,
    api_key: Annotated[str | None, setting("api_key")] = None,
    model: Annotated[str | None, setting("model")] = None,
    workers: Annotated[int | None, setting("workers")] = None,
) -> None:
    """Transcribe recordings.

    Starts local workers, or uses a running server with --url. The text of several files is printed
    in order; -o FOLDER writes one file for each. Files are checked first: if a recording is
    missing, empty or unreadable, the others are still transcribed, and the exit code is 1.

    The formats are those of the web page, and RTTM: docx is a Word document, md is Markdown.
    --speakers adds the speakers to every format: text has a line for each turn. -f rttm prints the
    turns only, for other tools. With --multichannel, each channel is a speaker.

    With --url and --detach, the recordings become background jobs of the server. The command prints
    their IDs once they are uploaded; [bold]auricle jobs wait ID[/] prints the text later. Without
    --detach, Ctrl-C cancels the jobs and says so; a job that may continue is named.
    """
    settings = Settings.load({"url": url, "api_key": api_key, "model": model, "workers": workers})
    single_language, languages = parse_languages(language)
    if multichannel and (speakers or num_speakers):
        raise SetupError(
            "--multichannel and --speakers exclude each other: a channel is a speaker."
        )
    if vocabulary and not settings.client.url:
        raise SetupError("--vocabulary requires --url: a server has it. Use --hotwords.")
    chosen = chosen_format(output_format, output)
    check_supported(chosen)
    wants_speakers = speakers or (chosen is OutputFormat.RTTM and not multichannel)
    voices = speaker_options(wants_speakers, num_speakers)
    options = Options(
        model=(model or "") if settings.client.url else "",
        language=single_language,
        languages=languages,
        strict_language=strict_language,
        task=task,
        beam_size=beam_size,
        initial_prompt=prompt,
        hotwords=split_hotwords(hotwords),
        word_timestamps=word_timestamps or chosen.is_subtitles,
        sentence_times=multichannel or voices is not None or chosen is not OutputFormat.TEXT,
    )
    targets = destinations(files, output, chosen)
    recordings = [
        _Recording(
            RecogniserRequest(file, options, voices, multichannel, vocabulary),
            target,
            _problem(file),
        )
        for file, target in zip(files, targets, strict=True)
    ]
    if detach:
        _detach(settings, output, callback_url, recordings)
        return
    if callback_url is not None:
        raise SetupError("--callback-url requires --detach: without it, the text is printed.")
    style = _Style(chosen, SubtitleLimits(max_line_width, max_lines))
    if all(recording.problem for recording in recordings):
        for recording in recordings:
            _report_source(recording, style, is_one_of_several=True)
    else:
        recogniser = _recogniser(settings, is_multichannel=multichannel)
        asyncio.run(_run(recogniser, recordings, style))
    if any(recording.problem for recording in recordings):
        raise typer.Exit(EXIT_SOME_FAILED)


def _problem(file: Path) -> str:
    """Return why a file can't be a recording, as far as this is seen without its content."""
    from auricle.client.api.audio import open_audio

    try:
        is_empty = open_audio(file).size_bytes == 0
    except RequestError as exc:
        return str(exc).removeprefix(f"{file} ")  # reports begin with the name of the file
    return "is empty." if is_empty else ""


@dataclass(frozen=True, slots=True)
class _Style:
    """Output format of transcripts."""

    format: OutputFormat
    limits: SubtitleLimits

    def content(self, result: FileTranscript, path: Path) -> str | bytes:
        return content(result, self.format, limits=self.limits, name=path.stem)

    def text(self, result: FileTranscript, path: Path) -> str:
        return render(result, self.format, limits=self.limits, name=path.stem)


@dataclass(slots=True)
class _Recording:
    """One file and its result; ``problem`` says why there is none."""

    request: RecogniserRequest
    target: Path | None
    problem: str = ""
    is_done: anyio.Event = field(default_factory=anyio.Event)
    result: FileTranscript | None = None


def _detach(
    settings: Settings, output: str | None, callback_url: str | None, recordings: list[_Recording]
) -> None:
    if not settings.client.url:
        raise SetupError("--detach requires a server: set --url.")
    if output is not None:
        raise SetupError("--detach writes no transcript: run `auricle jobs wait ID -o FILE` later.")
    from auricle.cli.transcribe.detach import submit

    requests = [recording.request for recording in recordings if not recording.problem]
    for recording in recordings:
        if recording.problem:
            errors.print(f"{recording.request.path}: {recording.problem}", style="red")
    is_done = not requests or asyncio.run(submit(settings.client, requests, callback_url))
    if not is_done or len(requests) < len(recordings):
        raise typer.Exit(EXIT_SOME_FAILED)


def _recogniser(settings: Settings, *, is_multichannel: bool) -> FileRecogniser:
    """Return a client of the server given by ``url``, else local workers.

    Raises:
        SetupError: The packages of local workers are missing.
        UnsupportedOption: This installation can't transcribe channels separately.
    """
    if settings.client.url:
        from auricle.cli.transcribe.remote import RemoteRecogniser

        return RemoteRecogniser(settings.client)
    try:
        from auricle.cli.transcribe.local import LocalRecogniser
        from auricle.files.registry import method_of
        from auricle.system.logs import configure_logging
    except ModuleNotFoundError as exc:
        raise SetupError(
            f"Set --url to transcribe with a server, or {INSTALL_SERVER}: "
            f"{exc.name} is not installed."
        ) from exc

    method_of(is_multichannel=is_multichannel)
    configure_logging("error")  # gaps are reported with the text
    return LocalRecogniser(settings)


async def _run(recogniser: FileRecogniser, recordings: list[_Recording], style: _Style) -> None:
    """Transcribe a few recordings concurrently; write results in the given order.

    If the call is cancelled, the results are written that would have waited for earlier ones.
    """
    limiter = anyio.CapacityLimiter(FILES_AT_ONCE)
    is_read = True
    unwritten = deque(recordings)
    async with recogniser:
        with FileProgressBars() as bars:

            def report(recording: _Recording) -> None:
                with bars.hidden():
                    _report_source(recording, style, is_one_of_several=len(recordings) > 1)

            async with anyio.create_task_group() as work:
                for recording in recordings:
                    if recording.problem:
                        recording.is_done.set()
                    else:
                        work.start_soon(_recognise, recogniser, recording, bars, limiter)
                try:
                    try:
                        while unwritten:
                            await unwritten[0].is_done.wait()
                            report(unwritten.popleft())
                    except anyio.get_cancelled_exc_class():
                        for recording in unwritten:
                            if recording.result is not None or recording.problem:
                                report(recording)
                        raise
                except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
                    is_read = False
                    work.cancel_scope.cancel()
    if not is_read:
        raise BrokenPipeError(errno.EPIPE, "the reader of the output closed the pipe")


async def _recognise(
    recogniser: FileRecogniser,
    recording: _Recording,
    bars: FileProgressBars,
    limiter: anyio.CapacityLimiter,
) -> None:
    async with limiter:
        bar = bars.open(recording.request.path.name)
        audio_s = None
        try:
            recording.result = await recogniser.recognise(recording.request, bar.advance)
            audio_s = recording.result.transcript.duration_samples / SAMPLE_RATE_HZ
        except AuricleError as exc:
            recording.problem = str(exc)
        finally:
            bar.close(audio_s)
            recording.is_done.set()


def _report_source(recording: _Recording, style: _Style, *, is_one_of_several: bool) -> None:
    """Write one recording's transcript, or its error."""
    path, result = recording.request.path, recording.result
    if result is not None and recording.target is not None:
        try:
            write(style.content(result, path), recording.target)
        except SetupError as exc:
            recording.problem = str(exc)
    if result is None or recording.problem:
        errors.print(f"{path}: {recording.problem}", style="red")
        return
    for gap in result.gaps:
        start_s, end_s = gap.start_sample / SAMPLE_RATE_HZ, gap.end_sample / SAMPLE_RATE_HZ
        line = f"{path}: {start_s:.1f} to {end_s:.1f} s is missing ({gap.code})"
        errors.print(line, style="yellow")
    for warning in result.warnings:
        errors.print(f"{path}: {warning}", style="yellow")
    if recording.target is None:
        title = (
            f"==> {path} <==\n" if is_one_of_several and style.format is OutputFormat.TEXT else ""
        )
        typer.echo(title + style.text(result, path), nl=False)
