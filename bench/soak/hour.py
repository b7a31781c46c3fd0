"""An hour at 60 % of capacity, and the growth of memory, delays, descriptors and tasks.

**Capacity** is measured first. Each kind of work runs alone for a while (utterances and files in a
closed loop with as many clients as workers, 24 live streams in real time). Its cost is the CPU time
that the server and all its processes use for a second of its audio. All cores together would do
``cores / cost`` seconds of audio per second. CPU time is counted, not elapsed time, so that other
programs on the machine do not reduce the measured capacity.

**The hour** offers 60 % of that: a third of it as live streams (a whole number), the rest as
utterances and files, half of its cost each, at random times (Poisson). Two streams repeat the same
two minutes of speech for the whole hour, so that the position of each utterance can be compared
with the previous one; the others start and end, and one of them uses a network that resets all
connections every minute. Partials, which fill idle time, come on top of the 60 %.

**Growth** is a slope with a 95 % interval (``bench/lib/trend.py``), after a warm-up of a sixth of
the time. A leak is a process that grows by more than 8 MB an hour with certainty: the whole
interval is above that. If only a part of the interval is above it, an hour is too short, and the
report says so: the memory of a recogniser varies by tens of MB with the length of its batches.

**With names** the live streams have a vocabulary, speakers and known voices, while agents read them
at ``/mcp`` and the vocabulary and the voices change (``names.py``).
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import psutil

from auricle.values.types import Pcm16
from bench.lib import named_speech
from bench.lib.cpu import tree_cpu_s
from bench.lib.posting import Body, bodies
from bench.lib.report import show_targets
from bench.lib.service import Server, running
from bench.lib.speech import speeches
from bench.soak import names as about_names
from bench.soak.figures import Hour, figures, reached, show
from bench.soak.live import PLAIN, Stream, aligned, speak, start_and_end
from bench.soak.mix import Cost, Mix, Rates, closed_loop, files
from bench.soak.names import Names
from bench.soak.watch import Watch, table
from tests.support.network import Network, Outage, network_to

WORKERS = 2
SHARE = 0.6
CALIBRATE_S = 25.0
CALIBRATE_STREAMS = 24
"""With this many streams hardly any partials are made; they fill idle time only."""
SPEECH_S = 120.0
LASTING_STREAMS = 2
RESET_EACH_S, OUTAGE_S = 60.0, 1.0
REST_S = 60.0
"""Time without load before and after; less in a short run."""
TABLE_STEP = 6
"""Every sixth snapshot is kept in the JSON."""
SETTINGS: Mapping[str, Any] = {"worker_max_jobs": 10**7}
"""Otherwise a recogniser is replaced after 10,000 jobs, and its growth would be unknown."""


async def calibrate(server: Server, short: Sequence[Body], long: Sequence[Body]) -> Cost:
    """Run each kind of work alone, and return its cost."""

    async def cost(work: Coroutine[Any, Any, float]) -> float:
        before_s = tree_cpu_s(server.process)
        audio_s = await work
        return (tree_cpu_s(server.process) - before_s) / audio_s

    async def live() -> float:
        streams = [Stream(pcm.size) for pcm in speech]
        async with anyio.create_task_group() as group:
            for stream, pcm in zip(streams, speech, strict=True):
                group.start_soon(speak, server.url, pcm, CALIBRATE_S, stream, 0.0)
        return sum(stream.spoken_s for stream in streams)

    speech = speeches(CALIBRATE_S, CALIBRATE_STREAMS)
    await closed_loop(server.url, short, WORKERS, CALIBRATE_S / 5)  # warm up
    fitting = [body for body in long if body.audio_s < CALIBRATE_S * 4]
    return Cost(
        await cost(closed_loop(server.url, short, WORKERS, CALIBRATE_S)),
        await cost(closed_loop(server.url, fitting, WORKERS, CALIBRATE_S)),
        await cost(live()),
    )


async def hour(
    server: Server,
    rates: Rates,
    short: Sequence[Body],
    long: Sequence[Body],
    speech: Sequence[Pcm16],
    *,
    seconds: float,
    rest_s: float,
    names: Names | None = None,
) -> Hour:
    """Offer the load, with a rest before and after.

    Args:
        server: The server to watch.
        rates: The offered load.
        short: Utterances to post.
        long: Files to post.
        speech: The speech that each live stream repeats.
        seconds: Duration of the load.
        rest_s: Duration of each rest.
        names: Requests to send meanwhile, if the streams have names.
    """
    parameters = PLAIN if names is None else named_speech.PARAMETERS
    watch, speech = Watch(server), [aligned(pcm) for pcm in speech]
    lasting = [Stream(pcm.size) for pcm in speech[:LASTING_STREAMS]]
    passing, broken = list[Stream](), list[Stream]()
    port = int(server.url.rpartition(":")[2])
    mix = Mix(server.url, short, long, rates, seed=5)
    async with network_to(port) as network, anyio.create_task_group() as around:
        around.start_soon(watch.run)
        await asyncio.sleep(rest_s)
        watch.part, since = "work", time.monotonic()
        if names is not None:
            around.start_soon(names.run)
        async with anyio.create_task_group() as group:
            for stream, pcm in zip(lasting, speech, strict=False):
                group.start_soon(speak, server.url, pcm, seconds, stream, since, parameters)
            for seed, pcm in enumerate(speech[LASTING_STREAMS:]):
                shaky = seed == 0
                url = network.url if shaky else server.url
                streams = broken if shaky else passing
                group.start_soon(
                    start_and_end, url, pcm, since + seconds, streams, seed, since, parameters
                )
            around.start_soon(reset_connections, network)
            group.start_soon(mix.run, since + seconds)
        watch.part = "after"
        await asyncio.sleep(rest_s)
        around.cancel_scope.cancel()
    return Hour(seconds, watch.snapshots, watch.names, lasting, passing, broken, mix.posted)


async def reset_connections(network: Network) -> None:
    """Reset all connections every minute, until cancelled."""
    while True:
        await asyncio.sleep(RESET_EACH_S)
        await network.fail(Outage.RESET, OUTAGE_S)


def run(minutes: float, *, is_named: bool = False) -> dict[str, Any]:
    """Measure and print all figures; return them with the snapshots."""
    short, long = bodies(), files()
    with TemporaryDirectory() as folder:
        settings = {**SETTINGS, **(about_names.SETTINGS if is_named else {})}
        with running(workers=WORKERS, state_dir=folder, **settings) as server:
            cost = asyncio.run(calibrate(server, short, long))
            rates = cost.rates(SHARE, psutil.cpu_count() or 1)
            print(f"cost {cost}; offered from now on: {rates}", flush=True)
            seconds, speech = minutes * 60, speeches(SPEECH_S, rates.streams)
            rest_s = min(REST_S, seconds / 4)
            names = None
            if is_named:
                named_speech.store(server.url)
                names = Names(server.url)
            database_mb = [_size_mb(folder)]
            found = asyncio.run(
                hour(
                    *(server, rates, short, long, speech),
                    seconds=seconds,
                    rest_s=rest_s,
                    names=names,
                )
            )
            database_mb.append(_size_mb(folder))
    shown = figures(found, cost, rates) | {"database_mb": database_mb}
    targets = reached(shown)
    if names is not None:
        shown["names"] = {"answers": dict(names.answers), "failures": names.failures}
        targets["every request about names is answered"] = not names.failures
    show(shown)
    show_targets(targets)
    columns = table(found.snapshots[::TABLE_STEP], found.names)
    return shown | {"settings": settings, "snapshots": columns, "reached": targets}


def _size_mb(folder: str) -> float:
    """Return the size of a server's database."""
    return round(sum(file.stat().st_size for file in Path(folder).glob("*.sqlite3*")) / 1e6, 2)
