"""Time to the next response after the death of a worker, with one worker and with two.

    python -m bench.recovery [--rounds 5]

With one worker, requests are refused with ``Retry-After`` until a new one is ready; with two, the
other worker takes the request. ``make chaos`` checks that no response is lost.
"""

import asyncio
import json
import os
import signal
import statistics
import time
from typing import Any

from bench.lib.posting import Body, Client, bodies
from bench.lib.report import command_line, publish
from bench.lib.service import Server, running

RETRY_S = 0.1
NOTICE_S = 0.2
"""A request that arrives before the server notices the death waits."""


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


def main() -> None:
    parser = command_line(__doc__, "recovery")
    parser.add_argument("--rounds", type=int, default=5, help="number of deaths of each kind")
    arguments = parser.parse_args()
    body, rounds = bodies()[0], arguments.rounds
    with running(workers=1) as server:
        result = {"one_worker": asyncio.run(one_worker(server, body, rounds))}
    with running(workers=2) as server:
        result["two_workers"] = asyncio.run(two_workers(server, body, rounds))
    for name, figures in result.items():
        print(f"{name}: {figures}")
    publish(arguments.out, result)


if __name__ == "__main__":
    main()
