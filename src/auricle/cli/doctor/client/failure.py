"""Explain why a program can't use a server: a wrong address, key or model. No I/O."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from auricle.cli.doctor.client.transport import shown_url
from auricle.cli.support.finding import Finding, Level
from auricle.client.network import describe_failure
from auricle.config.section import variable
from auricle.protocol.client_profile import ClientProfile, KeyScheme
from auricle.protocol.ignored import WARNINGS_HEADER
from auricle.protocol.json_object import json_object

MAX_SHOWN_CHARACTERS = 200
_ENCRYPTED = {"http": "https", "ws": "wss"}
_UNENCRYPTED = {encrypted: plain for plain, encrypted in _ENCRYPTED.items()}


def expected_url(profile: ClientProfile, url: str) -> str:
    """Return the URL to configure in the program, for the server that a URL names."""
    given, usual = urlsplit(shown_url(url)), urlsplit(profile.url)
    return urlunsplit((given.scheme, given.netloc, usual.path, usual.query, ""))


def refusal(profile: ClientProfile, url: str, what: str, status: int, body: bytes) -> Finding:
    """Return the finding for a response that is not a success.

    Args:
        profile: The program.
        url: The URL that is configured in it.
        what: The request, for the reader.
        status: HTTP status.
        body: Body of the response.
    """
    code, message = reported_error(profile, body)
    text = f"{what}: HTTP {status}" + (f", {message}" if message else "")
    return Finding("request", Level.WRONG, text, _advice(profile, url, status, code))


def reported_error(profile: ClientProfile, body: bytes) -> tuple[str, str]:
    """Return the code and the message of an error response; empty if there are none.

    Args:
        profile: The program, for the names of its API's fields.
        body: Body of the response.
    """
    try:
        found = json_object(body)
    except ValueError:
        return "", ""
    error = found.get("error", found)
    values = [error.get(name) if isinstance(error, dict) else None for name in profile.error_fields]
    code, message = (value if isinstance(value, str) else "" for value in values)
    return code, message[:MAX_SHOWN_CHARACTERS]


def _advice(profile: ClientProfile, url: str, status: int, code: str) -> str:
    if status == 401 and profile.key is KeyScheme.BASIC:
        parts = urlsplit(url)
        return f"Enter the URL {parts.scheme}://:KEY@{parts.netloc.rpartition('@')[2]} with a key."
    if status == 401:
        return (
            f"Set --api-key or {variable('api_key')} to a key of the server for this check, and "
            f"enter the same key in {profile.title}."
        )
    if code == "model_not_found":
        return (
            f"Enter one of these models in {profile.title}, or set AURICLE_UNKNOWN_MODELS=default, "
            "so that unknown names mean the default model."
        )
    if code == "forbidden_origin":
        return f"Start the server with {variable('allowed_origins')}={profile.origin}."
    if status in (404, 405):
        expected = expected_url(profile, url)
        if expected == shown_url(url):
            return (
                "The server, or a proxy in front of it, does not serve this path. Start the server "
                f"with `{profile.command}`."
            )
        return f"Enter the URL {expected} in {profile.title}."
    if status in (429, 503):
        return "Try again in some seconds; `/health` shows what the server is waiting for."
    if status in (502, 504):
        return "A proxy in front of the server does not reach it."
    return ""


def unreachable(
    profile: ClientProfile, url: str, error: BaseException, *, uses_tls: bool = False
) -> Finding:
    """Return the finding for a server that does not answer.

    Args:
        profile: The program.
        url: The URL that is configured in it.
        error: Why the request failed.
        uses_tls: Whether a server at an unencrypted URL was found to use TLS.
    """
    cause = error
    while (earlier := cause.__cause__ or cause.__context__) is not None:
        cause = earlier
    url = shown_url(url)
    parts = urlsplit(url)
    if uses_tls:
        text, scheme = "the server uses TLS", _ENCRYPTED[parts.scheme]
    elif isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLCertVerificationError):
        text, scheme = "the server does not use TLS", _UNENCRYPTED[parts.scheme]
    else:
        reason = describe_failure(cause)
        return Finding("address", Level.WRONG, f"{url}: {reason}", _reach_advice(profile, cause))
    better = urlunsplit(parts._replace(scheme=scheme))
    advice = f"Enter the URL {better} in {profile.title}."
    return Finding("address", Level.WRONG, f"{url}: {text}", advice)


def _reach_advice(profile: ClientProfile, cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLError):
        return f"{profile.title} must trust the certificate too."
    if isinstance(cause, ConnectionRefusedError):
        return (
            f"Start the server with `{profile.command}`. By default it accepts connections from "
            f"this machine only: set {variable(profile.host_setting)} to accept others."
        )
    return "Check the host name, the port and firewalls."


def too_slow(profile: ClientProfile, limit_s: float) -> Finding:
    """Return the finding for a server that was reached and has not answered in time.

    Args:
        profile: The program.
        limit_s: The limit, in seconds.
    """
    advice = (
        "The server is slow, busy or hangs: see its `/health` and log, and choose a smaller "
        f"{variable('model')} on a slow machine. --timeout {5 * limit_s:g} waits longer, but "
        f"{profile.title} may give up before."
    )
    return Finding("response", Level.WRONG, f"no answer within {limit_s:g} s", advice)


def busy(profile: ClientProfile, refusals: int) -> Finding:
    """Return the finding for a server that was busy at first.

    Args:
        profile: The program.
        refusals: How often the server refused it.
    """
    times = "once" if refusals == 1 else f"{refusals} times"
    advice = f"{profile.title} may not try again: see `/health`, and the server's capacity."
    return Finding("load", Level.WARNING, f"the server was busy {times} before", advice)


def ignored_options(headers: Mapping[str, str]) -> Finding | None:
    """Return a finding with the options of a request that the server ignored."""
    warnings = headers.get(WARNINGS_HEADER)
    return None if warnings is None else Finding("options", Level.OK, warnings)
