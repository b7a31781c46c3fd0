"""Speakers over a network that may fail: real clients of a real server with the scripted engine."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import numpy as np

from auricle.client import ClientRules, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.events import Final
from auricle.values.types import Pcm16
from tests.support.clips import CLIPS
from tests.support.poll import poll_until

SECOND = 16_000
STEP = SECOND // 5
LAG = 2 * SECOND  # how far the server may be behind the speech: it reports once a second
RULES = ClientRules(first_delay_s=0.05, max_delay_s=0.5, silence_s=0.4, keepalive_s=1.0)
ASKED = StreamParameters(language="en", prompt="scripted:sleep:0.3")
ORDERS = (("fellow.wav", "short.wav", "pair.wav"), ("pair.wav", "fellow.wav", "short.wav"))
Told = list[tuple[int, int, int, int, str, str | None]]
Fault = Callable[[], Awaitable[None]]


def speech(names: Sequence[str], seed: int) -> Pcm16:
    """Return clips with pauses between them, in a quiet room."""
    parts = [np.zeros(SECOND // 2, np.int16)]
    for name in names:
        parts += [CLIPS[name].pcm, np.zeros(SECOND, np.int16)]
    said = np.concatenate(parts)
    room = np.random.default_rng(seed).normal(0, 4, said.size)
    return np.clip(said + room, -32768, 32767).astype(np.int16)


SPEECHES = [speech(names, seed) for seed, names in enumerate(ORDERS)]


async def say(
    url: str,
    pcm: Pcm16,
    faults: Mapping[int, Fault] | None = None,
    asked: StreamParameters = ASKED,
) -> Told:
    """Send as fast as the server reads, and return its finals; faults occur at samples."""
    told: Told = []
    due = dict(faults or {})
    async with LiveClient(url, asked, rules=RULES) as client, anyio.create_task_group() as group:

        async def speak() -> None:
            for at in range(0, pcm.size, STEP):
                client.push(pcm[at : at + STEP])
                for sample in [sample for sample in due if sample <= at]:
                    await due.pop(sample)()
                await poll_until(lambda at=at: client.received_sample >= at - LAG)  # type: ignore[misc]
            client.finish()

        group.start_soon(speak)
        async for event in client:
            if isinstance(event, Final):
                span = event.start_sample, event.end_sample
                told.append((event.id, event.utterance, *span, event.text, event.error))
        assert client.dropped_samples == 0
    assert not due
    return told
