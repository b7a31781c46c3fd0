"""Share the decode workers between clients, by decoding time. No I/O, no clock.

The client with the least recent decoding time is next. Nothing about a file says how long it takes
to decode, so a step is charged when it ends, also if it fails or if the client has left. A running
step counts with the time until now.

A step can't be interrupted, and a malicious file makes it as long as its budget. So a client leaves
one worker free as long as another client is active.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from auricle.values.types import ANONYMOUS, ClientId

HALF_LIFE_S = 60.0
"""Time after which half of a client's decoding time is forgotten: a batch of files delays the
client's next file for minutes, not for a day."""
ACTIVE_S = 3600.0
"""Time after its last file or step for which a client is active."""
CLIENT_FILE_SHARE = 0.75
"""Maximum share of the open files for one key."""


@dataclass(frozen=True, slots=True)
class _Account:
    used_s: float
    at: float
    """When ``used_s`` was the client's decoding time."""

    def used_by(self, now: float) -> float:
        return float(self.used_s * 0.5 ** (max(0.0, now - self.at) / HALF_LIFE_S))


@dataclass(frozen=True, slots=True)
class _Running:
    client: ClientId
    began_at: float


class ClientShares:
    """Decoding time of each client, and whose step each worker runs.

    ``now`` is monotonic time in seconds.
    """

    def __init__(self) -> None:
        self._accounts: dict[ClientId, _Account] = {}  # bounded by the number of keys
        self._running: dict[str, _Running] = {}

    def note_file(self, client: ClientId, now: float) -> None:
        """Note that a client has a file to decode."""
        self._charge(client, 0.0, now)
        for idle in [each for each, one in self._accounts.items() if now - one.at > ACTIVE_S]:
            del self._accounts[idle]

    def begin(self, worker: str, client: ClientId, now: float) -> None:
        """Note that a worker begins a step of a client's file."""
        self._running[worker] = _Running(client, now)

    def end(self, worker: str, now: float) -> float:
        """Charge the step that a worker has ended; return its duration in seconds, 0 if none."""
        running = self._running.pop(worker, None)
        if running is None:
            return 0.0
        self._charge(running.client, now - running.began_at, now)
        return now - running.began_at

    def used_s(self, client: ClientId, now: float) -> float:
        """Return a client's recent decoding time in seconds, with its running steps."""
        account = self._accounts.get(client)
        return (0.0 if account is None else account.used_by(now)) + sum(
            now - running.began_at for running in self._running.values() if running.client == client
        )

    def next_client(self, waiting: Iterable[ClientId], workers: int, now: float) -> ClientId | None:
        """Return the client whose file is next for an idle worker, or ``None``.

        Args:
            waiting: Clients whose files can run on it, in order of waiting.
            workers: Number of workers that are ready or busy.
            now: Monotonic time.
        """
        candidates = [
            client for client in dict.fromkeys(waiting) if self._may_begin(client, workers, now)
        ]
        return min(candidates, key=lambda client: self.used_s(client, now), default=None)

    def _may_begin(self, client: ClientId, workers: int, now: float) -> bool:
        """Return whether a client may have one more worker."""
        has_others = any(
            other != client and now - account.at <= ACTIVE_S
            for other, account in self._accounts.items()
        )
        held = sum(running.client == client for running in self._running.values())
        return not has_others or workers < 2 or held + 1 < workers

    def _charge(self, client: ClientId, spent_s: float, now: float) -> None:
        account = self._accounts.get(client)
        used_s = spent_s + (0.0 if account is None else account.used_by(now))
        self._accounts[client] = _Account(used_s, now)


def may_open(client: ClientId, own: int, total: int, max_open: int) -> bool:
    """Return whether a client may open one more file.

    Args:
        client: The client; without keys, all clients are one.
        own: Files that it has open.
        total: Files that all clients have open.
        max_open: Maximum of these.
    """
    is_greedy = client != ANONYMOUS and own >= max_open * CLIENT_FILE_SHARE
    return total < max_open and not is_greedy
