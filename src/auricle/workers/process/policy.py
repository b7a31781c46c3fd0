"""State machine of a worker: when to start, kill and restart it. No I/O, no clock.

```text
              spawned           ready           batch_started
  BACKING_OFF ───────► STARTING ─────► READY ◄──────────────► BUSY
       ▲                  │ budget       │      batch_finished  │ budget
       │ exited           ▼              ▼ retire               ▼
       └───────────── STOPPING ◄────────────────────────────────┘
```

There are no heartbeats: a worker must finish its work within a budget on the parent's clock.
"""

import enum
import math
from dataclasses import dataclass, field

from auricle.values.transcriber import WorkerState


class Action(enum.Enum):
    """Action for the supervisor."""

    SPAWN = "spawn"
    KILL = "kill"


@dataclass(slots=True)
class WorkerPolicy:
    """State of one worker slot, as a function of events and monotonic seconds.

    Call :meth:`poll` after each event and again at :attr:`wake_at`.

    Attributes:
        start_budget_s: Maximum time from spawn to ready.
        backoff_first_s: Pause before the restart after a second death in a row.
        backoff_max_s: Maximum pause.
    """

    start_budget_s: float
    backoff_first_s: float
    backoff_max_s: float
    state: WorkerState = WorkerState.BACKING_OFF
    wake_at: float | None = 0.0
    starts: int = 0
    budget_s: float = 0.0
    """Budget of the latest batch."""
    overdue_at: float = math.inf
    """When the running batch becomes overdue; infinity if there is none."""
    start_took_s: float = 0.0
    """Duration of the last successful start; 0 before the first."""
    kill_reason: str | None = None
    """Reason for the last :attr:`Action.KILL`: ``start`` or ``hung``."""
    _deaths_in_a_row: int = 0
    _spawned_at: float = field(default=0.0, repr=False)

    def spawned(self, now: float) -> None:
        """Record a process start; the worker must be ready within its start budget."""
        self.state, self.kill_reason = WorkerState.STARTING, None
        self.starts += 1
        self._spawned_at = now
        self.wake_at = now + self.start_budget_s

    def ready(self, now: float) -> None:
        """Record that the model is loaded and warmed up."""
        self.state, self.wake_at = WorkerState.READY, None
        self.start_took_s = now - self._spawned_at

    def batch_started(self, now: float, budget_s: float, overdue_s: float = math.inf) -> None:
        """Record a new batch: overdue after ``overdue_s``, killed after ``budget_s``."""
        self.state, self.wake_at = WorkerState.BUSY, now + budget_s
        self.budget_s, self.overdue_at = budget_s, now + overdue_s

    def is_overdue(self, now: float) -> bool:
        """Return whether the running batch is overdue; its budget may not be used up yet."""
        return self.state is WorkerState.BUSY and now >= self.overdue_at

    def batch_finished(self) -> None:
        """Record finished work: the slot is healthy, which resets its backoff."""
        self.state, self.wake_at = WorkerState.READY, None
        self._deaths_in_a_row = 0

    def stopping(self, kill_at: float | None = None) -> None:
        """Record a stop message (kill at ``kill_at``) or a kill; the exit is still to come."""
        self.state, self.wake_at = WorkerState.STOPPING, kill_at

    def exited(self, now: float, jitter: float) -> None:
        """Record the exit of the process, for any reason.

        Restart at once after the first death; back off exponentially after further deaths in a row.

        Args:
            now: Monotonic seconds.
            jitter: Random number in 0..1 that spreads the pause over its upper half, so that slots
                that died together do not restart together.
        """
        pause_s = 0.0
        if self._deaths_in_a_row:
            doublings = min(self._deaths_in_a_row - 1, 30)
            longest_s = min(self.backoff_first_s * 2**doublings, self.backoff_max_s)
            pause_s = longest_s * (0.5 + 0.5 * jitter)
        self._deaths_in_a_row += 1
        self.state, self.wake_at = WorkerState.BACKING_OFF, now + pause_s

    def poll(self, now: float) -> Action | None:
        """Return the action that is due; each is returned once."""
        if self.wake_at is None or now < self.wake_at:
            return None
        self.wake_at = None
        if self.state is WorkerState.BACKING_OFF:
            return Action.SPAWN
        self.kill_reason = "start" if self.state is WorkerState.STARTING else "hung"
        self.state = WorkerState.STOPPING
        return Action.KILL
