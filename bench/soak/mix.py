"""Utterances and files at random times, as from many clients: an open loop.

Files are FLAC, MP3 and Opus in Ogg, of half a minute to five minutes. Every other one becomes a job
that is polled until it is done; the others wait for their text.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.audio import as_file
from bench.lib.posting import Body, Client, Outcome
from bench.lib.speech import speeches

FILE_S = (30.0, 45.0, 60.0, 90.0, 120.0, 300.0)
FILE_KINDS = (
    ("flac", "flac", "audio/flac"),
    ("mp3", "libmp3lame", "audio/mpeg"),
    ("ogg", "libopus", "audio/ogg"),
)
MAX_WAIT_S = 600.0
POLL_INTERVAL_S = 1.0
MAX_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Rates:
    """Offered load: seconds of audio per second as utterances and as files, and live streams."""

    utterances: float
    files: float
    streams: int


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the server for a second of audio, each kind alone."""

    utterances: float
    files: float
    live: float

    def rates(self, share: float, cores: int) -> Rates:
        """Return the rates that use a share of all cores: about a third of it for live streams."""
        budget = share * cores
        streams = max(1, round(budget / 3 / self.live))
        rest = max(0.0, budget - streams * self.live)
        return Rates(rest / 2 / self.utterances, rest / 2 / self.files, streams)


@dataclass(slots=True)
class Posted:
    """The results of all requests."""

    utterances: list[Outcome] = field(default_factory=list)
    files: list[Outcome] = field(default_factory=list)
    unsent: int = 0
    broken: list[str] = field(default_factory=list)


def files(lengths_s: Sequence[float] = FILE_S) -> list[Body]:
    """Return a file of each length, in each format in turn."""
    kinds = itertools.cycle(FILE_KINDS)
    spoken = [speeches(seconds, 1)[0] for seconds in lengths_s]
    return [
        Body(
            f"{seconds:g} s of {container}",
            pcm.size / SAMPLE_RATE_HZ,
            media_type,
            f"/utterance?language=en&beam_size=1&max_wait_s={MAX_WAIT_S:g}",
            as_file(pcm, container, codec),
        )
        for seconds, pcm, (container, codec, media_type) in zip(
            lengths_s, spoken, kinds, strict=False
        )
    ]


class Mix:
    """Posts until it is cancelled, or until a time.

    Args:
        url: The server.
        utterances: Bodies to post in turn.
        long: Files to choose from.
        rates: How much of each is offered.
        seed: Of the times.
    """

    def __init__(
        self, url: str, utterances: Sequence[Body], long: Sequence[Body], rates: Rates, seed: int
    ) -> None:
        self._url = url
        self._client = Client(url)
        self._utterances, self._long, self._rates = utterances, long, rates
        self._chance = random.Random(seed)
        self._running: set[asyncio.Task[None]] = set()
        self.posted = Posted()

    async def run(self, until: float) -> None:
        """Post at random times, then wait for the last answers."""
        async with httpx2.AsyncClient(base_url=self._url, timeout=MAX_WAIT_S + 30) as web:
            self._web = web
            await asyncio.gather(
                self._post_utterances(until), self._post_files(until), return_exceptions=False
            )
            await asyncio.gather(*self._running)

    async def _post_utterances(self, until: float) -> None:
        mean_s = sum(body.audio_s for body in self._utterances) / len(self._utterances)
        for body in itertools.cycle(self._utterances):
            if not await self._wait(self._rates.utterances / mean_s, until):
                return
            self._start(self._utterance(body))

    async def _post_files(self, until: float) -> None:
        # As much audio of each length: many short files, few long ones.
        weights = [1 / body.audio_s for body in self._long]
        mean_s = len(self._long) / sum(weights)
        for is_job in itertools.cycle((False, True)):
            if not await self._wait(self._rates.files / mean_s, until):
                return
            [body] = self._chance.choices(self._long, weights)
            self._start(self._file(body, is_job=is_job))

    async def _wait(self, rate_per_s: float, until: float) -> bool:
        due_at = time.monotonic() + self._chance.expovariate(rate_per_s)
        await asyncio.sleep(max(0.0, min(due_at, until) - time.monotonic()))
        return due_at < until

    def _start(self, posting: Coroutine[Any, Any, None]) -> None:
        if len(self._running) >= MAX_AT_ONCE:
            self.posted.unsent += 1
            posting.close()
            return
        task = asyncio.create_task(self._guarded(posting))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _guarded(self, posting: Coroutine[Any, Any, None]) -> None:
        try:
            await posting
        except (OSError, EOFError, httpx2.HTTPError) as error:
            self.posted.broken.append(repr(error))

    async def _utterance(self, body: Body) -> None:
        self.posted.utterances.append(await self._client.post(body))

    async def _file(self, body: Body, *, is_job: bool) -> None:
        sent_at = time.monotonic()
        response = await self._web.post(
            body.path + ("&wait=0" if is_job else ""),
            content=body.content,
            headers={"content-type": body.media_type},
        )
        fields = response.json()
        status, code = response.status_code, (fields.get("error") or {}).get("code", "")
        if status == 202:
            status, code = await self._poll(fields["job_id"])
        took_s = time.monotonic() - sent_at
        self.posted.files.append(
            Outcome(body.clip, body.audio_s, None, sent_at, took_s, status, code=code)
        )

    async def _poll(self, job_id: str) -> tuple[int, str]:
        """Poll a job until it ends; a failed one has the status 500 here."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            response = await self._web.get(f"/jobs/{job_id}")
            fields = response.json()
            if response.status_code != 200:
                return response.status_code, fields["error"]["code"]
            if fields["state"] == "done":
                return 200, ""
            if fields["state"] in ("failed", "cancelled"):
                return 500, (fields["error"] or {}).get("code", fields["state"])


async def closed_loop(url: str, bodies: Sequence[Body], clients: int, seconds: float) -> float:
    """Post with clients that never pause; return the seconds of audio that were done."""
    client, source, done_s = Client(url), itertools.cycle(bodies), 0.0
    ends_at = time.monotonic() + seconds

    async def one() -> None:
        nonlocal done_s
        while time.monotonic() < ends_at:
            outcome = await client.post(next(source))
            done_s += outcome.audio_s if outcome.is_done else 0.0

    await asyncio.gather(*(one() for _ in range(clients)))
    return done_s
