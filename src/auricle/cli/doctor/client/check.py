"""Try a server as a program does, from the URL that is configured in the program."""

import ipaddress
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from auricle.audio.opus import find_libopus
from auricle.cli.doctor.client.catalogue import find_client
from auricle.cli.doctor.client.live import send_command, stream_speech
from auricle.cli.doctor.client.sample import SpeechSample, speech_sample
from auricle.cli.doctor.client.transport import shown_url
from auricle.cli.doctor.client.upload import send_file
from auricle.cli.support.finding import Finding, Level
from auricle.config.settings import Settings
from auricle.protocol.client_profile import ClientProfile, Commands, Stream, Upload

NO_KEY = "none"
"""Programs require a key; a server without keys accepts any."""


def try_client(settings: Settings, name: str, url: str, limit_s: float) -> Iterator[Finding]:
    """Send speech to a server as a program does; blocks.

    Args:
        settings: All settings, for the key.
        name: Name of the program.
        url: The URL that is configured in it.
        limit_s: Longest wait for an answer of the server, in seconds.

    Returns:
        What was found. The program can't use the server if one of the findings is ``WRONG``.

    Raises:
        SetupError: There is no such program, or no usable libopus.
    """
    profile = find_client(name)
    sample = speech_sample(find_libopus(settings.decode.libopus))
    key = settings.client.api_key
    yield Finding("client", Level.OK, f"{profile.title}, as of {profile.version}")
    url = url.rstrip("/")
    problem = url_problem(profile, url)
    if problem is not None:
        yield problem
    if problem is None or problem.level is not Level.WRONG:
        secret = NO_KEY if key is None else key.get_secret_value()
        yield from _send(profile, url, secret, sample, limit_s)


def _send(
    profile: ClientProfile, url: str, key: str, sample: SpeechSample, limit_s: float
) -> Iterable[Finding]:
    match profile.traffic:
        case Upload() as upload:
            return send_file(profile, upload, url, key, sample, limit_s)
        case Stream() as stream:
            return stream_speech(profile, stream, url, key, sample, limit_s)
        case Commands() as commands:
            return send_command(profile, commands, url, sample, limit_s)


def url_problem(profile: ClientProfile, url: str) -> Finding | None:
    """Return what is wrong with a URL, if anything.

    Args:
        profile: The program.
        url: The URL that is configured in it.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in _schemes(profile) and parts.hostname and parts.port != 0
    except ValueError:  # a port out of range or an incomplete IPv6 address
        is_address = False
    if not is_address:
        advice = f"Use a URL such as {profile.url}."
        return Finding("address", Level.WRONG, "this is not the URL of a server", advice)
    if profile.runs_in_container and _is_loopback(parts.hostname or ""):
        advice = "In a container, 127.0.0.1 is the container: use an address of this machine there."
        return Finding(
            "address", Level.WARNING, f"{shown_url(url)} is for this machine only", advice
        )
    return None


def _schemes(profile: ClientProfile) -> tuple[str, ...]:
    match profile.traffic:
        case Upload():
            return ("http", "https")
        case Stream():
            return ("ws", "wss", "http", "https")
        case Commands():
            return ("tcp",)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
