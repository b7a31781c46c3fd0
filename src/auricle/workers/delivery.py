"""From a worker's answer to the callers that wait for it."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from auricle.values.errors import AuricleError, WorkerError
from auricle.workers.process.messages import BatchDone, ToParent

Result = TypeVar("Result")


def checked_answer(message: ToParent, batch: int, jobs: Sequence[str]) -> BatchDone:
    """Return a worker's answer to the batch of this number, with these jobs.

    Raises:
        WorkerError: It is another message, or has other results.
    """
    if not isinstance(message, BatchDone) or message.id != batch:
        raise WorkerError("answer does not match the batch")
    if [result.id for result in message.results] != jobs:
        raise WorkerError("results do not match the jobs of the batch")
    return message


def deliver(future: asyncio.Future[Result] | None, outcome: Result | AuricleError) -> None:
    """Pass an outcome to the caller, unless it has left."""
    if future is None or future.done():
        return
    if isinstance(outcome, AuricleError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
