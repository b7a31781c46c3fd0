"""How much is served while workers die, and the time to the next response after a death.

    python -m bench.recovery [--rounds 5] [--reference dd8183c]

With one worker, requests are refused with ``Retry-After`` until a new one is ready; with two, the
other worker takes the request. Then four clients post utterances for a minute while a worker is
killed, stopped, aborted or segfaulted every 3 s, with this version and the reference in turns.
``make chaos`` checks that no response is lost.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import time
from typing import Any

from bench.compare.versions import Version, set_up, this_version
from bench.lib.posting import Body, Client, Outcome, bodies, percentiles, statuses
from bench.lib.report import command_line, publish
from bench.lib.service import Server, running

RETRY_S = 0.1
NOTICE_S = 0.2
"""A request that arrives before the server notices the death waits."""
CLIENTS = 4
FAULTS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGABRT, signal.SIGSEGV)
FAULT_INTERVAL_S = 3.0


def kill_worker(server: Server) -> None:
    server.wait_ready()
    idle = [one["pid"] for one in server.health()["workers"] if one["state"] == "ready"]
    os.kill(idle[0], signal.SIGKILL)


async def undisturbed_s(client: Client, body: Body, rounds: int) -> float:
    return statistics.median([(await client.post(body)).took_s for _ in range(rounds)])


async def one_worker(server: Server, body: Body, rounds: int) -> dict[str, Any]:
    """Kill the only worker, and repeat a request until it succeeds."""
    client = Client(server.url)
    usual_s = await undisturbed_s(client, body, rounds)
    waits_s, refusals = [], []
    for _ in range(rounds):
        killed_at = time.monotonic()
        await asyncio.to_thread(kill_worker, server)
        await asyncio.sleep(NOTICE_S)
        while (outcome := await client.post(body)).is_refused:
            refusals.append(outcome.retry_after_s)
            await asyncio.sleep(RETRY_S)
        assert outcome.is_done, outcome
        waits_s.append(time.monotonic() - killed_at)
    return {
        "to_next_answer_s": round(statistics.median(waits_s), 2),
        "spawn_to_ready_s": start_s(server, rounds),
        "one_answer_s": round(usual_s, 2),
        "refusals": len(refusals),
        "retry_after_s": sorted({retry for retry in refusals if retry is not None}),
    }


def start_s(server: Server, starts: int) -> float:
    """Return the median duration of the latest starts, from the server's log."""
    took_ms = [
        json.loads(line)["start_ms"]
        for line in server.log_lines()
        if '"event": "worker_ready"' in line and '"worker": "asr-' in line
    ]
    return round(float(statistics.median(took_ms[-starts:])) / 1000, 2)


async def two_workers(server: Server, body: Body, rounds: int) -> dict[str, Any]:
    """Kill one of two workers, and send a request at once."""
    client = Client(server.url)
    usual_s = await undisturbed_s(client, body, rounds)
    took_s = []
    for _ in range(rounds):
        await asyncio.to_thread(kill_worker, server)
        outcome = await client.post(body)
        assert outcome.is_done, outcome
        took_s.append(round(outcome.took_s, 2))
    return {"next_answer_s": took_s, "undisturbed_s": round(usual_s, 2)}


async def harm_workers(server: Server, seconds: float, seed: int) -> None:
    """Send the next signal to a worker that is up, again and again."""
    chance, until = random.Random(seed), time.monotonic() + seconds
    for number in range(1_000_000):
        await asyncio.sleep(FAULT_INTERVAL_S)
        if time.monotonic() >= until:
            return
        health = await asyncio.to_thread(server.health)
        up = [each["pid"] for each in health["workers"] if each["state"] in ("ready", "busy")]
        if up:
            os.kill(chance.choice(up), FAULTS[number % len(FAULTS)])


async def served_meanwhile(server: Server, seconds: float, seed: int) -> list[Outcome]:
    """Return the outcomes of clients that post one utterance after the other."""
    client, texts = Client(server.url), bodies()
    until = time.monotonic() + seconds

    async def post(first: int) -> list[Outcome]:
        outcomes = []
        for number in range(first, 1_000_000, CLIENTS):
            if time.monotonic() >= until:
                break
            outcomes.append(outcome := await client.post(texts[number % len(texts)]))
            if outcome.is_refused:
                await asyncio.sleep(outcome.retry_after_s or RETRY_S)
        return outcomes

    harm = asyncio.create_task(harm_workers(server, seconds, seed))
    outcomes = await asyncio.gather(*map(post, range(CLIENTS)))
    await harm
    return [each for some in outcomes for each in some]


def under_faults(version: Version, seconds: float, seed: int) -> dict[str, Any]:
    """Return what a version served while its workers died."""
    with version.running() as server:
        outcomes = asyncio.run(served_meanwhile(server, seconds, seed))
        log = map(json.loads, (line for line in server.log_lines() if line.startswith("{")))
        starts_s = [e["start_ms"] / 1000 for e in log if e.get("event") == "worker_ready"]
    done = [outcome for outcome in outcomes if outcome.is_done]
    return {
        "served": len(done),
        "failed": sum(not each.is_done and not each.is_refused for each in outcomes),
        "refused": sum(each.is_refused for each in outcomes),
        "by_status": statuses(outcomes),
        "took_s": percentiles([each.took_s for each in done], 2),
        "start_s": percentiles(starts_s, 2),
    }


def main() -> None:
    parser = command_line(__doc__, "recovery")
    parser.add_argument("--rounds", type=int, default=5, help="number of deaths of each kind")
    parser.add_argument("--reference", nargs="*", default=[], help="commits to compare with")
    parser.add_argument("--turns", type=int, default=3, help="minutes of faults for each version")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each of them")
    parser.add_argument("--only-faults", action="store_true")
    arguments = parser.parse_args()
    versions = [this_version(), *map(set_up, arguments.reference)]
    faults: dict[str, list[dict[str, Any]]] = {version.name: [] for version in versions}
    for turn in range(arguments.turns):
        for version in versions:
            faults[version.name].append(under_faults(version, arguments.seconds, turn))
            print(f"faults, {version.name}: {faults[version.name][-1]}", flush=True)
    if arguments.only_faults:
        return
    body, rounds = bodies()[0], arguments.rounds
    with running(workers=1) as server:
        result = {"one_worker": asyncio.run(one_worker(server, body, rounds))}
    with running(workers=2) as server:
        result["two_workers"] = asyncio.run(two_workers(server, body, rounds))
    for name, figures in result.items():
        print(f"{name}: {figures}")
    publish(arguments.out, result | {"under_faults": faults})


if __name__ == "__main__":
    main()
