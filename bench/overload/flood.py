"""An open loop: work arrives at its time, independently of the results of earlier work."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from bench.lib.cpu import CpuMeter, CpuShare
from bench.lib.posting import JSON_TYPE, WAV_PATH, WAV_TYPE, Client, Outcome
from bench.overload.work import Work, jobs_done

MAX_AT_ONCE = 800
LAG_EACH_S = 0.01
LIVEZ_EACH_S = 0.1
PROBE_EACH_S = 0.5
PROBE_LIMIT_S = 2.0
PROBES = {JSON_TYPE: ("/utterance", 20_000_000), WAV_TYPE: (WAV_PATH, 950_000)}
"""Path and Content-Length of headers without a body; a longer WAV would count as a file."""
MAX_TRIES = 60
JITTER_S = 0.3
"""Clients retry a little later than Retry-After, so that not all retry at once."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A client that obeys Retry-After: its number of tries, and its wait until admission."""

    tries: int
    waited_s: float
    last: Outcome


@dataclass(slots=True)
class Flood:
    """The results of an open loop; times are monotonic seconds."""

    began_at: float
    seconds: float
    offered: int = 0
    unsent: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    probes: list[Outcome] = field(default_factory=list)
    patient: list[Patient] = field(default_factory=list)
    livez_s: list[float] = field(default_factory=list)
    jobs_done: list[int] = field(default_factory=list)
    """By the recognisers: when the queue was full, and when the last request was offered."""
    lags_s: list[float] = field(default_factory=list)
    cpu: CpuShare | None = None
    """Use of the cores once the queue was full."""


async def flood(
    work: Work,
    client: Client,
    rates_per_s: Mapping[str, float],
    seconds: float,
    server: psutil.Process,
    *,
    patient: int = 0,
    probes: bool = False,
) -> Flood:
    """Offer work at random times (Poisson), and wait until all of it has ended.

    Args:
        work: Its kind.
        client: For probes and metrics.
        rates_per_s: Requests per second, by key.
        seconds: Duration of the load.
        server: Its process.
        patient: Number of clients that start in the middle and obey ``Retry-After`` until they
            are admitted.
        probes: Whether headers without a body are sent once the queue is full: only a server
            that refuses before it reads the body can respond to them.
    """
    load = Flood(time.monotonic(), seconds)
    running: set[asyncio.Task[None]] = set()

    async def ask(key: str | None) -> None:
        load.outcomes.append(await _done(work, key))

    def start(doing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(doing)
        running.add(task)
        task.add_done_callback(running.discard)

    async def arrive_patiently() -> None:
        await asyncio.sleep(seconds / 2)
        keys = itertools.cycle(rates_per_s)
        found = await asyncio.gather(*(insist(work, next(keys)) for _ in range(patient)))
        load.patient.extend(found)

    background = [
        asyncio.ensure_future(_repeat(lambda: _note_lag(load), 0)),
        asyncio.ensure_future(_repeat(lambda: _ask_livez(client, load), LIVEZ_EACH_S)),
    ]
    if probes:
        kinds = itertools.cycle(PROBES)
        first = next(iter(rates_per_s))

        async def probe_on() -> None:
            await asyncio.sleep(work.settle_s)  # before that, the queue may have room
            await _repeat(lambda: _probe(client, load, next(kinds), first), PROBE_EACH_S)

        background.append(asyncio.ensure_future(probe_on()))

    meter: CpuMeter | None = None

    async def count_once_full() -> None:
        nonlocal meter
        await asyncio.sleep(work.settle_s)
        meter = CpuMeter(server)
        load.jobs_done.append(await jobs_done(client))

    start(arrive_patiently())
    start(count_once_full())
    for at_s, key in arrivals(rates_per_s, seconds):
        await asyncio.sleep(max(0.0, load.began_at + at_s - time.monotonic()))
        load.offered += 1
        if len(running) >= MAX_AT_ONCE:
            load.unsent += 1
            continue
        start(ask(key))
    load.cpu = None if meter is None else meter.share()
    load.jobs_done.append(await jobs_done(client))
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await asyncio.gather(*running)
    return load


def arrivals(rates_per_s: Mapping[str, float], seconds: float) -> Sequence[tuple[float, str]]:
    """Return times and keys of requests, at random with the given rates."""
    chance, planned = random.Random(7), []
    for key, rate_per_s in rates_per_s.items():
        at_s = chance.expovariate(rate_per_s)
        while at_s < seconds:
            planned.append((at_s, key))
            at_s += chance.expovariate(rate_per_s)
    return sorted(planned, key=lambda arrival: arrival[0])


async def insist(work: Work, key: str | None) -> Patient:
    """Retry after the time that the server returns, until admitted."""
    began_at, chance, tries = time.monotonic(), random.Random(), 1
    while (outcome := await _done(work, key)).is_refused and tries < MAX_TRIES:
        await asyncio.sleep((outcome.retry_after_s or 0) + chance.uniform(0, JITTER_S))
        tries += 1
    return Patient(tries, outcome.sent_at - began_at, outcome)


async def _done(work: Work, key: str | None) -> Outcome:
    """Return the result of a request; the status 0 is a broken connection."""
    asked_at = time.monotonic()
    try:
        return await work.do(key)
    except (OSError, EOFError, ValueError, KeyError) as error:
        took_s = time.monotonic() - asked_at
        return Outcome("", work.audio_s, key, asked_at, took_s, 0, code=type(error).__name__)


async def _repeat(doing: Callable[[], Awaitable[None]], each_s: float) -> None:
    while True:
        await doing()
        await asyncio.sleep(each_s)


async def _note_lag(load: Flood) -> None:
    """Measure the delay of the generator's own loop, which is part of every time here."""
    wanted_at = time.monotonic() + LAG_EACH_S
    await asyncio.sleep(LAG_EACH_S)
    load.lags_s.append(time.monotonic() - wanted_at)


async def _ask_livez(client: Client, load: Flood) -> None:
    asked_at = time.monotonic()
    response = await client.get("/livez")
    if response.status != 200:
        raise RuntimeError(f"/livez returns {response.status}")
    load.livez_s.append(time.monotonic() - asked_at)


async def _probe(client: Client, load: Flood, media_type: str, key: str | None) -> None:
    """Send headers only; the status 0 is no response in time: the server waits for the body."""
    path, length_bytes = PROBES[media_type]
    head = client.head(path, media_type, length_bytes, key)
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(PROBE_LIMIT_S):
            status = (await client.exchange(head, b"")).status
    except TimeoutError:
        status = 0
    took_s = time.monotonic() - began_at
    load.probes.append(Outcome(media_type, 0.0, key, began_at, took_s, status))
