"""``auricle transcripts``: list, search, show and delete the transcripts that a server keeps."""

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from auricle.cli.support.console import results
from auricle.cli.support.output import OutputFormat
from auricle.cli.support.server_commands import (
    ApiKey,
    AsJson,
    Format,
    Limit,
    Output,
    ServerUrl,
    checked_format,
    delete_each,
    duration_text,
    local_time,
    open_server,
    print_json,
    print_list,
    print_or_write,
)

_PATH = ("v1", "transcripts")
EXIT_NOTHING_FOUND = 1

_Language = Annotated[str | None, typer.Option(metavar="CODE", help="Only this language.")]
_Source = Annotated[
    str | None,
    typer.Option(
        metavar="API",
        help="Only this API, such as native; job: jobs.",
    ),
]
_Since = Annotated[
    datetime | None, typer.Option(help="Only those that started at this local time or later.")
]
_Until = Annotated[
    datetime | None, typer.Option(help="Only those that started at this local time or earlier.")
]


def list_transcripts(
    language: _Language = None,
    source: _Source = None,
    since: _Since = None,
    until: _Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """List the kept transcripts of your key, the newest first.

    Each line has the ID, the start in local time, the length, the language and the API. The server
    keeps transcripts only with AURICLE_KEEP_TRANSCRIPTS=1. For programs, --json prints each
    transcript without a header.
    """
    query = _query(language, source, since, until)
    with open_server(url, api_key) as server:
        header = _line("id", "started", "length", "language", "api")
        transcripts = server.pages("transcripts", *_PATH, query=query, limit=limit)
        print_list(transcripts, header, _line_of, as_json=as_json)


def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS…", help="Words to find.")],
    language: _Language = None,
    source: _Source = None,
    since: _Since = None,
    until: _Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Search the kept transcripts of your key, the newest first.

    Finds segments that contain all words, in any order, regardless of case. Each line has the ID
    of the transcript, its start in local time, the position in the audio and the text. Then run
    [bold]auricle transcripts show ID[/].

    The exit code is 1 if nothing is found.
    """
    query = {"q": " ".join(words)} | _query(language, source, since, until)
    is_empty = True
    with open_server(url, api_key) as server:
        for match in server.pages("matches", *_PATH, query=query, limit=limit):
            is_empty = False
            if as_json:
                print_json(match)
                continue
            transcript, segment = match["transcript"], match["segment"]
            started = local_time(transcript["started_at"])
            position = duration_text(segment["start_ms"] / 1000)
            results.print(f"{transcript['id']}  {started}  {position}  {segment['text']}")
    if is_empty:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def show(
    transcript_id: Annotated[str, typer.Argument(metavar="ID", help="ID of the transcript.")],
    output_format: Format = None,
    output: Output = None,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Print a kept transcript as text, JSON, subtitles, Markdown or RTTM, or write a document."""
    chosen = checked_format(output_format, output)
    query = {"format": chosen.suffix.removeprefix(".")}
    with open_server(url, api_key) as server:
        body = server.send("GET", *_PATH, transcript_id, query=query)
    if chosen is OutputFormat.JSON:
        body = (json.dumps(json.loads(body), ensure_ascii=False, indent=2) + "\n").encode()
    print_or_write(body if chosen is OutputFormat.DOCX else body.decode(), output)


_Speaker = Annotated[int, typer.Argument(metavar="SPEAKER", min=1, help="Number, as in the text.")]


def name(
    transcript_id: Annotated[str, typer.Argument(metavar="ID", help="ID of the transcript.")],
    speaker: _Speaker,
    new_name: Annotated[str, typer.Argument(metavar="NAME", help="Name; empty removes it.")],
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Name a speaker of a kept transcript.

    [bold]auricle transcripts name ID 1 Ann[/] shows Ann instead of "Speaker 1" in all formats.
    """
    _change_speaker(url, api_key, transcript_id, speaker, {"name": new_name})


def merge(
    transcript_id: Annotated[str, typer.Argument(metavar="ID", help="ID of the transcript.")],
    speaker: _Speaker,
    into: Annotated[
        int, typer.Argument(metavar="INTO", min=1, help="Speaker who is the same person.")
    ],
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Merge a speaker of a kept transcript into another one; this can't be undone."""
    _change_speaker(url, api_key, transcript_id, speaker, {"merge_into": into - 1})


def _change_speaker(
    url: str | None, api_key: str | None, transcript_id: str, speaker: int, change: dict[str, Any]
) -> None:
    path = (*_PATH, transcript_id, "speakers", str(speaker - 1))
    with open_server(url, api_key) as server:
        for each in server.document("PATCH", *path, json=change)["speakers"]:
            results.print(f"{each['speaker'] + 1}  {each['name'] or '-'}", markup=False)


def delete(
    transcript_ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="IDs of the transcripts.")
    ],
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Delete kept transcripts from the server; this can't be undone.

    The others are still deleted if the server doesn't have one; the exit code is then 2.
    """
    with open_server(url, api_key) as server:
        delete_each(server, transcript_ids, *_PATH)


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


def _line_of(transcript: dict[str, Any]) -> str:
    return _line(
        transcript["id"],
        local_time(transcript["started_at"]),
        duration_text(transcript["ended_at"] - transcript["started_at"]),
        transcript["language"] or "-",
        transcript["source"],
    )


def _line(id: str, started: str, length: str, language: str, api: str) -> str:
    """Return a line of the list; IDs of the server have 32 characters."""
    return f"{id:<32}  {started:<19}  {length:>8}  {language:<8}  {api}"
