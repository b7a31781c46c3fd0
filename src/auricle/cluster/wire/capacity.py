"""The capacity report of a recogniser, served at ``GET /v1/capacity``. No I/O."""

import math
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from auricle.errors import RemoteProtocolError
from auricle.transcriber import Stats, WorkerStats

MAX_WORKERS = 1024
MAX_CAPACITY_BYTES = MAX_WORKERS * 4096
"""A crash's stack takes a few hundred bytes."""
MAX_ID_CHARS = 100
MAX_NUMBER = 2.0**53
"""Floats up to this represent all integers exactly."""
STATES = frozenset({"starting", "ready", "busy", "backing_off", "stopping"})


class Capacity(msgspec.Struct, frozen=True):
    """Sum over the replicas behind one URL; fields of later versions are ignored.

    Attributes:
        id: Identity of the replicas, the same at all of their URLs, so that a gateway counts them
            once. Empty if unknown.
        replicas: Number of replicas.
        ready: Number of replicas that are ready.
        workers: Number of workers of all replicas that are ready or busy.
        waiting_audio_s: Waiting audio, in seconds.
        running_audio_s: Running audio, in seconds.
        max_audio_s: Maximum waiting audio of the ready replicas, in seconds.
        seconds_per_audio_s: Worker seconds for one second of audio; 0 before any work.
        worker_list: Each worker, as shown by ``/health``.
    """

    replicas: int
    ready: int
    workers: int
    waiting_jobs: int
    running_jobs: int
    waiting_audio_s: float
    running_audio_s: float
    max_audio_s: float
    seconds_per_audio_s: float
    model: str
    done: int = 0
    failed: int = 0
    retried: int = 0
    refused: int = 0
    poison: int = 0
    replaced: int = 0
    worker_list: tuple[WorkerStats, ...] = ()
    id: str = ""


_decoder: msgspec.json.Decoder[Capacity] = msgspec.json.Decoder(Capacity)
_encoder = msgspec.json.Encoder()


def capacity_of(replicas: Mapping[str, Stats], *, id: str = "") -> Capacity:
    """Return the sum over replicas; worker IDs are prefixed with the name of their replica."""
    stats = list(replicas.values())
    ready = [figures for figures in stats if figures.ready]
    speeds = [figures.seconds_per_audio_s for figures in ready or stats]
    workers = tuple(
        replace(worker, id=f"{name}{worker.id}")
        for name, figures in replicas.items()
        for worker in figures.workers
    )
    return Capacity(
        replicas=len(stats),
        ready=len(ready),
        workers=sum(worker.state in ("ready", "busy") for worker in workers),
        waiting_jobs=sum(figures.waiting_jobs for figures in stats),
        running_jobs=sum(figures.running_jobs for figures in stats),
        waiting_audio_s=sum(figures.waiting_audio_s for figures in stats),
        running_audio_s=sum(figures.running_audio_s for figures in stats),
        max_audio_s=sum(figures.max_audio_s for figures in ready),
        seconds_per_audio_s=sum(speeds) / len(speeds) if speeds else 0.0,
        model=next((figures.model for figures in (*ready, *stats) if figures.model), ""),
        done=sum(figures.done for figures in stats),
        failed=sum(figures.failed for figures in stats),
        retried=sum(figures.retried for figures in stats),
        refused=sum(figures.refused for figures in stats),
        poison=sum(figures.poison for figures in stats),
        replaced=sum(figures.replaced for figures in stats),
        worker_list=workers,
        id=id,
    )


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
        capacity = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError("malformed capacity report") from exc
    numbers = (v for v in msgspec.structs.astuple(capacity) if isinstance(v, int | float))
    if not all(math.isfinite(number) and 0 <= number < MAX_NUMBER for number in numbers):
        raise RemoteProtocolError("number out of range in capacity report")
    workers = capacity.worker_list
    if any(len(name) > MAX_ID_CHARS for name in (capacity.id, *(worker.id for worker in workers))):
        raise RemoteProtocolError("name too long in capacity report")
    if len(workers) > MAX_WORKERS or any(worker.state not in STATES for worker in workers):
        raise RemoteProtocolError("invalid workers in capacity report")
    return capacity
