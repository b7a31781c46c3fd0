"""``auricle sessions``: list live sessions, share one with readers, and withdraw a link."""

import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import typer

from auricle.cli.support.console import errors
from auricle.cli.support.server_commands import (
    ApiKey,
    AsJson,
    ServerUrl,
    duration_text,
    local_time,
    open_server,
    print_list,
)
from auricle.values.errors import RequestError, SetupError

if TYPE_CHECKING:
    from auricle.cli.support.server import Server

_PATH = ("v1", "sessions")
MAX_HOURS = 24.0


def list_sessions(as_json: AsJson = False, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """List the live sessions of your key, the oldest first.

    Each line has the ID, the start in local time, the time since then, the API and the number of
    readers. For programs, --json prints each session without a header.
    """
    with open_server(url, api_key) as server:
        header = _line("id", "started", "length", "api", "readers")
        print_list(_sessions(server), header, _line_of, as_json=as_json)


def share(
    session_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="ID of the session; default: the only one.")
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0.1, max=MAX_HOURS, help="Time until the links expire, in hours.")
    ] = 2.0,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Print links that read a live session and nothing else, for people who don't have the key.

    The first is a page for a second screen or OBS; the others are server-sent events, WebVTT and
    an HLS playlist. [bold]auricle sessions withdraw LINK[/] ends all four before their time.
    """
    with open_server(url, api_key) as server:
        if session_id is None:
            session_id = _only(_sessions(server))
        ttl = {"ttl_s": int(hours * 3600)}
        token = server.document("POST", *_PATH, session_id, "token", json=ttl)["token"]
        of_reader = urlencode({"session": session_id, "token": token})
        typer.echo(f"{server.url}/reader#{of_reader}")
        for name in ("events", "captions.vtt", "captions.m3u8"):
            # `session` is for load balancers, which find the server of the session by it
            typer.echo(f"{server.url}/v1/sessions/{session_id}/{name}?{of_reader}")


def withdraw(
    link: Annotated[
        str, typer.Argument(metavar="LINK", help="A link of a reader, or its token alone.")
    ],
    session_id: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="ID",
            help="Session of a token; default: that of LINK, or the only.",
        ),
    ] = None,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Withdraw a link that reads a live session; its readers are disconnected.

    All links of one [bold]auricle sessions share[/] have the same token and end together. Other
    links to the session stay valid. Use quotes, since links have characters of the shell.
    """
    parts = urlsplit(link)
    fields = parse_qs(parts.query) | parse_qs(parts.fragment)
    [token] = fields.get("token", [link])[:1]
    with open_server(url, api_key) as server:
        if session_id is None:
            session_id = fields.get("session", [""])[0] or _only(_sessions(server))
        server.send("DELETE", *_PATH, session_id, "token", query={"token": token})
    errors.print("The link was withdrawn.")


def _line_of(session: dict[str, Any]) -> str:
    started_at = session["started_at"]
    return _line(
        session["id"],
        local_time(started_at),
        duration_text(max(time.time() - started_at, 0)),
        session["source"],
        str(session["readers"]),
    )


def _line(id: str, started: str, length: str, api: str, readers: str) -> str:
    """Return a line of the list; IDs have 24 characters, and more on a gateway."""
    return f"{id:<24}  {started:<19}  {length:>8}  {api:<15}  {readers:>7}"


def _sessions(server: "Server") -> list[dict[str, Any]]:
    try:
        sessions: list[dict[str, Any]] = server.document("GET", *_PATH)["sessions"]
    except (KeyError, TypeError) as error:
        raise RequestError("The response is not from an Auricle server.") from error
    return sessions


def _only(sessions: list[dict[str, Any]]) -> str:
    """Return the ID of the only session.

    Raises:
        SetupError: There is none, or more than one.
    """
    if not sessions:
        raise SetupError("There is no live session; start to speak first.")
    if len(sessions) > 1:
        raise SetupError(
            f"There are {len(sessions)} live sessions: give the ID of one of auricle sessions list."
        )
    id: str = sessions[0]["id"]
    return id
