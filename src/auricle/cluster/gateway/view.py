"""Aggregate the latest reports of all recognisers of a gateway. No I/O, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from auricle.cluster.gateway.admission import FleetCapacity
from auricle.cluster.gateway.ejection import Ejection
from auricle.cluster.wire.capacity import Capacity
from auricle.errors import AuricleError, Overloaded, RateLimited, RequestError, Superseded
from auricle.transcriber import Stats, WorkerStats
from auricle.workers.asr.scheduler import Counters


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


def fleet_capacity(seen: Sequence[NodeView]) -> FleetCapacity:
    """Return the sum over the recognisers that are not ejected."""
    told = [capacity for _, capacity in _distinct(seen)]
    speeds = [capacity.seconds_per_audio_s for capacity in told if capacity.seconds_per_audio_s]
    return FleetCapacity(
        workers=sum(capacity.workers for capacity in told),
        max_audio_s=sum(capacity.max_audio_s for capacity in told),
        waiting_audio_s=sum(capacity.waiting_audio_s for capacity in told),
        running_audio_s=sum(capacity.running_audio_s for capacity in told),
        seconds_per_audio_s=sum(speeds) / len(speeds) if speeds else 0.0,
    )


def stats_of(
    seen: Sequence[NodeView], counters: Counters, *, reserved_audio_s: float, is_open: bool
) -> Stats:
    """Return the statistics of all recognisers together.

    Workers, queues and speed include the work of all gateways. Job counters are those of this
    gateway, so that they can be summed over gateways.
    """
    known = fleet_capacity(seen)
    told = [capacity for _, capacity in _distinct(seen)]
    last = [each.ejection.capacity for each in seen if each.ejection.capacity is not None]
    return Stats(
        workers=(*_workers(seen), *_missing(seen)),
        ready=is_open and any(each.ejection.is_usable for each in seen),
        waiting_jobs=sum(capacity.waiting_jobs for capacity in told),
        running_jobs=sum(capacity.running_jobs for capacity in told),
        waiting_audio_s=known.waiting_audio_s,
        running_audio_s=known.running_audio_s,
        max_audio_s=known.max_audio_s,
        reserved_audio_s=reserved_audio_s,
        done=counters.done,
        failed=counters.failed,
        retried=counters.retried,
        refused=counters.refused,
        poison=counters.poison,
        replaced=sum(capacity.replaced for capacity in told),
        model=next((capacity.model for capacity in (*told, *last) if capacity.model), ""),
        seconds_per_audio_s=known.seconds_per_audio_s,
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
        for worker in capacity.worker_list:
            yield replace(worker, id=f"{names[each.id]}/{worker.id}")


def _missing(seen: Sequence[NodeView]) -> Iterator[WorkerStats]:
    """Yield one placeholder for the workers behind each ejected URL."""
    for each in seen:
        if each.ejection.is_out:
            state = "starting" if each.ejection.capacity is None else "backing_off"
            yield WorkerStats(each.name, None, state, 0, 0, 0, None)
