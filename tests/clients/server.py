"""``auricle serve`` as users run it: the real model, two workers, a key."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.command import Command, serving, until
from tests.support.model import CACHE_DIR, bundled_model

KEY = "sk-of-the-tests"

ADDRESS_IN_PAGES = "127.0.0.1:6007"
KEY_IN_PAGES = "YOUR_KEY"


@dataclass(frozen=True)
class RealServer:
    """A server that runs.

    Attributes:
        url: Its address, without a path.
        command: Its process, with what it printed.
        key: What it wants to be shown.
    """

    url: str
    command: Command
    key: str = KEY

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2]

    def fill(self, snippet: str) -> str:
        """Return a page's snippet with this server's address and key in it, and nothing else."""
        assert ADDRESS_IN_PAGES in snippet
        return snippet.replace(ADDRESS_IN_PAGES, self.address).replace(KEY_IN_PAGES, self.key)

    def health(self) -> Any:
        """Return what ``/health`` says."""
        return httpx2.get(f"{self.url}/health").json()

    def until(self, holds: Callable[[Any], object]) -> None:
        """Return once ``/health`` says what is waited for."""
        until(lambda: holds(self.health()), self.command)

    def kill_worker(self, state: str) -> None:
        """Kill a recogniser with SIGKILL, as soon as one is in this state, and see it gone."""
        killed: list[int] = []

        def kill(health: Any) -> bool:
            killed.extend(_pids(health, state)[:1])
            for pid in killed:
                _signal(pid, signal.SIGKILL)
            return bool(killed)

        self.until(kill)
        self.until(lambda health: killed[0] not in _pids(health))

    def make_back_off(self) -> None:
        """Kill the only recogniser until there is a pause before its next start."""
        for _ in range(2):
            self.kill_worker("ready")
        self.until(lambda health: health["workers"][0]["state"] == "backing_off")

    def kill_busy_worker(self) -> None:
        """Kill a recogniser while it works, and see that its work was given to another.

        Those that are ready are stopped meanwhile, since work takes only a tenth of a second.
        Nothing else may run; the caller then checks whether its client noticed.
        """
        health = self.health()
        retried, stopped = health["jobs"]["retried"], set[int]()
        try:
            while health["jobs"]["retried"] == retried:  # its work may have been cancelled
                for pid in [*_pids(health, "ready"), *_pids(health, "busy")]:
                    _signal(pid, signal.SIGSTOP)
                    stopped.add(pid)
                self.kill_worker("busy")
                health = self.health()
        finally:
            for pid in stopped:
                _signal(pid, signal.SIGCONT)

    def until_at_rest(self) -> None:
        """Return once no work is left and every worker is ready again."""
        self.until(_is_at_rest)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _pids(health: Any, state: str | None = None) -> list[int]:
    return [worker["pid"] for worker in health["workers"] if state in (None, worker["state"])]


def _is_at_rest(health: Any) -> bool:
    states = {worker["state"] for worker in health["workers"]}
    return not health["queue"]["jobs"] and not health["files"]["working"] and states == {"ready"}


@contextmanager
def real_server(folder: Path, *arguments: str, **settings: object) -> Iterator[RealServer]:
    """Serve with the bundled model; settings are by field name."""
    bundled_model()
    only = {} if "models" in settings else {"engine": "whisper", "model": "base"}
    real: dict[str, object] = {
        **only,
        "cache_dir": CACHE_DIR,
        "api_keys": f"tests:{KEY}",
        "workers": 2,
    }
    with serving(folder, *arguments, **(real | settings)) as (command, url):
        yield RealServer(url, command)
