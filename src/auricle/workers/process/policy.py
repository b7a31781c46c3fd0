"""The watchdog's decisions: when a worker is started, given up and replaced. No I/O, no clock.

```text
              spawned           ready           batch_started
  BACKING_OFF ───────► STARTING ─────► READY ◄──────────────► BUSY
       ▲                  │ budget       │      batch_finished  │ budget
       │ exited           ▼              ▼ retire               ▼
       └───────────── STOPPING ◄────────────────────────────────┘
```

There are no heartbeats: a worker is judged by work done within its budget on the parent's clock.
"""

import enum
import math
from dataclasses import dataclass, field


class Action(enum.Enum):
    """What the supervisor is to do now."""

    SPAWN = "spawn"
    KILL = "kill"


class State(enum.StrEnum):
    """Where a worker stands, as ``/health`` shows it."""

    BACKING_OFF = "backing_off"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    STOPPING = "stopping"


@dataclass(slots=True)
class WorkerPolicy:
    """The life of one worker slot, as a function of events and monotonic seconds.

    Call :meth:`poll` after each event and again at :attr:`wake_at`.

    Attributes:
        start_budget_s: Longest time from spawn to ready.
        backoff_first_s: Pause before the start that follows a second death in a row.
        backoff_max_s: Longest pause.
    """

    start_budget_s: float
    backoff_first_s: float
    backoff_max_s: float
    state: State = State.BACKING_OFF
    wake_at: float | None = 0.0
    starts: int = 0
    budget_s: float = 0.0
    """Of the batch that was started last."""
    overdue_at: float = math.inf
    """When the batch that is being worked on has taken suspiciously long; infinity if none is."""
    start_took_s: float = 0.0
    """How long the last successful start took; 0 before the first."""
    kill_reason: str | None = None
    """Why :meth:`poll` asked for the kill: ``start`` or ``hung``."""
    _deaths_in_a_row: int = 0
    _spawned_at: float = field(default=0.0, repr=False)

    def spawned(self, now: float) -> None:
        """A process was started: it must be ready within its budget."""
        self.state, self.kill_reason = State.STARTING, None
        self.starts += 1
        self._spawned_at = now
        self.wake_at = now + self.start_budget_s

    def ready(self, now: float) -> None:
        """The model is loaded and warmed up."""
        self.state, self.wake_at = State.READY, None
        self.start_took_s = now - self._spawned_at

    def batch_started(self, now: float, budget_s: float, overdue_s: float = math.inf) -> None:
        """Work was handed over; it is overdue after ``overdue_s``, given up after ``budget_s``."""
        self.state, self.wake_at = State.BUSY, now + budget_s
        self.budget_s, self.overdue_at = budget_s, now + overdue_s

    def is_overdue(self, now: float) -> bool:
        """Return whether a batch takes suspiciously long, though its budget is not used up."""
        return self.state is State.BUSY and now >= self.overdue_at

    def batch_finished(self) -> None:
        """Real work was done: the slot is healthy, its deaths are forgiven."""
        self.state, self.wake_at = State.READY, None
        self._deaths_in_a_row = 0

    def stopping(self, kill_at: float | None = None) -> None:
        """The worker was told to stop, until ``kill_at``, or was killed; its exit is awaited."""
        self.state, self.wake_at = State.STOPPING, kill_at

    def exited(self, now: float, jitter: float) -> None:
        """The process is gone, for whatever reason.

        Restart at once; from the second death in a row on, wait exponentially longer.

        Args:
            now: Monotonic seconds.
            jitter: Random in 0..1; spreads the pause over its upper half, so that slots that
                died together don't start together.
        """
        pause_s = 0.0
        if self._deaths_in_a_row:
            doublings = min(self._deaths_in_a_row - 1, 30)
            longest_s = min(self.backoff_first_s * 2**doublings, self.backoff_max_s)
            pause_s = longest_s * (0.5 + 0.5 * jitter)
        self._deaths_in_a_row += 1
        self.state, self.wake_at = State.BACKING_OFF, now + pause_s

    def poll(self, now: float) -> Action | None:
        """Return what is due; each due action is returned once."""
        if self.wake_at is None or now < self.wake_at:
            return None
        self.wake_at = None
        if self.state is State.BACKING_OFF:
            return Action.SPAWN
        self.kill_reason = "start" if self.state is State.STARTING else "hung"
        self.state = State.STOPPING
        return Action.KILL
