"""People who speak for long: live streams that last the whole time, and some that come and go."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import numpy as np

from auricle.client import Disconnected, Failed, LiveClient, Warned
from auricle.commands import StreamParameters
from auricle.errors import AuricleError
from auricle.events import Final
from auricle.types import SAMPLE_RATE_HZ, Pcm16

CHUNK_SAMPLES = SAMPLE_RATE_HZ * 60 // 1000
ALIGN_SAMPLES = 2560
"""A multiple of the detector's window (512) and of a packet (320): so each turn of a speech meets
both in the same place, and is heard as the first one was."""
SESSION_S = (60.0, 300.0)
MIN_SESSION_S = 5.0
"""With less left, no other one begins."""
PAUSE_S = (0.5, 5.0)
SAME_WITHIN_SAMPLES = SAMPLE_RATE_HZ // 2
"""A final whose start is so near to one of the first turn is the same utterance."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """A final: when it came, how long after its last sample was spoken, and where it lies."""

    at_s: float
    delay_s: float
    start_sample: int
    end_sample: int
    is_failed: bool


@dataclass(slots=True)
class Stream:
    """One live session from its first word to its last final."""

    turn_samples: int
    """How long the speech is that is said again and again."""
    told: list[Told] = field(default_factory=list)
    spoken_s: float = 0.0
    reconnects: int = 0
    warnings: int = 0
    failure: str | None = None
    is_in_order: bool = True


def aligned(pcm: Pcm16) -> Pcm16:
    """Return speech whose length lets it be said again and again."""
    return pcm[: pcm.size - pcm.size % ALIGN_SAMPLES]


async def speak(url: str, pcm: Pcm16, seconds: float, stream: Stream, since: float) -> None:
    """Say the same again and again at real-time pace, and listen until the last final.

    Args:
        url: The server.
        pcm: What is said, in full turns.
        seconds: For how long.
        stream: Where it is written down.
        since: Monotonic seconds that times count from.
    """
    try:
        async with (
            LiveClient(url, StreamParameters(language="en")) as client,
            anyio.create_task_group() as group,
        ):
            began_at = time.monotonic()
            group.start_soon(_say, client, pcm, seconds, began_at, stream)
            with anyio.fail_after(seconds + PATIENCE_S):
                async for event in client:
                    match event:
                        case Final():
                            _note(stream, event, began_at, since)
                        case Disconnected():
                            stream.reconnects += 1
                        case Warned() | Failed():
                            stream.warnings += 1
                        case _:
                            pass
    except* (AuricleError, TimeoutError) as group_of:
        stream.failure = repr(group_of.exceptions[0])


async def _say(
    client: LiveClient, pcm: Pcm16, seconds: float, began_at: float, stream: Stream
) -> None:
    for index in range(int(seconds * SAMPLE_RATE_HZ) // CHUNK_SAMPLES):
        at = index * CHUNK_SAMPLES
        due_at = began_at + (at + CHUNK_SAMPLES) / SAMPLE_RATE_HZ
        await anyio.sleep(max(0.0, due_at - time.monotonic()))
        client.push(pcm.take(range(at, at + CHUNK_SAMPLES), mode="wrap"))
        stream.spoken_s = (at + CHUNK_SAMPLES) / SAMPLE_RATE_HZ
    client.finish()


def _note(stream: Stream, final: Final, began_at: float, since: float) -> None:
    now = time.monotonic()
    if stream.told and final.start_sample < stream.told[-1].end_sample:
        stream.is_in_order = False
    delay_s = now - began_at - final.end_sample / SAMPLE_RATE_HZ
    stream.told.append(
        Told(now - since, delay_s, final.start_sample, final.end_sample, final.error is not None)
    )


async def come_and_go(
    url: str, pcm: Pcm16, until: float, streams: list[Stream], seed: int, since: float
) -> None:
    """Hold one session after the other until a time, of a minute to five each."""
    chance = random.Random(seed)
    while (left_s := until - time.monotonic()) > MIN_SESSION_S:
        stream = Stream(pcm.size)
        streams.append(stream)
        await speak(url, pcm, min(left_s, chance.uniform(*SESSION_S)), stream, since)
        await anyio.sleep(chance.uniform(*PAUSE_S))


def drifts(stream: Stream) -> Iterator[tuple[float, int]]:
    """Yield, for each utterance that came again, when and by how many samples it lay elsewhere.

    The second turn is what the others are compared with: the first begins in the middle of nothing.
    """
    turn = stream.turn_samples
    places = np.array(
        [told.start_sample % turn for told in stream.told if told.start_sample // turn == 1]
    )
    if not places.size:
        return
    for told in stream.told:
        if told.start_sample < 2 * turn:
            continue
        offsets = told.start_sample % turn - places
        nearest = int(offsets[np.abs(offsets).argmin()])
        if abs(nearest) < SAME_WITHIN_SAMPLES:
            yield told.start_sample / SAMPLE_RATE_HZ, nearest
