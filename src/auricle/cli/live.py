"""``auricle live``: captions of a microphone or a recording, from a server, while it is spoken."""

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import anyio
import typer

from auricle.cli.captions import CaptionScreen, transcript_of
from auricle.cli.console import EXIT_INTERRUPTED
from auricle.cli.live_source import FileSource, MicrophoneSource, Source
from auricle.cli.options import setting
from auricle.cli.output import Format, render, write
from auricle.client import LiveClient
from auricle.config import Settings
from auricle.errors import AuricleError, SetupError
from auricle.events import Final
from auricle.groups import first_error
from auricle.languages import LANGUAGES
from auricle.longform import FileTranscript
from auricle.protocol.native import MAX_ENDPOINT_MS, MIN_ENDPOINT_MS, StreamParameters
from auricle.types import Task


def live(
    file: Annotated[
        Path | None, typer.Argument(help="A recording to play: wav flac mp3 m4a ogg webm.")
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone.")] = False,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="What to write. [dim]\\[text, or -o's ending][/]"),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="A file: .txt, .json, .srt or .vtt; else stdout."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Its code, as [bold]en[/]; without it, it is detected.")
    ] = None,
    task: Annotated[
        Task, typer.Option(help="Write what is said, or translate it to English.")
    ] = Task.TRANSCRIBE,
    word_timestamps: Annotated[
        bool, typer.Option("--word-timestamps", help="Times of words, in JSON.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="Text that came before, for names and style.")
    ] = None,
    hotwords: Annotated[
        str | None, typer.Option(help="Words to expect, separated by commas.")
    ] = None,
    endpoint_ms: Annotated[
        int,
        typer.Option(
            min=MIN_ENDPOINT_MS, max=MAX_ENDPOINT_MS, help="So much silence ends an utterance."
        ),
    ] = 500,
    fast: Annotated[
        bool, typer.Option("--fast", help="Play as fast as the server takes it.")
    ] = False,
    url: Annotated[str | None, setting("url")] = None,
    api_key: Annotated[str | None, setting("api_key")] = None,
) -> None:
    """Show captions of a microphone (--mic), or of a recording while it plays.

    Words that are firm are bold, guesses are dim; each finished utterance becomes a line. Lost
    connections and restarts of the server cost no word.

    Ctrl-C ends the speech, and what was said so far is still written down; a second one leaves at
    once.
    """
    settings = Settings.load({"url": url, "api_key": api_key})
    parameters = StreamParameters(
        language=_language(language),
        task=task,
        prompt=prompt,
        hotwords=tuple(word for raw in (hotwords or "").split(",") if (word := raw.strip())),
        endpoint_ms=endpoint_ms,
        word_timestamps=word_timestamps,
    )
    written_as, target = _destination(output, output_format)
    source = _source(file, mic, fast)
    key = settings.client.api_key
    client = LiveClient(
        settings.client.url or f"http://127.0.0.1:{settings.server.port}",
        parameters,
        api_key=None if key is None else key.get_secret_value(),
    )
    stream = _Stream(client, source, is_written=written_as is Format.TEXT and target is None)
    asyncio.run(stream.run())
    if stream.finals or stream.problem is None:
        _write(transcript_of(stream.finals, client.received_sample), written_as, target)
    if stream.problem is not None:
        raise stream.problem
    if stream.interrupts > (1 if mic else 0):  # one is the usual end of listening
        raise typer.Exit(EXIT_INTERRUPTED)


def _language(code: str | None) -> str | None:
    if code in (None, "auto"):
        return None
    if code not in LANGUAGES:
        raise SetupError(f"There is no language {code!r}; codes are like en, de, fr or zh.")
    return code


def _destination(output: str | None, wanted: Format | None) -> tuple[Format, Path | None]:
    """Return what is to be written, and where; a file's ending says what, unless it is given.

    The name of a format in the place of a file means stdout.
    """
    if output is None:
        return wanted or Format.TEXT, None
    endings = {"txt": Format.TEXT} | {known.value: known for known in Format}
    if output in endings:
        return wanted or endings[output], None
    target = Path(output)
    return wanted or endings.get(target.suffix.removeprefix(".").lower(), Format.TEXT), target


def _source(file: Path | None, mic: bool, fast: bool) -> Source:
    if (file is None) is not mic:
        raise SetupError("Give a recording to play, or --mic; one of the two.")
    if file is None:
        return MicrophoneSource()
    return FileSource(file, is_fast=fast)


def _write(heard: FileTranscript, written_as: Format, target: Path | None) -> None:
    """Write all that was said, unless it stands on stdout line by line already."""
    if target is not None:
        write(render(heard, written_as), target)
    elif written_as is not Format.TEXT:
        typer.echo(render(heard, written_as), nl=False)


@dataclass
class _Stream:
    """One stream from its source to the screen."""

    client: LiveClient
    source: Source
    is_written: bool
    finals: list[Final] = field(default_factory=list)
    interrupts: int = 0
    problem: AuricleError | None = None

    _playing: anyio.CancelScope | None = None

    async def run(self) -> None:
        """Play, and show what comes, to the end; an error ends it and is kept."""
        try:
            with CaptionScreen(is_written=self.is_written) as screen:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._heed_signals, tasks.cancel_scope)
                    await self._caption(screen)
                    tasks.cancel_scope.cancel()
        except* AuricleError as group:
            error = first_error(group)
            assert isinstance(error, AuricleError)
            self.problem = error

    async def _caption(self, screen: CaptionScreen) -> None:
        async with self.client, anyio.create_task_group() as tasks:
            self._playing = anyio.CancelScope()
            tasks.start_soon(self._play, self._playing)
            async for event in self.client:
                if isinstance(event, Final):
                    self.finals.append(event)
                screen.show(event)
            tasks.cancel_scope.cancel()

    async def _play(self, until: anyio.CancelScope) -> None:
        with until:
            await self.source.play(self.client)
        self.client.finish()

    async def _heed_signals(self, everything: anyio.CancelScope) -> None:
        """End the speech at the first Ctrl-C, and everything at the second."""
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                self.interrupts += 1
                if self.interrupts == 1 and self._playing is not None:
                    self._playing.cancel()
                else:
                    self.interrupts = max(2, self.interrupts)
                    everything.cancel()
