"""Quotas of jobs and their audio, and fair sharing between owners. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auricle.values.errors import LedgerFull

FULL_RETRY_S = 60


@dataclass(frozen=True, slots=True)
class Usage:
    """Jobs of one owner, and the size of audio; for the quota, unfinished jobs and all audio."""

    jobs: int = 0
    audio_bytes: int = 0
    ended_jobs: int = 0
    """Ended jobs that are kept; for the quota only."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Maximum of unfinished and of ended jobs of one owner, and of all of its audio."""

    max_jobs: int
    max_ended_jobs: int
    max_audio_bytes: int


@dataclass(frozen=True, slots=True)
class Share:
    """Unfinished jobs of one owner, for choosing the next job."""

    owner: str
    queued: int
    running: int
    oldest: int
    """Lowest number of its queued jobs."""


def check_quota(usage: Usage, audio_bytes: int, quota: Quota) -> None:
    """Check that an owner may submit one more job.

    Raises:
        LedgerFull: It has too many unfinished or ended jobs, or too much audio in jobs.
    """
    if usage.ended_jobs >= quota.max_ended_jobs:
        raise LedgerFull(
            "This key has too many ended jobs; delete those whose results you have, or try again "
            "later.",
            FULL_RETRY_S,
        )
    is_full = usage.jobs + 1 > quota.max_jobs
    if is_full or usage.audio_bytes + audio_bytes > quota.max_audio_bytes:
        raise LedgerFull(
            "This key has too many unfinished jobs or too much kept audio; try again later.",
            FULL_RETRY_S,
        )


def owners_in_turn(shares: Iterable[Share]) -> list[str]:
    """Return the owners with queued jobs: the fewest running jobs first, then the oldest job."""
    queued = [share for share in shares if share.queued]
    return [share.owner for share in sorted(queued, key=lambda s: (s.running, s.oldest))]


def usage_ahead(owner: str, before: Usage, queued_of: Mapping[str, Usage]) -> Usage:
    """Estimate which queued jobs are worked on before a certain one.

    As owners take turns, each other owner has about as many jobs before it.

    Args:
        owner: The job's owner.
        before: The owner's queued jobs that were accepted earlier.
        queued_of: The queued jobs of each owner.
    """
    jobs, audio_bytes = before.jobs, before.audio_bytes
    for other, queued in queued_of.items():
        if other != owner and queued.jobs:
            turns = min(queued.jobs, before.jobs + 1)
            jobs += turns
            audio_bytes += queued.audio_bytes * turns // queued.jobs
    return Usage(jobs, audio_bytes)
