"""Many live streams in which nobody speaks: what each takes, and what is left of it afterwards.

200 streams come, stay and vanish, and then 200 more. What the first round leaves behind is memory
that is kept for the next; what the second round adds to it would be a leak.

A server lets in as many streams as AURICLE_MAX_SESSIONS says, if its queue has 7.5 s of room for
each (AURICLE_QUEUE_AUDIO_S, a tenth of which is kept for those who come back). 200 need more of
both than there is by default.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from auricle.server.live.registry import SESSION_AUDIO_S
from bench.live_quiet import QuietStreams
from bench.service import Service, serve
from bench.soak.watch import Snapshot, Watch

STREAMS = 200
MINUTES = 2.0
ROUNDS = 2
REST_S = 20.0
FORGET_S = 120.0
"""The server keeps sessions whose clients vanished for a minute; then nothing may be left."""
LOOK_AGAIN_S = 5.0
MAX_LEFT_MB = 5.0
ROOM_S = SESSION_AUDIO_S / 0.9
"""Of the queue, for each session."""


async def measure(service: Service, streams: int, seconds: float) -> dict[str, Any]:
    """Return what the rounds showed."""
    watch = Watch(service)
    rounds: list[dict[str, Any]] = []
    async with asyncio.TaskGroup() as around:
        looking = around.create_task(watch.run())
        await asyncio.sleep(min(REST_S, seconds))
        before = last = await asyncio.to_thread(watch.look)
        for number in range(ROUNDS):
            watch.part = f"round {number + 1}"
            quiet = QuietStreams(service.url, streams)
            await quiet.open()
            await quiet.send(seconds)
            full = await asyncio.to_thread(watch.look)
            lost, finals = quiet.lost, quiet.finals
            watch.part = "rest"
            quiet.close()
            rest = await _until_forgotten(watch, before)
            rounds.append(
                {
                    "refused": quiet.refused,
                    "hung_up": lost,
                    "finals": finals,
                    "generator_late_ms": round(quiet.latest_s * 1000),
                    "server_cpu_percent": round(
                        100 * (full.server_cpu_s - last.server_cpu_s) / (full.at_s - last.at_s), 1
                    ),
                    "kb_for_each_stream": round(
                        1000 * (_server_mb(watch, full) - _server_mb(watch, last)) / streams
                    ),
                    "server_mb_full": _server_mb(watch, full),
                    "server_mb_after": _server_mb(watch, rest),
                    "left": {
                        name: getattr(rest, name) - getattr(before, name)
                        for name in ("descriptors", "tasks", "processes")
                    },
                }
            )
            last = rest
        looking.cancel()
    return {
        "streams": streams,
        "seconds": seconds,
        "server_mb_before": _server_mb(watch, before),
        "rounds": rounds,
        "added_by_second_round_mb": round(
            rounds[-1]["server_mb_after"] - rounds[-2]["server_mb_after"], 2
        ),
        "load_average": [look.load_average for look in watch.looks[:: len(watch.looks) // 6 or 1]],
    }


async def _until_forgotten(watch: Watch, before: Snapshot) -> Snapshot:
    """Wait until nothing of any stream is left, or for so long that it never will be."""
    for _ in range(round(FORGET_S / LOOK_AGAIN_S)):
        look = await asyncio.to_thread(watch.look)
        if look.tasks <= before.tasks and look.descriptors <= before.descriptors:
            break
        await asyncio.sleep(LOOK_AGAIN_S)
    return look


def _server_mb(watch: Watch, look: Snapshot) -> float:
    return look.memory_mb[watch.server_pid]


def reached(shown: dict[str, Any]) -> dict[str, bool]:
    """Return what is as it should be."""
    rounds: Sequence[dict[str, Any]] = shown["rounds"]
    return {
        f"{shown['streams']} silent streams are let in and kept": not any(
            one["refused"] or one["hung_up"] for one in rounds
        ),
        "nothing is heard in silence": not any(one["finals"] for one in rounds),
        "no descriptor, task or process is left": not any(
            left > 0 for one in rounds for left in one["left"].values()
        ),
        f"the second round adds less than {MAX_LEFT_MB:g} MB": shown["added_by_second_round_mb"]
        < MAX_LEFT_MB,
    }


def run(streams: int = STREAMS, seconds: float = MINUTES * 60, **settings: Any) -> dict[str, Any]:
    """Measure and print it all; return the figures."""
    settings |= {"max_sessions": streams, "queue_audio_s": round((streams + 1) * ROOM_S)}
    settings |= {"max_sessions_per_address": 0, "address_connections": 0}  # they have one here
    with serve(2, **settings) as service:
        shown = asyncio.run(measure(service, streams, seconds))
    for name, value in shown.items():
        print(f"  {name}: {value}")
    verdict = reached(shown)
    for name, is_reached in verdict.items():
        print(f"target, {name}: {'reached' if is_reached else 'NOT reached'}")
    return shown | {"settings": settings, "reached": verdict}
