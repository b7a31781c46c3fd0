"""Faults of clients and of their connections."""

import asyncio
import time

from stt_resilience.cases.base import (
    Bench,
    Outcome,
    counted,
    disturb,
    health_line,
    neighbour_line,
    outcome,
    take_record,
    words_line,
)
from stt_resilience.client import Behaviour, Client, together
from stt_resilience.health import watched
from stt_resilience.speech import RATE_HZ, Talk
from stt_resilience.words import beginning, count, normalise

READ_PAUSE_S = 15.0
POLL_S = 0.5


async def socket_cut(bench: Bench) -> Outcome:
    """Cut the client's connection in the middle of a word; the client connects again."""
    driver = bench.stream()
    behaviour = Behaviour(cut_at_s=bench.fault_s(), patience_s=bench.options.patience_s)
    seen = await disturb(bench, behaviour=behaviour)
    how = "" if driver.can_resume else "the protocol can't resume"
    return outcome(bench, seen, how)


async def client_stops(bench: Bench) -> Outcome:
    """Stop sending after half of the talk, at the end of a word, without closing."""
    driver = bench.stream()
    half = bench.talk.utterances[: max(1, len(bench.talk.utterances) // 2)]
    talk = Talk(bench.talk.pcm[: half[-1].end], half)
    rest_s = bench.talk.duration_s - talk.duration_s
    idle = max(1.0, bench.options.idle_s - rest_s)
    silent = Behaviour(stop_at_s=talk.duration_s, retries=False, patience_s=idle)
    calm = Behaviour(patience_s=bench.options.patience_s)
    clients = [Client(driver, bench.talk, silent), Client(driver, bench.neighbour, calm)]
    async with watched(bench.server.health_url, bench.server.address) as health:
        main, neighbour = await together(clients)
    calm_text = beginning(bench.talk.text, bench.undisturbed["main"], len(normalise(talk.text)))
    words = count(talk.text, calm_text, main.text)
    others = counted(bench, neighbour, "neighbour")
    ended = main.last("lost") or main.last("complete")
    if ended is None:
        line = f"still open {idle + rest_s:.0f} s later"
    else:
        line = f"closed {ended.at_s - talk.duration_s:.0f} s later: {ended.detail or 'complete'}"
    shown = count(talk.text, calm_text, f"{main.text} {main.last_partial}")
    also = f" ({shown.lost} with the last partial)" if shown.lost != words.lost else ""
    lines = (
        words_line(words, "said before it: ") + also,
        line,
        neighbour_line(bench, neighbour),
        health_line(health),
    )
    return Outcome(
        lines,
        {
            "main": take_record(words, talk, main),
            "neighbour": take_record(others, bench.neighbour, neighbour),
            "health": health.record(),
        },
    )


async def slow_reader(bench: Bench) -> Outcome:
    """Read nothing for a while, while speaking, with small buffers."""
    start_s = bench.talk.utterances[0].end / RATE_HZ
    pause = start_s, start_s + READ_PAUSE_S
    before: list[float] = []
    during: list[float] = []

    async def measure() -> None:
        since_s = time.monotonic()
        while True:
            used, now_s = bench.memory_mb(), time.monotonic() - since_s
            if used is not None and now_s < pause[1]:
                (before if now_s < pause[0] else during).append(used)
            await asyncio.sleep(POLL_S)

    behaviour = Behaviour(read_pause_s=pause, patience_s=bench.options.patience_s)
    seen = await disturb(bench, measure, behaviour)
    lines = [f"does not read for {READ_PAUSE_S:.0f} s"]
    memory = {}
    if before and during:
        memory = {"before": round(before[-1], 1), "at_most": round(max(during), 1)}
        lines.append(f"server's memory {before[-1]:.0f} MB before, at most {max(during):.0f} MB")
    return outcome(bench, seen, *lines, memory_mb=memory)
