"""The kinds of work that clients request: utterances, files and live sessions."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.lib.posting import Body, Client, Outcome

JOBS_DONE = 'auricle_worker_jobs_total{outcome="done"}'


class Work(Protocol):
    """One kind of work.

    Attributes:
        name: Of the kind.
        audio_s: Mean seconds of audio of one request or session.
        settle_s: Time until the queue is full; results are counted from then on.
        flood_s: Duration of the load.
        jobs_each: Number of jobs of one request, if goodput is to be counted by jobs: several
            files that run in parallel finish late, and all at once.
        expected: The text of each clip without load; any other text is an error.
    """

    name: str
    audio_s: float
    settle_s: float
    flood_s: float
    jobs_each: float | None
    expected: dict[str, str]

    async def learn_texts(self, key: str | None) -> None:
        """Learn the text of each clip without load.

        Raises:
            RuntimeError: A clip has no text.
        """
        ...

    async def do(self, key: str | None) -> Outcome:
        """Send the next request once, and return its result."""
        ...


@dataclass
class Posting:
    """Utterances or files: one request each.

    Args:
        name: Of the kind.
        client: Sends them.
        bodies: Posted in turn.
        settle_s: As in :class:`Work`.
        flood_s: As in :class:`Work`.
        counts_jobs: Whether to measure ``jobs_each``.
        expected: As in :class:`Work`.
    """

    name: str
    client: Client
    bodies: Sequence[Body]
    settle_s: float
    flood_s: float
    counts_jobs: bool = False
    jobs_each: float | None = None
    expected: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.audio_s = sum(body.audio_s for body in self.bodies) / len(self.bodies)
        self._source = itertools.cycle(self.bodies)

    async def do(self, key: str | None) -> Outcome:
        """See :class:`Work`."""
        return await self.client.post(next(self._source), key)

    async def learn_texts(self, key: str | None) -> None:
        """See :class:`Work`."""
        before = await jobs_done(self.client)
        for body in self.bodies:
            if body.clip not in self.expected:
                outcome = await self.client.post(body, key)
                if not outcome.is_done:
                    raise RuntimeError(f"{body.clip}: {outcome.status} {outcome.code}")
                self.expected[body.clip] = outcome.text
        if self.counts_jobs:
            self.jobs_each = (await jobs_done(self.client) - before) / len(self.expected)


async def jobs_done(client: Client) -> int:
    """Return the number of jobs that the recognisers have finished."""
    lines = (await client.get("/metrics")).content.decode().splitlines()
    [line] = (line for line in lines if line.startswith(JOBS_DONE))
    return int(float(line.rsplit(" ", 1)[1]))


def other_texts(outcomes: Sequence[Outcome], expected: Mapping[str, str]) -> list[dict[str, str]]:
    """Return each text that differs from the text without load."""
    return [
        {"text": outcome.text, "expected": expected[outcome.clip], "code": outcome.code}
        for outcome in outcomes
        if outcome.is_done and outcome.text != expected[outcome.clip]
    ]
