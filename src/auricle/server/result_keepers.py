"""Who keeps the results of background jobs, besides the answers to their callers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auricle.ledger.databases.database import Transaction, TransactionStep
from auricle.ledger.jobs.job import JobSpec
from auricle.server.uploads.params import Callback
from auricle.values.types import Transcript

StepOf = Callable[[JobSpec, Transcript, Callback | None, float], TransactionStep]
"""Returns what stores the result of a job in the transaction that ends it, at a Unix time; it also
queues the event :data:`.KEPT` for a callback that requests it."""


@dataclass(frozen=True, slots=True)
class ResultKeeper:
    """Keeps the results of jobs, if the settings request it.

    Attributes:
        is_on: Whether they request it.
        setting: The variable that requests it.
        event_body: The shape of the body of its event, for the OpenAPI document.
        step: What stores a result.
    """

    is_on: bool
    setting: str
    event_body: type
    step: StepOf


def keeping(
    keepers: Sequence[ResultKeeper],
    spec: JobSpec,
    transcript: Transcript,
    callback: Callback | None,
    ended_at: float,
) -> TransactionStep:
    """Return what stores the result of a job in the transaction that ends it.

    Args:
        keepers: Who keeps it.
        spec: The job.
        transcript: Its result.
        callback: The receiver of its events.
        ended_at: Unix time.
    """
    steps = [each.step(spec, transcript, callback, ended_at) for each in keepers if each.is_on]

    def store(transaction: Transaction) -> None:
        for step in steps:
            step(transaction)

    return store
