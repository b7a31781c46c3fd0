"""Settings of the queue."""

from pydantic import Field

from auricle.config.section import Section, fixed


class QueueSettings(Section):
    """Limits of the queue, and the handling of poison jobs."""

    title = "Queue"
    options = ("queue_audio_s",)

    queue_audio_s: float = Field(
        600, gt=0, description="Maximum queued audio of uploads and files, in seconds."
    )
    queue_jobs: int = Field(256, ge=1, description="Maximum number of queued jobs.")
    key_share: float = fixed(0.6)
    """Maximum share of the queue for one key while others use it."""
    file_share: float = fixed(0.1)
    """Minimum share of worker time for files, so that live speech never stops them."""
    file_workers: int = fixed(0)
    """Maximum workers used for files at once; 0: all but one, which live speech then finds idle."""
    poison_attempts: int = fixed(4)
    """Worker deaths after which a job is quarantined; two that are alike suffice."""
    poison_ttl_s: float = fixed(600.0)
    """Time for which quarantined audio is rejected, in seconds: clients retry for minutes."""
    max_crashes_per_key: int = fixed(10)
    """Poison jobs of a key within ``crash_window_s`` after which the key is rejected: each costs a
    worker up to four restarts."""
    crash_window_s: float = fixed(600.0)
    """Window for ``max_crashes_per_key``, in seconds."""
