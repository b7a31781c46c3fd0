"""``auricle live``: captions of a microphone or a recording, from a server, while it is spoken."""

import asyncio
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import EXIT_INTERRUPTED
from auricle.cli.live_record import LiveRecord
from auricle.cli.live_source import FileSource, MicrophoneSource, Source
from auricle.cli.live_stream import LiveStream
from auricle.cli.options import setting
from auricle.cli.output import Format, check_target
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
from auricle.client import ClientRules, LiveClient
from auricle.config import Settings, variable
from auricle.errors import AuricleError, SetupError, Unauthorized, Unreachable
from auricle.protocol.native.stream import MAX_ENDPOINT_MS, MIN_ENDPOINT_MS, StreamParameters
from auricle.protocol.subtitle_layout import USUAL, SubtitleLimits
from auricle.types import Task

FILE_AHEAD_S = 40.0
"""A recording waits for its server, so no more of it is read ahead."""
MIC_IDLE = "Listening; Ctrl-C ends it."


def live(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A recording to play: wav flac mp3 m4a ogg webm."),
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone.")] = False,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Play as fast as the server takes it, not as it was spoken."),
    ] = False,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="What to write. [dim]\\[text, or -o's ending][/]"),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A file, kept up to date: .txt, .json, .srt or .vtt. [dim]\\[stdout][/]",
        ),
    ] = None,
    language: Language = None,
    task: TaskChoice = Task.TRANSCRIBE,
    word_timestamps: WordTimestamps = False,
    max_line_width: MaxLineWidth = USUAL.max_line_width,
    max_lines: MaxLines = USUAL.max_lines,
    prompt: Prompt = None,
    hotwords: Hotwords = None,
    endpoint_ms: Annotated[
        int,
        typer.Option(
            min=MIN_ENDPOINT_MS,
            max=MAX_ENDPOINT_MS,
            help="So many milliseconds of silence end an utterance.",
        ),
    ] = 500,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            help=f"The server. [dim]\\[{variable('url')}, http://127.0.0.1:6007][/]",
            show_default=False,
        ),
    ] = None,
    api_key: Annotated[str | None, setting("api_key")] = None,
    outage_buffer_s: Annotated[float | None, setting("outage_buffer_s")] = None,
) -> None:
    """Show captions of a microphone (--mic), or of a recording while it plays.

    A server has to run: [bold]auricle serve[/] starts one. Then [bold]auricle live talk.mp3[/], or
    [bold]auricle live --mic -o captions.srt[/].

    Words that are firm are bold, guesses are dim; each finished utterance becomes a line. In a pipe
    there are only those lines. Lost connections and restarts of the server cost no word.

    Ctrl-C ends the speech, and what was said so far is still written down; a second one leaves at
    once.
    """
    settings = Settings.load({"url": url, "api_key": api_key, "outage_buffer_s": outage_buffer_s})
    written_as, target = _destination(file, output, output_format)
    known, possible = languages_of(language)
    parameters = StreamParameters(
        language=known,
        languages=possible,
        task=task,
        prompt=prompt,
        hotwords=words_of(hotwords),
        endpoint_ms=endpoint_ms,
        word_timestamps=word_timestamps or written_as.is_subtitles,
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
        record = LiveRecord(client, written_as, target, limits)
        idle = MIC_IDLE if file is None else f"{file.name} plays; Ctrl-C ends it."
        stream = LiveStream(client, source, record, idle)
        try:
            asyncio.run(stream.run())
        except KeyboardInterrupt:  # where a signal can't be waited for
            stream.interrupts = 2
    if stream.is_unread:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # Python flushes it when it ends
        raise typer.Exit(1)
    if stream.interrupts > 1 and (gap := client.unfinished) is not None:
        record.add(gap)
    if stream.problem is None or not record.is_empty:
        record.finish()
    if stream.problem is not None:
        raise _advised(stream.problem)
    if stream.interrupts > (1 if mic else 0):  # one is the usual end of listening
        raise typer.Exit(EXIT_INTERRUPTED)


def _rules(max_kept_s: float) -> ClientRules:
    """Return rules that wait for a server at least as long as audio is kept."""
    return ClientRules(max_kept_s=max_kept_s, patience_s=max(ClientRules().patience_s, max_kept_s))


def _destination(
    file: Path | None, output: str | None, wanted: Format | None
) -> tuple[Format, Path | None]:
    """Return what is to be written, and where; a file's ending says what, unless it is given.

    The name of a format in the place of a file means stdout.

    Raises:
        SetupError: It can't be written there, and so much the better if that is known beforehand.
    """
    if output is None:
        return wanted or Format.TEXT, None
    endings = {"txt": Format.TEXT} | {known.value: known for known in Format}
    if output in endings:
        return wanted or endings[output], None
    target = Path(output)
    check_target(file, target)
    return wanted or endings.get(target.suffix.removeprefix(".").lower(), Format.TEXT), target


def _source(file: Path | None, mic: bool, fast: bool) -> Source:
    if (file is None) is not mic:
        raise SetupError("Give a recording to play, or --mic; one of the two.")
    if file is None:
        return MicrophoneSource()
    return FileSource(file, is_fast=fast)


def _advised(problem: AuricleError) -> AuricleError:
    """Return an error that also says what to do at the command line."""
    match problem:
        case Unreachable():
            return SetupError(f"{problem} `auricle serve` starts a server; --url names another.")
        case Unauthorized():
            return SetupError(
                f"The server wants a key that it knows: --api-key, or {variable('api_key')}."
            )
        case _:
            return problem
