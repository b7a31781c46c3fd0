"""The attacks: each runs until it is cancelled."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from tests.resilience.attacks.attacker import Attacker, form

Attack = Callable[[Attacker, bytes], Coroutine[Any, Any, None]]
"""It gets a WAV of two seconds, too."""

FORM_PATH = "/v1/audio/transcriptions"
EMPTY_TEXTS = 3_900_000
"""In JSON: nearly 12 MB, the limit of recordings of voices."""
COMMAS = 255_000
"""Nearly the limit of all other fields."""
JSON_BYTES = 24_900_000
"""Nearly the limit of a JSON body."""


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
    async with asyncio.TaskGroup() as group:
        for _ in range(60):
            group.create_task(attacker.hold("/utterance", "application/json", JSON_BYTES, content))


def attack_for(name: str, url: str, key: str, wav: bytes, seconds: float) -> dict[str, int]:
    """Attack a server for some seconds; return the number of answers by status."""
    attacker = Attacker(url, key)

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ATTACKS[name](attacker, wav)

    asyncio.run(run())
    return dict(attacker.answers)


ATTACKS: Mapping[str, Attack] = {
    "millions of empty voices": voices_in_json,
    "lists of commas": commas,
    "unfinished JSON": unfinished_json,
}
