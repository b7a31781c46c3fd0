"""Aggregate the latest reports of all recognisers of a gateway. No I/O, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from auricle.cluster.gateway.ejection import Ejection
from auricle.cluster.wire.capacity import Capacity
from auricle.cluster.wire.model_totals import total_models
from auricle.values.errors import AuricleError, Overloaded, RateLimited, RequestError, Superseded
from auricle.values.transcriber import (
    Counters,
    ModelState,
    ModelStats,
    QueueStats,
    Stats,
    WorkerState,
    WorkerStats,
    total,
)


def count(counters: Counters, error: AuricleError) -> None:
    """Count an error of a job of this gateway, by the same rules as a pool."""
    match error:
        case Overloaded() | RateLimited():
            counters.refused += 1
        case Superseded() | RequestError():
            pass
        case _:
            counters.failed += 1


@dataclass(frozen=True, slots=True)
class NodeView:
    """One recogniser URL: its name and its ejection state."""

    name: str
    ejection: Ejection

    @property
    def id(self) -> str:
        """Identity of the recogniser, which is the same at all of its URLs."""
        capacity = self.ejection.capacity
        return capacity.id if capacity is not None and capacity.id else f"\0{self.name}"

    @property
    def models(self) -> tuple[ModelStats, ...]:
        """Its models by the latest report, the default first; kept while it is ejected."""
        capacity = self.ejection.capacity
        return () if capacity is None else capacity.stats.models

    def serves(self, model: str) -> bool:
        """Return whether it has a model.

        Each has a default, which an empty name means: recognisers may be known while none of them
        has reported its models yet.
        """
        return not model or any(each.name == model for each in self.models)

    def is_model_ready(self, model: str) -> bool:
        """Return whether a model that it has is loaded there."""
        states = [each.state for each in self.models if each.name == model]
        return not states or states[0] in (ModelState.READY, ModelState.RESTARTING)


@dataclass(frozen=True, slots=True)
class ModelCapacity:
    """What the recognisers that are not ejected have for one model."""

    ready_workers: int
    seconds_per_audio_s: float
    queue: QueueStats


def model_capacity(views: Sequence[NodeView], model: str) -> ModelCapacity:
    """Return the capacity for a model; that of recognisers without a list counts for all."""
    workers, speeds, queues = 0, list[float](), [QueueStats()]
    for view, capacity in _distinct(views):
        stats = capacity.stats
        parts: list[ModelStats | Stats] = [each for each in view.models if each.name == model]
        for part in parts if view.models else [stats]:
            workers += part.ready_workers
            queues.append(part.queue)
            if part.seconds_per_audio_s:
                speeds.append(part.seconds_per_audio_s)
    return ModelCapacity(
        workers, sum(speeds) / len(speeds) if speeds else 0.0, total(QueueStats, queues)
    )


def fleet_models(views: Sequence[NodeView]) -> tuple[ModelStats, ...]:
    """Return the models of all recognisers, also of ejected ones, the default first.

    The default is that of the first recogniser with a report, in the order of the URLs.
    """
    present = {view.name: capacity.stats.models for view, capacity in _distinct(views)}
    tables = []
    for view in views:
        if view.ejection.is_out:
            tables.append([_lost(model) for model in view.models])
        elif view.name in present:
            tables.append(list(present[view.name]))
    return total_models(tables)


def _lost(model: ModelStats) -> ModelStats:
    return ModelStats(model.name, ModelState.RESTARTING, traits=model.traits)


def fleet_stats(views: Sequence[NodeView]) -> Stats:
    """Return the sum over the recognisers that are not ejected, with the work of all gateways."""
    reports = [capacity.stats for _, capacity in _distinct(views)]
    latest = [view.ejection.capacity.stats for view in views if view.ejection.capacity is not None]
    speeds = [stats.seconds_per_audio_s for stats in reports if stats.seconds_per_audio_s]
    return Stats(
        workers=(*_workers(views), *_missing(views)),
        ready=any(view.ejection.is_usable for view in views),
        queue=total(QueueStats, (stats.queue for stats in reports)),
        jobs=total(Counters, (stats.jobs for stats in reports)),
        replaced=sum(stats.replaced for stats in reports),
        model=next((stats.model for stats in (*reports, *latest) if stats.model), ""),
        seconds_per_audio_s=sum(speeds) / len(speeds) if speeds else 0.0,
        models=fleet_models(views),
    )


def stats_of(
    views: Sequence[NodeView], counters: Counters, *, reserved_audio_s: float, is_open: bool
) -> Stats:
    """Return the statistics of all recognisers together, as this gateway reports them.

    Jobs and reservations are those of this gateway, so that they can be summed over gateways.
    """
    fleet = fleet_stats(views)
    return replace(
        fleet,
        ready=fleet.ready and is_open,
        queue=replace(fleet.queue, reserved_audio_s=reserved_audio_s),
        jobs=replace(counters),
    )


def _distinct(views: Sequence[NodeView]) -> Iterator[tuple[NodeView, Capacity]]:
    """Yield each recogniser that is not ejected once, with the latest report from any URL."""
    newest: dict[str, tuple[NodeView, Capacity]] = {}
    for view in sorted(views, key=lambda view: view.ejection.reported_at):
        if view.ejection.capacity is not None and not view.ejection.is_out:
            newest[view.id] = view, view.ejection.capacity
    yield from sorted(newest.values(), key=lambda pair: pair[0].name)


def _workers(views: Sequence[NodeView]) -> Iterator[WorkerStats]:
    names = {view.id: view.name for view in reversed(views)}  # the first of several URLs
    for view, capacity in _distinct(views):
        for worker in capacity.stats.workers:
            yield replace(worker, id=f"{names[view.id]}/{worker.id}")


def _missing(views: Sequence[NodeView]) -> Iterator[WorkerStats]:
    """Yield one placeholder for the workers behind each ejected URL."""
    for view in views:
        if view.ejection.is_out:
            has_reported = view.ejection.capacity is not None
            state = WorkerState.BACKING_OFF if has_reported else WorkerState.STARTING
            yield WorkerStats(view.name, None, state, 0, 0, 0, None)
