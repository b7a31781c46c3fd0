"""What a supervisor and its pool exchange about a worker."""

import math
from dataclasses import dataclass

from auricle.workers.process.usage import SUSPENDED
from auricle.workers.wire.messages import Message

ORDERLY = frozenset({"replaced", "stopped"})
"""Exit reasons that the supervisor requested; they are not failures."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Work for an idle worker, with its limits.

    Attributes:
        work: What to do, in the messages of its kind.
        max_answer_bytes: Maximum answer size; a worker that exceeds it is killed.
        budget_s: Time after which the worker is killed.
        overdue_s: Time after which the worker is reported as overdue.
        file: Descriptor of an open file; its owner keeps it open until the answer.
        max_pause_s: Time without CPU time after which the worker is killed.
    """

    work: Message
    max_answer_bytes: int
    budget_s: float
    overdue_s: float = math.inf
    file: int | None = None
    max_pause_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Death:
    """Why a worker died.

    Attributes:
        reason: See :class:`auricle.values.transcriber.WorkerExit`.
        signal: Name of the signal that ended it; ``None`` if none did.
        place: Signal or exit code, and the top frame; ``None`` if no frame is known.
    """

    reason: str
    signal: str | None = None
    place: str | None = None

    @property
    def signature(self) -> str | None:
        """Two deaths with the same signature count as the same crash; ``None`` never matches."""
        return self.place and f"{self.reason} {self.place}"

    @property
    def is_blamed(self) -> bool:
        """Whether the work may be the cause."""
        return self.reason != SUSPENDED

    @property
    def is_orderly(self) -> bool:
        """Whether the supervisor requested it."""
        return self.reason in ORDERLY
