"""The webhooks of a server."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import structlog
from anyio import to_thread
from starlette.datastructures import Headers

from auricle.ledger.databases.database import REFUSALS, Transaction, TransactionStep, no_step
from auricle.ledger.events import Event
from auricle.ledger.jobs.events import KEPT, PROGRESS, subject_of
from auricle.ledger.jobs.job import Job
from auricle.server.http.openapi import schema_of
from auricle.server.uploads.params import Callback
from auricle.server.webhooks import WebhookBody, WebhookContext, Webhooks
from auricle.values.errors import BadRequest
from auricle.webhooks.deliveries import WebhookRunner
from auricle.webhooks.events import StoredEvents, count_pending, make_due, queue_single
from auricle.webhooks.metrics import WebhookMetrics
from auricle.webhooks.outbox import DeliveryState
from auricle.webhooks.payload import payload_of
from auricle.webhooks.request import check_callback_url, secret_of_owner
from auricle.webhooks.sender import WebhookSender
from auricle.webhooks.settings import WebhookSettings

_log = structlog.get_logger("auricle.server")


@asynccontextmanager
async def open_webhooks(context: WebhookContext) -> AsyncIterator[Webhooks]:
    """Open the webhooks of a server; they are sent if the settings have a secret."""
    metrics = WebhookMetrics(context.metrics)
    async with AsyncExitStack() as opened:
        yield _ServerWebhooks(context, await _open_runner(context, metrics, opened), metrics)


async def _open_runner(
    context: WebhookContext, metrics: WebhookMetrics, opened: AsyncExitStack
) -> WebhookRunner | None:
    settings, storage = context.settings, context.storage
    own = settings.section(WebhookSettings)
    if own.webhook_secret is None:
        return None
    if settings.ledger.database_url is None:  # no other server sends
        await to_thread.run_sync(_make_due, context)
    sender = await to_thread.run_sync(
        partial(WebhookSender, allow_private=own.webhook_allow_private)
    )
    opened.push_async_callback(sender.aclose)
    keeps_results = any(each.is_on for each in context.result_keepers)
    return WebhookRunner(
        StoredEvents(storage.database),
        sender,
        render=partial(payload_of, storage.ledger, context.answers, keeps_results=keeps_results),
        secret_of=partial(secret_of_owner, own.webhook_secret.get_secret_value().encode()),
        note_attempt=metrics.count_attempt,
    )


def _make_due(context: WebhookContext) -> None:
    """Make webhooks due whose attempts the end of the last server has cut off."""
    now = time.time()
    try:
        context.storage.database.write("due", lambda transaction: make_due(transaction, now))
    except REFUSALS as error:  # they are due within SEND_S
        _log.warning("webhooks_not_made_due", code=error.code)


class _ServerWebhooks(Webhooks):
    """Sends webhooks, and shows their state.

    Args:
        context: The server.
        runner: Sends them; ``None``: the settings have no secret.
        metrics: Their metrics.
    """

    def __init__(
        self, context: WebhookContext, runner: WebhookRunner | None, metrics: WebhookMetrics
    ) -> None:
        self._context = context
        self._runner = runner
        self._metrics = metrics
        self._events = StoredEvents(context.storage.database)

    @property
    def has_work(self) -> bool:
        return self._runner is not None and self._runner.has_work

    def check_url(self, url: str, field: str) -> None:
        self._check_secret(field)
        own = self._context.settings.section(WebhookSettings)
        check_callback_url(url, allow_private=own.webhook_allow_private, field=field)

    def check_callback(self, headers: Headers, callback: Callback, field: str) -> None:
        # Visitors of a page have tokens of its key: they can't have its signature sent elsewhere.
        self._context.keyring.check_is_key(headers)
        self._check_secret(field)
        keepers = self._context.result_keepers
        if KEPT in callback.events and not any(each.is_on for each in keepers):
            settings = [f"{each.setting}=1" for each in keepers]
            hint = f": the operator has to set {' or '.join(settings)}" if settings else " here"
            raise BadRequest(f"`{KEPT}` is not available{hint}.", "webhook_events")
        self.check_url(callback.url, field)

    def _check_secret(self, field: str) -> None:
        if self._runner is None:
            raise BadRequest(
                f"{field} is not available: the operator has to set AURICLE_WEBHOOK_SECRET.", field
            )

    def body_of(self, job: Job) -> WebhookBody | None:
        if job.spec.callback_url is None:
            return None
        found = self._events.of(subject_of(job.spec.uid)) if job.state.is_final else []
        if not found:
            return {"state": "waiting", "attempts": 0, "last_status": None, "next_attempt": None}
        delivery = found[0]
        is_pending = delivery.state is DeliveryState.PENDING
        return {
            "state": delivery.state.value,
            "attempts": delivery.attempts,
            "last_status": delivery.status,
            "next_attempt": delivery.next_at if is_pending else None,
        }

    def progress_of(self, job: Job, callback: Callback) -> TransactionStep:
        if PROGRESS not in callback.events:
            return no_step

        def step(transaction: Transaction) -> None:
            now = time.time()
            queue_single(transaction, job_progressed(job, now), callback.url, now)

        return step

    def openapi_callbacks(self, events: Sequence[type]) -> Mapping[str, Any]:
        schema = {"anyOf": [schema_of(each) for each in events]}
        receiver = {
            "summary": "Receive a job that has ended, or another event (Standard Webhooks)",
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {
                "2XX": {"description": "Received."},
                "4XX": {"description": "Refused, not sent again; but 408 and 429."},
                "5XX": {"description": "Sent again later."},
            },
        }
        return {"jobEnded": {"{$request.query.callback_url}": {"post": receiver}}}

    def wake(self) -> None:
        if self._runner is not None:
            self._runner.wake()

    def report(self) -> None:
        self._metrics.pending.set(self._context.storage.database.read(count_pending))

    async def run(self) -> None:
        if self._runner is not None:
            await self._runner.run()


def job_progressed(job: Job, now: float) -> Event:
    """Return the progress of a job; its row gives the latest at each attempt."""
    uid = job.spec.uid
    return Event(f"{uid}.progress.{int(now)}", PROGRESS, subject_of(uid), job.spec.owner)
