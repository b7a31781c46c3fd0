"""When to reconnect to a server that is unreachable or full. No I/O."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientRules:
    """Timeouts, retries and buffer size of a client.

    Attributes:
        first_delay_s: Delay before the first reconnection; doubled after each failure.
        max_delay_s: Maximum delay between reconnections.
        patience_s: Time without a connection after which the client gives up.
        first_patience_s: The same before the first connection. If a server answers that it is
            full or not ready, ``patience_s`` applies.
        connect_limit_s: Timeout of one connection attempt.
        silence_s: If the server owes a message and sends none for this time, the client sends a
            ping; after the same time without a pong, the connection is closed.
        keepalive_s: Maximum time between two messages to the server.
        max_kept_s: Audio buffered until its finals arrive; 3 kB of Opus per second. In a longer
            outage, the oldest audio is lost (see also ``patience_s``).
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
    """Exponential backoff with jitter over consecutive failures.

    Args:
        rules: The delays.
        chance: Returns a random number from 0 to 1, so that clients do not reconnect all at once.
    """

    def __init__(
        self, rules: ClientRules, random_fraction: Callable[[], float] = random.random
    ) -> None:
        self._rules, self._random_fraction = rules, random_fraction
        self._failures = 0
        self._since: float | None = None

    def worked(self) -> None:
        """Reset the backoff after the server has made progress."""
        self._failures, self._since = 0, None

    def next_delay_s(
        self,
        now: float,
        patience_s: float,
        retry_after_s: float = 0.0,
        max_delay_s: float | None = None,
    ) -> float | None:
        """Return the delay after a failure in seconds, or ``None`` to give up.

        Args:
            now: Monotonic time in seconds.
            patience_s: Time after the first consecutive failure at which to give up.
            retry_after_s: Minimum delay that the server requested, in seconds.
            max_delay_s: Maximum delay in place of the rules' one, in seconds.
        """
        self._since = now if self._since is None else self._since
        rules = self._rules
        max_delay_s = rules.max_delay_s if max_delay_s is None else max_delay_s
        longest_s = min(max_delay_s, rules.first_delay_s * 2 ** min(self._failures, 30))
        self._failures += 1
        delay_s = retry_after_s + longest_s * (0.5 + 0.5 * self._random_fraction())
        return delay_s if now + delay_s - self._since <= patience_s else None
