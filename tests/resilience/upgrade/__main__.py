"""An upgrade under load, and the way back: nothing that was accepted is lost.

    python -m tests.resilience.upgrade [--from REF] [--database sqlite|postgres] [--seconds 20]

Servers of an earlier version get jobs, live streams and readers. Then, under load:

1. The data is backed up, each server is stopped with SIGTERM, and this version is started on the
   same data and port.
2. This version is stopped, and the old one is started on its data. Where the tables have changed,
   it has to refuse them and change nothing; this version is then started again. Otherwise the old
   version has to continue.
3. The backup is restored in an empty place, and the old version is started there.

Every accepted job has to end with the text of a run without interruptions, its webhook has to
arrive with one event id, and the finals of every live stream and every reader have to arrive once.
All that a user could read from the old version (transcripts, results, vocabularies, voices) has to
be the same, byte for byte, in this version and after the restore; JSON may have further fields.

The engine returns a checksum of the samples that it received. With PostgreSQL two servers share the
database, and are replaced one after the other: both versions work on it for a while. If the old one
refuses, no other server runs when it is tried for the last time, and its changes are looked for.
"""

import argparse
import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bench.compare.versions import DEVELOPMENT_LOCK, set_up, this_version
from bench.lib.report import ROOT, commit, publish
from tests.resilience.chaos.recordings import Recording, make_recording, short_clips
from tests.resilience.durable.jobs import JobClient, SentJob
from tests.resilience.durable.live import (
    KeptFigures,
    LiveStream,
    compare_kept,
    kept_transcripts,
)
from tests.resilience.durable.stage import JOBS, live_key
from tests.resilience.durable.verdict import job_figures, live_figures, log_figures
from tests.resilience.durable.webhooks import answer_in_turn, webhook_figures
from tests.resilience.upgrade import documents
from tests.resilience.upgrade.stage import Stage, staged
from tests.resilience.upgrade.verdict import conditions, show
from tests.support.readers import EventReader

FROM = "9e8128ae"
"""There is no release yet: the state from which the work on the last issues began."""
LENGTHS_S = (3.0, 8.0, 20.0, 60.0)
LIVE_S = 9.0
STREAMS = 3
EVERY_S = 3.0
"""Interval of jobs."""
BURST = 20
"""Jobs that are sent at once before each stop, so that some wait and some run."""
LECTURE = STREAMS
"""Number of the live stream that lasts from the beginning to the end, and has a reader."""
SPARE_S = 30.0
"""What the stops and starts of a run may take."""
PATIENCE_S = 600.0
WEBHOOKS_S = 120.0
STATUSES = 10_000


@dataclass
class Load:
    """Jobs and live streams, until they are ended.

    Attributes:
        stage: What runs.
        client: Sends the jobs.
        recordings: Audio of the jobs.
        streams: Live streams that repeat.
    """

    stage: Stage
    client: JobClient
    recordings: Sequence[Recording]
    streams: Sequence[LiveStream]
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def send_jobs(self) -> None:
        """Send a job at regular intervals."""
        async with asyncio.TaskGroup() as group:
            while not self._is_over.is_set():
                group.create_task(self.client.send(self._next()))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_over.wait(), EVERY_S)

    async def speak(self, stream: LiveStream) -> None:
        """Send a recording again and again."""
        while not self._is_over.is_set():
            await stream.once()

    async def burst(self) -> None:
        """Send some jobs at once."""
        await asyncio.gather(*(self.client.send(self._next()) for _ in range(BURST)))

    def end(self) -> None:
        """Send no further ones."""
        self._is_over.set()

    def _next(self) -> SentJob:
        number = next(self._numbers)
        return SentJob(f"job-{number}", self.recordings[number % len(self.recordings)])


