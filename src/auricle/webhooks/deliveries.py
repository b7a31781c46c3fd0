"""Delivers webhooks of the outbox until each has succeeded, was refused, or is a day old."""

import time
from collections import Counter
from collections.abc import Callable, Iterable

import anyio
import structlog
from anyio import to_thread

from auricle.ledger.databases.database import REFUSALS
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.outbox import Delivery
from auricle.webhooks.request import Payload, WebhookRequest, new_request
from auricle.webhooks.sender import MAX_CONCURRENT, WebhookSender

POLL_S = 1.0
MAX_PER_RECEIVER = 4
MAX_PER_OWNER = 16
"""A key may name many receivers that hang; other keys have the rest of ``MAX_CONCURRENT``."""
FAILED_RETRY_S = 30.0
"""Interval of looking for due deliveries again after an unexpected error."""
THREADS = 4
"""Threads that use the database and sign; others are left to the server while it is slow."""
INTERRUPT_S = 5.0
"""Longest time to make a delivery due again when the runner stops."""

_log = structlog.get_logger("auricle.ledger")


class WebhookRunner:
    """Sends what is due, several requests at a time, few of them to one receiver.

    Args:
        events: The outbox.
        sender: Sends requests.
        render: Returns what the receiver of an event gets; ``None``: its subject was deleted.
        secret_of: Returns the secret of an owner.
        note_attempt: Called with each delivery after an attempt.
        now: Returns Unix time in seconds.
        poll_s: Interval of looking for due deliveries while there are none.
    """

    def __init__(
        self,
        events: StoredEvents,
        sender: WebhookSender,
        *,
        render: Callable[[Delivery], Payload | None],
        secret_of: Callable[[str], bytes],
        note_attempt: Callable[[Delivery], None] = lambda delivery: None,
        now: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
    ) -> None:
        self._events = events
        self._sender = sender
        self._render = render
        self._secret_of = secret_of
        self._note_attempt = note_attempt
        self._now = now
        self._poll_s = poll_s
        self._slots = anyio.Semaphore(MAX_CONCURRENT)
        self._threads = anyio.CapacityLimiter(THREADS)
        self._running: dict[str, Delivery] = {}
        self._changed = anyio.Event()
        self._may_be_due = True

    @property
    def has_work(self) -> bool:
        """Whether attempts are in progress, or deliveries may be due."""
        return bool(self._running) or self._may_be_due

    def wake(self) -> None:
        """Look for due deliveries at once: an event was queued."""
        self._may_be_due = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver until cancelled. An attempt that was cancelled is repeated at once later."""
        async with anyio.create_task_group() as group:
            while True:
                await self._slots.acquire()
                attempt = await self._next()
                self._running[attempt.event.id] = attempt
                group.start_soon(self._deliver, attempt)

    async def _next(self) -> Delivery:
        while True:
            changed = self._changed = anyio.Event()
            try:
                due = await to_thread.run_sync(self._start_attempt, limiter=self._threads)
            except REFUSALS as error:
                _log.warning("webhooks_not_read", code=error.code)
                due = None
            except Exception as error:  # the server and its live sessions must not end
                _log.error("webhooks_not_read", error=type(error).__name__)
                await anyio.sleep(FAILED_RETRY_S)
                due = None
            if due is not None:
                return due
            self._may_be_due = changed.is_set()
            with anyio.move_on_after(self._poll_s):
                await changed.wait()

    def _start_attempt(self) -> Delivery | None:
        running = tuple(self._running.values())
        return self._events.next_delivery(
            self._now(),
            _full((attempt.receiver for attempt in running), MAX_PER_RECEIVER),
            _full((attempt.event.owner for attempt in running), MAX_PER_OWNER),
            [attempt.event.id for attempt in running],
        )

    async def _deliver(self, attempt: Delivery) -> None:
        try:
            status = await self._send(attempt)
            await self._end(attempt, status)
        except Exception as error:  # the attempt is repeated after SEND_S
            _log.error("webhook_not_stored", event_id=attempt.event.id, error=type(error).__name__)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(INTERRUPT_S, shield=True):
                await self._interrupt(attempt)
            raise
        finally:
            del self._running[attempt.event.id]
            self._slots.release()
            self.wake()

    async def _send(self, attempt: Delivery) -> int | None:
        """Return the receiver's status; ``None`` if it sent none, or there is no request."""
        try:
            request = await to_thread.run_sync(self._request, attempt, limiter=self._threads)
            return None if request is None else await self._sender.send(request)
        except Exception as error:  # one URL or event must not end the delivery of all others
            _log.error("webhook_not_sent", event_id=attempt.event.id, error=type(error).__name__)
            return None

    def _request(self, attempt: Delivery) -> WebhookRequest | None:
        payload = self._render(attempt)
        if payload is None:
            return None
        return new_request(
            attempt.url,
            payload,
            event_id=attempt.event.id,
            secret=self._secret_of(attempt.event.owner),
            timestamp=int(self._now()),
        )

    async def _end(self, attempt: Delivery, status: int | None) -> None:
        try:
            delivery = await to_thread.run_sync(
                lambda: self._events.end_attempt(attempt, status, self._now()),
                limiter=self._threads,
            )
        except REFUSALS as error:  # the receiver may get the event again
            _log.warning("webhook_not_stored", event_id=attempt.event.id, code=error.code)
            return
        if delivery is not None:
            self._note_attempt(delivery)
            _log.info(
                "webhook",
                event_id=delivery.event.id,
                status=status,
                state=delivery.state.value,
                attempts=delivery.attempts,
            )

    async def _interrupt(self, attempt: Delivery) -> None:
        try:
            await to_thread.run_sync(
                lambda: self._events.interrupt_attempt(attempt, self._now()),
                limiter=self._threads,
            )
        except REFUSALS as error:  # the attempt is repeated after SEND_S
            _log.warning("webhook_not_stored", event_id=attempt.event.id, code=error.code)


def _full(names: Iterable[str], maximum: int) -> list[str]:
    """Return the names that occur at least ``maximum`` times."""
    return [name for name, count in Counter(names).items() if count >= maximum]
