"""The number of workers and threads."""

import pytest

from auricle.config.sections.worker import WorkerSettings
from auricle.config.sizing import PoolSize, pool_size

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
