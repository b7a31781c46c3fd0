"""The models of several recognisers together."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from auricle.values.transcriber import Counters, ModelState, ModelStats, QueueStats, total

_BEST_FIRST = (
    ModelState.READY,
    ModelState.RESTARTING,
    ModelState.LOADING,
    ModelState.UNLOADED,
    ModelState.FAILED,
)


def total_models(tables: Iterable[Sequence[ModelStats]]) -> tuple[ModelStats, ...]:
    """Return the models of several recognisers together: each name once, in the first's order.

    A model's state is the best that it has anywhere.
    """
    by_name: dict[str, list[ModelStats]] = {}
    for table in tables:
        for model in table:
            by_name.setdefault(model.name, []).append(model)
    return tuple(
        replace(
            min(parts, key=lambda part: _BEST_FIRST.index(part.state)),
            workers=sum(part.workers for part in parts),
            ready_workers=sum(part.ready_workers for part in parts),
            queue=total(QueueStats, [part.queue for part in parts]),
            jobs=total(Counters, [part.jobs for part in parts]),
            seconds_per_audio_s=_mean([part.seconds_per_audio_s for part in parts]),
            traits=next((part.traits for part in parts if part.traits is not None), None),
        )
        for parts in by_name.values()
    )


def _mean(speeds: Sequence[float]) -> float:
    """Return the mean of those that were measured."""
    measured = [speed for speed in speeds if speed]
    return sum(measured) / len(measured) if measured else 0.0
