"""``auricle transcripts``: list, search, show and delete the transcripts that a server keeps."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auricle.cli.support.console import errors, results
from auricle.cli.support.output import OutputFormat, check_target, write
from auricle.cli.support.setting_options import server_url, setting
from auricle.config.settings import Settings
from auricle.errors import NotFound

if TYPE_CHECKING:
    from auricle.cli.support.server import Server

_PATH = ("v1", "transcripts")
EXIT_NOTHING_FOUND = 1

_Url = Annotated[str | None, server_url()]
_Key = Annotated[str | None, setting("api_key")]
_Language = Annotated[str | None, typer.Option(metavar="CODE", help="Only this language.")]
_Source = Annotated[
    str | None,
    typer.Option(
        metavar="API",
        help="Only this API: native, deepgram, openai-realtime or wyoming; job: background jobs.",
    ),
]
_Since = Annotated[
    datetime | None, typer.Option(help="Only those that started at this local time or later.")
]
_Until = Annotated[
    datetime | None, typer.Option(help="Only those that started at this local time or earlier.")
]
_Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of lines.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print each line as JSON.")]


def list_transcripts(
    language: _Language = None,
    source: _Source = None,
    since: _Since = None,
    until: _Until = None,
    limit: _Limit = 50,
    as_json: _AsJson = False,
    url: _Url = None,
    api_key: _Key = None,
) -> None:
    """List the kept transcripts of your key, the newest first.

    Each line has the ID, the start in local time, the length, the language and the API. The server
    keeps transcripts only with AURICLE_KEEP_TRANSCRIPTS=1.
    """
    query = _query(language, source, since, until)
    with _server(url, api_key) as server:
        for transcript in server.pages("transcripts", *_PATH, query=query, limit=limit):
            if as_json:
                _print_json(transcript)
            else:
                results.print(_line(transcript))


def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS…", help="Words to find.")],
    language: _Language = None,
    source: _Source = None,
    since: _Since = None,
    until: _Until = None,
    limit: _Limit = 50,
    as_json: _AsJson = False,
    url: _Url = None,
    api_key: _Key = None,
) -> None:
    """Search the kept transcripts of your key, the newest first.

    Finds segments that contain all words, in any order, regardless of case. Each line has the ID
    of the transcript, its start in local time, the position in the audio and the text. Then run
    [bold]auricle transcripts show ID[/].

    The exit code is 1 if nothing is found.
    """
    query = {"q": " ".join(words)} | _query(language, source, since, until)
    is_empty = True
    with _server(url, api_key) as server:
        for match in server.pages("matches", *_PATH, query=query, limit=limit):
            is_empty = False
            if as_json:
                _print_json(match)
                continue
            transcript, segment = match["transcript"], match["segment"]
            started = _local_time(transcript["started_at"])
            position = _duration(segment["start_ms"] / 1000)
            results.print(f"{transcript['id']}  {started}  {position}  {segment['text']}")
    if is_empty:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def show(
    transcript_id: Annotated[str, typer.Argument(metavar="ID", help="ID of the transcript.")],
    output_format: Annotated[
        OutputFormat, typer.Option("--format", "-f", help="Output format.")
    ] = OutputFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file; default: stdout.")
    ] = None,
    url: _Url = None,
    api_key: _Key = None,
) -> None:
    """Print a kept transcript as text, JSON or subtitles."""
    if output is not None:
        check_target(None, output)
    query = {"format": output_format.suffix.removeprefix(".")}
    with _server(url, api_key) as server:
        text = server.send("GET", *_PATH, transcript_id, query=query).text
    if output_format is OutputFormat.JSON:
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write(text, output)


def delete(
    transcript_ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="IDs of the transcripts.")
    ],
    url: _Url = None,
    api_key: _Key = None,
) -> None:
    """Delete kept transcripts from the server; this can't be undone.

    The others are still deleted if the server doesn't have one; the exit code is then 2.
    """
    missing = []
    with _server(url, api_key) as server:
        for transcript_id in transcript_ids:
            try:
                server.send("DELETE", *_PATH, transcript_id)
            except NotFound as error:
                missing.append(f"{transcript_id}: {error}")
            else:
                errors.print(f"{transcript_id} was deleted.")
    if missing:
        raise NotFound("\n".join(missing))


def _server(url: str | None, api_key: str | None) -> "Server":
    from auricle.cli.support.server import Server

    return Server(Settings.load({"url": url, "api_key": api_key}))


def _query(
    language: str | None, source: str | None, since: datetime | None, until: datetime | None
) -> dict[str, str]:
    """Return the query of a list or search; times without a zone are local."""
    fields = {
        "language": language,
        "source": source,
        "since": None if since is None else str(since.timestamp()),
        "until": None if until is None else str(until.timestamp()),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _line(transcript: dict[str, Any]) -> str:
    length = _duration(transcript["ended_at"] - transcript["started_at"])
    language = transcript["language"] or "-"
    started = _local_time(transcript["started_at"])
    return f"{transcript['id']}  {started}  {length}  {language:<3}  {transcript['source']}"


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _local_time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s).isoformat(" ", "seconds")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
