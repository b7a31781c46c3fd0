"""The load: every kind of client at once, and what became of each thing that was asked."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import anyio

from tests.resilience.chaos.clients import (
    deepgram,
    job,
    native,
    openai_realtime,
    openai_rest,
    utterance,
    wyoming,
)
from tests.resilience.chaos.clients.site import Broken, Refused, Site
from tests.resilience.chaos.said import OutboundItem, Repertoire

TranscriptionParams = Callable[[Site, OutboundItem], Awaitable[str]]

SPEAKERS: dict[str, TranscriptionParams] = {
    native.KIND: native.ask,
    openai_realtime.KIND: openai_realtime.ask,
    deepgram.LIVE: deepgram.ask_live,
    wyoming.KIND: wyoming.ask,
}
"""They speak at real-time pace."""
CALLERS: dict[str, TranscriptionParams] = {
    utterance.FILE: utterance.ask_file,
    utterance.JSON: utterance.ask_json,
    openai_rest.WHOLE: openai_rest.ask_whole,
    openai_rest.STREAM: openai_rest.ask_stream,
    deepgram.FILE: deepgram.ask_file,
}
"""They send some seconds of speech and wait for the text."""
JOBS: dict[str, TranscriptionParams] = {job.KIND: job.ask}
"""They send long files."""
KINDS = SPEAKERS | CALLERS | JOBS

CALLS_A_JOB = 9
CALLS_IN_PEACE = 3
PATIENCE_S = 700.0
"""What was accepted and has not ended after so long, never will."""
MAX_CALLS = 150
CLOSED_LOOP_CLIENTS = 24
SETTLE_S = 3.0
"""What is done in the first seconds of a closed loop says little."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one thing that was asked; times are monotonic seconds."""

    kind: str
    said: OutboundItem
    began_at: float
    took_s: float
    end: str
    """``done``, ``vanished`` or ``broken``."""
    text: str = ""
    why: str = ""

    @property
    def ended_at(self) -> float:
        """When it ended."""
        return self.began_at + self.took_s


@dataclass
class Load:
    """Asks, retries what is refused, and keeps what becomes of it.

    Args:
        site: The server.
        said: What there is to say.
        dice: Decides who comes when; so a seed gives the same load again.
    """

    site: Site
    said: Repertoire
    dice: random.Random
    outcomes: list[Outcome] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    unsent: int = 0
    _running: dict[int, tuple[str, anyio.CancelScope]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ask(self, kind: str, said: OutboundItem) -> Outcome:
        """Ask for one thing until it is accepted and has ended."""
        number, began_at, end, text, why = next(self._numbers), time.monotonic(), "done", "", ""
        with anyio.CancelScope() as scope:
            self._running[number] = kind, scope
            try:
                text = await self._until_accepted(kind, said)
            except (Broken, TimeoutError) as error:
                end, why = "broken", str(error) or f"no end in {PATIENCE_S:g} s"
            finally:
                del self._running[number]
        if scope.cancelled_caught:
            end = "vanished"
        outcome = Outcome(kind, said, began_at, time.monotonic() - began_at, end, text, why)
        self.outcomes.append(outcome)
        if end == "broken":
            print(f"  BROKEN: {kind}, {said.name}: {why}", flush=True)
        return outcome

    async def _until_accepted(self, kind: str, said: OutboundItem) -> str:
        while True:
            try:
                with anyio.fail_after(PATIENCE_S):
                    return await KINDS[kind](self.site, said)
            except Refused as refused:
                self.refusals[refused.code] += 1
                await asyncio.sleep(refused.retry_after_s)

    def vanish(self, dice: random.Random) -> str:
        """Let somebody leave in the middle of it; return what kind."""
        if not self._running:
            return "nobody was there"
        kind, scope = self._running[dice.choice(sorted(self._running))]
        scope.cancel()
        return kind

    @property
    def running(self) -> Counter[str]:
        """How many of each kind are at it."""
        return Counter(kind for kind, _ in self._running.values())

    async def each_once(self) -> dict[tuple[str, str], Outcome]:
        """Ask for everything once, in peace; return what came by kind and speech."""
        found: dict[tuple[str, str], Outcome] = {}
        turn = anyio.CapacityLimiter(CALLS_IN_PEACE)

        async def speak(kind: str, said: OutboundItem) -> None:
            found[kind, said.name] = await self.ask(kind, said)

        async def call(kind: str, said: OutboundItem) -> None:
            async with turn:
                await speak(kind, said)

        async with anyio.create_task_group() as group:
            for kind, said in itertools.product(SPEAKERS, self.said.live):
                group.start_soon(speak, kind, said)
            calls = [*itertools.product(CALLERS, self.said.short)]
            for kind, said in [*calls, *itertools.product(JOBS, self.said.long)]:
                group.start_soon(call, kind, said)
        return found

    def _calls(self) -> Iterator[tuple[str, OutboundItem]]:
        """Yield what callers ask for, for ever."""
        kinds, long = itertools.cycle(CALLERS), itertools.cycle(self.said.long)
        while True:
            yield next(iter(JOBS)), next(long)
            for _ in range(CALLS_A_JOB):
                yield next(kinds), self.dice.choice(self.said.short)

    @property
    def mean_call_s(self) -> float:
        """How much speech a caller sends on average."""
        short = sum(said.seconds for said in self.said.short) / len(self.said.short)
        long = sum(said.seconds for said in self.said.long) / len(self.said.long)
        return (CALLS_A_JOB * short + long) / (CALLS_A_JOB + 1)

    async def flat_out(self, seconds: float) -> float:
        """Return how many seconds of speech are worked off in a second, if nobody ever pauses."""
        calls, began_at = self._calls(), time.monotonic()
        before = len(self.outcomes)

        async def one() -> None:
            while time.monotonic() < began_at + seconds:
                await self.ask(*next(calls))

        async with anyio.create_task_group() as group:
            for _ in range(CLOSED_LOOP_CLIENTS):
                group.start_soon(one)
        done = [
            outcome.said.seconds
            for outcome in self.outcomes[before:]
            if outcome.end == "done"
            and began_at + SETTLE_S <= outcome.ended_at < began_at + seconds
        ]
        return sum(done) / (seconds - SETTLE_S)

    async def offer(self, audio_s_per_s: float, seconds: float, *, speakers_each: int) -> None:
        """Offer so much speech in a second, and wait until all that was asked has ended.

        Speakers speak one after the other all the time; callers make up the rest.
        """
        speakers = speakers_each * len(SPEAKERS)
        rate_per_s = max(0.1, (audio_s_per_s - speakers) / self.mean_call_s)
        calls, ends_at = self._calls(), time.monotonic() + seconds

        async def speak(kind: str, first: int) -> None:
            for said in itertools.islice(itertools.cycle(self.said.live), first, None):
                if time.monotonic() >= ends_at:
                    return
                await self.ask(kind, said)

        async with anyio.create_task_group() as group:
            for kind, index in itertools.product(SPEAKERS, range(speakers_each)):
                group.start_soon(speak, kind, index)
            while time.monotonic() < ends_at:
                await asyncio.sleep(self.dice.expovariate(rate_per_s))
                call = next(calls)
                if len(self._running) > MAX_CALLS:
                    self.unsent += 1
                else:
                    group.start_soon(self.ask, *call)
