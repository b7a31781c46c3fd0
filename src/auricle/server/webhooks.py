"""Webhooks as the rest of a server knows them: a part that it can do without.

Events are stored in any case (:mod:`auricle.ledger.events`); the part sends them.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from prometheus_client import CollectorRegistry
from starlette.datastructures import Headers

from auricle.config.settings import Settings
from auricle.ledger.databases.database import TransactionStep, no_step
from auricle.ledger.jobs.job import Job
from auricle.server.access.keyring import Keyring
from auricle.server.job_answers import JobAnswers
from auricle.server.result_keepers import ResultKeeper
from auricle.server.storage import Storage
from auricle.server.uploads.params import Callback
from auricle.values.errors import UnsupportedOption


class WebhookBody(TypedDict):
    """The delivery of a job's end; times are Unix seconds."""

    state: Literal["waiting", "pending", "delivered", "refused", "failed"]
    attempts: int
    last_status: int | None
    next_attempt: float | None


class Webhooks:
    """Sends no webhooks, as a server without the part; the part has a subclass."""

    @property
    def has_work(self) -> bool:
        """Whether webhooks are being sent, or may be due."""
        return False

    def check_url(self, url: str, field: str) -> None:
        """Check that webhooks may be sent to a URL.

        Args:
            url: The URL.
            field: Name of the URL in the request or the settings, for errors.

        Raises:
            UnsupportedOption: The server lacks the part.
            BadRequest: The server sends no webhooks, or the URL is invalid or private.
        """
        raise UnsupportedOption(f"{field} is not supported: this server sends no webhooks.", field)

    def check_callback(self, headers: Headers, callback: Callback, field: str) -> None:
        """Check that a request may have a callback.

        Args:
            headers: The request's headers.
            callback: The callback.
            field: Name of its URL in the request.

        Raises:
            UnsupportedOption: The server lacks the part.
            BadRequest: The server sends no webhooks or not these events, or the URL is invalid or
                private.
            Unauthorized: The request carries a token, not a key.
        """
        self.check_url(callback.url, field)

    def body_of(self, job: Job) -> WebhookBody | None:
        """Return the delivery of a job's end; ``None``: it has no callback. May block."""
        return None

    def progress_of(self, job: Job, callback: Callback) -> TransactionStep:
        """Return what queues the progress of a job when it is stored, if the callback gets it."""
        return no_step

    def openapi_callbacks(self, events: Sequence[type]) -> Mapping[str, Any]:
        """Return the OpenAPI description of callbacks that get events of these shapes."""
        return {}

    def wake(self) -> None:
        """Send the webhook of a job that has just ended."""

    def report(self) -> None:
        """Report the webhooks that are still to be sent as a metric; blocks."""

    async def run(self) -> None:
        """Send webhooks until cancelled; return at once if there are none to send."""


@dataclass(frozen=True, slots=True)
class WebhookContext:
    """What the part uses of a server.

    Attributes:
        settings: All settings.
        storage: Has jobs and events.
        keyring: The keys.
        answers: How the APIs answer jobs, by the names of the APIs.
        result_keepers: Who keeps the results of jobs, if the settings request it.
        metrics: The registry of the server's metrics.
    """

    settings: Settings
    storage: Storage
    keyring: Keyring
    answers: Mapping[str, JobAnswers]
    result_keepers: Sequence[ResultKeeper]
    metrics: CollectorRegistry


OpenWebhooks = Callable[[WebhookContext], AbstractAsyncContextManager[Webhooks]]


@asynccontextmanager
async def no_webhooks(context: WebhookContext) -> AsyncIterator[Webhooks]:
    """Open a server's webhooks without the part."""
    yield Webhooks()