async def run(stage: Stage, seconds: float) -> dict[str, Any]:
    """Run all parts, and return the figures."""
    clips = short_clips(with_real_speech=False)
    recordings = [make_recording(f"job {n}", clips, s, n) for n, s in enumerate(LENGTHS_S)]
    lengths_s = [*[LIVE_S] * STREAMS, 3 * seconds + SPARE_S]
    streams = [
        LiveStream(
            number,
            stage.urls[number % len(stage.urls)],
            stage.keys[live_key(number)],
            make_recording(f"live {number}", clips, length_s, 100 + number),
        )
        for number, length_s in enumerate(lengths_s)
    ]
    lecture = streams[LECTURE]

    print("every recording once", flush=True)
    async with JobClient(stage.urls, stage.keys[JOBS]) as calm:
        for number, recording in enumerate(recordings):
            await calm.send(SentJob(f"calm-{number}", recording))
        await asyncio.gather(
            asyncio.gather(*(stream.once() for stream in streams)), calm.wait_ended(PATIENCE_S)
        )
        await calm.fetch()
    texts = {job.recording.name: job.text for job in calm.jobs}
    calm_takes = {stream.number: stream.takes.pop().take for stream in streams if stream.takes}
    if len(calm_takes) < len(streams) or not all(texts.values()):
        raise SystemExit(f"a recording has no text: {[stream.failures for stream in streams]}")
    fill(stage, recordings)
    keys = list(stage.keys.values())

    answer_in_turn(stage.receiver, STATUSES)
    async with JobClient(stage.urls, stage.keys[JOBS], stage.receiver.url()) as client:
        load = Load(stage, client, recordings, streams[:LECTURE])
        async with asyncio.TaskGroup() as group:
            lecturing = group.create_task(lecture.once())
            reader = EventReader(*await session_of(lecture))
            group.create_task(reader.run())
            group.create_task(load.send_jobs())
            watching = group.create_task(client.watch())
            for stream in load.streams:
                group.create_task(load.speak(stream))
            await asyncio.sleep(seconds)

            await load.burst()
            before = await asyncio.to_thread(documents.read_documents, stage.urls, keys)
            backed_up_at = time.time()
            await asyncio.to_thread(stage.back_up)
            rows_before = stage.rows()
            states = await job_states(client)
            print(f"upgrade: {states}; rows {rows_before}", flush=True)
            without_s = [
                await asyncio.to_thread(gateway.replace, gateway.new) for gateway in stage.gateways
            ]
            rows_after = stage.rows()
            upgraded = await asyncio.to_thread(documents.compare, stage.urls[0], before)
            await asyncio.sleep(seconds)

            await load.burst()
            states_back = await job_states(client)
            print(f"back: {states_back}", flush=True)
            returned = await asyncio.to_thread(stage.try_old)
            await asyncio.sleep(seconds)
            load.end()
            await lecturing
            await client.wait_ended(PATIENCE_S)
            watching.cancel()
        await client.fetch(webhooks_s=WEBHOOKS_S)
        kept = KeptFigures(0, 0, 0)
        for stream in streams:
            async with JobClient(stage.urls, stream.key) as owner:
                kept += compare_kept(stream.takes, await kept_transcripts(owner))
        final = await asyncio.to_thread(documents.compare, stage.urls[0], before)
    for gateway in stage.gateways:
        gateway.end()
    sent = [body for path, _, body in stage.receiver.requests if path == "/200"]
    print("the old version with the backup", flush=True)
    with stage.restored() as url:
        restored = await asyncio.to_thread(documents.compare, url, before)
        async with JobClient([url], stage.keys[JOBS], stage.receiver.url()) as owner:
            again = await restored_jobs(owner, client.jobs, backed_up_at, texts)
    takes = [one for stream in streams for one in stream.takes]
    spoken = [received.final.text for received in lecture.takes[0].take.finals]
    return {
        "at_the_stop": {"jobs": states, "rows": rows_before, "documents": documents.kinds(before)},
        "without_a_server_s": without_s,
        "rows_after_the_start": rows_after,
        "documents": asdict(upgraded),
        "back": {"jobs": states_back, "starts": returned},
        "jobs": job_figures(client.jobs, texts),
        "jobs_lost": sorted(client.lost),
        "jobs_changed": sorted(client.changed),
        "webhooks": webhook_figures(client.jobs, sent),
        "live": live_figures(takes, calm_takes),
        "live_failures": [line for stream in streams for line in stream.failures],
        "reader": {
            "finals": len(reader.texts),
            "as_the_speaker": reader.texts == [text for text in spoken if text],
            "connections": len(reader.statuses),
        },
        "kept": asdict(kept),
        "documents_in_the_end": asdict(final),
        "restored": {"documents": asdict(restored), "jobs": again},
        "log": log_figures(stage.log_lines(), list(texts.values())),
    }


