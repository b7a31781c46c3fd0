"""Attacks by a client with a key, and what others notice of them.

    make attacks [ARGS="--seconds 20 --only 'lists of commas' --reference eec534ef"]

During each attack, ``/livez`` is requested ten times a second, and the holder of another key sends
a WAV of two seconds, again and again. The figures are the time of these answers and the memory of
the server's process, also without an attack. With ``--reference``, an earlier commit is attacked,
too. The attacker is a process on the same cores, which is part of the times.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from auricle.types import SAMPLE_RATE_HZ
from bench.compare.versions import Version, set_up, this_version
from bench.lib.audio import as_wav
from bench.lib.posting import WAV_PATH, WAV_TYPE, Client, percentiles
from bench.lib.report import command_line, publish, require
from bench.lib.service import Server, running
from bench.lib.speech import TESTDATA, load_audio
from tests.resilience.attacks.attacks import ATTACKS, attack_for

ATTACKER, OTHER = "key-of-the-attacker", "key-of-another"
SETTINGS: dict[str, Any] = {
    "api_keys": f"attacker:{ATTACKER},other:{OTHER}",
    "key_sessions": 0,
}
LIVEZ_EACH_S = 0.1
MAX_LIVEZ_S = 0.2
REST_S = 3.0
"""Time between two attacks, in which the server ends what is left of the first."""


async def measure(server: Server, wav: bytes, attack: str | None, seconds: float) -> dict[str, Any]:
    """Return the figures during an attack, by its name, or without one."""
    livez_s: list[float] = []
    other_s: list[float] = []
    memory_mb: list[float] = []
    other: dict[str, int] = {}
    client, process = Client(server.url), server.process

    async def watch() -> None:
        livez_s.append(await timed(lambda: client.get("/livez")))
        memory_mb.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(LIVEZ_EACH_S)

    async def post() -> None:
        head = client.head(WAV_PATH, WAV_TYPE, len(wav), OTHER)
        sent_at = time.monotonic()
        answer = await client.exchange(head, wav)
        other_s.append(time.monotonic() - sent_at)
        other[str(answer.status)] = other.get(str(answer.status), 0) + 1
        if answer.status != 200:
            await asyncio.sleep(LIVEZ_EACH_S)

    probes = [asyncio.create_task(again(each)) for each in (watch, post)]
    answers: dict[str, int] = {}
    if attack is None:
        await asyncio.sleep(seconds)
    else:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            answers = await asyncio.get_running_loop().run_in_executor(
                pool, attack_for, attack, server.url, ATTACKER, wav, seconds
            )
    for task in probes:
        task.cancel()
    await asyncio.gather(*probes, return_exceptions=True)
    failed = [task.exception() for task in probes if not task.cancelled()]
    if any(failed):
        raise SystemExit(f"a probe failed: {failed}")
    return {
        "livez_s": percentiles(livez_s),
        "other_s": percentiles(other_s),
        "other_answers": other,
        "attacker_answers": answers,
        "memory_mb": round(max(memory_mb)),
    }


async def timed(request: Callable[[], Awaitable[object]]) -> float:
    """Return how long a request takes, in seconds."""
    sent_at = time.monotonic()
    await request()
    return time.monotonic() - sent_at


async def again(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat a step until cancelled."""
    while True:
        await step()


def attacked(version: Version, wav: bytes, only: list[str], seconds: float) -> dict[str, Any]:
    """Start a server of a version, attack it, and return the figures of each attack."""
    figures = {}
    with running(checkout=(version.root, version.python), **SETTINGS) as server:
        for name in ["no attack", *only]:
            figures[name] = asyncio.run(
                measure(server, wav, name if name in ATTACKS else None, seconds)
            )
            print(f"{version.name}, {name}: {figures[name]}", flush=True)
            time.sleep(REST_S)
    return figures


def main() -> None:
    parser = command_line(__doc__, "attacks")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", help="names of attacks, separated by commas")
    parser.add_argument("--reference", help="an earlier commit to attack, too")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else list(ATTACKS)
    wav = as_wav(load_audio(TESTDATA / "fellow.wav")[: 2 * SAMPLE_RATE_HZ])
    versions = [this_version()]
    if arguments.reference:
        versions.append(set_up(arguments.reference))
    results = {each.name: attacked(each, wav, only, arguments.seconds) for each in versions}
    publish(arguments.out, {"seconds": arguments.seconds, "versions": results})
    this = results[versions[0].name]
    require({f"{name}: /livez": this[name]["livez_s"]["max"] <= MAX_LIVEZ_S for name in only})


if __name__ == "__main__":
    main()
