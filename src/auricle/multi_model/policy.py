"""Decide which models to load and unload. No I/O, no clock.

::

              request            loading           loaded
    UNLOADED ─────────► (due) ──────────► LOADING ────────► READY
       ▲                  ▲                  │ failed         │ idle
       │                  └── pause ── FAILED ◄               │
       └──────────────────────────────────────────────────────┘

Models that load at the start are always due. Others are due after a request, and are unloaded when
they have not been used for some time, or when another model needs their memory. A failed model is
due again after a pause that doubles each time; other models are not affected.

Arguments named ``now`` and names that end in ``_at`` are monotonic seconds.
"""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.values.transcriber import ModelState

BACKOFF_FIRST_S = 2.0
BACKOFF_MAX_S = 300.0
"""Pause after a failed load: the first one, and the longest."""
WISH_S = 60.0
"""A model that waits for memory is still due for this time after the latest request for it."""
EVICT_AFTER_S = 10.0
"""A model keeps its memory for this time after its latest use, so that two models that are
requested in turn do not replace each other with each request."""
FIRST_LOAD_S = 5.0
"""Estimated time of a load before the first one has been measured."""
BUSY_RETRY_S = 30
"""Retry time of a request for a model that waits for the memory of others, in seconds."""


class Step(enum.Enum):
    """What to do with a model."""

    LOAD = "load"
    UNLOAD = "unload"


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """A model as the policy knows it.

    Attributes:
        name: Its name.
        memory_mb: Memory of all its workers, in MB.
        on_start: Whether it is loaded at the start, and never unloaded.
    """

    name: str
    memory_mb: float
    on_start: bool


@dataclass(slots=True)
class _Life:
    need: ModelNeed
    state: ModelState = ModelState.UNLOADED
    wanted_until: float = -math.inf
    used_at: float = -math.inf
    is_used: bool = False
    since: float = 0.0
    load_s: float = FIRST_LOAD_S
    failures: int = 0
    retry_at: float = -math.inf

    @property
    def holds_memory(self) -> bool:
        return self.state in (ModelState.LOADING, ModelState.READY)

    def is_due(self, now: float) -> bool:
        is_waiting = self.state in (ModelState.UNLOADED, ModelState.FAILED)
        is_wanted = self.need.on_start or now < self.wanted_until
        return is_waiting and is_wanted and now >= self.retry_at


class ModelPolicy:
    """The lives of all models; see the module.

    Call :meth:`next_step` until it returns ``None``, after each event and at least every second.

    Args:
        needs: The models, in the order in which they are loaded.
        memory_mb: Memory for all of them, in MB.
        idle_s: Time without use after which a model is unloaded, in seconds; 0: never.
    """

    def __init__(self, needs: Sequence[ModelNeed], memory_mb: float, idle_s: float) -> None:
        self._lives = {need.name: _Life(need) for need in needs}
        self._memory_mb = memory_mb
        self._idle_s = idle_s

    def state(self, name: str) -> ModelState:
        """Return the state of a model."""
        return self._lives[name].state

    def request(self, name: str, now: float) -> int:
        """Record a request for a model that is not ready; return its retry time in seconds."""
        life = self._lives[name]
        life.wanted_until = now + WISH_S
        if life.state is ModelState.LOADING:
            left_s = life.since + life.load_s - now
        elif now < life.retry_at:
            left_s = life.retry_at - now
        elif self._missing_mb(life) > 0 and not self._evictable(life, now):
            left_s = BUSY_RETRY_S
        else:
            left_s = life.load_s
        return max(1, math.ceil(left_s))

    def retry_now(self) -> None:
        """End the pauses of failed models."""
        for life in self._lives.values():
            life.retry_at = -math.inf

    def resize(self, name: str, memory_mb: float) -> None:
        """Correct the memory of a model, once its files are known."""
        life = self._lives[name]
        life.need = ModelNeed(name, memory_mb, life.need.on_start)

    def note_use(self, name: str, *, is_used: bool, now: float) -> None:
        """Record whether a model has jobs or reservations."""
        life = self._lives[name]
        life.is_used = is_used
        if is_used:
            life.used_at = now

    def loading(self, name: str, now: float) -> None:
        """Record the start of a load."""
        life = self._lives[name]
        life.state, life.since = ModelState.LOADING, now

    def loaded(self, name: str, now: float) -> None:
        """Record that a model is ready."""
        life = self._lives[name]
        life.state, life.load_s, life.failures = ModelState.READY, now - life.since, 0
        life.used_at, life.wanted_until = now, -math.inf

    def failed(self, name: str, now: float) -> float:
        """Record a failed load; return the pause until the next one in seconds."""
        life = self._lives[name]
        pause_s: float = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(life.failures, 30))
        life.state, life.retry_at = ModelState.FAILED, now + pause_s
        life.failures += 1
        return pause_s

    def unloaded(self, name: str) -> None:
        """Record that the workers of a model have ended."""
        self._lives[name].state = ModelState.UNLOADED

    def next_step(self, now: float) -> tuple[Step, str] | None:
        """Return the next step, or ``None``; the caller records it before it asks again."""
        for name, life in self._lives.items():
            if self._is_idle(life, now):
                return Step.UNLOAD, name
        for name, life in self._lives.items():
            if not life.is_due(now):
                continue
            if self._missing_mb(life) <= 0:
                return Step.LOAD, name
            if victims := self._evictable(life, now):
                return Step.UNLOAD, victims[0].need.name
        return None

    def _is_idle(self, life: _Life, now: float) -> bool:
        can_unload = life.state is ModelState.READY and not life.need.on_start and not life.is_used
        return can_unload and self._idle_s > 0 and now - life.used_at >= self._idle_s

    def _missing_mb(self, life: _Life) -> float:
        """Return how much memory is missing for a model.

        A model that loads at the start always has its memory, which was checked then.
        """
        if life.need.on_start:
            return 0.0
        held_mb = sum(each.need.memory_mb for each in self._holding(life))
        return held_mb + life.need.memory_mb - self._memory_mb

    def _holding(self, besides: _Life) -> list[_Life]:
        """Return the other models whose memory can't be given away without unloading them."""
        return [
            life
            for life in self._lives.values()
            if life is not besides and (life.holds_memory or life.need.on_start)
        ]

    def _evictable(self, due: _Life, now: float) -> list[_Life]:
        """Return models to unload for a model, the longest unused first; empty if too few."""
        unused = [
            life
            for life in self._holding(due)
            if life.state is ModelState.READY
            and not life.need.on_start
            and not life.is_used
            and now - life.used_at >= EVICT_AFTER_S
        ]
        unused.sort(key=lambda life: life.used_at)
        enough = sum(life.need.memory_mb for life in unused) >= self._missing_mb(due)
        return unused if enough else []
