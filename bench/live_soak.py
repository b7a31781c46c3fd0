"""Whether a server stays as it is: memory, descriptors and tasks over many minutes of live streams.

    python -m bench.live_soak [--minutes 10] [--quiet 200] [--out docs/benchmarks/live_soak]

First four streams of real speech, then 200 in which nobody speaks, each for so many minutes, into
one server. What the server and its workers take is looked at every few seconds.

A server lets in as many streams as AURICLE_MAX_SESSIONS says, if its queue has 5 s of room for each
(AURICLE_QUEUE_AUDIO_S, a tenth of which is kept for those who come back). 200 need more of both
than there is by default.
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

from auricle.client import LiveClient
from auricle.events import Final
from auricle.protocol.native import StreamParameters
from auricle.types import SAMPLE_RATE_HZ, Pcm16
from bench.live_chaos import speeches
from bench.live_quiet import QuietStreams
from bench.report import machine, write_json
from bench.service import ROOT, Service, serve

TALKERS = 4
WORKERS = 2
TALK_S = 120.0
CHUNK_S = 0.1
LOOK_EACH_S = 5.0
SETTLE_S = 30.0
"""What a part's memory is compared with is taken so long after its start."""
REST_S = 10.0
FORGET_S = 120.0
"""The server keeps sessions whose clients vanished for a minute; then nothing may be left."""
MAX_GROWTH_MB = 20.0
ROOM_S = 5.0 / 0.9
"""Of the queue, for each session."""


@dataclass(frozen=True)
class Look:
    """What was there at a time, in seconds since the start."""

    at_s: float
    part: str
    server_mb: float
    workers_mb: float
    server_cpu_s: float
    descriptors: int
    tasks: int


class Watch:
    """Looks at a server again and again."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._began_at = time.monotonic()
        self.part = "before"
        self.looks: list[Look] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EACH_S)

    async def look(self) -> Look:
        """Take one look, and print it."""
        process = self._service.process
        tasks = await asyncio.to_thread(tasks_of, self._service.url)
        workers = [child.memory_info().rss for child in process.children() if child.is_running()]
        used = process.cpu_times()
        look = Look(
            at_s=round(time.monotonic() - self._began_at, 1),
            part=self.part,
            server_mb=round(process.memory_info().rss / 1e6, 2),
            workers_mb=round(sum(workers) / 1e6, 1),
            server_cpu_s=round(used.user + used.system, 2),
            descriptors=process.num_fds(),
            tasks=tasks,
        )
        self.looks.append(look)
        return look


def tasks_of(url: str) -> int:
    """Return how many tasks are on the server's event loop."""
    lines = httpx2.get(f"{url}/metrics", timeout=10).text.splitlines()
    [line] = [line for line in lines if line.startswith("auricle_asyncio_tasks ")]
    return int(float(line.split()[1]))


async def talk(url: str, pcm: Pcm16, seconds: float) -> int:
    """Speak the same again and again at real-time pace; return how many finals came."""
    finals, step = 0, int(CHUNK_S * SAMPLE_RATE_HZ)
    parameters = StreamParameters(language="en")
    async with LiveClient(url, parameters) as client, anyio.create_task_group() as group:

        async def speak() -> None:
            began_at = time.monotonic()
            for index, at in enumerate(itertools.cycle(range(0, pcm.size, step)), 1):
                if index * CHUNK_S > seconds:
                    break
                await anyio.sleep(max(0.0, began_at + index * CHUNK_S - time.monotonic()))
                client.push(pcm[at : at + step])
            client.finish()

        group.start_soon(speak)
        async for event in client:
            finals += isinstance(event, Final)
    return finals


