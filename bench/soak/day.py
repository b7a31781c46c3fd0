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
import contextlib
import itertools
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from auricle.events import Closed, Failed, Final, Marks, Partial, Ready, Warned
from auricle.protocol.native import Ack, Resume, Stop, decode_event, encode_command
from auricle.types import SAMPLE_RATE_HZ, Pcm16
from bench.live_chaos import ROOM_TONE, speeches
from bench.live_quiet import noise_packets
from bench.posting import JSON_TYPE, Body, Client, bodies
from bench.service import Service, serve
from bench.soak.fast_clock import SLOWED
from bench.soak.mix import files
from bench.soak.sources import (
    STEP_PACKETS,
    STEP_SAMPLES,
    TICKS_PER_PACKET,
    ContainerSource,
    OpusSource,
    PcmSource,
    Source,
    encoded,
)
from bench.soak.watch import Look, Watch
from bench.speech import pink_noise
from bench.trend import Trend, trend

HOUR_STEPS = 3600 * SAMPLE_RATE_HZ // STEP_SAMPLES
TALK_S, PAUSES = 30.0, 3
RECORDED_SHARE = 0.1
"""Recordings last for so much of the day."""
ALIGN_SAMPLES = 25_600
"""A multiple of steps, packets and the detector's windows: what is said again is heard again."""
BREAKS_H = (1.0, 12.0 + 1 / 6, 23.0)
POSTS_A_DAY = 144
WORKERS = 1
SETTINGS: dict[str, Any] = SLOWED | {
    "engine": "tests.fakes.scripted_engine:load",
    "self_test_s": 3600,
}
MOST_AHEAD_STEPS = 200
"""A client that is so far ahead of what was taken waits: sockets hold an hour of Opus."""
RETRIES = 20
RETRY_S = 0.2
LAST_FINAL_LIMIT_S = 120.0
LEAK_MB_PER_DAY = 10.0
WARM_UP_H = 1.0


