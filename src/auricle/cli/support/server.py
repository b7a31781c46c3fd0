"""A running server, as commands use it: its URL, key, certificates and errors."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx2 as httpx
import msgspec

from auricle.client.api.failures import Problem
from auricle.client.api.transport import certificate_errors
from auricle.client.network import describe_failure
from auricle.config.settings import ClientSettings, Settings, variable
from auricle.errors import NotFound, RequestError, SetupError, Unauthorized

T = TypeVar("T")

TIMEOUT = httpx.Timeout(60, connect=10)
MAX_PAGE = 1000
"""Maximum number of items in one response."""


class Refusal(msgspec.Struct):
    """The body of a refused request."""

    error: Problem


class Server:
    """Requests to a server, one at a time; use it as a context manager.

    Args:
        settings: The settings with the URL; without one, it is the default port of this machine.

    Raises:
        SetupError: The URL or the certificates can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = url_of(settings)
        with certificate_errors():
            self._http = httpx.Client(
                base_url=self.url, headers=key_header(settings.client), timeout=TIMEOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        """Return the response to a request.

        Args:
            method: The HTTP method.
            path: Parts of the path; each is quoted.
            query: The query.
            json: The body.

        Raises:
            SetupError: The server does not answer, or requires a key.
            NotFound: It does not have what the path names.
            RequestError: It refused the request or failed.
        """
        target = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            response = self._http.request(method, target, params=query, json=json)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if response.is_success:
            return response
        reported = decoded(response, Refusal).error
        match response.status_code:
            case Unauthorized.http_status:
                raise SetupError(
                    f"The server requires a valid key: set --api-key or {variable('api_key')}."
                )
            case NotFound.http_status:
                raise NotFound(reported.message)
            case _:
                raise RequestError(f"{reported.message} ({reported.code})")

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
            response = self.send("GET", *path, query={**query, **before, **size})
            try:
                page = response.json()
                items, following = page[key], page["next"]
            except (ValueError, KeyError, TypeError) as error:
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
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # port out of range, or invalid IPv6 address
        is_address = False
    if not is_address:
        raise SetupError(f"Invalid --url {url}; use a URL such as http://127.0.0.1:6007.")
    return url.rstrip("/")


def key_header(settings: ClientSettings) -> dict[str, str]:
    """Return the header with the key, if there is one."""
    key = settings.api_key
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}


def unreachable(url: str, error: httpx.HTTPError) -> SetupError:
    """Return the error for a server that does not answer or can't be trusted."""
    cause: BaseException = error
    while (earlier := cause.__cause__ or cause.__context__) is not None:
        cause = earlier
    if isinstance(cause, ssl.SSLError):
        return SetupError(f"{url} can't be used: {describe_failure(cause)}.")
    return SetupError(
        f"No Auricle server answers at {url}: start one with `auricle serve`, or correct --url."
    )


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """Return the body of a response.

    Raises:
        RequestError: The body is not of this kind.
    """
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as exc:
        raise RequestError(
            f"the response (HTTP {response.status_code}) is not from an Auricle server"
        ) from exc
