"""The three kinds of work that a service may have too much of, as its clients ask for it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.posting import Body, Client, Outcome


class Work(Protocol):
    """One kind of work.

    Attributes:
        name: Of the kind.
        audio_s: How much audio one piece of it has, on average.
        settle_s: How long the queue takes to fill; what is done is counted from then on.
        flood_s: How long there is too much of it.
        jobs_each: How many jobs one piece of it makes, if what is done is to be told from those:
            files that are worked on side by side are half done for long, and then all at once.
        expected: The text of each clip as the undisturbed service says it; another is an error.
    """

    name: str
    audio_s: float
    settle_s: float
    flood_s: float
    jobs_each: float | None
    expected: dict[str, str]

    async def hear_all(self, key: str | None) -> None:
        """Learn the undisturbed service's text of each clip.

        Raises:
            RuntimeError: It has none.
        """
        ...

    async def do(self, key: str | None) -> Outcome:
        """Ask for the next piece once, and return what became of it."""
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
        counts_jobs: Whether to find out ``jobs_each``.
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

    async def hear_all(self, key: str | None) -> None:
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
    """Return how many jobs the recognisers have done so far."""
    answer = await client.exchange(client.head("/metrics"), b"")
    lines = answer.content.decode().splitlines()
    (found,) = (
        line for line in lines if line.startswith('auricle_worker_jobs_total{outcome="done"}')
    )
    return int(float(found.rsplit(" ", 1)[1]))


def other_texts(outcomes: Sequence[Outcome], expected: Mapping[str, str]) -> list[dict[str, str]]:
    """Return each answer that is not what the undisturbed service says, and what it says."""
    return [
        {"got": outcome.text, "wanted": expected[outcome.clip], "code": outcome.code}
        for outcome in outcomes
        if outcome.is_done and outcome.text != expected[outcome.clip]
    ]