@dataclass(slots=True)
class Session:
    """One live session, and what was told of it."""

    name: str
    source: Source
    start_sample: int
    steps: int
    break_steps: list[int]
    sent_steps: int = 0
    finals: int = 0
    partials: int = 0
    wrong_audio: int = 0
    """Finals whose checksum is not that of the audio between their times."""
    out_of_order: int = 0
    resumed: int = 0
    forgotten: int = 0
    warnings: int = 0
    failures: list[str] = field(default_factory=list)
    finals_by_hour: dict[int, int] = field(default_factory=dict)
    last_end_sample: int = 0
    closed: Closed | None = None
    _ready: Ready | None = None
    _received_steps: int = 0
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, url: str, speed: float) -> None:
        """Speak from the first step to the last final, over as many connections as it takes."""
        began_at, tries = time.monotonic(), 0
        while self.closed is None:
            try:
                async with connect(
                    f"{url.replace('http', 'ws', 1)}/v1/stream?{self._query()}",
                    compression=None,
                    ping_interval=None,
                    max_size=None,
                ) as socket:
                    sent_before = self.sent_steps
                    await self._converse(socket, began_at, speed)
                    tries = 0 if self.sent_steps > sent_before else tries
            except (OSError, WebSocketException) as error:
                self.failures.append(repr(error))
            tries += 1
            if tries > RETRIES:
                raise RuntimeError(f"{self.name}: {self.failures[-1:]}")
            if self.closed is None:
                await asyncio.sleep(RETRY_S)

    def _query(self) -> str:
        if self._ready is None or not self._ready.resumable:
            return self.source.query
        return f"{self.source.query}&resume=1"

    async def _converse(self, socket: ClientConnection, began_at: float, speed: float) -> None:
        known = self._ready
        if known is not None and known.resumable:
            await socket.send(encode_command(Resume(known.session, known.secret, self.finals)))
        elif self.sent_steps:
            raise RuntimeError(f"{self.name} broke and can't be resumed: {self.failures}")
        ready = decode_event(await socket.recv())
        if not isinstance(ready, Ready):
            raise OSError(f"not ready, but {ready}")
        self.resumed += ready.resumed
        self.forgotten += known is not None and not ready.resumed
        self._ready = ready
        self._note_received(ready.received_sample)
        self.sent_steps = self._received_steps
        reading = asyncio.create_task(self._read(socket))
        try:
            await self._send(socket, began_at, speed)
            async with asyncio.timeout(LAST_FINAL_LIMIT_S):
                await reading
        except ConnectionClosed:
            await reading
        finally:
            reading.cancel()

    async def _send(self, socket: ClientConnection, began_at: float, speed: float) -> None:
        step_s = STEP_SAMPLES / SAMPLE_RATE_HZ / speed
        while self.sent_steps < self.steps:
            if self.break_steps and self.sent_steps >= self.break_steps[0]:
                self.break_steps.pop(0)
                socket.transport.abort()
            wait_s = began_at + (self.sent_steps + 1) * step_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            while self.sent_steps - self._received_steps > MOST_AHEAD_STEPS:
                self._progress.clear()
                await self._progress.wait()
            if message := self.source.message(self.sent_steps):
                await socket.send(message)
            self.sent_steps += 1
        if rest := self.source.rest():
            await socket.send(rest)
        await socket.send(encode_command(Stop()))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                match decode_event(message):
                    case Final() as final:
                        self._take(final)
                        with contextlib.suppress(ConnectionClosed):  # more may be there to read
                            await socket.send(encode_command(Ack(final.id)))
                    case Marks(received):
                        self._note_received(received)
                    case Partial():
                        self.partials += 1
                    case Warned():
                        self.warnings += 1
                    case Failed() as failed:
                        self.failures.append(failed.code)
                    case Closed() as closed:
                        self.closed = closed
                        return
                    case _:
                        pass
        except ConnectionClosed:
            return
        finally:
            self._received_steps = self.steps  # nobody has to wait any more
            self._progress.set()

    def _note_received(self, sample: int) -> None:
        self._received_steps = (sample - self.start_sample) // STEP_SAMPLES
        self._progress.set()

    def _take(self, final: Final) -> None:
        if final.id <= self.finals:  # told again after a resume
            return
        start, end = (at - self.start_sample for at in (final.start_sample, final.end_sample))
        if final.id != self.finals + 1 or start < self.last_end_sample:
            self.out_of_order += 1
        self.finals, self.last_end_sample = final.id, end
        hour = start // (3600 * SAMPLE_RATE_HZ)
        self.finals_by_hour[hour] = self.finals_by_hour.get(hour, 0) + 1
        if final.text != heard(self.source.samples(start, end)):
            self.wrong_audio += 1

    def figures(self) -> dict[str, Any]:
        """Return what became of it."""
        closed = self.closed
        return {
            "hours": round(self.sent_steps / HOUR_STEPS, 3),
            "finals": self.finals,
            "finals_by_hour": list(self.finals_by_hour.values()),
            "partials": self.partials,
            "finals_of_other_audio": self.wrong_audio,
            "out_of_order": self.out_of_order,
            "last_final_ends_at_sample": self.start_sample + self.last_end_sample,
            "resumed": self.resumed,
            "forgotten": self.forgotten,
            "warnings": self.warnings,
            "failures": self.failures,
            "samples_sent": self.steps * STEP_SAMPLES,
            "samples_skipped": self.source.skipped_samples,
            "samples_counted": closed and closed.audio_samples,
            "lost_packets": closed and closed.lost_packets,
            "decode_errors": closed and closed.decode_errors,
        }


def heard(pcm: Pcm16) -> str:
    """Return what the scripted engine says of this audio."""
    return f"{pcm.size} {zlib.crc32(pcm.tobytes())}"


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
        Session("speech", speech, border, steps, breaks[:]),
        Session("silence", silence, 0, steps, breaks[:]),
        *(
            Session(name, ContainerSource(name, packets, 2**32 - ticks), 0, recorded, [])
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
    looks: list[Look]
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
        "as many finals in each hour": all(
            max(hours) - min(hours) <= 1
            for one in found
            if len(hours := one["finals_by_hour"][1:-1]) > 1
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
