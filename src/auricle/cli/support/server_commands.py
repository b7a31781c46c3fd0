"""What the commands share that show and delete what a server keeps: options, output, deletion."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auricle.cli.support.console import errors, results
from auricle.cli.support.output import (
    OutputFormat,
    check_stdout,
    check_target,
    chosen_format,
    write,
)
from auricle.cli.support.setting_options import server_url, setting
from auricle.config.settings import Settings
from auricle.values.errors import NotFound

if TYPE_CHECKING:
    from auricle.cli.support.server import Server

ServerUrl = Annotated[str | None, server_url()]
ApiKey = Annotated[str | None, setting("api_key")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of lines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print each line as JSON.")]
Format = Annotated[
    OutputFormat | None,
    typer.Option("--format", "-f", help="Output format. [dim]\\[from -o's suffix, else text][/]"),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Output file; default: stdout.")
]


def open_server(url: str | None, api_key: str | None) -> "Server":
    """Return the server that the options and settings name.

    Raises:
        SetupError: The URL or the certificates can't be used.
    """
    from auricle.cli.support.server import Server  # its HTTP client would delay other commands

    return Server(Settings.load({"url": url, "api_key": api_key}))


def print_list(
    found: Iterable[dict[str, Any]],
    header: str,
    line: Callable[[dict[str, Any]], str],
    *,
    as_json: bool,
) -> None:
    """Print what a server keeps, each on a line; nothing if the server refuses.

    Args:
        found: The objects, which may be requested as they are iterated.
        header: The first line.
        line: Returns the line of an object.
        as_json: Whether to print each object as JSON, without a header.
    """
    objects = iter(found)
    first = list(islice(objects, 1))
    if not as_json:
        results.print(header)
    for each in chain(first, objects):
        if as_json:
            print_json(each)
        else:
            results.print(line(each))


def print_json(found: dict[str, Any]) -> None:
    """Print an object of a list as JSON, on one line."""
    typer.echo(json.dumps(found, ensure_ascii=False))


def delete_each(server: "Server", ids: Iterable[str], *path: str) -> None:
    """Delete each of these from the server, and report it.

    Args:
        server: The server.
        ids: What to delete.
        path: Parts of the path before the ID.

    Raises:
        NotFound: The server doesn't have some of them; the others were deleted.
    """
    missing = []
    for id in ids:
        try:
            server.send("DELETE", *path, id)
        except NotFound as error:
            missing.append(f"{id}: {error}")
        else:
            errors.print(f"{id} was deleted.")
    if missing:
        raise NotFound("\n".join(missing))


def checked_format(output_format: OutputFormat | None, output: Path | None) -> OutputFormat:
    """Return the output format, and check in advance that the transcript can be written.

    Args:
        output_format: The explicit format, see :func:`.chosen_format`.
        output: The output file; ``None`` is stdout.

    Raises:
        SetupError: The file can't be written, or the format can't be printed.
    """
    chosen = chosen_format(output_format, None if output is None else str(output))
    if output is None:
        check_stdout(chosen)
    else:
        check_target(None, output)
    return chosen


def print_or_write(text: str | bytes, output: Path | None) -> None:
    """Write a transcript to a file, or to stdout without one.

    Raises:
        SetupError: The file can't be written.
    """
    if output is None:
        typer.echo(text, nl=False)
    else:
        write(text, output)


def duration_text(seconds: float) -> str:
    """Return a length as text: ``0:03:07``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def local_time(unix_s: float) -> str:
    """Return a time as local date and time."""
    return datetime.fromtimestamp(unix_s).isoformat(" ", "seconds")
