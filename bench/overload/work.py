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
        expected: The text of each clip as the undisturbed service says it; another is an error.
    """

    name: str
    audio_s: float
    settle_s: float
    flood_s: float
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
        expected: As in :class:`Work`.
    """

    name: str
    client: Client
    bodies: Sequence[Body]
    settle_s: float
    flood_s: float
    expected: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.audio_s = sum(body.audio_s for body in self.bodies) / len(self.bodies)
        self._source = itertools.cycle(self.bodies)

    async def do(self, key: str | None) -> Outcome:
        """See :class:`Work`."""
        return await self.client.post(next(self._source), key)

    async def hear_all(self, key: str | None) -> None:
        """See :class:`Work`."""
        for body in self.bodies:
            if body.clip not in self.expected:
                outcome = await self.client.post(body, key)
                if not outcome.is_done:
                    raise RuntimeError(f"{body.clip}: {outcome.status} {outcome.code}")
                self.expected[body.clip] = outcome.text


def other_text(outcomes: Sequence[Outcome], expected: Mapping[str, str]) -> int:
    """Return how many answers are not what the undisturbed service says."""
    return sum(outcome.text != expected[outcome.clip] for outcome in outcomes if outcome.is_done)
