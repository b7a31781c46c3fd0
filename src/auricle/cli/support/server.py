"""A running server, as commands use it: its URL, key and errors."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec

from auricle.cli.support.setting_options import KEY_REQUIRED
from auricle.client.api.audio import open_audio
from auricle.client.api.blocking import run
from auricle.client.api.calls import MAX_PAGE, TRANSCRIPTION_LIMIT_S, Call, base_url
from auricle.client.api.connection import Connection
from auricle.client.api.http import BlockingTransport
from auricle.client.api.transport import TIMEOUT_S
from auricle.config.sections.client import ClientSettings
from auricle.config.settings import Settings
from auricle.values.errors import (
    AuricleError,
    NotFound,
    RequestError,
    SetupError,
    TokenExpired,
    Unauthorized,
    Unreachable,
)


class Server:
    """Requests to a server, one at a time; use it as a context manager.

    Responses are as the server sends them, since ``--json`` prints them.

    Args:
        settings: The settings with the URL; without one, it is the default port of this machine.

    Raises:
        SetupError: The URL or the certificates can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = url_of(settings)
        self._connection = Connection(
            self.url,
            key_of(settings.client),
            timeout_s=TIMEOUT_S,
            patience_s=0,
            transport=BlockingTransport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        run(self._connection.aclose())

    def send(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        audio: Path | None = None,
    ) -> bytes:
        """Return the body of the response to a request.

        Args:
            method: The HTTP method.
            path: Parts of the path; each is quoted.
            query: The query.
            json: The body.
            audio: A recording that is the body.

        Raises:
            SetupError: The server does not answer, or requires a key.
            NotFound: It does not have what the path names.
            RequestError: It refused the request or failed.
        """
        target = "/" + "/".join(quote(part, safe="") for part in path)
        recording = None if audio is None else open_audio(audio)
        limit_s = None if audio is None else TRANSCRIPTION_LIMIT_S
        call = Call(method, target, bytes, query or {}, json, recording, limit_s=limit_s)
        try:
            with request_errors(SetupError, NotFound, Unreachable):
                return run(self._connection.send(call))
        except Unreachable as error:
            raise unreachable(self.url) from error

    def document(self, method: str, *path: str, json: Mapping[str, object] | None = None) -> Any:
        """Return the JSON document of a response; arguments and errors are those of :meth:`send`.

        Raises:
            RequestError: The response is not JSON.
        """
        body = self.send(method, *path, json=json)
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise RequestError("The response is not from an Auricle server.") from error

    def pages(self, key: str, *path: str, query: Mapping[str, str], limit: int) -> Iterator[Any]:
        """Iterate over the items of a list, page by page.

        Args:
            key: The field of the response with the items.
            path: Parts of the path.
            query: The query of the first page.
            limit: Maximum number of items.

        Raises:
            AuricleError: As for :meth:`send`.
        """
        before: dict[str, str] = {}
        while limit > 0:
            size = {"limit": str(min(limit, MAX_PAGE))}
            body = self.send("GET", *path, query={**query, **before, **size})
            try:
                page = msgspec.json.decode(body)
                items, following = page[key], page["next"]
            except (msgspec.DecodeError, KeyError, TypeError) as error:
                raise RequestError("The response is not from an Auricle server.") from error
            yield from items
            if following is None:
                return
            limit -= len(items)
            before = {"before": str(following)}


def url_of(settings: Settings) -> str:
    """Return the URL in the settings; without one, it is the default port of this machine.

    Raises:
        SetupError: The URL is invalid.
    """
    return checked_url(settings.client.url or f"http://127.0.0.1:{settings.server.port}")


def checked_url(url: str) -> str:
    """Return a server's URL without a trailing slash.

    Raises:
        SetupError: The URL is invalid.
    """
    try:
        return base_url(url)
    except SetupError:
        raise SetupError(f"Invalid --url {url}; use a URL such as http://127.0.0.1:6007.") from None


def key_of(settings: ClientSettings) -> str | None:
    """Return the key in the settings."""
    return None if settings.api_key is None else settings.api_key.get_secret_value()


@contextlib.contextmanager
def request_errors(*passed_on: type[AuricleError]) -> Iterator[None]:
    """Add the code to errors of the server, for reports.

    Args:
        passed_on: Errors that stay as they are.

    Raises:
        SetupError: The server requires a key, or another one.
        RequestError: Any other error of the server.
    """
    try:
        yield
    except passed_on:
        raise
    except (Unauthorized, TokenExpired) as exc:
        raise SetupError(KEY_REQUIRED) from exc
    except AuricleError as exc:
        raise RequestError(f"{exc} ({exc.code})") from exc


def unreachable(url: str) -> SetupError:
    """Return the error for a server that does not answer."""
    return SetupError(
        f"No Auricle server answers at {url}: start one with `auricle serve`, or correct --url."
    )
