"""The load: every kind of client at once, and the result of each request."""

import asyncio
import importlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import anyio

from bench.lib.report import ROOT
from tests.resilience.chaos.clients import job, native, openai_rest, utterance
from tests.resilience.chaos.clients.site import Broken, Refused, Site
from tests.resilience.chaos.recordings import Recording, Recordings

ClientCall = Callable[[Site, Recording], Awaitable[str]]

OPTIONAL = [
    importlib.import_module(f"tests.apis.{path.parent.name}.chaos")
    for path in sorted((ROOT / "tests/apis").glob("*/chaos.py"))
]
"""Clients of optional APIs, which are among the tests of each: ``SPEAKERS`` and ``CALLERS``."""
SPEAKERS: dict[str, ClientCall] = {native.KIND: native.transcribe}
"""They send live speech."""
CALLERS: dict[str, ClientCall] = {
    utterance.FILE: utterance.transcribe_file,
    utterance.JSON: utterance.transcribe_json,
    openai_rest.WHOLE: openai_rest.transcribe_whole,
    openai_rest.STREAM: openai_rest.transcribe_stream,
}
"""They send some seconds of speech and wait for the text."""
JOBS: dict[str, ClientCall] = {job.KIND: job.transcribe}
"""They send long files."""
for module in OPTIONAL:
    SPEAKERS |= module.SPEAKERS
    CALLERS |= getattr(module, "CALLERS", {})
KINDS = SPEAKERS | CALLERS | JOBS

CALLS_A_JOB = 9
CALLS_WHEN_CALM = 3
PATIENCE_S = 700.0
"""An accepted request that has not ended after this counts as lost."""
MAX_CALLS = 150
CLOSED_LOOP_CLIENTS = 24
SETTLE_S = 3.0
"""The first seconds of a closed loop are not counted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one request; times are monotonic seconds."""

    kind: str
    recording: Recording
    began_at: float
    took_s: float
    end: str
    """``done``, ``disconnected`` or ``broken``."""
    text: str = ""
    why: str = ""

    @property
    def ended_at(self) -> float:
        """When it ended."""
        return self.began_at + self.took_s


@dataclass
class Load:
    """Sends requests, repeats refused ones, and keeps the results.

    Args:
        site: The server.
        recordings: The speech to send.
        dice: Decides the order and the times; the same seed gives the same load.
    """

    site: Site
    recordings: Recordings
    dice: random.Random
    outcomes: list[Outcome] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    unsent: int = 0
    _running: dict[int, tuple[str, anyio.CancelScope]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def transcribe(self, kind: str, recording: Recording) -> Outcome:
        """Repeat one request until it is accepted and has ended."""
        number, began_at, end, text, why = next(self._numbers), time.monotonic(), "done", "", ""
        with anyio.CancelScope() as scope:
            self._running[number] = kind, scope
            try:
                text = await self._until_accepted(kind, recording)
            except (Broken, TimeoutError) as error:
                end, why = "broken", str(error) or f"no end in {PATIENCE_S:g} s"
            finally:
                del self._running[number]
        if scope.cancelled_caught:
            end = "disconnected"
        outcome = Outcome(kind, recording, began_at, time.monotonic() - began_at, end, text, why)
        self.outcomes.append(outcome)
        if end == "broken":
            print(f"  BROKEN: {kind}, {recording.name}: {why}", flush=True)
        return outcome

    async def _until_accepted(self, kind: str, recording: Recording) -> str:
        while True:
            try:
                with anyio.fail_after(PATIENCE_S):
                    return await KINDS[kind](self.site, recording)
            except Refused as refused:
                self.refusals[refused.code] += 1
                await asyncio.sleep(refused.retry_after_s)

    def disconnect_client(self, dice: random.Random) -> str:
        """Cancel a random running request; return its kind."""
        if not self._running:
            return "no client"
        kind, scope = self._running[dice.choice(sorted(self._running))]
        scope.cancel()
        return kind

    @property
    def running(self) -> Counter[str]:
        """The number of running requests of each kind."""
        return Counter(kind for kind, _ in self._running.values())

    async def transcribe_all(self) -> dict[tuple[str, str], Outcome]:
        """Send every request once; return the results by kind and recording."""
        found: dict[tuple[str, str], Outcome] = {}
        turn = anyio.CapacityLimiter(CALLS_WHEN_CALM)

        async def speak(kind: str, recording: Recording) -> None:
            found[kind, recording.name] = await self.transcribe(kind, recording)

        async def call(kind: str, recording: Recording) -> None:
            async with turn:
                await speak(kind, recording)

        async with anyio.create_task_group() as group:
            for kind, recording in itertools.product(SPEAKERS, self.recordings.live):
                group.start_soon(speak, kind, recording)
            calls = [*itertools.product(CALLERS, self.recordings.short)]
            for kind, recording in [*calls, *itertools.product(JOBS, self.recordings.long)]:
                group.start_soon(call, kind, recording)
        return found

    def _calls(self) -> Iterator[tuple[str, Recording]]:
        """Yield requests without end."""
        kinds, long = itertools.cycle(CALLERS), itertools.cycle(self.recordings.long)
        while True:
            yield next(iter(JOBS)), next(long)
            for _ in range(CALLS_A_JOB):
                yield next(kinds), self.dice.choice(self.recordings.short)

    @property
    def mean_call_s(self) -> float:
        """Mean seconds of speech of a request."""
        short = sum(recording.seconds for recording in self.recordings.short) / len(
            self.recordings.short
        )
        long = sum(recording.seconds for recording in self.recordings.long) / len(
            self.recordings.long
        )
        return (CALLS_A_JOB * short + long) / (CALLS_A_JOB + 1)

    async def closed_loop(self, seconds: float) -> float:
        """Return the seconds of speech that are transcribed per second if clients never pause."""
        calls, began_at = self._calls(), time.monotonic()
        before = len(self.outcomes)

        async def one() -> None:
            while time.monotonic() < began_at + seconds:
                await self.transcribe(*next(calls))

        async with anyio.create_task_group() as group:
            for _ in range(CLOSED_LOOP_CLIENTS):
                group.start_soon(one)
        done = [
            outcome.recording.seconds
            for outcome in self.outcomes[before:]
            if outcome.end == "done"
            and began_at + SETTLE_S <= outcome.ended_at < began_at + seconds
        ]
        return sum(done) / (seconds - SETTLE_S)

    async def offer(self, audio_s_per_s: float, seconds: float, *, speakers_each: int) -> None:
        """Offer a load in seconds of speech per second, and wait until all requests have ended.

        Speakers send without pause; other requests make up the rest.
        """
        speakers = speakers_each * len(SPEAKERS)
        rate_per_s = max(0.1, (audio_s_per_s - speakers) / self.mean_call_s)
        calls, ends_at = self._calls(), time.monotonic() + seconds

        async def speak(kind: str, first: int) -> None:
            for recording in itertools.islice(itertools.cycle(self.recordings.live), first, None):
                if time.monotonic() >= ends_at:
                    return
                await self.transcribe(kind, recording)

        async with anyio.create_task_group() as group:
            for kind, index in itertools.product(SPEAKERS, range(speakers_each)):
                group.start_soon(speak, kind, index)
            while time.monotonic() < ends_at:
                await asyncio.sleep(self.dice.expovariate(rate_per_s))
                call = next(calls)
                if len(self._running) > MAX_CALLS:
                    self.unsent += 1
                else:
                    group.start_soon(self.transcribe, *call)