async def soak(service: Service, minutes: float, quiet: int) -> dict[str, Any]:
    """Run both parts, and return all figures."""
    watch, said = Watch(service), speeches(TALK_S, TALKERS)
    finals = [0] * TALKERS

    async def one(index: int) -> None:
        finals[index] = await talk(service.url, said[index], minutes * 60)

    async with anyio.create_task_group() as around:
        before = await watch.look()
        around.start_soon(watch.run)
        watch.part = "speech"
        async with anyio.create_task_group() as talkers:
            for index in range(TALKERS):
                talkers.start_soon(one, index)
        watch.part = "between"
        await asyncio.sleep(REST_S)
        streams = QuietStreams(service.url, quiet)
        await streams.open()
        watch.part = "silence"
        await streams.send(minutes * 60)
        lost, invented = streams.lost, streams.finals
        watch.part = "after"
        streams.close()
        for _ in range(int(FORGET_S / LOOK_EACH_S)):
            if is_at_rest(await watch.look(), before):
                break
            await asyncio.sleep(LOOK_EACH_S)
        around.cancel_scope.cancel()
    after = await watch.look()
    return {
        "before": asdict(before),
        "after": asdict(after),
        "growth_mb": round(after.server_mb - before.server_mb, 2),
        "kb_for_each_quiet_stream": round(
            1000 * (mean_mb(watch.looks, "silence") - mean_mb(watch.looks, "between")) / quiet
        ),
        "speech": {"streams": TALKERS, "finals": finals} | part_figures(watch.looks, "speech"),
        "silence": {
            "streams": quiet,
            "refused": streams.refused,
            "hung_up": lost,
            "finals": invented,
            "generator_late_ms": round(streams.latest_s * 1000),
        }
        | part_figures(watch.looks, "silence"),
        "looks": [asdict(look) for look in watch.looks],
    }


def is_at_rest(look: Look, before: Look) -> bool:
    """Return whether nothing of any stream is left."""
    return look.tasks <= before.tasks and look.descriptors <= before.descriptors


def mean_mb(looks: Sequence[Look], part: str) -> float:
    """Return what the server took on average in a part."""
    own = [look.server_mb for look in looks if look.part == part]
    return sum(own) / max(1, len(own))


def part_figures(looks: Sequence[Look], part: str) -> dict[str, float]:
    """Return how much a part grew once it had settled, and what it cost."""
    own = [look for look in looks if look.part == part]
    settled = next((look for look in own if look.at_s >= own[0].at_s + SETTLE_S), own[0])
    last, wall_s = own[-1], own[-1].at_s - settled.at_s
    return {
        "server_mb": last.server_mb,
        "growth_mb": round(last.server_mb - settled.server_mb, 2),
        "workers_growth_mb": round(last.workers_mb - settled.workers_mb, 1),
        "server_cpu_percent": round(
            100 * (last.server_cpu_s - settled.server_cpu_s) / max(wall_s, 1e-9), 1
        ),
        "descriptors_growth": last.descriptors - settled.descriptors,
        "tasks_growth": last.tasks - settled.tasks,
    }


def verdicts(figures: dict[str, Any], quiet: int) -> dict[str, bool]:
    """Print and return what is as it should be."""
    before, after = figures["before"], figures["after"]
    silence = figures["silence"]
    grown_mb = max(figures[part]["growth_mb"] for part in ("speech", "silence"))
    print(
        f"\nserver's memory {before['server_mb']:.1f} MB before, {after['server_mb']:.1f} MB after "
        f"({figures['growth_mb']:+.1f} MB), workers' {before['workers_mb']:.0f} MB and "
        f"{after['workers_mb']:.0f} MB"
    )
    for part in ("speech", "silence"):
        shown = figures[part]
        print(
            f"  {shown['streams']} streams of {part}: {shown['server_mb']:.1f} MB at the end, "
            f"{shown['growth_mb']:+.2f} MB since {SETTLE_S:g} s after the start; workers "
            f"{shown['workers_growth_mb']:+.1f} MB; server {shown['server_cpu_percent']:.1f} % of "
            f"a core; descriptors {shown['descriptors_growth']:+d}, "
            f"tasks {shown['tasks_growth']:+d}"
        )
    print(f"  each quiet stream takes {figures['kb_for_each_quiet_stream']} KB while it is open")
    print(
        f"  finals in silence {silence['finals']}; frames late by {silence['generator_late_ms']} ms"
    )
    reached = {
        f"the server grows by less than {MAX_GROWTH_MB:g} MB, all in all": figures["growth_mb"]
        < MAX_GROWTH_MB,
        f"and by less than {MAX_GROWTH_MB:g} MB within each part": grown_mb < MAX_GROWTH_MB,
        f"{quiet} silent streams are let in and kept": not silence["refused"]
        and not silence["hung_up"],
        "nothing is heard in silence": not silence["finals"],
        "no descriptor and no task is left": is_at_rest(Look(**after), Look(**before)),
    }
    for name, is_reached in reached.items():
        print(f"target, {name}: {'reached' if is_reached else 'NOT reached'}")
    return reached


