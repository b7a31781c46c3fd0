"""Many sessions at once."""

import asyncio
from typing import Any

from stt_resilience.cases.base import Bench, Outcome, health_line, quantile
from stt_resilience.client import Behaviour, Client, Take, delays, together
from stt_resilience.health import watched
from stt_resilience.speech import Talk
from stt_resilience.words import Count, count

STAGGER_S = 0.25
LATE_S = 5.0
"""Delay from which a final counts as late."""


async def load(bench: Bench) -> Outcome:
    """Open many sessions within seconds; none tries again."""
    driver = bench.stream()
    behaviour = Behaviour(retries=False, patience_s=bench.options.patience_s)
    clients = [
        Client(driver, bench.talk if index % 2 == 0 else bench.neighbour, behaviour)
        for index in range(bench.options.load)
    ]
    async with watched(bench.server.health_url, bench.server.address) as health:
        takes = await _staggered(clients)
    talks = [client.talk for client in clients]
    pairs = [(take, talk) for take, talk in zip(takes, talks, strict=True) if not take.is_refused]
    counts = [_words(bench, take, talk) for take, talk in pairs]
    refused = [take for take in takes if take.is_refused]
    timed = sum(take.retry_after_s is not None for take in refused)
    ended = [take for take, _ in pairs if not take.is_complete]
    later = [event for take in ended if (event := take.last("refused"))]
    lost = sum(words.lost for words in counts)
    added = sum(words.doubled + words.invented for words in counts)
    total = sum(words.reference for words in counts)
    values = [delay for take, talk in pairs for delay in delays(talk, take)]
    known = [value for value in values if value is not None]
    late, never = sum(value > LATE_S for value in known), len(values) - len(known)
    errors = [event for take, _ in pairs for event in take.all("error")]
    p50, p95 = quantile(known, 0.5), quantile(known, 0.95)
    lines = [
        f"{len(takes)} sessions: {len(pairs)} admitted, {len(refused)} refused"
        + (f" ({timed} with a time to retry)" if refused else ""),
        _reasons(refused),
        f"admitted: {lost} lost, {added} doubled or invented of {total} words",
        f"{len(errors)} errors ({errors[0].detail})" if errors else "",
        f"of {len(values)} utterances {late} late (over {LATE_S:.0f} s), {never} never",
        f"delay p50 {_seconds(p50)}, p95 {_seconds(p95)}",
        f"{len(ended)} admitted sessions ended early or never" if ended else "",
        f"{len(later)} of them were refused later: {later[0].detail}" if later else "",
        health_line(health),
    ]
    data: dict[str, Any] = {
        "sessions": len(takes),
        "admitted": len(pairs),
        "refused": len(refused),
        "refused_with_retry": timed,
        "incomplete": len(ended),
        "words": total,
        "lost": lost,
        "doubled_or_invented": added,
        "errors": len(errors),
        "late": late,
        "never": never,
        "delay_p50_s": p50,
        "delay_p95_s": p95,
        "events": [[[round(e.at_s, 2), e.kind, e.detail] for e in take.events] for take in takes],
        "health": health.record(),
    }
    return Outcome(tuple(line for line in lines if line), data)


async def _staggered(clients: list[Client]) -> list[Take]:
    async def run(client: Client, wait_s: float) -> Take:
        await asyncio.sleep(wait_s)
        return (await together([client]))[0]

    return list(
        await asyncio.gather(*(run(each, index * STAGGER_S) for index, each in enumerate(clients)))
    )


def _words(bench: Bench, take: Take, talk: Talk) -> Count:
    who = "main" if talk is bench.talk else "neighbour"
    return count(talk.text, bench.undisturbed[who], take.text)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _reasons(refused: list[Take]) -> str:
    event = refused[0].last("refused") or refused[0].last("unreachable") if refused else None
    return f"refusal: {event.detail}" if event else ""
