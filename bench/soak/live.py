"""Live streams that last for the whole run, and streams that start and end."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import numpy as np

from auricle.client import Disconnected, Failed, LiveClient, Warned
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError
from auricle.values.events import Final
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

CHUNK_SAMPLES = SAMPLE_RATE_HZ * 60 // 1000
ALIGN_SAMPLES = 2560
"""A multiple of the voice detector's window (512) and of a packet (320), so that each repetition
has the same position in both."""
SESSION_S = (60.0, 300.0)
MIN_SESSION_S = 5.0
PLAIN = StreamParameters(language="en")
"""No session starts if less time than this is left."""
PAUSE_S = (0.5, 5.0)
SAME_WITHIN_SAMPLES = SAMPLE_RATE_HZ // 2
"""A final that starts this close to one of the second turn is the same utterance."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class ReceivedFinal:
    """A final: its arrival, its delay after the last sample, and its position."""

    at_s: float
    delay_s: float
    start_sample: int
    end_sample: int
    is_failed: bool


@dataclass(slots=True)
class Stream:
    """One live session."""

    turn_samples: int
    """Length of the speech that is repeated."""
    finals: list[ReceivedFinal] = field(default_factory=list)
    spoken_s: float = 0.0
    reconnects: int = 0
    warnings: int = 0
    failure: str | None = None
    is_in_order: bool = True


def aligned(pcm: Pcm16) -> Pcm16:
    """Return speech cut to a length that allows exact repetition."""
    return pcm[: pcm.size - pcm.size % ALIGN_SAMPLES]


async def speak(
    url: str,
    pcm: Pcm16,
    seconds: float,
    stream: Stream,
    since: float,
    parameters: StreamParameters = PLAIN,
) -> None:
    """Send speech, repeated, in real time, and receive until the last final.

    Args:
        url: The server.
        pcm: The speech that is repeated.
        seconds: How long.
        stream: Receives the results.
        since: Monotonic time from which times are counted.
        parameters: Of the session.
    """
    try:
        async with (
            LiveClient(url, parameters) as client,
            anyio.create_task_group() as group,
        ):
            began_at = time.monotonic()
            group.start_soon(_send, client, pcm, seconds, began_at, stream)
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


async def _send(
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
    if stream.finals and final.start_sample < stream.finals[-1].end_sample:
        stream.is_in_order = False
    delay_s = now - began_at - final.end_sample / SAMPLE_RATE_HZ
    stream.finals.append(
        ReceivedFinal(
            now - since, delay_s, final.start_sample, final.end_sample, final.error is not None
        )
    )


async def start_and_end(
    url: str,
    pcm: Pcm16,
    until: float,
    streams: list[Stream],
    seed: int,
    since: float,
    parameters: StreamParameters = PLAIN,
) -> None:
    """Run sessions of one to five minutes, one after another, until a time."""
    chance = random.Random(seed)
    while (left_s := until - time.monotonic()) > MIN_SESSION_S:
        stream = Stream(pcm.size)
        streams.append(stream)
        seconds = min(left_s, chance.uniform(*SESSION_S))
        await speak(url, pcm, seconds, stream, since, parameters)
        await anyio.sleep(chance.uniform(*PAUSE_S))


def drifts(stream: Stream) -> Iterator[tuple[float, int]]:
    """Yield the time and the offset in samples of each repeated utterance.

    Later turns are compared with the second one; before the first one there is no audio.
    """
    turn = stream.turn_samples
    positions = np.array(
        [final.start_sample % turn for final in stream.finals if final.start_sample // turn == 1]
    )
    if not positions.size:
        return
    for final in stream.finals:
        if final.start_sample < 2 * turn:
            continue
        offsets = final.start_sample % turn - positions
        nearest = int(offsets[np.abs(offsets).argmin()])
        if abs(nearest) < SAME_WITHIN_SAMPLES:
            yield final.start_sample / SAMPLE_RATE_HZ, nearest
