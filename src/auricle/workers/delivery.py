"""From an outcome to the caller that waits for it."""

import asyncio
from typing import TypeVar

from auricle.values.errors import AuricleError

Result = TypeVar("Result")


def deliver(future: asyncio.Future[Result] | None, outcome: Result | AuricleError) -> None:
    """Pass an outcome to the caller, unless it has left."""
    if future is None or future.done():
        return
    if isinstance(outcome, AuricleError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
