"""The number of workers and threads."""

import pytest

from auricle.config.sections.worker import WorkerSettings
from auricle.config.sizing import ModelShare, PoolSize, model_shares, pool_size
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("cores", "memory_mb", "worker_mb", "workers", "threads"),
    [
        (1, 4_000, 735, 2, 1),  # at least two: the death of one never stops the service
        (2, 8_000, 735, 2, 1),
        (8, 32_000, 735, 8, 1),
        (8, 2_300, 735, 3, 2),  # few fit and share the cores
        (64, 256_000, 735, 16, 4),  # the maximum
        (8, 24_000, 9561, 2, 4),  # a large model
        (64, 24_000, 9561, 2, 8),
        (8, 800, 735, 2, 4),  # the memory counted for one is enough for two idle workers
        (8, 6_000, 9561, 1, 8),
        (8, 100, 735, 1, 8),
    ],
)
def test_as_many_workers_run_as_cores_and_memory_hold(
    cores: int, memory_mb: float, worker_mb: float, workers: int, threads: int
) -> None:
    size = pool_size(WorkerSettings(), worker_mb, cores=cores, memory_mb=memory_mb)
    assert size == PoolSize(workers, threads)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"workers": 1}, PoolSize(1, 8)),  # all cores are its own
        ({"workers": 3}, PoolSize(3, 2)),
        ({"workers": 40}, PoolSize(40, 1)),
        ({"worker_threads": 4}, PoolSize(2, 4)),
        ({"worker_threads": 16}, PoolSize(2, 16)),
        ({"workers": 5, "worker_threads": 3}, PoolSize(5, 3)),
    ],
    ids=str,
)
def test_numbers_that_were_asked_for_are_used_as_they_are(
    settings: dict[str, int], expected: PoolSize
) -> None:
    size = pool_size(WorkerSettings.model_validate(settings), 735, cores=8, memory_mb=32_000)
    assert size == expected
    settled = WorkerSettings(workers=size.workers, worker_threads=size.threads)
    assert pool_size(settled, 735, cores=1, memory_mb=0) == expected


def shares(*models: ModelShare, cores: int = 2, memory_mb: float = 16_000) -> list[tuple[int, int]]:
    sizes = model_shares(models, cores, memory_mb)
    return [(size.workers, size.threads) for size in sizes]


BASE, TINY, THIRD = ModelShare("base", 735), ModelShare("tiny", 325), ModelShare("third", 325)
DEMAND = ModelShare("demand", 735, on_start=False)


@pytest.mark.parametrize(
    ("models", "cores", "expected"),
    [
        ((BASE,), 8, [(8, 1)]),
        ((BASE, TINY), 2, [(2, 1), (1, 1)]),  # the death of one of the default never stops it
        ((BASE, TINY), 8, [(4, 1), (4, 1)]),
        ((BASE, TINY, THIRD), 8, [(3, 1), (3, 1), (2, 1)]),
        ((BASE, TINY, DEMAND), 4, [(2, 1), (2, 1), (2, 1)]),
        ((BASE, TINY, THIRD), 1, [(2, 1), (1, 1), (1, 1)]),
        ((BASE, ModelShare("own", 325, workers=3, threads=2)), 4, [(2, 1), (3, 2)]),
        ((BASE, ModelShare("wide", 325, threads=2)), 8, [(4, 1), (2, 2)]),
        ((DEMAND, ModelShare("b", 300, on_start=False)), 4, [(4, 1), (4, 1)]),
    ],
)
def test_models_share_the_cores(
    models: tuple[ModelShare, ...], cores: int, expected: list[tuple[int, int]]
) -> None:
    assert shares(*models, cores=cores) == expected


@pytest.mark.parametrize(
    ("memory_mb", "expected"),
    [
        (1060, [(1, 4), (1, 4)]),  # no second worker fits, and the threads share the cores
        (1384, [(1, 4), (1, 4)]),
        (1385, [(1, 4), (2, 2)]),  # nothing is left for another of the larger one
        (1795, [(2, 2), (1, 4)]),
        (2120, [(2, 2), (2, 2)]),
    ],
)
def test_models_share_the_memory(memory_mb: float, expected: list[tuple[int, int]]) -> None:
    assert shares(BASE, TINY, cores=8, memory_mb=memory_mb) == expected


def test_models_on_demand_use_what_is_left() -> None:
    assert shares(BASE, DEMAND, cores=4, memory_mb=1470) == [(1, 4), (1, 4)]
    assert shares(BASE, DEMAND, cores=4, memory_mb=5000)[1] == (2, 2)


def test_more_models_than_memory_are_refused_with_the_sum() -> None:
    with pytest.raises(SetupError) as caught:
        shares(BASE, TINY, DEMAND, memory_mb=1794)
    assert str(caught.value).startswith(
        "The models need 1795 MB of memory, and 1794 MB are available: base 735 MB, tiny 325 MB, "
        "demand 735 MB on demand."
    )
    two_of_demand = ModelShare("more", 300, on_start=False)
    assert len(shares(BASE, TINY, DEMAND, two_of_demand, memory_mb=1795)) == 4


def test_a_number_of_workers_counts_in_full() -> None:
    with pytest.raises(SetupError, match="tiny 3250 MB"):
        shares(BASE, ModelShare("tiny", 325, workers=10), memory_mb=3984)
