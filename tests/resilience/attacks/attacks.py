"""The attacks: each runs until it is cancelled."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import websockets

from auricle.values.types import SAMPLE_RATE_HZ, FrameCodec
from bench.lib.posting import WAV_PATH, WAV_TYPE
from tests.resilience.attacks.attacker import Attacker, form
from tests.support.compressed import encoded
from tests.support.containers import tag_bomb

Run = Callable[[Attacker, bytes], Coroutine[Any, Any, None]]
"""It gets a WAV of two seconds, too."""

FORM_PATH = "/v1/audio/transcriptions"
EMPTY_TEXTS = 3_900_000
"""In JSON: nearly 12 MB, the limit of recordings of voices."""
COMMAS = 255_000
"""Nearly the limit of all other fields."""
JSON_BYTES = 24_900_000
"""Nearly the limit of a JSON body."""
FILE_BYTES = 9_000_000
"""More than an utterance: such a body needs a slot for files."""
SLOW_BYTES_PER_S = 17_000
SILENCE_S = 30
JOB_S = 600


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, and what the holder of another key does meanwhile.

    Attributes:
        run: Attacks until cancelled.
        other: ``utterance`` sends a WAV of two seconds, ``file`` a silent one of five minutes,
            ``job`` the first one as a job, and ``transcript`` reads a short transcript.
    """

    run: Run
    other: Literal["utterance", "file", "job", "transcript"] = "utterance"


async def voices_in_json(attacker: Attacker, wav: bytes) -> None:
    """Send a list of millions of empty recordings in OpenAI's form, three at a time."""
    texts = b"[" + b'"",' * (EMPTY_TEXTS - 1) + b'""]'
    ask = partial(attacker.ask, FORM_PATH, *form({"known_speaker_references[]": texts}, wav))
    await attacker.repeat(3, ask)


async def commas(attacker: Attacker, wav: bytes) -> None:
    """Send lists with nothing but commas in OpenAI's form, eight at a time."""
    ask = partial(attacker.ask, FORM_PATH, *form({"keywords[]": b"," * COMMAS}, wav))
    await attacker.repeat(8, ask)


async def unfinished_json(attacker: Attacker, wav: bytes) -> None:
    """Send 60 large JSON bodies up to their last kilobyte, and then a byte a second."""
    start = b'{"audio_format": "pcm16", "audio": "'
    content = start + b"A" * (JSON_BYTES - len(start) - 1000)
    hold = partial(
        attacker.hold, "/utterance", "application/json", JSON_BYTES, content, content[-1:]
    )
    await attacker.repeat(60, hold)


async def silent_files(attacker: Attacker, wav: bytes) -> None:
    """Send small FLACs of silence, 20 at a time: each costs decoding and no recognition."""
    flac = encoded(np.zeros(SILENCE_S * SAMPLE_RATE_HZ, np.int16), FrameCodec.FLAC)
    await attacker.repeat(20, partial(attacker.ask, "/utterance", "audio/flac", flac))


async def header_bombs(attacker: Attacker, wav: bytes) -> None:
    """Send Matroska files whose tags take minutes to read, four at a time."""
    await attacker.repeat(4, partial(attacker.ask, "/utterance", "video/webm", tag_bomb()))


async def subtitles(attacker: Attacker, wav: bytes) -> None:
    """Request the subtitles of an hour in 24 connections, and those of 35 hours in another."""
    async with asyncio.TaskGroup() as group:
        for uid, times in (("hour", 24), ("day", 1)):
            ask = partial(attacker.ask, f"/v1/transcripts/{uid}?format=srt", None)
            group.create_task(attacker.repeat(times, ask))


async def slow_files(attacker: Attacker, wav: bytes) -> None:
    """Send the bodies of 16 files at 17 kB/s each."""
    part = bytes(SLOW_BYTES_PER_S)
    hold = partial(attacker.hold, "/utterance", WAV_TYPE, FILE_BYTES, wav[:44] + part, part)
    await attacker.repeat(16, hold)


async def many_jobs(attacker: Attacker, wav: bytes) -> None:
    """Send short jobs, four at a time, and never delete one."""
    await attacker.repeat(4, partial(attacker.ask, f"{WAV_PATH}&wait=0", WAV_TYPE, wav))


async def long_jobs(attacker: Attacker, wav: bytes) -> None:
    """Start 24 jobs of ten minutes of speech, and follow each in twenty streams of events."""
    speech = np.tile(np.frombuffer(wav[44:], np.int16), JOB_S // 2)
    flac = encoded(speech, FrameCodec.FLAC)
    async with asyncio.TaskGroup() as group:
        for _ in range(24):
            answer = await attacker.ask("/utterance?wait=0&language=en", "audio/flac", flac)
            if answer is not None and answer.status == 202:
                path = f"/jobs/{json.loads(answer.content)['job_id']}/events"
                group.create_task(attacker.repeat(20, partial(attacker.follow, path)))


async def readers(attacker: Attacker, wav: bytes) -> None:
    """Read a silent live session in 1500 streams."""
    url = f"{attacker.url.replace('http', 'ws', 1)}/v1/stream?format=pcm16"
    headers = {"authorization": f"Bearer {attacker.key}"}
    async with websockets.connect(url, additional_headers=headers) as stream:
        session = json.loads(await stream.recv())["session"]
        async with asyncio.TaskGroup() as group:
            follow = partial(attacker.follow, f"/v1/sessions/{session}/events")
            group.create_task(attacker.repeat(1500, follow))
            while True:
                await stream.send(bytes(2 * SAMPLE_RATE_HZ))
                await asyncio.sleep(1)


def attack_for(name: str, url: str, key: str, wav: bytes, seconds: float) -> dict[str, int]:
    """Attack a server for some seconds; return the number of answers by status."""
    attacker = Attacker(url, key)

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ATTACKS[name].run(attacker, wav)

    asyncio.run(run())
    return dict(attacker.answers)


ATTACKS: Mapping[str, Attack] = {
    "millions of empty voices": Attack(voices_in_json),
    "lists of commas": Attack(commas),
    "unfinished JSON": Attack(unfinished_json),
    "silent FLACs": Attack(silent_files, "file"),
    "header bombs": Attack(header_bombs, "file"),
    "subtitles of hours": Attack(subtitles, "transcript"),
    "slow files": Attack(slow_files, "file"),
    "many jobs": Attack(many_jobs, "job"),
    "long jobs and their events": Attack(long_jobs, "job"),
    "readers of a session": Attack(readers),
}
