"""Asks a server for its health while something fails, and summarises what it said."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2

POLL_S = 0.5
TIMEOUT_S = 2.0
NO_ANSWER = "no answer"


@dataclass(slots=True)
class Health:
    """What a server said of itself, with the time of each change.

    Attributes:
        source: The URL, or the port that was connected to.
        states: Seconds from the start, and what was said from then on.
    """

    source: str
    states: list[tuple[float, str]] = field(default_factory=list)
    end_s: float = 0.0

    def add(self, at_s: float, state: str) -> None:
        """Add an answer."""
        if not self.states or self.states[-1][1] != state:
            self.states.append((at_s, state))
        self.end_s = at_s

    def record(self) -> dict[str, object]:
        """Return all answers for JSON."""
        states = [[round(at_s, 2), state] for at_s, state in self.states]
        return {"source": self.source, "states": states}

    def summary(self) -> str:
        """Return each state other than the first with its duration, or the only one."""
        return summarise(self.states, self.end_s)


def summarise(states: Sequence[tuple[float, str]], end_s: float) -> str:
    """Return the states and how long each lasted in total, in the order of their appearance."""
    if not states:
        return "not asked"
    totals: dict[str, float] = {}
    for (at_s, state), (until_s, _) in zip(states, [*states[1:], (end_s, "")], strict=True):
        totals[state] = totals.get(state, 0.0) + until_s - at_s
    if len(totals) == 1:
        return next(iter(totals))
    return ", ".join(f"{state} {seconds:.0f} s" for state, seconds in totals.items())


@asynccontextmanager
async def watched(url: str, address: tuple[str, int]) -> AsyncIterator[Health]:
    """Ask every half second: ``status`` of the JSON, else the HTTP status, else the port.

    Args:
        url: Of the health; empty: only whether the port accepts connections is looked at.
        address: Host and a port of the server.
    """
    health = Health(url or f"TCP port {address[1]}")
    task = asyncio.create_task(_poll(health, url, address))
    try:
        yield health
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _poll(health: Health, url: str, address: tuple[str, int]) -> None:
    start_s = time.monotonic()
    async with httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        while True:
            at_s = time.monotonic() - start_s
            health.add(at_s, await (_ask(client, url) if url else _connect(address)))
            await asyncio.sleep(POLL_S)


async def _ask(client: httpx2.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
    except httpx2.HTTPError:
        return NO_ANSWER
    status = ""
    with suppress(ValueError, AttributeError):
        status = str(answer.json().get("status") or "")
    if answer.status_code >= 400:
        return f"HTTP {answer.status_code} {status}".strip()
    return status or f"HTTP {answer.status_code}"


async def _connect(address: tuple[str, int]) -> str:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*address), TIMEOUT_S)
    except (OSError, TimeoutError):
        return NO_ANSWER
    writer.close()
    return "port open"