def fill(stage: Stage, recordings: Sequence[Recording]) -> None:
    """Add jobs in further states, a vocabulary and a voice; old versions have none of these two."""
    headers = {"authorization": f"Bearer {stage.keys[JOBS]}"}
    refused = stage.receiver.url("/503")
    with httpx2.Client(base_url=stage.urls[0], headers=headers, timeout=60) as http:

        def send(job_id: str, content: bytes, **params: str | int) -> None:
            http.post(
                "/utterance",
                params={"wait": 0, "job_id": job_id, "language": "en", **params},
                headers={"content-type": "audio/ogg"},
                content=content,
            ).raise_for_status()

        speech = recordings[0].opus
        send("failed", speech, initial_prompt="scripted:audio-error")
        send("kept-audio", speech, keep_audio_s=3600)
        send("refused-webhook", speech, callback_url=refused)
        send("cancelled", recordings[-1].opus, callback_url=refused)
        http.delete("/jobs/cancelled").raise_for_status()
        vocabulary = {"terms": ["Sweynheim", {"term": "Gutenberg", "sounds_like": ["gooten"]}]}
        stored = http.put("/v1/vocabularies/team", json=vocabulary)
        enrolled = http.post(
            "/v1/voices",
            params={"name": "Ann", "consent": "true"},
            headers={"content-type": "audio/ogg"},
            content=(ROOT / "testdata/story.ogg").read_bytes(),
        )
        for response in (stored, enrolled):
            if response.status_code != httpx2.codes.NOT_FOUND:
                response.raise_for_status()


async def session_of(stream: LiveStream) -> tuple[str, str]:
    """Return the URL of a stream's session once it has begun, and a token for its readers."""
    headers = {"authorization": f"Bearer {stream.key}"}
    async with httpx2.AsyncClient(base_url=stream.url, headers=headers, timeout=60) as http:
        while not (found := (await http.get("/v1/sessions")).json()["sessions"]):  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.05)
        path = f"/v1/sessions/{found[0]['id']}"
        token = (await http.post(f"{path}/token", json={"ttl_s": 3600})).json()["token"]
    return f"{stream.url}{path}", token


async def job_states(client: JobClient) -> dict[str, int]:
    """Return how many jobs the servers have in each state."""
    page = await client.get("/jobs?limit=1000")
    return dict(Counter(job["state"] for job in page["jobs"]))


async def restored_jobs(
    client: JobClient, jobs: Sequence[SentJob], backed_up_at: float, texts: dict[str, str]
) -> dict[str, Any]:
    """Return what became of the jobs in the restored data, with those that their clients repeat."""
    earlier = [job for job in jobs if 0 < job.accepted_at < backed_up_at]
    found = await client.get("/jobs?limit=1000")
    ids = {job["job_id"] for job in found["jobs"]}
    for job in jobs:
        if job.accepted_at:  # the same request: an accepted job is not done twice
            await client.send(SentJob(job.id, job.recording))
    await client.wait_ended(PATIENCE_S)
    await client.fetch()
    right = {job.id for job in client.jobs if job.text == texts[job.recording.name]}
    return {
        "accepted_before_the_backup": len(earlier),
        "missing": sorted(job.id for job in earlier if job.id not in ids),
        "accepted_after_it": sum(job.accepted_at >= backed_up_at for job in jobs),
        "done_after_their_clients_repeated_all": len(right),
        "wrong": sorted(job.id for job in client.jobs if job.id not in right),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="ref", default=FROM, help=f"the old version ({FROM})")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each part")
    parser.add_argument("--out", type=Path, help="bench/results/upgrade_DATABASE")
    given = parser.parse_args()
    out = given.out or ROOT / f"bench/results/upgrade_{given.database}"
    old, new = set_up(given.ref, DEVELOPMENT_LOCK), this_version()
    gateways = 2 if given.database == "postgres" else 1
    load = [round(each, 1) for each in os.getloadavg()]
    log = ROOT / f"bench/results/{out.name}"
    with staged(
        old, new, log, database=given.database, gateways=gateways, streams=STREAMS + 1
    ) as stage:
        results = asyncio.run(run(stage, given.seconds))
    held = conditions(results)
    show(results, held)
    about = {
        "from": old.name,
        "to": commit(),
        "database": given.database,
        "gateways": gateways,
        "load_before": load,
    }
    publish(out, about | results | {"held": held})
    if not all(held.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
