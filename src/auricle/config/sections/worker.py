"""Settings of workers: their number, their timeouts and limits."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from auricle.config.section import Listed, Section, fixed


class WorkerSettings(Section):
    """Number of workers, their timeouts and limits."""

    title = "Workers"
    common = ("workers",)
    options = ("workers", "worker_threads", "decode_workers")

    workers: int = Field(
        0, ge=0, le=256, description="Worker processes; 0: as many as cores and memory allow."
    )
    worker_threads: int = Field(
        0, ge=0, le=64, description="Threads per worker; 0: cores divided by workers."
    )
    batch_jobs: int = fixed(8)
    """Maximum jobs in a batch, within that of the engine: more gain nothing (decision 8)."""
    start_budget_s: float = Field(
        120, gt=0, description="Maximum time for a worker to load and warm up, in seconds."
    )
    job_timeout_min_s: float = fixed(10.0)
    """Minimum time budget of a batch, in seconds, on machines that are busy with other things."""
    job_timeout_factor: float = fixed(20.0)
    """Time budget of a batch, in multiples of its usual time; noise needs 10."""
    backoff_first_s: float = fixed(0.5)
    """Delay before the second restart of a worker in a row, in seconds; it doubles each time."""
    backoff_max_s: float = fixed(30.0)
    """Maximum delay between restarts of a worker, in seconds: the cause may be gone by then."""
    worker_max_jobs: int = fixed(10_000)
    """Jobs after which a worker is replaced, so that small leaks of libraries end."""
    worker_soft_mb: float = fixed(0.0)
    """Memory in MB above which a worker is replaced; 0: 700 more than at start, and more for large
    models (:mod:`auricle.engines.placement`)."""
    worker_hard_mb: float = fixed(0.0)
    """Memory in MB above which a worker is killed; 0: 2000 more than at start, and more for large
    models."""
    self_test_s: float = fixed(300.0)
    """Interval between self-tests of an idle worker, in seconds; `/readyz` depends on them."""
    decode_workers: int = Field(
        2, ge=1, le=64, description="Number of processes that decode audio files."
    )
    sandbox: Literal["auto", "off"] = Field(
        "auto", description="Sandbox of workers: `auto` (what the kernel supports) or `off`."
    )
    sandbox_folders: Listed[Path] = Field(
        (), description="Additional directories that sandboxed workers may access, comma-separated."
    )
