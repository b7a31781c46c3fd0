"""Delivers webhooks of the outbox until each has succeeded, was refused, or is a day old."""

import time
from collections.abc import Callable

import anyio
import structlog
from anyio import to_thread

from auricle.errors import LedgerFull, LedgerUnavailable
from auricle.ledger.job import Job
from auricle.ledger.outbox import Delivery
from auricle.ledger.store import Ledger
from auricle.ledger.webhooks.request import new_request
from auricle.ledger.webhooks.sender import MAX_CONCURRENT, WebhookSender

POLL_S = 1.0

_REFUSALS = (LedgerUnavailable, LedgerFull)

_log = structlog.get_logger("auricle.ledger")


class WebhookRunner:
    """Sends what is due, several requests at a time.

    Args:
        ledger: The outbox.
        sender: Sends requests.
        render: Returns the body for a job that has ended; the same for each attempt.
        secret_of: Returns the secret of an owner.
        now: Returns Unix time in seconds.
        poll_s: Interval of looking for due deliveries while there are none.
    """

    def __init__(
        self,
        ledger: Ledger,
        sender: WebhookSender,
        *,
        render: Callable[[Delivery, Job], bytes],
        secret_of: Callable[[str], bytes],
        now: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
    ) -> None:
        self._ledger = ledger
        self._sender = sender
        self._render = render
        self._secret_of = secret_of
        self._now = now
        self._poll_s = poll_s
        self._slots = anyio.Semaphore(MAX_CONCURRENT)

    async def run(self) -> None:
        """Deliver until cancelled. An attempt that was cancelled is repeated later."""
        async with anyio.create_task_group() as group:
            while True:
                await self._slots.acquire()
                delivery, job = await self._next()
                group.start_soon(self._deliver, delivery, job)

    async def _next(self) -> tuple[Delivery, Job]:
        while True:
            try:
                due = await to_thread.run_sync(lambda: self._ledger.next_delivery(self._now()))
            except _REFUSALS as error:
                _log.warning("webhooks_not_read", code=error.code)
                due = None
            if due is not None:
                return due
            await anyio.sleep(self._poll_s)

    async def _deliver(self, delivery: Delivery, job: Job) -> None:
        try:
            request = new_request(
                delivery.url,
                self._render(delivery, job),
                event_id=delivery.event_id,
                secret=self._secret_of(delivery.owner),
                timestamp=int(self._now()),
            )
            status = await self._sender.send(request)
            _log.info("webhook", event_id=delivery.event_id, status=status)
            await to_thread.run_sync(
                lambda: self._ledger.end_attempt(delivery, status, self._now())
            )
        except _REFUSALS as error:  # the receiver may get the event again
            _log.warning("webhook_not_stored", event_id=delivery.event_id, code=error.code)
        finally:
            self._slots.release()
