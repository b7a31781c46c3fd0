"""A day in half an hour: live sessions that last for 24 hours on an accelerated clock.

The server's clock runs faster (``bench/soak/fast_clock.py``), and the sessions send faster, so for
the server it is a day of live speech, with real sockets, real processes, clocks and limits. Only
the engine is scripted: it returns the number of samples and their checksum. The client, which knows
what it sent, checks for each final that it contains exactly the audio between its times.

- *speech*: speech for a quarter of the time; PCM with positions, whose clock passes 2^32 samples at
  noon.
- *silence*: the noise of a quiet room in Opus, and a sentence at the end; the numbers of its
  packets wrap from 2^32 - 1 to 0 at noon.
- *ogg*, *webm*: recordings as FFmpeg writes them live, for a tenth of the day; in the middle
  granules pass 2^32.

The connections of the first two are cut at 1:00, 12:10 and 23:00, and the sessions resumed. Every
ten minutes an utterance is posted, and a file becomes a job whose result is not fetched.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from auricle.values.types import Pcm16
from bench.lib.posting import JSON_TYPE, Body, Client, bodies
from bench.lib.raw_stream import noise_packets
from bench.lib.report import show_targets
from bench.lib.service import Server, running
from bench.lib.speech import ROOM_TONE, in_room, speeches
from bench.lib.trend import Trend, trend
from bench.soak.fast_clock import SLOWED
from bench.soak.mix import files
from bench.soak.session import HOUR_STEPS, Session
from bench.soak.sources import (
    STEP_PACKETS,
    STEP_SAMPLES,
    TICKS_PER_PACKET,
    ContainerSource,
    OpusSource,
    PcmSource,
    steps_of,
)
from bench.soak.watch import Snapshot, Watch

TALK_S, PAUSES = 30.0, 3
RECORDED_SHARE = 0.1
"""The share of the day that recordings last."""
ALIGN_SAMPLES = 25_600
"""A multiple of steps, packets and windows of the voice detector, for exact repetition."""
BREAKS_H = (1.0, 12.0 + 1 / 6, 23.0)
POSTS_A_DAY = 144
WORKERS = 1
SETTINGS: dict[str, Any] = SLOWED | {
    "engine": "tests.support.scripted_engine",
    "self_test_s": 3600,
}
LEAK_MB_PER_DAY = 10.0
WARM_UP_H = 1.0


def sessions(hours: float, talk: Pcm16, last: Pcm16) -> list[Session]:
    """Return the four sessions of a day; every 32-bit counter wraps at noon.

    Args:
        hours: Length of the day.
        talk: The speech that is repeated.
        last: The sentence that ends the silence.
    """
    steps = round(hours * HOUR_STEPS)
    breaks = [round(steps * at_h / 24) for at_h in BREAKS_H]
    wrap_sample = 2**32 - steps // 2 * STEP_SAMPLES
    speech = PcmSource(talk, steps, wrap_sample)
    silence = OpusSource(noise_packets(), steps_of(last), steps, 2**32 - steps // 2 * STEP_PACKETS)
    recorded = round(steps * RECORDED_SHARE)
    ticks = recorded // 2 * STEP_PACKETS * TICKS_PER_PACKET
    packets = steps_of(talk)
    return [
        Session("speech", speech, wrap_sample, steps, breaks[:], talk.size),
        Session("silence", silence, 0, steps, breaks[:], None),
        *(
            Session(name, ContainerSource(name, packets, 2**32 - ticks), 0, recorded, [], talk.size)
            for name in ("ogg", "webm")
        ),
    ]


def talk_and_pause() -> Pcm16:
    """Return speech, and a pause three times as long with room noise."""
    [speech] = speeches(TALK_S, 1)
    silence = np.zeros(PAUSES * speech.size, np.int16)
    pause = in_room(silence, ROOM_TONE, np.random.default_rng(3))
    whole = np.concatenate([speech, pause])
    return whole[: whole.size - whole.size % ALIGN_SAMPLES]


@dataclass(slots=True)
class Posts:
    """The requests besides the sessions."""

    answered: int = 0
    wrong: int = 0
    jobs: int = 0
    failures: list[str] = field(default_factory=list)


async def post_on(url: str, short: Sequence[Body], long: Body, each_s: float, posts: Posts) -> None:
    """Post an utterance and a file at intervals, until cancelled."""
    client, expected = Client(url), dict[str, str]()
    async with httpx2.AsyncClient(base_url=url, timeout=60) as web:
        for body in itertools.cycle(short):
            await asyncio.sleep(each_s)
            try:
                outcome = await client.post(body)
                job = await web.post(
                    f"{long.path}&wait=0",
                    content=long.content,
                    headers={"content-type": long.media_type},
                )
            except (OSError, EOFError, httpx2.HTTPError) as error:
                posts.failures.append(repr(error))
                continue
            posts.answered += outcome.is_done
            posts.wrong += outcome.text != expected.setdefault(body.clip, outcome.text)
            posts.jobs += job.status_code == 202


@dataclass(frozen=True, slots=True)
class Day:
    """The raw results."""

    speed: float
    wall_s: float
    sessions: list[Session]
    posts: Posts
    snapshots: list[Snapshot]
    names: dict[int, str]

    def slopes(self) -> dict[str, Trend | None]:
        """Return the growth of the server in a day, after its first hour."""
        own = [snapshot for snapshot in self.snapshots if snapshot.part == "day"]
        per_hour = self.wall_s / self.sessions[0].steps * HOUR_STEPS
        own = [snapshot for snapshot in own if snapshot.at_s >= own[0].at_s + WARM_UP_H * per_hour]
        days_in_hours = [snapshot.at_s / (24 * per_hour) * 3600 for snapshot in own]
        server = next(pid for pid, name in self.names.items() if name == "server")
        figures = {
            "server, MB a day": [snapshot.memory_mb[server] for snapshot in own],
            "descriptors a day": [float(snapshot.descriptors) for snapshot in own],
            "tasks a day": [float(snapshot.tasks) for snapshot in own],
        }
        return {name: trend(days_in_hours, values) for name, values in figures.items()}


async def run_day(
    server: Server, sessions: list[Session], speed: float, short: Sequence[Body], long: Body
) -> Day:
    """Run all sessions for the day.

    Args:
        server: Its clock runs ``speed`` times as fast.
        sessions: The sessions.
        speed: Speed of the sessions.
        short: Utterances to post.
        long: A file to post.
    """
    post_each_s = sessions[0].steps / HOUR_STEPS * 3600 / POSTS_A_DAY / speed
    watch, posts = Watch(server), Posts()
    async with asyncio.TaskGroup() as around:
        watch.take()
        beside = [
            around.create_task(watch.run()),
            around.create_task(post_on(server.url, short, long, post_each_s, posts)),
        ]
        watch.part, began_at = "day", time.monotonic()
        await asyncio.gather(*(session.run(server.url, speed) for session in sessions))
        wall_s = time.monotonic() - began_at
        watch.part = "after"
        for task in beside:
            task.cancel()
    watch.take()
    return Day(speed, wall_s, sessions, posts, watch.snapshots, watch.names)


def figures(day: Day) -> dict[str, Any]:
    """Return all figures for JSON."""
    return {
        "speed_asked": day.speed,
        "speed": round(day.sessions[0].steps / HOUR_STEPS * 3600 / day.wall_s, 1),
        "wall_s": round(day.wall_s),
        "sessions": {session.name: session.figures() for session in day.sessions},
        "utterances": day.posts.answered,
        "utterances_with_another_text": day.posts.wrong,
        "jobs": day.posts.jobs,
        "post_failures": day.posts.failures,
        "growth": {name: slope and slope.rounded() for name, slope in day.slopes().items()},
        "processes": len(day.names),
    }


def reached(shown: dict[str, Any]) -> dict[str, bool]:
    """Return which targets are reached."""
    found = shown["sessions"].values()
    growth = shown["growth"]["server, MB a day"]
    return {
        "every final has exactly the samples between its times": not any(
            one["finals_of_other_audio"] or one["out_of_order"] for one in found
        ),
        "the same number of finals in each repetition": all(
            one["finals"] > 0 and one["finals"] % one["turns"] == 0 for one in found if one["turns"]
        ),
        "the only final in silence is its last sentence": shown["sessions"]["silence"]["finals"]
        == 1,
        "every sample is counted": all(
            one["samples_counted"] == one["samples_sent"] - one["samples_skipped"] for one in found
        ),
        "every cut connection is resumed": all(
            shown["sessions"][name]["resumed"] >= len(BREAKS_H) for name in ("speech", "silence")
        )
        and not any(one["forgotten"] for one in found),
        "utterances have the same text all day": bool(shown["utterances"])
        and not shown["utterances_with_another_text"]
        and not shown["post_failures"],
        f"the server grows by less than {LEAK_MB_PER_DAY:g} MB a day": growth is not None
        and growth["high"] < LEAK_MB_PER_DAY,
    }


def run(hours: float, speed: float, log: Path | None = None) -> dict[str, Any]:
    """Measure and print all figures; return them."""
    found = sessions(hours, talk_and_pause(), speeches(3.0, 1)[0])
    short = [body for body in bodies() if body.media_type == JSON_TYPE]
    [long] = files([20.0])
    program = ("bench.soak.fast_clock", str(speed))
    with running(log, program=program, workers=WORKERS, **SETTINGS) as server:
        day = asyncio.run(run_day(server, found, speed, short, long))
    shown = figures(day)
    print(f"\n{hours:g} hours in {shown['wall_s']} s, {shown['speed']} times as fast")
    for name, one in shown["sessions"].items():
        print(f"  {name}: {one}")
    for name in ("utterances", "utterances_with_another_text", "jobs", "post_failures", "growth"):
        print(f"  {name}: {shown[name]}")
    targets = reached(shown)
    show_targets(targets)
    return shown | {"settings": SETTINGS, "reached": targets}
