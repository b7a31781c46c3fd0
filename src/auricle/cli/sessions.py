"""``auricle sessions``: list live sessions, and share one with readers."""

import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from auricle.cli.support.console import results
from auricle.cli.support.server_commands import ApiKey, AsJson, ServerUrl, local_time, open_server
from auricle.errors import RequestError, SetupError

if TYPE_CHECKING:
    from auricle.cli.support.server import Server

_PATH = ("v1", "sessions")
MAX_HOURS = 24.0


def list_sessions(as_json: AsJson = False, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """List the live sessions of your key, the oldest first.

    Each line has the ID, the start in local time, the API and the number of readers.
    """
    with open_server(url, api_key) as server:
        for session in _sessions(server):
            if as_json:
                typer.echo(json.dumps(session, ensure_ascii=False))
                continue
            started = local_time(session["started_at"])
            results.print(f"{session['id']}  {started}  {session['source']}  {session['readers']}")


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
    an HLS playlist.
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
