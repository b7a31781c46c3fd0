"""Ten times more work than the service can do: what is refused, how soon, and what still gets done.

(a) Capacity: a closed loop with as many clients as workers.
(b) An open loop offers 10 times that (Poisson arrivals, no retries), as JSON with base64 PCM16 and
    as raw WAV bodies in turn. Meanwhile probes send headers alone, with a large Content-Length,
    and no byte of a body: only a server that refuses before it reads can answer them.
(c) Two keys: a greedy one offers 10 times the capacity, a modest one a quarter of it.

Time to refusal runs from the writing of the request's headers to the whole answer. The generator
runs on the same cores as the server: its bodies are prepared, it is one asyncio loop on raw
sockets, and how late that loop itself was is printed beside the figures.
"""

import argparse
import asyncio
import base64
import itertools
import json
import random
import time
import wave
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from auricle.config import ServerSettings
from auricle.types import SAMPLE_RATE_HZ, Pcm16
from bench.report import machine, write_json
from bench.service import CORPUS, ROOT, Service, serve
from bench.speech import load_audio

WORKERS = 2
OVERLOAD = 10.0
MODEST_SHARE = 0.25
CLIPS = 12
LEAST_CLIP_S, MOST_CLIP_S = 3.0, 6.0
MAX_CONNECTIONS = 400
SETTLE_S = 3.0
"""The queue fills in this time; goodput under load is counted from then on."""
PROBE_EACH_S = 0.5
PROBE_LIMIT_S = 2.0
LAG_EACH_S = 0.01
SHORT_MAX_WAIT_S = 10.0
REFUSED_PAUSE_S = 0.5
TARGET_REFUSAL_P99_MS = 100.0
TARGET_GOODPUT_SHARE = 0.9
TARGET_MODEST_SHARE = 0.99
GREEDY, MODEST = "greedy", "modest"
KEYS = {GREEDY: "bench-greedy-key", MODEST: "bench-modest-key"}
QUERY = "language=en&beam_size=1"
JSON_TYPE, WAV_TYPE = "application/json", "audio/wav"
PROBES = {
    JSON_TYPE: ("/utterance", 20_000_000),
    WAV_TYPE: (f"/utterance?{QUERY}&audio_format=wav", 950_000),
}
"""Path and Content-Length of headers without a body; a longer WAV would be taken as a file."""


@dataclass(frozen=True, slots=True)
class Body:
    """One prepared request, without its key."""

    clip: str
    audio_s: float
    media_type: str
    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request; times are monotonic seconds."""

    clip: str
    audio_s: float
    key: str | None
    sent_at: float
    took_s: float
    status: int
    retry_after_s: int | None = None
    text: str = ""
    code: str = ""

    @property
    def ended_at(self) -> float:
        """When the answer was there."""
        return self.sent_at + self.took_s


@dataclass(slots=True)
class Load:
    """What an open loop did."""

    began_at: float = field(default_factory=time.monotonic)
    offered: int = 0
    unsent: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    probes: list[Outcome] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the service does when nobody has to wait."""

    jobs_per_s: float
    audio_s_per_s: float
    p50_s: float
    refused: int


