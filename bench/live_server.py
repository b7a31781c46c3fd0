"""A server under test, while it runs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import psutil

from bench.live_play import Tongue


@dataclass(frozen=True, slots=True)
class Running:
    """Where a server is, which process it is, and what it says of itself after a run."""

    url: str
    process: psutil.Process
    own_figures: Callable[[], dict[str, Any]]


class Server(Tongue, Protocol):
    """One of those that are compared."""

    name: str

    def running(self, streams: int) -> AbstractContextManager[Running]:
        """Start a fresh one that takes so many streams, and stop it again."""
        ...

    def packets(self, received: Sequence[tuple[float, str]]) -> dict[str, int] | None:
        """Return what it says of a stream's packets, if it counts them."""
        ...
