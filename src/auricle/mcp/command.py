"""``auricle mcp``: the Model Context Protocol on standard input and output."""

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.support.server import key_of, url_of
from auricle.cli.support.server_commands import ApiKey, ServerUrl
from auricle.client.api.connection import Connection
from auricle.config.settings import Settings
from auricle.mcp import REQUIREMENT
from auricle.values.errors import SetupError

TIMEOUT_S = 60.0
PATIENCE_S = 15.0
"""Time for which a busy or restarting server is asked again: agents wait for a minute at most."""


class _Server(Connection):
    """The server; a tool may wait for it."""

    may_wait = True


def mcp(
    recordings: Annotated[
        Path | None,
        typer.Option(
            "--recordings",
            metavar="FOLDER",
            help="Also let the agent have recordings below this folder transcribed.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Let an agent read the transcripts, jobs and live sessions of a server.

    The agent's program starts this command and speaks the Model Context Protocol with it, on
    standard input and output. The server needs no setting for it. The agent sees what the key
    sees. It changes nothing, unless --recordings names a folder.
    """
    import anyio

    settings = Settings.load({"url": url, "api_key": api_key})
    connection = _Server(
        url_of(settings), key_of(settings.client), timeout_s=TIMEOUT_S, patience_s=PATIENCE_S
    )
    anyio.run(_serve, connection, recordings)


async def _serve(connection: _Server, recordings: Path | None) -> None:
    try:
        from mcp.server.stdio import stdio_server
    except ImportError:
        raise SetupError(f"auricle mcp requires mcp. Run: pip install '{REQUIREMENT}'") from None
    from auricle.mcp.recordings import file_tool
    from auricle.mcp.server import server_of

    server = server_of(connection, () if recordings is None else (file_tool(recordings),))
    try:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        await connection.aclose()
