"""The capacity report of a recogniser, served at ``GET /v1/capacity``. No I/O."""

import math
from collections.abc import Mapping
from dataclasses import astuple, replace

import msgspec

from auricle.errors import RemoteProtocolError
from auricle.transcriber import Counters, QueueStats, Stats, total
from auricle.workers.process.framing import decode

MAX_WORKERS = 1024
MAX_CAPACITY_BYTES = MAX_WORKERS * 4096
"""A crash's stack takes a few hundred bytes."""
MAX_ID_CHARS = 100
MAX_NUMBER = 2.0**53
"""Floats up to this represent all integers exactly."""


class Capacity(msgspec.Struct, frozen=True):
    """Sum over the replicas behind one URL; fields of later versions are ignored.

    Attributes:
        id: Identity of the replicas, the same at all of their URLs, so that a gateway counts them
            once. Empty if unknown.
        replicas: Number of replicas.
        ready: Number of replicas that are ready.
        stats: Statistics of all replicas together; the maximum waiting audio is that of those that
            are ready.
    """

    replicas: int
    ready: int
    stats: Stats
    id: str = ""


_decoder: msgspec.json.Decoder[Capacity] = msgspec.json.Decoder(Capacity)
_encoder = msgspec.json.Encoder()


def capacity_of(replicas: Mapping[str, Stats], *, id: str = "") -> Capacity:
    """Return the sum over replicas; worker IDs are prefixed with the name of their replica."""
    ready = [stats for stats in replicas.values() if stats.ready]
    speeds = [stats.seconds_per_audio_s for stats in ready or replicas.values()]
    queue = total(QueueStats, (stats.queue for stats in replicas.values()))
    total_stats = Stats(
        workers=tuple(
            replace(worker, id=f"{name}{worker.id}")
            for name, stats in replicas.items()
            for worker in stats.workers
        ),
        ready=bool(ready),
        queue=replace(queue, max_audio_s=sum(stats.queue.max_audio_s for stats in ready)),
        jobs=total(Counters, (stats.jobs for stats in replicas.values())),
        replaced=sum(stats.replaced for stats in replicas.values()),
        model=next((stats.model for stats in (*ready, *replicas.values()) if stats.model), ""),
        seconds_per_audio_s=sum(speeds) / len(speeds) if speeds else 0.0,
    )
    return Capacity(len(replicas), len(ready), total_stats, id)


def pack_capacity(capacity: Capacity) -> bytes:
    """Encode a capacity report."""
    return _encoder.encode(capacity)


def parse_capacity(body: bytes) -> Capacity:
    """Parse a capacity report.

    Raises:
        RemoteProtocolError: The body is not a valid capacity report.
    """
    if len(body) > MAX_CAPACITY_BYTES:
        raise RemoteProtocolError("capacity report too long")
    try:
        capacity = decode(_decoder, body)
    except msgspec.DecodeError as exc:
        raise RemoteProtocolError("malformed capacity report") from exc
    stats, workers = capacity.stats, capacity.stats.workers
    numbers = (
        *(capacity.replicas, capacity.ready, stats.replaced, stats.seconds_per_audio_s),
        *(*astuple(stats.queue), *astuple(stats.jobs)),
    )
    if not all(math.isfinite(number) and 0 <= number < MAX_NUMBER for number in numbers):
        raise RemoteProtocolError("number out of range in capacity report")
    if any(len(name) > MAX_ID_CHARS for name in (capacity.id, *(worker.id for worker in workers))):
        raise RemoteProtocolError("name too long in capacity report")
    if len(workers) > MAX_WORKERS:
        raise RemoteProtocolError("too many workers in capacity report")
    return capacity
