"""Upkeep of background jobs: expiry, orphaned audio and figures."""

import time

import anyio
import structlog
from anyio import to_thread

from auricle.ledger.audio.store import sweep
from auricle.ledger.databases.database import REFUSALS
from auricle.server.http.errors import code_of
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.storage import Storage
from auricle.server.telemetry.metrics import Metrics
from auricle.system.logs import log_unexpected

BACKLOG_EVERY_S = 5.0
UPKEEP_EVERY_S = 60.0
SHARED_SWEEP_EVERY_S = 3600.0
"""A bucket is listed less often: requests are paid for, and orphans are a day old anyway."""
SHARED_ORPHAN_S = 24 * 3600.0
"""Age at which audio without a job is deleted from a store that several gateways share."""
ORPHAN_S = 3600.0
"""Age at which it is deleted from a store of this server's own."""

_log = structlog.get_logger("auricle.server")


async def keep_up(jobs: BackgroundJobs, metrics: Metrics) -> None:
    """Delete what has expired and report the backlog, until cancelled."""
    horizon = SweepHorizon(time.time(), time.monotonic())
    next_upkeep_at = next_sweep_at = 0.0
    sweep_every_s = SHARED_SWEEP_EVERY_S if jobs.shares_audio else UPKEEP_EVERY_S
    while True:
        try:
            backlog = await to_thread.run_sync(jobs.storage.ledger.backlog)
            metrics.report_backlog(backlog, time.time())
            jobs.start_estimate.backlog = backlog
            await to_thread.run_sync(jobs.webhooks.report)
            if time.monotonic() >= next_upkeep_at:
                next_upkeep_at = time.monotonic() + UPKEEP_EVERY_S
                await to_thread.run_sync(delete_expired, jobs.storage)
            if time.monotonic() >= next_sweep_at:
                next_sweep_at = time.monotonic() + sweep_every_s
                orphaned_before = horizon.stored_before(time.time(), time.monotonic())
                await to_thread.run_sync(sweep_audio, jobs, orphaned_before)
        except (*REFUSALS, OSError) as error:
            _log.warning("jobs_not_expired", code=code_of(error))
        except Exception as error:  # the server and its live sessions must not end
            log_unexpected(error)
        await anyio.sleep(BACKLOG_EVERY_S)


def delete_expired(storage: Storage) -> None:
    """Delete kept audio and jobs whose time is over; blocks.

    Audio that can't be deleted now is deleted by the next call. Only its jobs are kept until then.
    """
    ledger, audio, now = storage.ledger, storage.audio, time.time()
    try:
        while kept := ledger.expired_audio(now):
            for name in kept.values():
                audio.delete(name)
            ledger.forget_audio(kept)
    finally:
        while ledger.expire(now):
            pass


class SweepHorizon:
    """Knows which audio in a store of this server's own can't belong to a job in acceptance.

    Such audio was stored before the process began, or ``ORPHAN_S`` ago. The clock may be set
    meanwhile, so the age is monotonic: audio is compared with a past reading of both clocks.

    Args:
        now: Unix time when the process began.
        monotonic_s: Monotonic time then.
    """

    def __init__(self, now: float, monotonic_s: float) -> None:
        self._past = self._next = (now, monotonic_s)

    def stored_before(self, now: float, monotonic_s: float) -> float:
        """Return the time before which audio without a job was stored, in Unix seconds."""
        if monotonic_s - self._next[1] >= ORPHAN_S:
            self._past, self._next = self._next, (now, monotonic_s)
        past_at, past_s = self._past
        return min(past_at, now - (monotonic_s - past_s))  # the latter: the clock was set back


def sweep_audio(jobs: BackgroundJobs, orphaned_before: float) -> None:
    """Delete audio that no job needs; blocks.

    Args:
        jobs: The jobs.
        orphaned_before: Time before which a store that is not shared has orphans; see
            :class:`SweepHorizon`.
    """
    storage = jobs.storage
    older_than = time.time() - SHARED_ORPHAN_S if jobs.shares_audio else orphaned_before
    sweep(storage.audio, storage.ledger.needed_audio, older_than)
