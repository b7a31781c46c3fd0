"""A day in half an hour: live sessions that last from midnight to midnight.

The server's clock goes faster (``bench/soak/fast_clock.py``), the sessions send as much faster, and
to the server it is a day of live speech: real sockets, real processes, its own clocks and limits.
Only the engine is scripted: it answers with how many samples it was given, and their checksum. So
for each final the client, which knows what it sent, can tell whether it is of that very stretch of
audio, to the sample, at hour 24 as at hour 1.

- *speech*: somebody speaks a quarter of the time; PCM with positions, whose clock passes 2^32
  samples at noon.
- *silence*: the noise of a quiet room in Opus, and a sentence at the very end; its packets' numbers
  wrap from 2^32 - 1 to 0 at noon.
- *ogg*, *webm*: the same as recordings, as FFmpeg writes them live, for a tenth of the day; in the
  middle granules pass 2^32.

The connections of the first two are cut at 1:00, 12:10 and 23:00, and the sessions resumed. Every
ten minutes an utterance is posted, and a file becomes a job that nobody fetches.
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

from auricle.types import Pcm16
from bench.live_chaos import ROOM_TONE, speeches
from bench.live_quiet import noise_packets
from bench.posting import JSON_TYPE, Body, Client, bodies
from bench.service import Service, serve
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
    encoded,
)
from bench.soak.watch import Snapshot, Watch
from bench.speech import pink_noise
from bench.trend import Trend, trend

TALK_S, PAUSES = 30.0, 3
RECORDED_SHARE = 0.1
"""Recordings last for so much of the day."""
ALIGN_SAMPLES = 25_600
"""A multiple of steps, packets and the detector's windows: what is said again is heard again."""
BREAKS_H = (1.0, 12.0 + 1 / 6, 23.0)
POSTS_A_DAY = 144
WORKERS = 1
SETTINGS: dict[str, Any] = SLOWED | {
    "engine": "tests.support.scripted_engine:load",
    "self_test_s": 3600,
}
LEAK_MB_PER_DAY = 10.0
WARM_UP_H = 1.0


def sessions(hours: float, talk: Pcm16, last: Pcm16) -> list[Session]:
    """Return the four sessions of a day that is so long; every border is passed at its noon.

    Args:
        hours: How long.
        talk: Said and recorded again and again.
        last: The sentence that ends the silence.
    """
    steps = round(hours * HOUR_STEPS)
    breaks = [round(steps * at_h / 24) for at_h in BREAKS_H]
    border = 2**32 - steps // 2 * STEP_SAMPLES
    speech = PcmSource(talk, steps, border)
    silence = OpusSource(noise_packets(), encoded(last), steps, 2**32 - steps // 2 * STEP_PACKETS)
    recorded = round(steps * RECORDED_SHARE)
    ticks = recorded // 2 * STEP_PACKETS * TICKS_PER_PACKET
    packets = encoded(talk)
    return [
        Session("speech", speech, border, steps, breaks[:], talk.size),
        Session("silence", silence, 0, steps, breaks[:], None),
        *(
            Session(name, ContainerSource(name, packets, 2**32 - ticks), 0, recorded, [], talk.size)
            for name in ("ogg", "webm")
        ),
    ]


def talk_and_pause() -> Pcm16:
    """Return some speech and three times as long a pause in a quiet room."""
    [said] = speeches(TALK_S, 1)
    pause = ROOM_TONE * pink_noise(PAUSES * said.size, np.random.default_rng(3))
    whole = np.concatenate([said, pause.astype(np.int16)])
    return whole[: whole.size - whole.size % ALIGN_SAMPLES]


@dataclass(slots=True)
class Posts:
    """What was posted beside the sessions."""

    answered: int = 0
    wrong: int = 0
    jobs: int = 0
    failures: list[str] = field(default_factory=list)


async def post_on(url: str, short: Sequence[Body], long: Body, each_s: float, posts: Posts) -> None:
    """Post an utterance and a file now and then, until cancelled."""
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
    """All that happened."""

    speed: float
    wall_s: float
    sessions: list[Session]
    posts: Posts
    looks: list[Snapshot]
    names: dict[int, str]

    def slopes(self) -> dict[str, Trend | None]:
        """Return how the server grows in a day, after its first hour."""
        own = [look for look in self.looks if look.part == "day"]
        per_hour = self.wall_s / self.sessions[0].steps * HOUR_STEPS
        own = [look for look in own if look.at_s >= own[0].at_s + WARM_UP_H * per_hour]
        days_in_hours = [look.at_s / (24 * per_hour) * 3600 for look in own]
        server = next(pid for pid, name in self.names.items() if name == "server")
        figures = {
            "server, MB a day": [look.memory_mb[server] for look in own],
            "descriptors a day": [float(look.descriptors) for look in own],
            "tasks a day": [float(look.tasks) for look in own],
        }
        return {name: trend(days_in_hours, values) for name, values in figures.items()}


async def live_through(
    service: Service, found: list[Session], speed: float, short: Sequence[Body], long: Body
) -> Day:
    """Let all sessions speak through the day.

    Args:
        service: Its clock goes ``speed`` times as fast.
        found: The sessions.
        speed: As fast as they speak.
        short: Utterances to post.
        long: A file to post.
    """
    post_each_s = found[0].steps / HOUR_STEPS * 3600 / POSTS_A_DAY / speed
    watch, posts = Watch(service), Posts()
    async with asyncio.TaskGroup() as around:
        watch.look()
        beside = [
            around.create_task(watch.run()),
            around.create_task(post_on(service.url, short, long, post_each_s, posts)),
        ]
        watch.part, began_at = "day", time.monotonic()
        await asyncio.gather(*(session.run(service.url, speed) for session in found))
        wall_s = time.monotonic() - began_at
        watch.part = "after"
        for task in beside:
            task.cancel()
    watch.look()
    return Day(speed, wall_s, found, posts, watch.looks, watch.names)


def figures(day: Day) -> dict[str, Any]:
    """Return it all for JSON."""
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
    """Return what is as it should be."""
    found = shown["sessions"].values()
    growth = shown["growth"]["server, MB a day"]
    return {
        "every final is of the very samples between its times": not any(
            one["finals_of_other_audio"] or one["out_of_order"] for one in found
        ),
        "as many finals in each turn": all(
            one["finals"] > 0 and one["finals"] % one["turns"] == 0 for one in found if one["turns"]
        ),
        "nothing is heard in silence but its last sentence": shown["sessions"]["silence"]["finals"]
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
    """Measure and print it all; return the figures."""
    found = sessions(hours, talk_and_pause(), speeches(3.0, 1)[0])
    short = [body for body in bodies() if body.media_type == JSON_TYPE]
    [long] = files([20.0])
    program = ("bench.soak.fast_clock", str(speed))
    with serve(WORKERS, log, program=program, **SETTINGS) as service:
        day = asyncio.run(live_through(service, found, speed, short, long))
    shown = figures(day)
    print(f"\n{hours:g} hours in {shown['wall_s']} s, {shown['speed']} times as fast")
    for name, one in shown["sessions"].items():
        print(f"  {name}: {one}")
    for name in ("utterances", "utterances_with_another_text", "jobs", "post_failures", "growth"):
        print(f"  {name}: {shown[name]}")
    verdict = reached(shown)
    for name, is_reached in verdict.items():
        print(f"target, {name}: {'reached' if is_reached else 'NOT reached'}")
    return shown | {"settings": SETTINGS, "reached": verdict}
