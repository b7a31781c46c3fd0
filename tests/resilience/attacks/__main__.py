"""Attacks by a client with a key, and what others notice of them.

    make attacks [ARGS="--seconds 20 --only 'lists of commas' --reference eec534ef"]

During each attack, ``/livez`` is requested ten times a second, and the holder of another key sends
what the attack may delay, again and again: a WAV of two seconds, a silent one of five minutes, a
job, or a request for a short transcript. The figures are the time of these answers and the memory
of the server's process, also without an attack. Each attack gets a new server. With
``--reference``, an earlier commit is attacked, too. The attacker is a process on the same cores,
which is part of the times.
"""

import asyncio
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from auricle.values.types import SAMPLE_RATE_HZ
from bench.compare.versions import Version, set_up, this_version
from bench.lib.audio import as_wav
from bench.lib.posting import Client, percentiles
from bench.lib.report import command_line, publish, require
from bench.lib.service import Server, running
from bench.lib.speech import TESTDATA, load_audio
from tests.resilience.attacks import speech
from tests.resilience.attacks.attacks import ATTACKS, attack_for
from tests.resilience.attacks.other import Other

ATTACKER, OTHER = "key-of-the-attacker", "key-of-another"
SETTINGS: dict[str, Any] = {
    "api_keys": f"attacker:{ATTACKER},other:{OTHER}",
    "key_sessions": 0,
    "keep_transcripts": 1,
}
LIVEZ_EACH_S = 0.1
MAX_LIVEZ_S = 0.2
NO_ATTACK = {"no attack": "utterance", "no attack, a file": "file", "no attack, a job": "job"}
"""What the other client does in each measurement without an attack."""


async def measure(server: Server, wav: bytes, name: str, seconds: float) -> dict[str, Any]:
    """Return the figures during an attack, or without one."""
    livez_s: list[float] = []
    other_s: list[float] = []
    memory_mb: list[float] = []
    other: dict[str, int] = {}
    asked_at = 0.0
    client, process = Client(server.url), server.process
    kind = ATTACKS[name].other if name in ATTACKS else NO_ATTACK[name]
    asking = Other(client, OTHER, wav, kind)

    async def watch() -> None:
        livez_s.append(await timed(lambda: client.get("/livez")))
        memory_mb.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(LIVEZ_EACH_S)

    async def post() -> None:
        nonlocal asked_at
        asked_at = time.monotonic()
        status = await asking.ask()
        other_s.append(time.monotonic() - asked_at)
        other[str(status)] = other.get(str(status), 0) + 1
        await asyncio.sleep(LIVEZ_EACH_S)

    probes = [asyncio.create_task(again(each)) for each in (watch, post)]
    answers: dict[str, int] = {}
    if name in ATTACKS:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            answers = await asyncio.get_running_loop().run_in_executor(
                pool, attack_for, name, server.url, ATTACKER, wav, seconds
            )
    else:
        await asyncio.sleep(seconds)
    waited_s = time.monotonic() - asked_at
    if waited_s > max(other_s, default=0.0):  # the last request was not answered
        other_s.append(waited_s)
        other["none"] = 1
    for task in probes:
        task.cancel()
    await asyncio.gather(*probes, return_exceptions=True)
    failed = [task.exception() for task in probes if not task.cancelled()]
    if any(failed):
        raise SystemExit(f"a probe failed: {failed}")
    return {
        "livez_s": percentiles(livez_s),
        "other": kind,
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
    """Start a server of a version for each attack, and return the figures by attack."""
    figures = {}
    for name in [*NO_ATTACK, *only]:
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state"
            state.mkdir()
            settings = SETTINGS | {"state_dir": state}
            if name in ATTACKS and ATTACKS[name].other == "transcript":
                command = [version.python, Path(speech.__file__), state]
                subprocess.run(command, cwd=version.root, env=_path_of(version), check=True)
            with running(checkout=(version.root, version.python), **settings) as server:
                figures[name] = asyncio.run(measure(server, wav, name, seconds))
        print(f"{version.name}, {name}: {figures[name]}", flush=True)
    return figures


def _path_of(version: Version) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(version.root / "src")}


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
    load_before = os.getloadavg()[0]
    results = {each.name: attacked(each, wav, only, arguments.seconds) for each in versions}
    load = {"load_before": load_before, "load_after": os.getloadavg()[0]}
    publish(arguments.out, load | {"seconds": arguments.seconds, "versions": results})
    this = results[versions[0].name]
    require({f"{name}: /livez": this[name]["livez_s"]["max"] <= MAX_LIVEZ_S for name in only})


if __name__ == "__main__":
    main()