def clip_files() -> list[Path]:
    if not CORPUS.is_dir():
        print("The corpus is missing: using testdata.")
        return [ROOT / "testdata" / name for name in ("fellow.wav", "pair.wav")]
    entries = [json.loads(line) for line in (CORPUS / "manifest.jsonl").open()]
    fitting = [
        entry["file"]
        for entry in entries
        if entry["language"] == "en" and LEAST_CLIP_S <= entry["seconds"] <= MOST_CLIP_S
    ]
    return [CORPUS / name for name in fitting[:: max(1, len(fitting) // CLIPS)][:CLIPS]]


def bodies() -> list[Body]:
    """Return each clip as JSON and as WAV, all clips before one comes again."""
    prepared: dict[str, list[Body]] = {JSON_TYPE: [], WAV_TYPE: []}
    for path in clip_files():
        pcm = load_audio(path)
        for media_type, content in ((JSON_TYPE, as_json(pcm)), (WAV_TYPE, as_wav(pcm))):
            target = "/utterance" if media_type == JSON_TYPE else f"/utterance?{QUERY}"
            body = Body(path.name, pcm.size / SAMPLE_RATE_HZ, media_type, target, content)
            prepared[media_type].append(body)
    first, second = prepared.values()
    in_turn = [pair[i % 2] for i, pair in enumerate(zip(first, second, strict=True))]
    others = [pair[1 - i % 2] for i, pair in enumerate(zip(first, second, strict=True))]
    return [*in_turn, *others]


def as_json(pcm: Pcm16) -> bytes:
    fields = {
        "audio": base64.b64encode(pcm.astype("<i2").tobytes()).decode(),
        "audio_format": "pcm16",
        "sample_rate": SAMPLE_RATE_HZ,
        "language": "en",
        "beam_size": 1,
    }
    return json.dumps(fields).encode()


def as_wav(pcm: Pcm16) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(pcm.astype("<i2").tobytes())
    return out.getvalue()


class Client:
    """Sends prepared requests, each over a connection of its own."""

    def __init__(self, service: Service) -> None:
        host, _, port = service.url.removeprefix("http://").partition(":")
        self._host, self._port = host, int(port)

    async def post(self, body: Body, key: str | None = None) -> Outcome:
        """Send one request and return its answer."""
        head = self._head(body.path, body.media_type, len(body.content), key)
        sent_at, status, headers, content = await self._exchange(head, body.content)
        took_s = time.monotonic() - sent_at
        answer = json.loads(content)
        retry_after = headers.get("retry-after", "")
        return Outcome(
            body.clip,
            body.audio_s,
            key,
            sent_at,
            took_s,
            status,
            int(retry_after) if retry_after.isdecimal() else None,
            answer.get("text", ""),
            (answer.get("error") or {}).get("code", ""),
        )

    async def probe(self, media_type: str) -> Outcome:
        """Send headers alone; status 0 is no answer in time: the server waits for the body."""
        path, length_bytes = PROBES[media_type]
        head = self._head(path, media_type, length_bytes, None)
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(PROBE_LIMIT_S):
                sent_at, status, _, _ = await self._exchange(head, b"")
        except TimeoutError:
            return Outcome(media_type, 0.0, None, began_at, PROBE_LIMIT_S, 0)
        return Outcome(media_type, 0.0, None, sent_at, time.monotonic() - sent_at, status)

    def _head(self, path: str, media_type: str, length_bytes: int, key: str | None) -> bytes:
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {self._host}:{self._port}",
            f"content-type: {media_type}",
            f"content-length: {length_bytes}",
            "connection: close",
        ]
        if key:
            lines.append(f"authorization: Bearer {KEYS[key]}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def _exchange(
        self, head: bytes, content: bytes
    ) -> tuple[float, int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            sent_at = time.monotonic()
            writer.write(head)
            writer.write(content)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            answer = await reader.readexactly(int(headers["content-length"]))
            return sent_at, int(lines[0].split()[1]), headers, answer
        finally:
            writer.close()


async def hear_all(client: Client, prepared: Sequence[Body]) -> dict[str, str]:
    """Return the undisturbed service's text for each clip."""
    texts: dict[str, str] = {}
    for body in prepared:
        if body.clip not in texts:
            outcome = await client.post(body)
            if outcome.status != 200:
                raise RuntimeError(f"{body.clip}: {outcome.status} {outcome.code}")
            texts[body.clip] = outcome.text
    return texts


async def closed_loop(client: Client, prepared: Sequence[Body], seconds: float) -> Capacity:
    """Post with as many clients as workers; count what was done until the last answer."""
    outcomes: list[Outcome] = []
    source, began_at = itertools.cycle(prepared), time.monotonic()

    async def one_client() -> None:
        while time.monotonic() < began_at + seconds:
            outcomes.append(await client.post(next(source)))
            if outcomes[-1].status != 200:  # so slow is only a machine that is busy otherwise
                await asyncio.sleep(REFUSED_PAUSE_S)

    await asyncio.gather(*(one_client() for _ in range(WORKERS)))
    done = [outcome for outcome in outcomes if outcome.status == 200]
    if not done:
        raise RuntimeError(f"nothing is answered without overload: {statuses(outcomes)}")
    elapsed_s = max(outcome.ended_at for outcome in done) - began_at
    return Capacity(
        len(done) / elapsed_s,
        sum(outcome.audio_s for outcome in done) / elapsed_s,
        float(np.median([outcome.took_s for outcome in done])),
        len(outcomes) - len(done),
    )


def arrivals(
    prepared: Sequence[Body], rates_per_s: dict[str | None, float], seconds: float
) -> list[tuple[float, str | None, Body]]:
    """Return when who sends what, at random times of the given rates."""
    chance, planned = random.Random(7), []
    for key, rate_per_s in rates_per_s.items():
        source: Iterator[Body] = itertools.cycle(prepared)
        at_s = chance.expovariate(rate_per_s)
        while at_s < seconds:
            planned.append((at_s, key, next(source)))
            at_s += chance.expovariate(rate_per_s)
    return sorted(planned, key=lambda arrival: arrival[0])


async def open_loop(
    client: Client,
    planned: Sequence[tuple[float, str | None, Body]],
    seconds: float,
    *,
    with_probes: bool,
) -> Load:
    """Send everything at its time, whatever the answers, and wait for all answers."""
    load = Load()
    running: set[asyncio.Task[None]] = set()

    async def send(body: Body, key: str | None) -> None:
        load.outcomes.append(await client.post(body, key))

    beside = [asyncio.create_task(measure_lag(load))]
    if with_probes:
        beside.append(asyncio.create_task(probe_on(client, load, seconds)))
    for at_s, key, body in planned:
        await asyncio.sleep(max(0.0, load.began_at + at_s - time.monotonic()))
        load.offered += 1
        if len(running) >= MAX_CONNECTIONS:
            load.unsent += 1
            continue
        task = asyncio.create_task(send(body, key))
        running.add(task)
        task.add_done_callback(running.discard)
    beside.pop(0).cancel()
    await asyncio.gather(*running, *beside)
    return load


async def probe_on(client: Client, load: Load, seconds: float) -> None:
    kinds = itertools.cycle(PROBES)
    await asyncio.sleep(SETTLE_S)
    while time.monotonic() < load.began_at + seconds - PROBE_EACH_S:
        load.probes.append(await client.probe(next(kinds)))
        await asyncio.sleep(PROBE_EACH_S)


async def measure_lag(load: Load) -> None:
    """Note how late the generator's own loop is: it is part of every time measured here."""
    while True:
        wanted_at = time.monotonic() + LAG_EACH_S
        await asyncio.sleep(LAG_EACH_S)
        load.lags_s.append(time.monotonic() - wanted_at)


def statuses(outcomes: Sequence[Outcome]) -> dict[str, int]:
    counted = Counter(f"{outcome.status} {outcome.code}".strip() for outcome in outcomes)
    return dict(sorted(counted.items()))


def percentiles_ms(times_s: Sequence[float]) -> dict[str, float] | None:
    if not times_s:
        return None
    times_ms = np.array(times_s) * 1000
    return {
        "p50": round(float(np.percentile(times_ms, 50)), 1),
        "p95": round(float(np.percentile(times_ms, 95)), 1),
        "p99": round(float(np.percentile(times_ms, 99)), 1),
        "max": round(float(times_ms.max()), 1),
    }


def goodput(load: Load, seconds: float) -> tuple[float, float]:
    """Return jobs and audio seconds answered in a second, while the load was on."""
    begins_at, ends_at = load.began_at + SETTLE_S, load.began_at + seconds
    done = [o for o in load.outcomes if o.status == 200 and begins_at <= o.ended_at < ends_at]
    window_s = ends_at - begins_at
    return len(done) / window_s, sum(outcome.audio_s for outcome in done) / window_s


def overload_figures(
    load: Load, capacity: Capacity, expected: dict[str, str], seconds: float
) -> dict[str, Any]:
    """Return and print what part (b) shows."""
    refused = [o for o in load.outcomes if o.status not in (200, 504)]
    malformed = [o for o in refused if o.status != 503 or not o.retry_after_s]
    accepted = [o for o in load.outcomes if o.status == 200]
    answered = [probe for probe in load.probes if probe.status]
    jobs_per_s, audio_s_per_s = goodput(load, seconds)
    figures: dict[str, Any] = {
        "seconds": seconds,
        "offered": load.offered,
        "unsent": load.unsent,
        "statuses": statuses(load.outcomes),
        "refused_otherwise": statuses(malformed),
        "late": sum(outcome.status == 504 for outcome in load.outcomes),
        "other_text": sum(outcome.text != expected[outcome.clip] for outcome in accepted),
        "refusal_ms": percentiles_ms([outcome.took_s for outcome in refused]),
        "accepted_ms": percentiles_ms([outcome.took_s for outcome in accepted]),
        "retry_after_s": sorted({o.retry_after_s for o in refused if o.retry_after_s}),
        "probes": statuses(load.probes),
        "probe_ms": percentiles_ms([probe.took_s for probe in answered]),
        "generator_lag_ms": percentiles_ms(load.lags_s),
        "jobs_per_s": round(jobs_per_s, 3),
        "audio_s_per_s": round(audio_s_per_s, 2),
        "jobs_share": round(jobs_per_s / capacity.jobs_per_s, 3),
        "audio_share": round(audio_s_per_s / capacity.audio_s_per_s, 3),
    }
    print(f"\n(b) {load.offered} requests in {seconds:g} s, {load.unsent} not sent")
    print(f"  answers              {figures['statuses']}")
    print(f"  refused otherwise    {figures['refused_otherwise'] or 'none'}")
    print(f"  accepted, then late  {figures['late']}; with another text {figures['other_text']}")
    print(f"  time to refusal, ms  {figures['refusal_ms']}")
    print(f"  headers alone, ms    {figures['probe_ms']} {figures['probes']}")
    print(f"  time to answer, ms   {figures['accepted_ms']}")
    print(f"  generator late, ms   {figures['generator_lag_ms']}")
    print(
        f"  goodput {jobs_per_s:.2f} jobs/s = {figures['jobs_share']:.0%} of capacity, "
        f"{audio_s_per_s:.1f} audio s/s = {figures['audio_share']:.0%}"
    )
    return figures


def keys_figures(load: Load, expected: dict[str, str], seconds: float) -> dict[str, Any]:
    """Return and print what part (c) shows."""
    by_key: dict[str, Any] = {}
    print(f"\n(c) two keys for {seconds:g} s, {load.unsent} not sent")
    for key in (GREEDY, MODEST):
        outcomes = [outcome for outcome in load.outcomes if outcome.key == key]
        answered = [outcome for outcome in outcomes if outcome.status == 200]
        by_key[key] = {
            "offered": len(outcomes),
            "statuses": statuses(outcomes),
            "answered_share": round(len(answered) / max(1, len(outcomes)), 4),
            "answered_audio_s": round(sum(outcome.audio_s for outcome in answered), 1),
            "other_text": sum(outcome.text != expected[outcome.clip] for outcome in answered),
            "answer_ms": percentiles_ms([outcome.took_s for outcome in answered]),
        }
        print(
            f"  {key}: {len(answered)} of {len(outcomes)} answered "
            f"({by_key[key]['answered_share']:.1%}), ms {by_key[key]['answer_ms']} "
            f"{by_key[key]['statuses']}"
        )
    return by_key | {"unsent": load.unsent, "generator_lag_ms": percentiles_ms(load.lags_s)}


def verdicts(overload: dict[str, Any], keys: dict[str, Any]) -> dict[str, bool]:
    """Print and return which targets are reached."""
    refusal_ms, probe_ms = overload["refusal_ms"], overload["probe_ms"]
    reached = {
        "every refusal is 503 with Retry-After": bool(refusal_ms)
        and not overload["refused_otherwise"],
        f"refused within {TARGET_REFUSAL_P99_MS:g} ms (p99)": bool(refusal_ms)
        and refusal_ms["p99"] <= TARGET_REFUSAL_P99_MS,
        "refused before the body is read": bool(probe_ms) and set(overload["probes"]) == {"503"},
        f"goodput at least {TARGET_GOODPUT_SHARE:.0%} of capacity": overload["audio_share"]
        >= TARGET_GOODPUT_SHARE,
        "accepted work is right and in time": not overload["other_text"] and not overload["late"],
        f"the modest key gets at least {TARGET_MODEST_SHARE:.0%}": keys[MODEST]["answered_share"]
        >= TARGET_MODEST_SHARE,
    }
    print()
    for name, is_reached in reached.items():
        print(f"target, {name}: {'reached' if is_reached else 'NOT reached'}")
    return reached


async def under_overload(
    service: Service, prepared: Sequence[Body], calm_s: float, flood_s: float
) -> tuple[Capacity, dict[str, str], dict[str, Any]]:
    """Run parts (a) and (b)."""
    client = Client(service)
    expected = await hear_all(client, prepared)
    capacity = await closed_loop(client, prepared, calm_s)
    print(
        f"\n(a) {WORKERS} clients: {capacity.jobs_per_s:.2f} jobs/s, "
        f"{capacity.audio_s_per_s:.1f} audio s/s, p50 {capacity.p50_s:.2f} s"
    )
    if capacity.refused:
        print(f"  {capacity.refused} REFUSED: this machine is busy, the figures say little")
    planned = arrivals(prepared, {None: OVERLOAD * capacity.jobs_per_s}, flood_s)
    load = await open_loop(client, planned, flood_s, with_probes=True)
    return capacity, expected, overload_figures(load, capacity, expected, flood_s)


async def with_two_keys(
    service: Service,
    prepared: Sequence[Body],
    capacity: Capacity,
    expected: dict[str, str],
    flood_s: float,
) -> dict[str, Any]:
    """Run part (c)."""
    rates_per_s: dict[str | None, float] = {
        GREEDY: OVERLOAD * capacity.jobs_per_s,
        MODEST: MODEST_SHARE * capacity.jobs_per_s,
    }
    planned = arrivals(prepared, rates_per_s, flood_s)
    load = await open_loop(Client(service), planned, flood_s, with_probes=False)
    return keys_figures(load, expected, flood_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calm-s", type=float, default=20.0, help="of part (a)")
    parser.add_argument("--flood-s", type=float, default=30.0, help="of parts (b) and (c)")
    parser.add_argument("--short", action="store_true", help="under a minute, for checks")
    parser.add_argument("--json", type=Path, default=ROOT / "bench/results/overload.json")
    arguments = parser.parse_args()
    calm_s, flood_s = (7.0, 9.0) if arguments.short else (arguments.calm_s, arguments.flood_s)
    max_wait_s = SHORT_MAX_WAIT_S if arguments.short else ServerSettings().max_wait_s
    print(machine())
    load_before = psutil.getloadavg()[0]
    print(f"load average before: {load_before:.2f} (figures mean little unless it is near 0)")
    print(f"The load generator shares the {psutil.cpu_count()} cores with the server.")
    prepared = bodies()
    with serve(WORKERS, max_wait_s=max_wait_s) as service:
        capacity, expected, overload = asyncio.run(
            under_overload(service, prepared, calm_s, flood_s)
        )
    api_keys = ",".join(f"{name}:{key}" for name, key in KEYS.items())
    with serve(WORKERS, api_keys=api_keys, max_wait_s=max_wait_s) as service:
        keys = asyncio.run(with_two_keys(service, prepared, capacity, expected, flood_s))
    reached = verdicts(overload, keys)
    write_json(
        arguments.json,
        {
            "machine": machine(),
            "load_before": round(load_before, 2),
            "is_short": arguments.short,
            "corpus": CORPUS.is_dir(),
            "capacity": asdict(capacity),
            "overload": overload,
            "keys": keys,
            "reached": reached,
        },
    )
    if not all(reached.values()):
        raise SystemExit("a target is missed")


if __name__ == "__main__":
    main()
