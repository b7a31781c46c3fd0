"""The union of tables of models."""

import pytest

from auricle.cluster.wire.model_totals import total_models
from auricle.values.transcriber import (
    Counters,
    ModelState,
    ModelStats,
    ModelTraits,
    QueueStats,
)

pytestmark = pytest.mark.unit

TRAITS = ModelTraits("whisper", ("en",), True, False, True, True, 30.0, 8)


def model(name: str, state: ModelState = ModelState.READY, **figures: object) -> ModelStats:
    return ModelStats(name, state, **figures)  # type: ignore[arg-type]  # of this type each


def test_each_name_is_listed_once_in_the_order_of_the_first_table_that_has_it() -> None:
    tables = [[model("a"), model("b")], [model("b"), model("c")], [], [model("a")]]
    assert [each.name for each in total_models(tables)] == ["a", "b", "c"]
    assert total_models([]) == ()


def test_figures_are_summed_and_the_best_state_counts() -> None:
    one = model(
        "a",
        ModelState.FAILED,
        workers=1,
        queue=QueueStats(waiting_jobs=1, max_audio_s=100.0),
        jobs=Counters(done=1),
        error="no such file",
    )
    other = model(
        "a",
        ModelState.READY,
        workers=2,
        ready_workers=2,
        queue=QueueStats(waiting_jobs=2, max_audio_s=100.0),
        jobs=Counters(done=2),
        seconds_per_audio_s=0.2,
        traits=TRAITS,
    )
    (merged,) = total_models([[one], [other]])
    assert (merged.state, merged.error) == (ModelState.READY, None)
    assert (merged.workers, merged.ready_workers) == (3, 2)
    assert (merged.queue.waiting_jobs, merged.queue.max_audio_s, merged.jobs.done) == (3, 200.0, 3)
    assert (merged.seconds_per_audio_s, merged.traits) == (0.2, TRAITS)


@pytest.mark.parametrize("worse", [ModelState.LOADING, ModelState.UNLOADED, ModelState.FAILED])
def test_a_model_that_restarts_is_better_than_one_that_is_not_loaded(worse: ModelState) -> None:
    (merged,) = total_models([[model("a", worse)], [model("a", ModelState.RESTARTING)]])
    assert merged.state is ModelState.RESTARTING


def test_models_of_several_recognisers_are_summed_by_name() -> None:
    main = ModelStats("main", ModelState.READY, 2, 2, QueueStats(waiting_jobs=1), Counters(done=3))
    loading = ModelStats("other", ModelState.LOADING, 1)
    ready = ModelStats("other", ModelState.READY, 1, 1)
    first, second = total_models([(main, loading), (main, ready)])
    assert (first.name, first.workers, first.ready_workers) == ("main", 4, 4)
    assert (first.queue.waiting_jobs, first.jobs.done) == (2, 6)
    assert (second.name, second.state, second.workers, second.ready_workers) == (
        "other",
        ModelState.READY,
        2,
        1,
    )
