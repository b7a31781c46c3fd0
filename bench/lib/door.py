"""One API as :mod:`bench.doors` uses it: how speech is sent, and how the answer is read."""

import asyncio
import importlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from auricle.cli.bench.stream import Played, frame_of, framed, play_stream
from auricle.client.connection import open_websocket
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav
from bench.lib.report import ROOT

LIMIT_S = 120.0
BUSY = (503, 504)
CHUNK_S = 0.1
SAYS = "transcribed as spoken"
"""In the warning that the speech is in another language."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        port: Port of HTTP and WebSockets, on this machine.
        ports: Of APIs that have one, by their names.
    """

    port: int
    ports: dict[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an API returned.

    Attributes:
        text: The transcript.
        says: Whether a header or message says that the speech is in another language.
    """

    text: str
    says: bool


@dataclass(frozen=True, slots=True)
class Door:
    """An API.

    Attributes:
        name: As in the table.
        transcribe: Sends speech with the code of a language to a server, and returns the answer.
    """

    name: str
    transcribe: Callable[[Address, Pcm16, str], Answer]


def optional_doors() -> list[Door]:
    """Return those of optional APIs: ``DOORS`` in ``doors.py`` among the tests of each."""
    paths = sorted((ROOT / "tests/apis").glob("*/doors.py"))
    modules = [importlib.import_module(f"tests.apis.{path.parent.name}.doors") for path in paths]
    return [door for module in modules for door in module.DOORS]


def text_of(body: Json) -> str:
    """Return the text of a response in JSON."""
    return str(body["text"])


def of_file(
    path: str,
    field: str | None,
    server: Address,
    pcm: Pcm16,
    language: str,
    *,
    text: Callable[[Json], str] = text_of,
) -> Answer:
    """Post a WAV file, as a form with this field or as the body."""
    url, wav = f"http://127.0.0.1:{server.port}{path.format(language=language)}", as_wav(pcm)
    form = {"model": "whisper-1", "language": language, "response_format": "json"}
    upload: Json = (
        {"content": wav, "headers": {"content-type": "audio/wav"}}
        if field is None
        else {"files": {field: ("speech.wav", wav, "audio/wav")}, "data": form}
    )
    while (response := httpx2.post(url, timeout=LIMIT_S, **upload)).status_code in BUSY:
        time.sleep(float(response.headers.get("retry-after", 1)))
    response.raise_for_status()
    said = response.text + " ".join(response.headers.values())
    return Answer(text(response.json()), SAYS in said)


@dataclass(frozen=True, slots=True)
class Live:
    """A live API over a WebSocket.

    Attributes:
        url: Its URL, with ``{port}``, ``{ports[NAME]}`` and ``{language}``.
        ending: The messages after the audio.
        final: Returns the text of a final message; ``None`` for other messages.
        is_last: Whether a message is the last one.
        opening: Returns the message before the audio for a language; ``None``: there is none.
        framed: Returns the message with some samples.
        rate_hz: Sample rate.
        silence_s: Silence after the speech.
    """

    url: str
    ending: str
    final: Callable[[Json], str | None]
    is_last: Callable[[Json], bool]
    opening: Callable[[str], str] | None = None
    framed: Callable[[bytes], str | bytes] = bytes
    rate_hz: int = SAMPLE_RATE_HZ
    silence_s: float = 0.0


def chunks_of(pcm: Pcm16, rate_hz: int, silence_s: float) -> Iterator[bytes]:
    """Yield speech and silence in chunks."""
    samples = soxr.resample(pcm, SAMPLE_RATE_HZ, rate_hz) if rate_hz != SAMPLE_RATE_HZ else pcm
    samples = np.concatenate([samples, np.zeros(int(silence_s * rate_hz), np.int16)])
    step = int(rate_hz * CHUNK_S)
    for at in range(0, samples.size, step):
        yield samples[at : at + step].astype("<i2").tobytes()


async def opened(url: str) -> ClientConnection:
    """Return an open connection; a busy server is asked again."""
    while True:
        try:
            return await open_websocket(url, LIMIT_S)
        except InvalidStatus as error:
            if error.response.status_code not in BUSY:
                raise
            await asyncio.sleep(float(error.response.headers.get("Retry-After", 1)))


async def played(live: Live, url: str, pcm: Pcm16, language: str) -> Played:
    """Stream speech over a WebSocket."""
    connection = await opened(url)
    if live.opening is not None:
        await connection.send(live.opening(language))
    return await play_stream(
        connection,
        framed(map(live.framed, chunks_of(pcm, live.rate_hz, live.silence_s))),
        int(CHUNK_S * SAMPLE_RATE_HZ),
        LIMIT_S,
        ending=frame_of(live.ending),
        is_last=lambda text: live.is_last(json.loads(text)),
    )


def of_live(live: Live, server: Address, pcm: Pcm16, language: str) -> Answer:
    """Stream speech over a WebSocket, and return the finals."""
    url = live.url.format(port=server.port, ports=server.ports, language=language)
    messages = [text for _, text in asyncio.run(played(live, url, pcm, language)).received]
    finals = [live.final(json.loads(text)) for text in messages]
    return Answer(" ".join(filter(None, finals)), any(SAYS in text for text in messages))
