"""The number of workers and threads."""

import pytest

from auricle.config.settings import WorkerSettings
from auricle.config.sizing import PoolSize, memory_per_worker_mb, pool_size

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("cores", "memory_mb", "model_mb", "workers", "threads"),
    [
        (1, 4_000, 145, 2, 1),  # at least two: the death of one never stops the service
        (2, 8_000, 145, 2, 1),
        (8, 32_000, 145, 8, 1),
        (8, 2_300, 145, 3, 2),  # few fit and share the cores
        (64, 256_000, 145, 16, 4),  # the maximum
        (8, 24_000, 3087, 2, 4),  # a large model
        (64, 24_000, 3087, 2, 8),
        (8, 800, 145, 2, 4),  # the memory counted for one is enough for two idle workers
        (8, 6_000, 3087, 1, 8),
        (8, 100, 145, 1, 8),
    ],
)
def test_as_many_workers_run_as_cores_and_memory_hold(
    cores: int, memory_mb: float, model_mb: float, workers: int, threads: int
) -> None:
    size = pool_size(WorkerSettings(), cores=cores, memory_mb=memory_mb, model_mb=model_mb)
    assert size == PoolSize(workers, threads)


@pytest.mark.parametrize(
    ("asked", "expected"),
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
def test_numbers_that_were_asked_for_are_taken_as_they_are(
    asked: dict[str, int], expected: PoolSize
) -> None:
    size = pool_size(WorkerSettings.model_validate(asked), cores=8, memory_mb=32_000)
    assert size == expected
    settled = WorkerSettings(workers=size.workers, worker_threads=size.threads)
    assert pool_size(settled, cores=1, memory_mb=0) == expected


def test_what_is_counted_for_a_worker_grows_with_its_model() -> None:
    assert memory_per_worker_mb() == 735
    assert memory_per_worker_mb(3087) > 6_000
