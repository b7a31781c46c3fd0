"""What both clients' HTTP connections share: construction, and failures of the network."""

import contextlib
import os
import ssl
from collections.abc import Iterator

import httpx2 as httpx

from auricle.client.network import describe_failure
from auricle.values.errors import AuricleError, SetupError, Unreachable

CONNECT_LIMIT_S = 10.0
TIMEOUT_S = 60.0
"""Default of the longest silence of the server within a request, in seconds."""
POOL_LIMIT_S = 900.0
"""Longest wait for one of a client's connections, in seconds: many uploads at once wait here."""
PATIENCE_S = 60.0
"""Default of the time for which a busy or restarting server is asked again, in seconds."""


def timeout_of(limit_s: float) -> httpx.Timeout:
    """Return the timeouts of a request, for a longest silence in seconds."""
    return httpx.Timeout(limit_s, connect=min(limit_s, CONNECT_LIMIT_S), pool=POOL_LIMIT_S)


@contextlib.contextmanager
def certificate_errors() -> Iterator[None]:
    """Translate the error of a client that can't read the certificates of the environment.

    Raises:
        SetupError: The certificates can't be read.
    """
    try:
        yield
    except OSError as exc:  # httpx reads the certificates at the start, even for http
        variables = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        raise SetupError(
            f"The certificates in SSL_CERT_FILE or SSL_CERT_DIR ({variables}) can't be read: "
            "correct or unset the variable."
        ) from exc


def is_cut_off(error: Unreachable) -> bool:
    """Return whether a connection was lost in the middle of a request."""
    cut_off = httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError
    return isinstance(error.__cause__, cut_off)


@contextlib.contextmanager
def network_errors(url: str) -> Iterator[None]:
    """Translate the errors of the network.

    Args:
        url: The server's URL.

    Raises:
        Unreachable: The server does not answer; a retry may succeed.
        SetupError: It can't be trusted.
    """
    try:
        yield
    except httpx.TransportError as exc:
        raise _network_error(url, exc) from exc


def _network_error(url: str, error: httpx.TransportError) -> AuricleError:
    if isinstance(error, httpx.ReadTimeout):
        return Unreachable(f"The server at {url} accepted the request, but did not answer in time.")
    cause: BaseException = error
    while (earlier := cause.__cause__ or cause.__context__) is not None:
        cause = earlier
    if isinstance(cause, ssl.SSLError):
        return SetupError(f"{url} can't be used: {describe_failure(cause)}.")
    reason = describe_failure(cause) if isinstance(cause, OSError) else type(error).__name__
    return Unreachable(f"No Auricle server answers at {url} ({reason}); is it running?")
