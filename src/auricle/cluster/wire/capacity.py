"""The capacity report of a recogniser, served at ``GET /v1/capacity``. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace

import msgspec

from auricle.cluster.wire.model_totals import total_models
from auricle.values.errors import RemoteProtocolError
from auricle.values.transcriber import (
    Counters,
    ModelStats,
    ModelTraits,
    QueueStats,
    Stats,
    WorkerExit,
    WorkerStats,
    total,
)
from auricle.workers.kinds.asr.codec import clean_text
from auricle.workers.process.stack_frames import MAX_STACK_FRAMES
from auricle.workers.wire.framing import decode

MAX_WORKERS = 1024
MAX_CAPACITY_BYTES = MAX_WORKERS * 4096
"""A crash's stack takes a few hundred bytes."""
MAX_MODELS = 256
MAX_LANGUAGES = 256
MAX_ID_CHARS = 100
MAX_TEXT_CHARS = 1000
"""A model's name, or a stack frame with its folder and file."""
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


class _RequiredQueue(msgspec.Struct, frozen=True):
    waiting_jobs: msgspec.Raw
    running_jobs: msgspec.Raw
    waiting_audio_s: msgspec.Raw
    running_audio_s: msgspec.Raw
    max_audio_s: msgspec.Raw


class _RequiredStats(msgspec.Struct, frozen=True):
    workers: msgspec.Raw
    ready: msgspec.Raw
    queue: _RequiredQueue
    model: msgspec.Raw
    seconds_per_audio_s: msgspec.Raw


class _Required(msgspec.Struct, frozen=True):
    """Fields without which a gateway would misjudge a recogniser; a dataclass fills them in."""

    stats: _RequiredStats


_required_decoder: msgspec.json.Decoder[_Required] = msgspec.json.Decoder(_Required)
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
        models=total_models(stats.models for stats in replicas.values()),
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
        decode(_required_decoder, body)
        capacity = decode(_decoder, body)
    except msgspec.DecodeError as exc:
        raise RemoteProtocolError("malformed capacity report") from exc
    stats, workers = capacity.stats, capacity.stats.workers
    if len(workers) > MAX_WORKERS:
        raise RemoteProtocolError("too many workers in capacity report")
    names = {model.name for model in stats.models}
    if len(stats.models) > MAX_MODELS or len(names) < len(stats.models) or "" in names:
        raise RemoteProtocolError("too many or ambiguous models in capacity report")
    # Compared, not converted: an integer of JSON has any length.
    if not all(0 <= number < MAX_NUMBER for number in _numbers(capacity)):
        raise RemoteProtocolError("number out of range in capacity report")
    workers = tuple(_cleaned(worker) for worker in workers)
    models = tuple(map(_cleaned_model, stats.models))
    stats = replace(stats, workers=workers, model=_text(stats.model), models=models)
    return msgspec.structs.replace(capacity, stats=stats, id=_text(capacity.id, MAX_ID_CHARS))


def _numbers(capacity: Capacity) -> Iterator[float]:
    stats = capacity.stats
    yield from (capacity.replicas, capacity.ready, stats.replaced, stats.seconds_per_audio_s)
    yield from (*astuple(stats.queue), *astuple(stats.jobs))
    for model in stats.models:
        yield from (model.workers, model.ready_workers, model.seconds_per_audio_s)
        yield from (*astuple(model.queue), *astuple(model.jobs))
        if model.traits is not None:
            yield from (model.traits.max_audio_s, model.traits.max_batch_jobs)
    for worker in stats.workers:
        yield from (worker.pid or 0, worker.restarts, worker.jobs_done, worker.rss_bytes)
        if worker.last_exit is not None:
            yield from (worker.last_exit.at, abs(worker.last_exit.code or 0))


def _cleaned(worker: WorkerStats) -> WorkerStats:
    last = worker.last_exit
    return replace(
        worker,
        id=_text(worker.id, MAX_ID_CHARS),
        model=_text(worker.model, MAX_ID_CHARS),
        last_exit=None if last is None else _cleaned_exit(last),
    )


def _cleaned_model(model: ModelStats) -> ModelStats:
    error = None if model.error is None else _text(model.error)
    traits = None if model.traits is None else _cleaned_traits(model.traits)
    return replace(model, name=_text(model.name, MAX_ID_CHARS), error=error, traits=traits)


def _cleaned_traits(traits: ModelTraits) -> ModelTraits:
    if len(traits.languages) > MAX_LANGUAGES:
        raise RemoteProtocolError("too many languages in capacity report")
    languages = tuple(_text(code, MAX_ID_CHARS) for code in traits.languages)
    return replace(traits, engine=_text(traits.engine, MAX_ID_CHARS), languages=languages)


def _cleaned_exit(last: WorkerExit) -> WorkerExit:
    if len(last.stack) > MAX_STACK_FRAMES:
        raise RemoteProtocolError("stack too long in capacity report")
    return replace(
        last,
        signal=None if last.signal is None else _text(last.signal),
        reason=_text(last.reason),
        stack=tuple(map(_text, last.stack)),
    )


def _text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return the text without control characters.

    Raises:
        RemoteProtocolError: It is too long.
    """
    if len(text) > max_chars:
        raise RemoteProtocolError("text too long in capacity report")
    return clean_text(text)
