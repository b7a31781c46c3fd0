"""Many live streams without speech: resources of each, and what remains after they vanish.

200 streams connect, stay and vanish, then 200 more. Memory that remains after the first round is
kept for the next one; memory that the second round adds would be a leak.

A server admits as many streams as AURICLE_MAX_SESSIONS allows, if its queue has 7.5 s of room for
each (AURICLE_QUEUE_AUDIO_S, a tenth of which is kept for sessions that resume). 200 streams need
more of both than the defaults.
"""

import asyncio
from typing import Any

from bench.lib.raw_stream import RawStreams, noise_packets
from bench.lib.report import show_targets
from bench.lib.service import Server, running
from bench.soak.watch import Snapshot, Watch

STREAMS = 200
MINUTES = 2.0
ROUNDS = 2
REST_S = 20.0
RELEASE_LIMIT_S = 120.0
"""The server keeps sessions whose clients vanished for a minute; then nothing may remain."""
CHECK_INTERVAL_S = 5.0
MAX_LEFT_MB = 5.0
COUNTS = ("descriptors", "tasks", "processes")


async def measure(server: Server, streams: int, seconds: float) -> dict[str, Any]:
    """Return the figures of all rounds."""
    watch, packets = Watch(server), noise_packets()
    rounds: list[dict[str, Any]] = []
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.run())
        await asyncio.sleep(min(REST_S, seconds))
        before = last = await asyncio.to_thread(watch.take)
        for number in range(ROUNDS):
            watch.part = f"round {number + 1}"
            quiet = RawStreams(server.url, streams)
            await quiet.open()
            await quiet.send(packets, seconds)
            full = await asyncio.to_thread(watch.take)
            watch.part = "rest"
            figures: dict[str, Any] = {
                "refused": quiet.refused,
                "hung_up": quiet.lost,
                "finals": quiet.finals,
                "generator_late_ms": round(quiet.latest_s * 1000),
            }
            quiet.close()
            rest = await _until_released(watch, before)
            cpu_share = (full.server_cpu_s - last.server_cpu_s) / (full.at_s - last.at_s)
            added_mb = watch.server_mb(full) - watch.server_mb(last)
            figures |= {
                "server_cpu_percent": round(100 * cpu_share, 1),
                "kb_for_each_stream": round(1000 * added_mb / streams),
                "server_mb_full": watch.server_mb(full),
                "server_mb_after": watch.server_mb(rest),
                "left": {name: getattr(rest, name) - getattr(before, name) for name in COUNTS},
            }
            rounds.append(figures)
            last = rest
        watching.cancel()
    added_mb = rounds[-1]["server_mb_after"] - rounds[-2]["server_mb_after"]
    some = watch.snapshots[:: len(watch.snapshots) // 6 or 1]
    return {
        "streams": streams,
        "seconds": seconds,
        "server_mb_before": watch.server_mb(before),
        "rounds": rounds,
        "added_by_second_round_mb": round(added_mb, 2),
        "load_average": [snapshot.load_average for snapshot in some],
    }


async def _until_released(watch: Watch, before: Snapshot) -> Snapshot:
    """Wait until no resource of a stream remains, or until the time limit."""
    for _ in range(round(RELEASE_LIMIT_S / CHECK_INTERVAL_S)):
        snapshot = await asyncio.to_thread(watch.take)
        if snapshot.tasks <= before.tasks and snapshot.descriptors <= before.descriptors:
            break
        await asyncio.sleep(CHECK_INTERVAL_S)
    return snapshot


def reached(shown: dict[str, Any]) -> dict[str, bool]:
    """Return which targets are reached."""
    rounds, added_mb = shown["rounds"], shown["added_by_second_round_mb"]
    return {
        f"{shown['streams']} silent streams are admitted and kept": not any(
            one["refused"] or one["hung_up"] for one in rounds
        ),
        "no final in silence": not any(one["finals"] for one in rounds),
        "no descriptor, task or process is left": not any(
            left > 0 for one in rounds for left in one["left"].values()
        ),
        f"the second round adds less than {MAX_LEFT_MB:g} MB": added_mb < MAX_LEFT_MB,
    }


def run(streams: int = STREAMS, seconds: float = MINUTES * 60, **settings: Any) -> dict[str, Any]:
    """Measure and print all figures; return them."""
    settings |= {"max_sessions": streams + 1}
    settings |= {"max_sessions_per_address": 0, "address_connections": 0}  # all have one address
    with running(workers=2, **settings) as server:
        shown = asyncio.run(measure(server, streams, seconds))
    for name, value in shown.items():
        print(f"  {name}: {value}")
    targets = reached(shown)
    show_targets(targets)
    return shown | {"settings": settings, "reached": targets}
