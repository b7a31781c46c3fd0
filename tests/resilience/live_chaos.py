"""Live streams while workers die, the network fails and the server restarts: each word, once.

    python -m tests.resilience.live_chaos [--seconds 75] [--only workers,network,restarts] [--named]

Three clients send real speech to a real server (Opus, real time). A run without faults gives the
expected finals. Then the same audio is sent again while

- *workers*: every 5 s a worker is killed (SIGKILL) or stopped (SIGSTOP), in turn;
- *network*: every 15 s a proxy interrupts the network for 1 to 10 s: connections are reset, or
  delayed, or silently drop all traffic;
- *restarts*: the server receives SIGTERM, SIGKILL and SIGTERM, and is started again each time.

The finals of each stream must equal those without faults, word for word, once and in order. The
positions of utterances are compared as well. Delays are measured from the time of the last sample
of an utterance (with half of the pause after it) to its final.

With ``--named`` the streams have a vocabulary, speakers and known voices; workers for speakers are
killed and stopped, too, and the last name of each final must be the one without faults.
"""

import argparse
import asyncio
import difflib
import itertools
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from auricle.client import ClientRules, Disconnected, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.events import Final, SpeakerRevision
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16, Speaker
from bench.lib import named_speech
from bench.lib.charts import Bars, draw
from bench.lib.report import ROOT, machine, write_json
from bench.lib.service import Server, running
from bench.lib.speech import CORPUS, speeches
from tests.support.network import Network, Outage, network_to
from tests.support.poll import poll_until

STREAMS = 3
WORKERS = 2
CHUNK_S = 0.06

WORKER_FAULT_EACH_S = 5.0
BUSY_LIMIT_S = 2.0
OUTAGE_EACH_S = 15.0
OUTAGES_S = (10.0, 1.0, 6.0, 3.0, 8.0)
FIRST_OUTAGE_S = 4.0
RESTARTS = (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)
SCENARIOS = ("calm", "calm again", "workers", "network", "restarts")
SPEAKERS_S = 60.0
"""Longest wait for the speakers after the last word: a session that ends does not wait for them."""
TAIL_SAMPLES = 3 * SAMPLE_RATE_HZ
PATIENCE_S = 120.0
"""Time limit for the last final after the last word."""


@dataclass(frozen=True)
class ReceivedFinal:
    """A final, and its delay after the last sample of its utterance."""

    final: Final
    delay_s: float

    @property
    def span(self) -> tuple[int, int]:
        """Position of its utterance."""
        return self.final.start_sample, self.final.end_sample


@dataclass
class Take:
    """The results of one stream."""

    finals: list[ReceivedFinal] = field(default_factory=list)
    reconnects: int = 0
    dropped_samples: int = 0
    speakers: dict[int, int | None] = field(default_factory=dict)
    """The speaker of each final, by its id, as far as it is known."""
    names: dict[int, tuple[Speaker, ...]] = field(default_factory=dict)
    """The named speakers of each final, by its id."""

    def is_labelled(self, sample: int) -> bool:
        """Whether there are finals up to a sample, whose speakers are known."""
        finals = [received.final for received in self.finals]
        is_known = all(self.speakers[final.id] is not None for final in finals if final.text)
        return is_known and max((final.end_sample for final in finals), default=0) > sample

    @property
    def text(self) -> str:
        """The text of all finals."""
        return " ".join(received.final.text for received in self.finals)


