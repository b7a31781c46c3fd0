"""An hour at 60 % of capacity, and what has grown by then: memory, delays, descriptors, tasks.

**Capacity** is measured first. Each kind of work is done alone for a while (utterances and files in
a closed loop with as many clients as workers, 24 live streams at real-time pace), and the processor
time that the server and all its processes take for a second of its audio is its cost. All cores
together would do ``cores / cost`` seconds of audio a second. Processor time is counted, not time on
the wall, so that others on the machine don't make the service look smaller than it is.

**The hour** offers 60 % of that: a third of it as live streams (they come in whole numbers), the
rest as utterances and files, half of its cost each, at random times (Poisson). Two streams say the
same two minutes again and again for the whole hour, so that each utterance's place can be compared
with where it lay before; the others come and go, and one of them over a network that resets all
connections every minute. Guesses of captions, which fill idle time, come on top of the 60 %.

**Growth** is a slope with a 95 % interval (``bench/trend.py``), after a warm-up of a sixth of the
time. A leak is a process that surely grows by more than 8 MB an hour: the whole interval lies above
that. Where the interval only reaches above it, an hour can't tell, and this says so: a recogniser
takes and gives back tens of MB with the length of its batches.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import anyio
import psutil

from auricle.types import Pcm16
from bench.live_chaos import speeches
from bench.network import Network, Outage, network_to
from bench.posting import Body, bodies
from bench.service import Service, serve
from bench.soak.figures import Hour, figures, reached, show
from bench.soak.live import Stream, aligned, come_and_go, speak
from bench.soak.mix import Cost, Mix, Rates, closed_loop, files
from bench.soak.watch import Watch, service_cpu_s, table

WORKERS = 2
SHARE = 0.6
CALIBRATE_S = 25.0
CALIBRATE_STREAMS = 24
"""So many that hardly a guess is made: guesses fill the time that nobody needs."""
SPEECH_S = 120.0
LASTING_STREAMS = 2
RESET_EACH_S, OUTAGE_S = 60.0, 1.0
REST_S = 60.0
"""Nothing is sent for so long before and after; less in a short run."""
TABLE_STEP = 6
"""Of the looks, every so many-th is kept in the JSON."""
SETTINGS: Mapping[str, Any] = {"worker_max_jobs": 10**7}
"""Else a recogniser is replaced after 10 000 jobs, and nothing would be known of its hour."""


async def calibrate(service: Service, short: Sequence[Body], long: Sequence[Body]) -> Cost:
    """Do each kind of work alone, and return what it costs."""

    async def cost(work: Coroutine[Any, Any, float]) -> float:
        before_s = service_cpu_s(service)
        audio_s = await work
        return (service_cpu_s(service) - before_s) / audio_s

    async def live() -> float:
        streams = [Stream(pcm.size) for pcm in said]
        async with anyio.create_task_group() as group:
            for stream, pcm in zip(streams, said, strict=True):
                group.start_soon(speak, service.url, pcm, CALIBRATE_S, stream, 0.0)
        return sum(stream.spoken_s for stream in streams)

    said = speeches(CALIBRATE_S, CALIBRATE_STREAMS)
    await closed_loop(service.url, short, WORKERS, CALIBRATE_S / 5)  # nobody is measured cold
    fitting = [body for body in long if body.audio_s < CALIBRATE_S * 4]
    return Cost(
        await cost(closed_loop(service.url, short, WORKERS, CALIBRATE_S)),
        await cost(closed_loop(service.url, fitting, WORKERS, CALIBRATE_S)),
        await cost(live()),
    )


async def hour(
    service: Service,
    rates: Rates,
    short: Sequence[Body],
    long: Sequence[Body],
    said: Sequence[Pcm16],
    *,
    seconds: float,
    rest_s: float,
) -> Hour:
    """Offer the load for so long, between two rests.

    Args:
        service: What is watched.
        rates: How much is offered.
        short: Utterances to post.
        long: Files to post.
        said: What each live stream says again and again.
        seconds: How long there is work.
        rest_s: How long each rest is.
    """
    watch, said = Watch(service), [aligned(pcm) for pcm in said]
    lasting = [Stream(pcm.size) for pcm in said[:LASTING_STREAMS]]
    passing, broken = list[Stream](), list[Stream]()
    port = int(service.url.rpartition(":")[2])
    mix = Mix(service.url, short, long, rates, seed=5)
    async with network_to(port) as network, anyio.create_task_group() as around:
        around.start_soon(watch.run)
        await asyncio.sleep(rest_s)
        watch.part, since = "work", time.monotonic()
        async with anyio.create_task_group() as group:
            for stream, pcm in zip(lasting, said, strict=False):
                group.start_soon(speak, service.url, pcm, seconds, stream, since)
            for seed, pcm in enumerate(said[LASTING_STREAMS:]):
                shaky = seed == 0
                url = network.url if shaky else service.url
                streams = broken if shaky else passing
                group.start_soon(come_and_go, url, pcm, since + seconds, streams, seed, since)
            around.start_soon(break_off, network)
            group.start_soon(mix.run, since + seconds)
        watch.part = "after"
        await asyncio.sleep(rest_s)
        around.cancel_scope.cancel()
    return Hour(seconds, watch.looks, watch.names, lasting, passing, broken, mix.posted)


async def break_off(network: Network) -> None:
    """Reset every connection again and again, until cancelled."""
    while True:
        await asyncio.sleep(RESET_EACH_S)
        await network.fail(Outage.RESET, OUTAGE_S)


def run(minutes: float) -> dict[str, Any]:
    """Measure and print it all; return the figures, the looks among them."""
    short, long = bodies(), files()
    with serve(WORKERS, **SETTINGS) as service:
        cost = asyncio.run(calibrate(service, short, long))
        rates = cost.rates(SHARE, psutil.cpu_count() or 1)
        print(f"cost {cost}; offered from now on: {rates}", flush=True)
        seconds, said = minutes * 60, speeches(SPEECH_S, rates.streams)
        rest_s = min(REST_S, seconds / 4)
        found = asyncio.run(hour(service, rates, short, long, said, seconds=seconds, rest_s=rest_s))
    shown = figures(found, cost, rates)
    show(shown)
    verdict = reached(shown)
    for name, is_reached in verdict.items():
        print(f"target, {name}: {'reached' if is_reached else 'NOT reached'}")
    columns = table(found.looks[::TABLE_STEP], found.names)
    return shown | {"settings": SETTINGS, "looks": columns, "reached": verdict}
