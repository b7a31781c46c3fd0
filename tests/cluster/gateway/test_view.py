from dataclasses import replace

import pytest

from auricle.cluster.gateway.ejection import Ejection
from auricle.cluster.gateway.view import (
    ModelCapacity,
    NodeView,
    count,
    fleet_models,
    fleet_stats,
    model_capacity,
    stats_of,
)
from auricle.cluster.wire.capacity import capacity_of
from auricle.values.errors import (
    AudioError,
    BadRequest,
    DeadlineExceeded,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.values.transcriber import (
    Counters,
    ModelState,
    ModelStats,
    QueueStats,
    Stats,
    WorkerState,
    WorkerStats,
)

pytestmark = pytest.mark.unit

BUSY = Stats(
    workers=(WorkerStats("asr-0", 1, WorkerState.BUSY, 0, 3, 10, None),),
    ready=True,
    replaced=1,
    model="base",
    seconds_per_audio_s=0.2,
    queue=QueueStats(
        waiting_jobs=2, running_jobs=1, waiting_audio_s=6.0, running_audio_s=3.0, max_audio_s=300.0
    ),
    jobs=Counters(done=50),
)


def told(id: str, at: float = 1.0, stats: Stats = BUSY) -> Ejection:
    ejection = Ejection()
    ejection.check_started()
    ejection.check_succeeded(capacity_of({"a/": stats}, id=id), at)
    return ejection


def of(*ejections: Ejection) -> list[NodeView]:
    return [NodeView(str(number), ejection) for number, ejection in enumerate(ejections, 1)]


def show(*ejections: Ejection, is_open: bool = True) -> Stats:
    return stats_of(of(*ejections), Counters(done=7), reserved_audio_s=5.0, is_open=is_open)


def test_recognisers_are_summed_up_and_jobs_are_our_own() -> None:
    stats = show(told("x"), told("y"))
    assert [worker.id for worker in stats.workers] == ["1/a/asr-0", "2/a/asr-0"]
    assert (stats.queue.waiting_jobs, stats.queue.running_jobs) == (4, 2)
    assert (stats.queue.waiting_audio_s, stats.queue.running_audio_s, stats.queue.max_audio_s) == (
        12.0,
        6.0,
        600.0,
    )
    assert (stats.seconds_per_audio_s, stats.model, stats.replaced) == (0.2, "base", 2)
    assert (stats.jobs.done, stats.queue.reserved_audio_s, stats.ready) == (7, 5.0, True)


def test_one_recogniser_at_two_addresses_counts_once_with_its_last_report() -> None:
    newest = Stats(
        workers=BUSY.workers, ready=True, queue=QueueStats(waiting_audio_s=1.0, max_audio_s=300.0)
    )
    for pair in (
        (told("x", 1.0), told("x", 2.0, newest)),
        (told("x", 2.0, newest), told("x", 1.0)),
    ):
        stats = show(*pair)
        assert [worker.id for worker in stats.workers] == ["1/a/asr-0"]
        assert (stats.queue.waiting_audio_s, stats.queue.max_audio_s) == (1.0, 300.0)


def test_recognisers_without_an_identity_are_counted_each() -> None:
    assert fleet_stats(of(told(""), told(""))).queue.max_audio_s == 600.0


def test_one_that_is_out_counts_for_nothing_but_shows() -> None:
    lost = told("y")
    lost.job_lost(3.0)
    stats = show(told("x"), lost)
    assert [(worker.id, worker.state) for worker in stats.workers] == [
        ("1/a/asr-0", "busy"),
        ("2", "backing_off"),
    ]
    assert stats.queue.max_audio_s == 300.0
    assert stats.ready
    assert fleet_stats(of(told("x"), lost)).ready_workers == 1


def test_one_whose_first_address_is_out_is_still_called_by_it() -> None:
    lost = told("x")
    lost.job_lost(3.0)
    stats = show(lost, told("x"))
    assert [(worker.id, worker.state) for worker in stats.workers] == [
        ("1/a/asr-0", "busy"),
        ("1", "backing_off"),
    ]


def test_before_the_first_look_all_are_starting() -> None:
    stats = show(Ejection(), Ejection())
    assert [(worker.id, worker.state) for worker in stats.workers] == [
        ("1", "starting"),
        ("2", "starting"),
    ]
    assert not stats.ready


def test_a_closing_pool_is_not_ready() -> None:
    assert show(told("x")).ready
    assert not show(told("x"), is_open=False).ready


def test_the_model_is_known_though_all_are_out() -> None:
    lost = told("x")
    lost.job_lost(3.0)
    assert (show(lost).model, show(lost).ready) == ("base", False)


def test_speeds_that_are_not_known_yet_are_left_out() -> None:
    fresh = Stats(ready=True, seconds_per_audio_s=0.0)
    assert fleet_stats(of(told("x"), told("y", stats=fresh))).seconds_per_audio_s == 0.2
    assert fleet_stats(of(told("y", stats=fresh))).seconds_per_audio_s == 0.0


def test_jobs_are_counted_as_a_pool_counts_them() -> None:
    counters = Counters()
    for error in (
        *(Overloaded("", 1), NoWorkerReady("", 1), RateLimited("", 1)),
        *(AudioError(), DeadlineExceeded(), PoisonJob()),
        *(Superseded(), BadRequest("")),
    ):
        count(counters, error)
    assert counters == Counters(refused=3, failed=3)


def with_models(*models: ModelStats) -> Stats:
    return replace(BUSY, models=models)


A = ModelStats("a", ModelState.READY, 2, 1, QueueStats(max_audio_s=100.0), seconds_per_audio_s=0.1)
B = ModelStats("b", ModelState.UNLOADED, queue=QueueStats(max_audio_s=50.0))


def test_a_recogniser_serves_the_models_that_it_reports() -> None:
    (view,) = of(told("x", stats=with_models(A, B)))
    assert [view.serves(name) for name in ("a", "b", "c", "")] == [True, True, False, True]
    assert [view.is_model_ready(name) for name in ("a", "b")] == [True, False]


def test_a_recogniser_without_a_list_has_the_default_model_only() -> None:
    (view,) = of(told("x"))
    assert [view.serves(name) for name in ("", "a")] == [True, False]
    assert view.is_model_ready("")


def test_each_model_has_its_own_capacity() -> None:
    views = of(told("x", stats=with_models(A, B)), told("y", stats=with_models(A)))
    capacity = model_capacity(views, "a")
    assert (capacity.ready_workers, capacity.queue.max_audio_s) == (2, 200.0)
    assert capacity.seconds_per_audio_s == 0.1
    assert model_capacity(views, "b") == ModelCapacity(0, 0.0, B.queue)
    assert model_capacity(of(told("x")), "") == ModelCapacity(1, 0.2, BUSY.queue)


def test_the_models_are_the_union_and_those_of_a_lost_recogniser_stay_known() -> None:
    lost = told("y", stats=with_models(replace(B, name="c"), A))
    lost.job_lost(2.0)
    models = fleet_models(of(told("x", stats=with_models(A, B)), lost))
    assert [(model.name, model.state) for model in models] == [
        ("a", ModelState.READY),
        ("b", ModelState.UNLOADED),
        ("c", ModelState.RESTARTING),
    ]
    assert models[0].ready_workers == 1
    assert fleet_stats(of(told("x", stats=with_models(A, B)), lost)).models == models
    assert fleet_models(of(Ejection())) == ()
