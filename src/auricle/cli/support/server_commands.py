"""What the commands share that show and delete what a server keeps: options, output, deletion."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.support.console import errors
from auricle.cli.support.output import OutputFormat, write
from auricle.cli.support.setting_options import server_url, setting
from auricle.config.settings import Settings
from auricle.errors import NotFound

if TYPE_CHECKING:
    from auricle.cli.support.server import Server

ServerUrl = Annotated[str | None, server_url()]
ApiKey = Annotated[str | None, setting("api_key")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of lines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print each line as JSON.")]
Format = Annotated[OutputFormat, typer.Option("--format", "-f", help="Output format.")]
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


def print_or_write(text: str, output: Path | None) -> None:
    """Write a text to a file, or to stdout without one.

    Raises:
        SetupError: The file can't be written.
    """
    if output is None:
        typer.echo(text, nl=False)
    else:
        write(text, output)


def local_time(unix_s: float) -> str:
    """Return a time as local date and time."""
    return datetime.fromtimestamp(unix_s).isoformat(" ", "seconds")