async def take(
    url: str,
    pcm: Pcm16,
    prompt: str | None = None,
    *,
    parameters: StreamParameters | None = None,
    api_key: str | None = None,
    rules: ClientRules | None = None,
) -> Take:
    """Send speech in real time, as from a microphone, and receive until the last final."""
    taken = Take()
    parameters = parameters or StreamParameters(language="en", prompt=prompt)
    async with (
        LiveClient(url, parameters, api_key=api_key, rules=rules) as client,
        anyio.create_task_group() as group,
    ):
        began_at = time.monotonic()

        async def speak() -> None:
            step = int(CHUNK_S * SAMPLE_RATE_HZ)
            for at in range(0, pcm.size, step):
                due_at = began_at + min(at + step, pcm.size) / SAMPLE_RATE_HZ
                await anyio.sleep(max(0.0, due_at - time.monotonic()))
                client.push(pcm[at : at + step])
            if parameters.speakers:
                with anyio.move_on_after(SPEAKERS_S):
                    await poll_until(lambda: taken.is_labelled(pcm.size - TAIL_SAMPLES))
            client.finish()

        group.start_soon(speak)
        with anyio.fail_after(pcm.size / SAMPLE_RATE_HZ + PATIENCE_S):
            async for event in client:
                if isinstance(event, Final):
                    spoken_at = began_at + event.end_sample / SAMPLE_RATE_HZ
                    taken.finals.append(ReceivedFinal(event, time.monotonic() - spoken_at))
                    taken.speakers[event.id] = event.speaker
                    taken.names[event.id] = event.speakers
                elif isinstance(event, SpeakerRevision):
                    taken.speakers |= {final.id: final.speaker for final in event.finals}
                    taken.names |= {final.id: final.speakers for final in event.finals}
                elif isinstance(event, Disconnected):
                    taken.reconnects += 1
        taken.dropped_samples = client.dropped_samples
    return taken


Chaos = Callable[[list[str]], Coroutine[Any, Any, None]]
"""Applies faults until it is cancelled, and records them."""


async def take_all(
    url: str,
    speech: Sequence[Pcm16],
    chaos: Chaos | None = None,
    *,
    parameters: StreamParameters | None = None,
    api_key: str | None = None,
) -> tuple[list[Take], list[str]]:
    """Run all streams at once, with faults if given."""
    takes = [Take() for _ in speech]
    faults: list[str] = []

    async def one(index: int) -> None:
        takes[index] = await take(url, speech[index], parameters=parameters, api_key=api_key)

    async with anyio.create_task_group() as around:
        if chaos is not None:
            around.start_soon(chaos, faults)
        async with anyio.create_task_group() as streams:
            for index in range(len(speech)):
                streams.start_soon(one, index)
        around.cancel_scope.cancel()
    return takes, faults


def kill_workers(server: Server, kinds: Sequence[str] = ("asr",)) -> Chaos:
    """Kill and stop workers of each kind in turn; the server has to detect a stopped one.

    While one is stopped, a second one is killed instead, so that one keeps working.
    """
    stopped: set[int] = set()

    def hit(number: signal.Signals, kind: str) -> str:
        """Signal a worker, if possible a busy one; return a description."""
        deadline = time.monotonic() + BUSY_LIMIT_S
        while True:
            health = server.health()
            workers = (health if kind == "asr" else health[kind])["workers"]
            up: dict[int, str] = {
                worker["pid"]: worker["state"]
                for worker in workers
                if worker["state"] in ("ready", "busy") and worker["pid"] not in stopped
            }
            busy = [pid for pid, state in up.items() if state == "busy"]
            if busy or time.monotonic() > deadline:
                break
            time.sleep(0.01)
        if not up:
            return f"{number.name} ({kind}, none is up)"
        pid = (busy or list(up))[0]
        if stopped & {worker["pid"] for worker in workers}:
            number = signal.SIGKILL
        os.kill(pid, number)
        if number is signal.SIGSTOP:
            stopped.add(pid)
        return f"{number.name} ({kind}, {up[pid]})"

    async def chaos(faults: list[str]) -> None:
        for number, kind in itertools.cycle(
            itertools.product((signal.SIGKILL, signal.SIGSTOP), kinds)
        ):
            await asyncio.sleep(WORKER_FAULT_EACH_S)
            faults.append(await asyncio.to_thread(hit, number, kind))

    return chaos


def fail_network(network: Network) -> Chaos:
    """Interrupt the network repeatedly, in each way in turn."""

    async def chaos(faults: list[str]) -> None:
        await asyncio.sleep(FIRST_OUTAGE_S)
        ways = itertools.cycle((Outage.RESET, Outage.LOST, Outage.HELD, Outage.LOST))
        for outage, seconds in zip(ways, itertools.cycle(OUTAGES_S), strict=False):
            faults.append(f"{outage} {seconds:g} s")
            await network.fail(outage, seconds)
            await asyncio.sleep(OUTAGE_EACH_S - seconds)

    return chaos