WIDTH, HEIGHT, LEFT, TOP = 760, 300, 60, 50


def draw(path: Path, looks: Sequence[dict[str, Any]], title: str) -> None:
    """Write the server's memory over time as SVG, with a line where a part begins."""
    most_mb = 1.2 * max(float(look["server_mb"]) for look in looks)
    last_s = float(looks[-1]["at_s"])

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * at_s / last_s

    def y(mb: float) -> float:
        return TOP + HEIGHT - HEIGHT * mb / most_mb

    points = " ".join(f"{x(look['at_s']):.1f},{y(look['server_mb']):.1f}" for look in looks)
    marks = [f'<text x="16" y="26" font-size="17" font-weight="bold">{title}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        mb = most_mb * share
        marks.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(mb):.1f}" y2="{y(mb):.1f}" ')
        marks.append('stroke="#e4e7eb"/>')
        marks.append(f'<text x="16" y="{y(mb) + 4:.1f}" font-size="11">{mb:.0f} MB</text>')
    for part, found in itertools.groupby(looks, lambda look: look["part"]):
        at = x(next(found)["at_s"])
        marks.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}" ')
        marks.append('stroke="#9aa5b1" stroke-dasharray="4"/>')
        if part in ("speech", "silence"):
            marks.append(f'<text x="{at + 6:.1f}" y="{TOP + 14}" font-size="12">{part}</text>')
    marks.append(
        f'<text x="{WIDTH - 120}" y="{TOP + HEIGHT + 20}" font-size="11">{last_s / 60:.0f} minutes'
        "</text>"
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{TOP + HEIGHT + 40}" '
        'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
        f'{"".join(marks)}<polyline points="{points}" fill="none" stroke="#2f6f4f" '
        'stroke-width="2"/></svg>\n'
    )
    print(f"wrote {path.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each part")
    parser.add_argument("--quiet", type=int, default=200, help="streams in which nobody speaks")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/live_soak")
    arguments = parser.parse_args()
    settings = {
        "max_sessions": arguments.quiet + TALKERS,
        "queue_audio_s": round((arguments.quiet + TALKERS) * ROOM_S + ROOM_S),
    }
    print(machine())
    print("settings:", ", ".join(f"AURICLE_{k.upper()}={v}" for k, v in settings.items()))
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(WORKERS, Path(folder) / "server.log", **settings) as service,
    ):
        figures = asyncio.run(soak(service, arguments.minutes, arguments.quiet))
    reached = verdicts(figures, arguments.quiet)
    write_json(
        arguments.out.with_suffix(".json"),
        {
            "machine": machine(),
            "minutes": arguments.minutes,
            "settings": settings,
            "workers": WORKERS,
            **figures,
            "reached": reached,
        },
    )
    draw(arguments.out.with_suffix(".svg"), figures["looks"], "The server's memory over time")
    if not all(reached.values()):
        raise SystemExit("a target is missed")


if __name__ == "__main__":
    main()
