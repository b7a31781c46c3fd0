"""``auricle live``: live captions of a microphone or a recording, from a server."""

import asyncio
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.live.record import LiveRecord
from auricle.cli.live.source import AudioSource, FileSource, MicrophoneSource
from auricle.cli.live.stream import LiveStream
from auricle.cli.support.console import EXIT_INTERRUPTED
from auricle.cli.support.output import (
    OutputFormat,
    check_stdout,
    check_supported,
    check_target,
    chosen_format,
)
from auricle.cli.support.setting_options import KEY_REQUIRED, server_url, setting
from auricle.cli.support.speech_options import (
    Hotwords,
    Language,
    MaxLines,
    MaxLineWidth,
    NumSpeakers,
    Prompt,
    ServerModel,
    Speakers,
    StrictLanguage,
    TaskChoice,
    Vocabulary,
    WordTimestamps,
    parse_languages,
    split_hotwords,
)
from auricle.client import ClientRules, LiveClient
from auricle.config.settings import Settings
from auricle.text.formats.base import USUAL, SubtitleLimits
from auricle.values.audio_formats import FILE_NAMES
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError, SetupError, Unauthorized, Unreachable
from auricle.values.limits import MAX_ENDPOINT_MS, MAX_MAX_LAG_S, MIN_ENDPOINT_MS, MIN_MAX_LAG_S
from auricle.values.types import Task

FILE_AHEAD_S = 40.0
"""Read-ahead of a recording, in seconds; reading waits for the server."""
MIC_IDLE = "Listening; press Ctrl-C to stop."


def live(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help=f"Recording to play: {FILE_NAMES}."),
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Caption the microphone.")] = False,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Play as fast as the server accepts, not in real time."),
    ] = False,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option(
            "--format", "-f", help="Output format. [dim]\\[from -o's suffix, else text][/]"
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Output file, updated continuously: .txt .json .srt .vtt .docx .md "
            "[dim]\\[stdout][/]",
        ),
    ] = None,
    model: ServerModel = None,
    language: Language = None,
    strict_language: StrictLanguage = False,
    task: TaskChoice = Task.TRANSCRIBE,
    word_timestamps: WordTimestamps = False,
    speakers: Speakers = False,
    num_speakers: NumSpeakers = None,
    max_line_width: MaxLineWidth = USUAL.max_line_width,
    max_lines: MaxLines = USUAL.max_lines,
    prompt: Prompt = None,
    hotwords: Hotwords = None,
    vocabulary: Vocabulary = "",
    endpoint_ms: Annotated[
        int | None,
        typer.Option(
            min=MIN_ENDPOINT_MS,
            max=MAX_ENDPOINT_MS,
            help="Silence that ends an utterance, in ms. [dim]\\[the server's setting][/]",
        ),
    ] = None,
    max_lag_s: Annotated[
        float | None,
        typer.Option(
            "--max-lag",
            metavar="SECONDS",
            min=MIN_MAX_LAG_S,
            max=MAX_MAX_LAG_S,
            help="Drop speech whose caption would come later than this; a line reports it. "
            "[dim]\\[the server's setting, usually: drop none][/]",
        ),
    ] = None,
    url: Annotated[str | None, server_url()] = None,
    api_key: Annotated[str | None, setting("api_key")] = None,
    outage_buffer_s: Annotated[float | None, setting("outage_buffer_s")] = None,
) -> None:
    """Show live captions of a microphone (--mic) or a recording.

    Requires a running server: start one with [bold]auricle serve[/]. Then run [bold]auricle live
    talk.mp3[/] or [bold]auricle live --mic -o captions.srt[/].

    Stable text is bold, unstable text is dim; each finished utterance becomes a line. Pipes receive
    only those lines. No speech is lost if the connection breaks or the server restarts.

    Ctrl-C stops the audio and waits for the remaining finals; a second Ctrl-C exits at once.
    """
    settings = Settings.load({"url": url, "api_key": api_key, "outage_buffer_s": outage_buffer_s})
    output_format, target = _destination(file, output, output_format)
    check_supported(output_format)
    speakers = speakers or num_speakers is not None or output_format is OutputFormat.RTTM
    single_language, languages = parse_languages(language)
    parameters = StreamParameters(
        model=model or "",
        language=single_language,
        languages=languages,
        strict_language=strict_language,
        task=task,
        prompt=prompt,
        hotwords=split_hotwords(hotwords),
        vocabulary=vocabulary,
        endpoint_ms=endpoint_ms,
        word_timestamps=word_timestamps or output_format.is_subtitles,
        speakers=speakers,
        num_speakers=num_speakers,
        max_lag_s=max_lag_s,
    )
    with closing(_source(file, mic, fast)) as source:
        key = settings.client.api_key
        client = LiveClient(
            settings.client.url or f"http://127.0.0.1:{settings.server.port}",
            parameters,
            api_key=None if key is None else key.get_secret_value(),
            rules=_rules(settings.client.outage_buffer_s if mic else FILE_AHEAD_S),
        )
        limits = SubtitleLimits(max_line_width, max_lines)
        name = "Live captions" if file is None else file.stem
        record = LiveRecord(client, output_format, target, limits, name)
        idle = MIC_IDLE if file is None else f"Playing {file.name}; press Ctrl-C to stop."
        stream = LiveStream(client, source, record, idle)
        try:
            asyncio.run(stream.run())
        except KeyboardInterrupt:  # where signals can't be awaited
            stream.interrupts = 2
    if stream.is_unread:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # Python flushes stdout at exit
        raise typer.Exit(1)
    if stream.interrupts > 1 and stream.is_connected and (gap := client.unfinished) is not None:
        record.add(gap)
    if stream.problem is None or not record.is_empty:
        record.finish()
    if stream.problem is not None:
        raise _advised(stream.problem)
    if stream.interrupts > (1 if mic else 0):  # one is the normal end of --mic
        raise typer.Exit(EXIT_INTERRUPTED)


def _rules(max_kept_s: float) -> ClientRules:
    """Return rules that wait for a server at least as long as audio is buffered."""
    return ClientRules(max_kept_s=max_kept_s, patience_s=max(ClientRules().patience_s, max_kept_s))


def _destination(
    file: Path | None, output: str | None, explicit_format: OutputFormat | None
) -> tuple[OutputFormat, Path | None]:
    """Return the output format and file; the name of a format instead of a file means stdout.

    Raises:
        SetupError: The file can't be written, or the format can't be printed; checked before the
            stream starts.
    """
    names = {name: each for each in OutputFormat for name in (each.value, each.suffix[1:])}
    if output is None or output in names:
        chosen = explicit_format or names.get(output or "", OutputFormat.TEXT)
        check_stdout(chosen)
        return chosen, None
    target = Path(output)
    check_target(file, target)
    return chosen_format(explicit_format, output), target


def _source(file: Path | None, mic: bool, fast: bool) -> AudioSource:
    if (file is None) is not mic:
        raise SetupError("Give either a recording to play or --mic.")
    if file is None:
        return MicrophoneSource()
    return FileSource(file, is_fast=fast)


def _advised(problem: AuricleError) -> AuricleError:
    """Return the error with advice for the command line."""
    match problem:
        case Unreachable():
            return SetupError(f"{problem} Start a server with `auricle serve`, or set --url.")
        case Unauthorized():
            return SetupError(KEY_REQUIRED)
        case _:
            return problem