def restart(server: Server, seconds: float, signals: Sequence[signal.Signals] = RESTARTS) -> Chaos:
    """End the server under load, and start it again."""

    async def chaos(faults: list[str]) -> None:
        began_at = time.monotonic()
        for index, number in enumerate(signals, 1):
            due_at = began_at + seconds * index / (len(signals) + 1)
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            faults.append(number.name)
            await asyncio.to_thread(server.end, number)
            server.start()

    return chaos


def compare(calm: Sequence[Take], takes: Sequence[Take]) -> dict[str, Any]:
    """Return and print how the finals differ from those without faults.

    Case is not compared: a session after a restart does not know whether a sentence continues.
    """
    differing = [
        index
        for index, (before, after) in enumerate(zip(calm, takes, strict=True))
        if before.text.casefold() != after.text.casefold()
    ]
    moved = 0
    for index, (before, after) in enumerate(zip(calm, takes, strict=True)):
        spans, found = (
            {received.span for received in before.finals},
            [received.span for received in after.finals],
        )
        moved += sum(span not in spans for span in found)
        if index in differing or spans != set(found):
            _print_difference(index, before, after)
    delays_s = np.array([received.delay_s for taken in takes for received in taken.finals] or [0.0])
    return {
        "finals": sum(len(taken.finals) for taken in takes),
        "words": sum(len(taken.text.split()) for taken in takes),
        "streams_with_other_words": len(differing),
        "finals_with_other_borders": moved,
        "named_finals": sum(bool(names) for taken in takes for names in taken.names.values()),
        "finals_with_other_names": sum(
            not _names(after, id) <= _names(before, id)
            for before, after in zip(calm, takes, strict=True)
            for id in after.names
        ),
        "finals_without_their_names": sum(
            not after.names.get(id)
            for before, after in zip(calm, takes, strict=True)
            for id, names in before.names.items()
            if names
        ),
        "corrected_finals": sum(
            received.final.original is not None for taken in takes for received in taken.finals
        ),
        "not_once_and_in_order": sum(not is_in_order(taken) for taken in takes),
        "finals_with_errors": sum(
            t.final.error is not None for taken in takes for t in taken.finals
        ),
        "dropped_samples": sum(taken.dropped_samples for taken in takes),
        "reconnects": sum(taken.reconnects for taken in takes),
        "delay_p50_s": round(float(np.percentile(delays_s, 50)), 2),
        "delay_p95_s": round(float(np.percentile(delays_s, 95)), 2),
        "delay_max_s": round(float(delays_s.max()), 2),
    }


def _names(taken: Take, id: int) -> set[str | None]:
    return {speaker.name for speaker in taken.names.get(id, ())}


def is_in_order(taken: Take) -> bool:
    """Whether each final came once, in the order of the speech."""
    finals = [received.final for received in taken.finals]
    numbered = [final.id for final in finals] == list(range(1, len(finals) + 1))
    pairs = list(itertools.pairwise(finals))
    later = all(a.utterance < b.utterance for a, b in pairs)
    return numbered and later and all(a.end_sample <= b.start_sample for a, b in pairs)


def _print_difference(index: int, before: Take, after: Take) -> None:
    calm, faulty = [[_line(received) for received in taken.finals] for taken in (before, after)]
    for line in difflib.unified_diff(calm, faulty, "calm", "under faults", lineterm="", n=0):
        print(f"  stream {index}: {line}")


def _line(received: ReceivedFinal) -> str:
    start_s, end_s = (sample / SAMPLE_RATE_HZ for sample in received.span)
    return f"{start_s:8.3f} to {end_s:8.3f} {received.final.text}"


def is_whole(figures: dict[str, Any]) -> bool:
    """Whether every word arrived, once."""
    broken = (
        "streams_with_other_words",
        "finals_with_other_names",
        "not_once_and_in_order",
        "finals_with_errors",
        "dropped_samples",
    )
    return not any(figures[name] for name in broken) and figures.get("pid_unchanged", True)


