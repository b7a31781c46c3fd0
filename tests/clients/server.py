"""``auricle serve`` as users run it: the real model, two workers, a key."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.fakes.command import Command, serving, until
from tests.fakes.model import CACHE_DIR, bundled_model

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
        return self.url.removeprefix("http://")

    def fill(self, snippet: str) -> str:
        """Return a page's snippet with this server's address and key in it, and nothing else."""
        assert ADDRESS_IN_PAGES in snippet
        return snippet.replace(ADDRESS_IN_PAGES, self.address).replace(KEY_IN_PAGES, self.key)

    def health(self) -> Any:
        """Return what ``/health`` says."""
        return httpx2.get(f"{self.url}/health").json()

    def kill_busy_worker(self) -> None:
        """Kill a recogniser with SIGKILL as soon as one has work, and see the work done again.

        Nothing else may be going on; the caller then looks whether its client noticed.
        """
        retried = self.health()["jobs"]["retried"]
        until(self._kill_one, self.command)
        until(lambda: self.health()["jobs"]["retried"] > retried, self.command)

    def _kill_one(self) -> bool:
        busy = [w["pid"] for w in self.health()["workers"] if w["state"] == "busy"]
        if busy:
            os.kill(busy[0], signal.SIGKILL)
        return bool(busy)

    def until_at_rest(self) -> None:
        """Return once no work is left and every worker is ready again."""
        until(self._is_at_rest, self.command)

    def _is_at_rest(self) -> bool:
        health = self.health()
        states = {worker["state"] for worker in health["workers"]}
        return (
            not health["queue"]["jobs"] and not health["files"]["working"] and states == {"ready"}
        )


@contextmanager
def real_server(folder: Path, *arguments: str, **settings: object) -> Iterator[RealServer]:
    """Serve with the bundled model; settings are by field name."""
    bundled_model()
    real: dict[str, object] = {
        "engine": "auricle.engine.short_window:load",
        "model": "base",
        "cache_dir": CACHE_DIR,
        "api_keys": f"tests:{KEY}",
        "workers": 2,
    }
    with serving(folder, *arguments, **(real | settings)) as (command, url):
        yield RealServer(url, command)
