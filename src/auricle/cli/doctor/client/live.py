"""Stream speech to a server as a program does."""

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

import anyio
import numpy as np
from websockets.exceptions import InvalidHandshake, InvalidStatus

from auricle.cli.doctor.client.connection import Connection, TcpConnection, WebSocketConnection
from auricle.cli.doctor.client.failure import busy, ignored_options, refusal, too_slow, unreachable
from auricle.cli.doctor.client.play import NO_ANSWER, Played, chunks_of, play
from auricle.cli.doctor.client.sample import SpeechSample
from auricle.cli.doctor.client.speech import speech_finding
from auricle.cli.doctor.client.transport import (
    MAX_RETRIES,
    program_headers,
    retry_after_s,
    uses_tls,
)
from auricle.cli.support.finding import Finding, Level
from auricle.protocol.client_profile import ClientProfile, Commands, Stream
from auricle.values.types import Pcm16

BYTES_PER_SAMPLE = 2
_WEB_SOCKET = {"http": "ws", "https": "wss"}


def stream_speech(
    profile: ClientProfile,
    stream: Stream,
    url: str,
    key: str,
    sample: SpeechSample,
    limit_s: float,
) -> Sequence[Finding]:
    """Stream speech over a WebSocket in real time; blocks.

    Args:
        profile: The program.
        stream: What it sends.
        url: The URL that is configured in it.
        key: Its key.
        sample: The speech.
        limit_s: Longest wait for the last text, in seconds.
    """
    return anyio.run(_stream_speech, profile, stream, url, key, sample, limit_s)


async def _stream_speech(
    profile: ClientProfile,
    stream: Stream,
    url: str,
    key: str,
    sample: SpeechSample,
    limit_s: float,
) -> Sequence[Finding]:
    address = stream_url(stream, url)
    subprotocols = [name.replace("{key}", key) for name in stream.subprotocols]
    shown = f"WebSocket {address.partition('?')[0]}"
    refusals = 0
    while True:
        try:
            connection = await WebSocketConnection.open(
                address, program_headers(profile, key), subprotocols
            )
            break
        except InvalidStatus as error:
            response = error.response
            delay_s = retry_after_s(response.status_code, response.headers)
            if delay_s is None or refusals == MAX_RETRIES:
                body = bytes(response.body or b"")
                return (refusal(profile, url, shown, response.status_code, body),)
            refusals += 1
            await anyio.sleep(delay_s)
        except (OSError, TimeoutError, InvalidHandshake, EOFError) as error:
            return (unreachable(profile, url, error, uses_tls=uses_tls(url)),)
    findings = [Finding("request", Level.OK, f"{shown}: connected")]
    if refusals:
        findings.append(busy(profile, refusals))
    findings.append(await _speak(profile, connection, stream, stream.silence_s, sample, limit_s))
    if (ignored := ignored_options(connection.headers)) is not None:
        findings.append(ignored)
    return findings


def stream_url(stream: Stream, url: str) -> str:
    """Return the URL of the WebSocket that a program opens for a configured URL."""
    parts = urlsplit(url)
    scheme = _WEB_SOCKET.get(parts.scheme, parts.scheme)
    query = urlencode(stream.query) or parts.query
    return urlunsplit((scheme, parts.netloc, parts.path + stream.path, query, ""))


def send_command(
    profile: ClientProfile, commands: Commands, url: str, sample: SpeechSample, limit_s: float
) -> Sequence[Finding]:
    """Send a spoken command over TCP in real time; blocks.

    Args:
        profile: The program.
        commands: What it sends.
        url: The address that is configured in it, as ``tcp://HOST:PORT``.
        sample: The speech.
        limit_s: Longest wait for the last text, in seconds.
    """
    return anyio.run(_send_command, profile, commands, url, sample, limit_s)


async def _send_command(
    profile: ClientProfile, commands: Commands, url: str, sample: SpeechSample, limit_s: float
) -> Sequence[Finding]:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    try:
        connection: Connection = await TcpConnection.open(*address)
        try:
            described = await play(
                connection, commands.describe(), [], 1.0, 0.0, commands.describe_limit_s
            )
        finally:
            await connection.aclose()
        if described.problem:
            return (_failed(described, f"Enter the host and port of a server: {profile.url[6:]}."),)
        found = Finding("services", Level.OK, described.text)
        connection = await TcpConnection.open(*address)
        return found, await _speak(profile, connection, commands, 0.0, sample, limit_s)
    except (OSError, TimeoutError) as error:
        return (unreachable(profile, url, error),)


async def _speak(
    profile: ClientProfile,
    connection: Connection,
    traffic: Stream | Commands,
    silence_s: float,
    sample: SpeechSample,
    limit_s: float,
) -> Finding:
    samples = sample.at_rate(traffic.rate_hz)
    silence: Pcm16 = np.zeros(int(silence_s * traffic.rate_hz), np.int16)
    chunk_s = traffic.chunk_ms / 1000
    pcm = np.concatenate([samples, silence]).astype("<i2").tobytes()
    chunks = chunks_of(pcm, int(traffic.rate_hz * chunk_s) * BYTES_PER_SAMPLE)
    try:
        played = await play(
            connection,
            traffic.script(),
            chunks,
            chunk_s,
            sample.seconds,
            limit_s,
            ends_by_close=isinstance(traffic, Stream) and traffic.ends_by_close,
        )
    finally:
        await connection.aclose()
    if played.problem == NO_ANSWER:
        return too_slow(profile, limit_s)
    if played.problem:
        return _failed(played, "The server's log has the reason.")
    figures = f"text {played.delay_s:.1f} s after the end of the speech"
    return speech_finding(sample.text, played.text, figures)


def _failed(played: Played, advice: str) -> Finding:
    return Finding("speech", Level.WRONG, played.problem, advice)