def report(name: str, figures: dict[str, Any]) -> None:
    """Print one scenario."""
    print(f"\n{name}: {', '.join(figures['faults']) or 'no faults'}")
    print(
        f"  {figures['finals']} finals, {figures['words']} words; streams with other words: "
        f"{figures['streams_with_other_words']}, finals with other borders: "
        f"{figures['finals_with_other_borders']}, out of order or not once: "
        f"{figures['not_once_and_in_order']}, with errors: {figures['finals_with_errors']}, "
        f"with names: {figures['named_finals']} ({figures['finals_with_other_names']} with others, "
        f"{figures['finals_without_their_names']} without theirs), "
        f"corrected: {figures['corrected_finals']}"
    )
    print(
        f"  delay p50 {figures['delay_p50_s']:.2f} s, p95 {figures['delay_p95_s']:.2f} s, "
        f"max {figures['delay_max_s']:.2f} s; reconnects {figures['reconnects']}; "
        f"jobs {figures['jobs']}; pid unchanged: {figures.get('pid_unchanged', 'n/a')}"
    )


async def run(
    server: Server, seconds: float, only: Sequence[str], *, is_named: bool = False
) -> dict[str, dict[str, Any]]:
    """Run the scenarios, and compare each with the one without faults."""
    speech = speeches(seconds, STREAMS)
    keys = scenario_keys()
    parameters = named_speech.PARAMETERS if is_named else None
    kinds = ("asr", "speakers") if is_named else ("asr",)
    results: dict[str, dict[str, Any]] = {}

    async def scenario(name: str, url: str, chaos: Chaos | None) -> None:
        pid = server.process.pid
        key = keys[name] if is_named else None
        if key is not None:
            await asyncio.to_thread(named_speech.store, server.url, key)
        takes, faults = await take_all(url, speech, chaos, parameters=parameters, api_key=key)
        figures: dict[str, Any] = {
            "faults": faults,
            "audio_s": [round(pcm.size / SAMPLE_RATE_HZ) for pcm in speech],
        }
        figures |= compare(calm or takes, takes)
        figures["jobs"] = (await asyncio.to_thread(server.health))["jobs"]
        if name != "restarts":
            now = server.process
            figures["pid_unchanged"] = now.pid == pid and now.is_running()
        report(name, figures)
        results[name] = figures
        calm.extend([] if calm else takes)
        await asyncio.to_thread(server.wait_ready)

    calm: list[Take] = []
    await scenario("calm", server.url, None)
    if "calm" in only:
        await scenario("calm again", server.url, None)
    if "workers" in only:
        await scenario("workers", server.url, kill_workers(server, kinds))
    if "network" in only:
        async with network_to(server.port) as network:
            await scenario("network", network.url, fail_network(network))
    if "restarts" in only:
        await scenario("restarts", server.url, restart(server, seconds))
    return results


def scenario_keys() -> dict[str, str]:
    """Return a key for each scenario: a model expects the terms first that a key said last."""
    return {name: f"bench-{name.replace(' ', '-')}" for name in SCENARIOS}


def picture(results: dict[str, dict[str, Any]]) -> list[Bars]:
    """Return the delays as bars."""
    kinds = {"p50": "delay_p50_s", "p95": "delay_p95_s", "max": "delay_max_s"}
    series = {kind: [figures[key] for figures in results.values()] for kind, key in kinds.items()}
    return [
        Bars("Delay from the last sample of an utterance to its final, s", list(results), series)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=75.0, help="of speech a stream")
    parser.add_argument("--only", default="workers,network,restarts")
    parser.add_argument("--named", action="store_true", help="with vocabulary and known voices")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/live_chaos")
    arguments = parser.parse_args()
    print(machine())
    is_named: bool = arguments.named
    settings: dict[str, Any] = {"workers": WORKERS}
    if is_named:
        settings |= named_speech.SETTINGS | {"api_keys": ",".join(scenario_keys().values())}
    with running(arguments.out.with_suffix(".log"), **settings) as server:
        only = arguments.only.split(",")
        results = asyncio.run(run(server, arguments.seconds, only, is_named=is_named))
    whole = {name: is_whole(figures) for name, figures in results.items()}
    write_json(
        arguments.out.with_suffix(".json"),
        {
            "machine": machine(),
            "corpus": CORPUS.is_dir(),
            "streams": STREAMS,
            "workers": WORKERS,
            "named": is_named,
            "scenarios": results,
            "whole": whole,
        },
    )
    draw(arguments.out.with_suffix(".svg"), "Every word, once, under faults", picture(results))
    for name, is_good in whole.items():
        print(f"{name}: {'every word, once' if is_good else 'BROKEN'}")
    if not all(whole.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
