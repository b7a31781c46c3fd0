"""Silence and noise, in which no word is said."""

import asyncio

from stt_resilience.cases.base import (
    Bench,
    Outcome,
    counted,
    health_line,
    neighbour_line,
    take_record,
)
from stt_resilience.client import Behaviour, Client, together
from stt_resilience.health import watched
from stt_resilience.speech import without_speech
from stt_resilience.words import normalise

MEASURE_S = 5.0
WARM = 0.2
"""Share of the time after which the memory is taken as that of a server at work."""


async def silence(bench: Bench) -> Outcome:
    """Send silence, noise and hum in turns; the neighbour speaks at the beginning."""
    driver = bench.stream()
    talk = without_speech(bench.options.silence_s)
    memory: list[float] = []

    async def measure() -> None:
        while True:
            used = bench.memory_mb()
            if used is not None:
                memory.append(used)
            await asyncio.sleep(MEASURE_S)

    behaviour = Behaviour(patience_s=bench.options.patience_s)
    clients = [Client(driver, talk, behaviour), Client(driver, bench.neighbour, behaviour)]
    async with watched(bench.server.health_url, bench.server.address) as health:
        main, neighbour = await together(clients, measure)
    invented = normalise(main.text)
    others = counted(bench, neighbour, "neighbour")
    lines = [f"{len(invented)} words invented in {bench.options.silence_s / 60:.1f} min"]
    if invented:
        lines.append(f"such as “{' '.join(invented[:6])}”")
    if len(memory) > 2:
        warm = memory[int(WARM * len(memory))]
        lines.append(f"memory {warm:.0f} MB, at the end {memory[-1]:.0f} MB")
    ended = (
        main.last("lost") or main.last("refused") or main.last("unreachable") or main.last("silent")
    )
    if ended is not None:
        lines.append(f"{ended.detail} after {ended.at_s:.0f} s")
    lines += [neighbour_line(bench, neighbour), health_line(health)]
    data = {
        "invented": len(invented),
        "text": main.text,
        "memory_mb": [round(each, 1) for each in memory],
        "events": [[round(event.at_s, 2), event.kind, event.detail] for event in main.events],
        "neighbour": take_record(others, bench.neighbour, neighbour),
        "health": health.record(),
    }
    return Outcome(tuple(lines), data)
