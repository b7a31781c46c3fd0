"""Upkeep of background jobs: expiry, orphaned audio and figures."""

import time

import anyio
import structlog
from anyio import to_thread

from auricle.errors import LedgerFull, LedgerUnavailable
from auricle.ledger.audio import sweep
from auricle.server.context import ServerState
from auricle.server.http.errors import code_of, log_unexpected

BACKLOG_EVERY_S = 5.0
UPKEEP_EVERY_S = 60.0
SHARED_SWEEP_EVERY_S = 3600.0
"""A bucket is listed less often: requests are paid for, and orphans are a day old anyway."""
SHARED_ORPHAN_S = 24 * 3600.0
"""Age at which audio without a job is deleted from a store that several gateways share."""

_log = structlog.get_logger("auricle.server")


async def keep_up(server: ServerState) -> None:
    """Delete what has expired and report the backlog, until cancelled."""
    began_at, began = time.time(), time.monotonic()
    next_upkeep_at = next_sweep_at = 0.0
    sweep_every_s = SHARED_SWEEP_EVERY_S if server.shares_audio else UPKEEP_EVERY_S
    while True:
        try:
            backlog = await to_thread.run_sync(server.running.ledger.backlog)
            server.metrics.report_backlog(backlog, time.time())
            server.start_estimate.backlog = backlog
            if time.monotonic() >= next_upkeep_at:
                next_upkeep_at = time.monotonic() + UPKEEP_EVERY_S
                await to_thread.run_sync(delete_expired, server)
            if time.monotonic() >= next_sweep_at:
                next_sweep_at = time.monotonic() + sweep_every_s
                oldest_at = stored_before(began_at, time.time(), time.monotonic() - began)
                await to_thread.run_sync(sweep_audio, server, oldest_at)
        except (LedgerUnavailable, LedgerFull, OSError) as error:
            _log.warning("jobs_not_expired", code=code_of(error))
        except Exception as error:  # the server and its live sessions must not end
            log_unexpected(error)
        await anyio.sleep(BACKLOG_EVERY_S)


def delete_expired(server: ServerState) -> None:
    """Delete kept audio and jobs whose time is over; blocks.

    Audio that can't be deleted now is deleted by the next call.
    """
    ledger, audio, now = server.running.ledger, server.running.audio, time.time()
    while kept := ledger.expired_audio(now):
        for name in kept.values():
            audio.delete(name)
        ledger.forget_audio(kept)
    while ledger.expire(now):
        pass


def stored_before(began_at: float, now: float, elapsed_s: float) -> float:
    """Return the time before which no audio was stored by this process.

    Audio that is stored later may belong to a job that is being accepted. If the clock was set back
    since, such audio seems to be older than the process.

    Args:
        began_at: Unix time when the process began.
        now: Unix time.
        elapsed_s: Monotonic time since it began, in seconds.
    """
    return min(began_at, now - elapsed_s)


def sweep_audio(server: ServerState, oldest_at: float) -> None:
    """Delete audio that no job needs; blocks.

    Args:
        server: The server's state.
        oldest_at: Time before which a store that is not shared has orphans; see
            :func:`stored_before`.
    """
    running = server.running
    older_than = time.time() - SHARED_ORPHAN_S if server.shares_audio else oldest_at
    sweep(running.audio, running.ledger.needed_audio, older_than)
