"""Aggregate the latest reports of all recognisers of a gateway. No I/O, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from auricle.cluster.gateway.ejection import Ejection
from auricle.cluster.wire.capacity import Capacity
from auricle.errors import AuricleError, Overloaded, RateLimited, RequestError, Superseded
from auricle.transcriber import Counters, QueueStats, Stats, WorkerState, WorkerStats, total


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


def fleet_stats(seen: Sequence[NodeView]) -> Stats:
    """Return the sum over the recognisers that are not ejected, with the work of all gateways."""
    told = [capacity.stats for _, capacity in _distinct(seen)]
    last = [each.ejection.capacity.stats for each in seen if each.ejection.capacity is not None]
    speeds = [stats.seconds_per_audio_s for stats in told if stats.seconds_per_audio_s]
    return Stats(
        workers=(*_workers(seen), *_missing(seen)),
        ready=any(each.ejection.is_usable for each in seen),
        queue=total(QueueStats, (stats.queue for stats in told)),
        jobs=total(Counters, (stats.jobs for stats in told)),
        replaced=sum(stats.replaced for stats in told),
        model=next((stats.model for stats in (*told, *last) if stats.model), ""),
        seconds_per_audio_s=sum(speeds) / len(speeds) if speeds else 0.0,
    )


def stats_of(
    seen: Sequence[NodeView], counters: Counters, *, reserved_audio_s: float, is_open: bool
) -> Stats:
    """Return the statistics of all recognisers together, as this gateway reports them.

    Jobs and reservations are those of this gateway, so that they can be summed over gateways.
    """
    fleet = fleet_stats(seen)
    return replace(
        fleet,
        ready=fleet.ready and is_open,
        queue=replace(fleet.queue, reserved_audio_s=reserved_audio_s),
        jobs=replace(counters),
    )


def _distinct(seen: Sequence[NodeView]) -> Iterator[tuple[NodeView, Capacity]]:
    """Yield each recogniser that is not ejected once, with the latest report from any URL."""
    newest: dict[str, tuple[NodeView, Capacity]] = {}
    for each in sorted(seen, key=lambda each: each.ejection.told_at):
        if each.ejection.capacity is not None and not each.ejection.is_out:
            newest[each.id] = each, each.ejection.capacity
    yield from sorted(newest.values(), key=lambda found: found[0].name)


def _workers(seen: Sequence[NodeView]) -> Iterator[WorkerStats]:
    names = {each.id: each.name for each in reversed(seen)}  # the first of several URLs
    for each, capacity in _distinct(seen):
        for worker in capacity.stats.workers:
            yield replace(worker, id=f"{names[each.id]}/{worker.id}")


def _missing(seen: Sequence[NodeView]) -> Iterator[WorkerStats]:
    """Yield one placeholder for the workers behind each ejected URL."""
    for each in seen:
        if each.ejection.is_out:
            has_reported = each.ejection.capacity is not None
            state = WorkerState.BACKING_OFF if has_reported else WorkerState.STARTING
            yield WorkerStats(each.name, None, state, 0, 0, 0, None)
