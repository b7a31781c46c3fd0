"""When to come back to a server that is gone or full. I/O-free, but for the dice."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientRules:
    """How patient a client is.

    Attributes:
        first_delay_s: Before the first new connection; doubled each time.
        max_delay_s: The longest of these.
        patience_s: A server that was not to be had for so long is given up.
        first_patience_s: The same before anything was ever connected. A server that says that it
            is full, or not ready yet, gets ``patience_s``.
        connect_limit_s: The longest that one attempt may take.
        silence_s: A server that owes an answer and says nothing for so long is asked whether it
            is there; after as long again it counts as gone.
        keepalive_s: Something is said at least this often.
        max_kept_s: Audio that is kept until its finals are there: 3 kB of Opus a second. If a
            server is away for longer, the oldest audio is lost (see ``patience_s``, too).
    """

    first_delay_s: float = 0.25
    max_delay_s: float = 10.0
    patience_s: float = 900.0
    first_patience_s: float = 0.0
    connect_limit_s: float = 10.0
    silence_s: float = 5.0
    keepalive_s: float = 15.0
    max_kept_s: float = 600.0


class Backoff:
    """Counts failures in a row: each wait is twice as long as the one before, less some chance.

    Args:
        rules: How long.
        chance: Gives a number of 0 to 1: clients that were cut off together don't come together.
    """

    def __init__(self, rules: ClientRules, chance: Callable[[], float] = random.random) -> None:
        self._rules, self._chance = rules, chance
        self._failures = 0
        self._since: float | None = None

    def worked(self) -> None:
        """Take note that the server has done real work."""
        self._failures, self._since = 0, None

    def next_delay_s(self, now: float, patience_s: float, asked_s: float = 0.0) -> float | None:
        """Return how long to wait after a failure; ``None`` when patience is at its end.

        Args:
            now: Monotonic seconds.
            patience_s: How long after the first failure in a row.
            asked_s: How long the server asked us to stay away.
        """
        self._since = now if self._since is None else self._since
        rules = self._rules
        longest_s = min(rules.max_delay_s, rules.first_delay_s * 2 ** min(self._failures, 30))
        self._failures += 1
        delay_s = asked_s + longest_s * (0.5 + 0.5 * self._chance())
        return delay_s if now + delay_s - self._since <= patience_s else None
