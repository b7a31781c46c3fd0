"""Who is admitted: speakers, silent sessions, dropped connections, and all after a crash.

    python -m bench.admission [--only speakers silent] [--out docs/benchmarks/admission]

Each case runs against a new ``auricle serve`` with default settings, as ``make run`` starts it:

- **speakers**: 16 people begin to speak within 2 s; also if eight busy processes ran while the
  server started.
- **dropped**: 40 connections are opened and dropped within 10 s, then one more is opened.
- **flood**: one person speaks, first alone, then while 50 connections a second are opened and
  dropped; that person's own connection is opened two seconds after the first of them.
- **silent**: 300 silent sessions, opened within 15 s, then 12 speakers with them. Silent ones
  send five packets at a time, so that the load generator does not take the machine.
- **crash**: the server is killed while 16 people speak, and starts again; their clients resume.
  Times count from its start: until all are connected, until all speech from before it has its
  final, and until no final is later than 3 s.
- **second_key**: on a new server, 19 people speak with one key. After some seconds another key says
  one sentence and uploads a file of two seconds, at once; three times.
- **alone**: on a new server, 200 people speak one after another, a sentence each; every second one
  in another language than requested, which takes several times as long. While every fifth one
  speaks, a recording of a minute is uploaded.
- **learning**: more and more people try to speak, for two minutes; then the server restarts.

A delay counts from the end of an utterance, as the server reports it, to its final.
"""

import asyncio
import contextlib
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import numpy as np
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidMessage, InvalidStatus

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import frame_of, framed, play_stream
from auricle.client.connection import open_websocket, stream_url
from auricle.client.live import LiveClient
from auricle.client.network import key_headers
from auricle.protocol.framing import pack
from auricle.values.commands import StreamParameters
from auricle.values.events import Final
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav, opus_packets
from bench.lib.report import command_line, publish, show_targets
from bench.lib.service import Server, running
from bench.lib.speech import read_clips, speeches

PACKET_S, TOGETHER = 0.02, 5
PACKET_SAMPLES = round(PACKET_S * SAMPLE_RATE_HZ)
SPEAKERS, SILENT, SILENT_SPEAKERS, DROPPED = 16, 300, 12, 40
SILENT_INTERVAL_S = 0.05
FLOOD_PER_S, FLOOD_LEAD_S, FLOOD_FACTOR = 50, 2.0, 1.25
"""The median final of an honest client may take this much longer during a flood."""
SILENT_FINAL_S = 3.0
SPEECH_S = 25.0
BUSY_PROCESSES = 8
OPEN_LIMIT_S, UPLOAD_LIMIT_S = 20.0, 120.0
LAST_FINAL_S = 30.0
LEARNING_S, LEARNING_SPEAKERS = 120.0, 64
CRASH_AT_S, CRASH_SPEECH_S, BACK_S, LATE_S = 8.0, 30.0, 10.0, 3.0
CROWD, CROWD_S, NEWCOMER_AFTER_S, SENTENCE_S = 19, 40.0, 12.0, 3.0
ALONE, UPLOADS_EVERY, UPLOAD_S, SHORTEST = 200, 5, 60.0, 20
CROWD_KEY, NEWCOMER_KEY = "bench-key-of-crowd", "bench-key-of-newcomer"
QUERY = "format=opus&seq=1&frame_ms=20"
RIGHT_LANGUAGE, WRONG_LANGUAGE = "en", "ja"
STOP = frame_of('{"type":"stop"}')


@dataclass(slots=True)
class Spoken:
    """What came of one stream."""

    refusal: dict[str, Any] | None = None
    refused_after_s: float = 0.0
    delays_s: list[float] = field(default_factory=list)


async def open_stream(
    url: str, key: str | None = None, language: str = RIGHT_LANGUAGE
) -> ClientConnection | dict[str, Any]:
    """Open a stream; return the error of a server that refuses it."""
    try:
        connection = await open_websocket(
            f"{stream_url(url)}?{QUERY}&language={language}",
            OPEN_LIMIT_S,
            headers=key_headers(key),
        )
    except InvalidStatus as refusal:
        error: dict[str, Any] = json.loads(refusal.response.body)["error"]
        return error
    await asyncio.wait_for(connection.recv(), OPEN_LIMIT_S)  # `ready`
    return connection


async def speak(
    url: str,
    frames: Sequence[bytes],
    after_s: float = 0.0,
    key: str | None = None,
    language: str = RIGHT_LANGUAGE,
) -> Spoken:
    """Open a stream and speak in real time, to the last final."""
    await asyncio.sleep(after_s)
    spoken, asked_at = Spoken(), time.monotonic()
    connection = await open_stream(url, key, language)
    if isinstance(connection, dict):
        spoken.refusal, spoken.refused_after_s = connection, time.monotonic() - asked_at
        return spoken
    played = await play_stream(connection, frames, PACKET_SAMPLES, LAST_FINAL_S, ending=STOP)
    for at_s, message in played.received:
        event = json.loads(message)
        match event["type"]:
            case "final" if event["text"]:
                spoken.delays_s.append(at_s - played.began_at - event["end_s"])
            case "error":
                spoken.refusal = event
    return spoken


async def upload(url: str, file: bytes, key: str | None = None) -> float:
    """Have a recording transcribed, and return how long it took, in seconds."""
    async with httpx2.AsyncClient(base_url=url, timeout=UPLOAD_LIMIT_S) as http:
        asked_at = time.monotonic()
        answer = await http.post(
            "/v1/audio/transcriptions",
            files={"file": ("file.wav", file)},
            data={"model": "whisper-1", "language": RIGHT_LANGUAGE},
            headers=key_headers(key),
        )
        answer.raise_for_status()
        return time.monotonic() - asked_at


async def be_silent(url: str, frames: Sequence[bytes]) -> bool:
    """Open a stream and play frames, one each 0.1 s; return whether it was admitted."""
    connection = await open_stream(url)
    if isinstance(connection, dict):
        return False
    await play_stream(connection, frames, TOGETHER * PACKET_SAMPLES, 0.0)
    return True


def silent_frames(seconds: float) -> list[bytes]:
    """Return the sound of a quiet room as frames of five packets."""
    room = np.random.default_rng(1).normal(0, 8, 10 * SAMPLE_RATE_HZ).astype(np.int16)
    packets = opus_packets(room)
    starts = range(0, int(seconds / PACKET_S), TOGETHER)
    return framed(
        [
            b"".join(pack(packets[n % len(packets)], n) for n in range(start, start + TOGETHER))
            for start in starts
        ]
    )


def frames_of(seconds: float, streams: int) -> list[list[bytes]]:
    """Return speech for each stream, as a frame for each packet."""
    return [frames_of_speech(pcm) for pcm in speeches(seconds, streams)]


def frames_of_speech(pcm: Pcm16) -> list[bytes]:
    """Return speech as a frame for each packet."""
    return framed(pack(packet, seq) for seq, packet in enumerate(opus_packets(pcm)))


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep the machine busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def figures(spoken: Sequence[Spoken]) -> dict[str, Any]:
    """Return who was admitted, and the delays of the finals."""
    delays_s = [delay_s for each in spoken for delay_s in each.delays_s]
    refused = [each for each in spoken if each.refusal]
    shown: dict[str, Any] = {
        "admitted": len(spoken) - len(refused),
        "refused": len(refused),
        "finals": len(delays_s),
        "final_p50_s": round(percentile(delays_s, 50), 2) if delays_s else None,
        "final_p95_s": round(percentile(delays_s, 95), 2) if delays_s else None,
    }
    if refused:
        shown["refusal"] = refused[0].refusal
    return shown


async def _speakers(
    url: str, frames: Sequence[Sequence[bytes]], key: str | None = None
) -> dict[str, Any]:
    spread_s = 2.0 / len(frames)
    streams = (speak(url, each, i * spread_s, key) for i, each in enumerate(frames))
    return figures(await asyncio.gather(*streams))


def speakers() -> dict[str, Any]:
    """See the module."""
    frames = frames_of(SPEECH_S, SPEAKERS)
    shown = {}
    with running() as server:
        shown["idle"] = asyncio.run(_speakers(server.url, frames))
    with contextlib.ExitStack() as stack:
        with busy_processes(BUSY_PROCESSES):
            server = stack.enter_context(running())
        shown["busy start"] = asyncio.run(_speakers(server.url, frames))
    return shown


def dropped() -> dict[str, Any]:
    """See the module."""

    async def run(url: str) -> dict[str, Any]:
        admitted = 0
        for _ in range(DROPPED):
            connection = await open_stream(url)
            if not isinstance(connection, dict):
                admitted += 1
                connection.transport.abort()
            await asyncio.sleep(10 / DROPPED)
        last = await open_stream(url)
        if not isinstance(last, dict):
            await last.close()
        return {"admitted": admitted, "then": not isinstance(last, dict)}

    with running() as server:
        return asyncio.run(run(server.url))


def flood() -> dict[str, Any]:
    """See the module."""
    frames = frames_of(SPEECH_S, 1)

    async def drop(url: str, outcomes: Counter[str]) -> None:
        try:
            connection = await open_stream(url)
        except (OSError, TimeoutError, InvalidMessage):
            outcomes["failed"] += 1
        else:
            if isinstance(connection, dict):
                outcomes[connection["code"]] += 1
            else:
                outcomes["admitted"] += 1
                connection.transport.abort()

    async def run(url: str) -> dict[str, Any]:
        calm, outcomes = await _speakers(url, frames), Counter[str]()
        async with anyio.create_task_group() as tasks:
            honest = asyncio.create_task(speak(url, frames[0], FLOOD_LEAD_S))
            while not honest.done():
                tasks.start_soon(drop, url, outcomes)
                await asyncio.sleep(1 / FLOOD_PER_S)
        return {"calm": calm, "flood": figures([await honest]), "dropped": dict(outcomes)}

    with running() as server:
        return asyncio.run(run(server.url))


def silent() -> dict[str, Any]:
    """See the module."""
    frames = frames_of(SPEECH_S, SILENT_SPEAKERS)
    silence = silent_frames(SILENT * SILENT_INTERVAL_S + SPEECH_S + LAST_FINAL_S)

    async def run(server: Server) -> dict[str, Any]:
        sessions = []
        for number in range(SILENT):
            # All end together, when the speakers have had time for their last finals.
            own = silence[: len(silence) - int(number * SILENT_INTERVAL_S / (TOGETHER * PACKET_S))]
            sessions.append(asyncio.create_task(be_silent(server.url, own)))
            await asyncio.sleep(SILENT_INTERVAL_S)
        began_at, cpu_s = time.monotonic(), sum(server.process.cpu_times()[:2])
        shown = await _speakers(server.url, frames)
        cpu_s = sum(server.process.cpu_times()[:2]) - cpu_s
        health = server.health()
        return {
            "silent sessions admitted": sum(await asyncio.gather(*sessions)),
            **shown,
            "server_cores": round(cpu_s / (time.monotonic() - began_at), 2),
            "live": health["live"],
        }

    with running() as server:
        return asyncio.run(run(server))


@dataclass(slots=True)
class Resumed:
    """When a client got what, in seconds of the monotonic clock."""

    back_at: float = math.inf
    finals: list[tuple[float, float]] = field(default_factory=list)
    """When a final came, and when its speech had ended."""


def _after(moment: float, times: Sequence[float]) -> float:
    """Return the seconds from a moment to the last of these times; 0 if there are none."""
    return round(max(times, default=moment) - moment, 1)


async def _resume(url: str, pcm: Pcm16, began_at: float, resumed: Resumed) -> None:
    """Speak through a client that resumes, and note when it is served again after the crash."""

    async def send(client: LiveClient) -> None:
        for at in range(0, pcm.size, SAMPLE_RATE_HZ // 10):
            await anyio.sleep(max(0.0, began_at + at / SAMPLE_RATE_HZ - time.monotonic()))
            await client.send(pcm[at : at + SAMPLE_RATE_HZ // 10])
        client.finish()

    client = LiveClient(url, StreamParameters(language="en"))
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(send, client)
        was_lost = False
        async for event in client:
            if client.problem is not None:
                was_lost = True
            elif was_lost:
                resumed.back_at = min(resumed.back_at, time.monotonic())
            if isinstance(event, Final) and event.error is None:
                ended_at = began_at + event.end_sample / SAMPLE_RATE_HZ
                resumed.finals.append((time.monotonic(), ended_at))


def crash() -> dict[str, Any]:
    """See the module."""
    pcms = speeches(CRASH_SPEECH_S, SPEAKERS)

    async def run(server: Server) -> dict[str, Any]:
        clients = [Resumed() for _ in pcms]
        began_at = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for pcm, resumed in zip(pcms, clients, strict=True):
                tasks.start_soon(_resume, server.url, pcm, began_at, resumed)
            await anyio.sleep(CRASH_AT_S)
            for process in [*server.process.children(recursive=True), server.process]:
                process.send_signal(signal.SIGKILL)
            await anyio.to_thread.run_sync(server.end)
            restarted_at = time.monotonic()
            server.start()
        later = [
            [(at, ended_at) for at, ended_at in each.finals if at > restarted_at]
            for each in clients
        ]
        finals = [final for own in later for final in own]
        late_at = [at for at, ended_at in finals if at - ended_at > LATE_S]
        return {
            "clients back": sum(each.back_at < math.inf for each in clients),
            "last one back after s": _after(restarted_at, [each.back_at for each in clients]),
            "clients served": sum(map(bool, later)),
            "earlier speech served after s": _after(
                restarted_at, [at for at, ended_at in finals if ended_at < restarted_at]
            ),
            "on time again after s": _after(restarted_at, late_at),
            "longest delay s": round(max(at - ended_at for at, ended_at in finals), 1),
            "first finals after s": sorted(
                _after(restarted_at, [own[0][0]]) for own in later if own
            ),
        }

    with running() as server:
        return asyncio.run(run(server))


def second_key() -> dict[str, Any]:
    """See the module."""
    frames = frames_of(CROWD_S, CROWD)
    longer = (clip for clip in read_clips() if clip.seconds > SENTENCE_S)
    sentence = min(longer, key=lambda clip: clip.seconds).pcm
    own = frames_of_speech(sentence)
    file = as_wav(sentence[: 2 * SAMPLE_RATE_HZ])

    async def run(url: str) -> dict[str, Any]:
        crowd = asyncio.create_task(_speakers(url, frames, CROWD_KEY))
        await asyncio.sleep(NEWCOMER_AFTER_S)
        spoken, file_s = await asyncio.gather(
            speak(url, own, key=NEWCOMER_KEY), upload(url, file, NEWCOMER_KEY)
        )
        return {
            "final_s": [round(delay_s, 2) for delay_s in spoken.delays_s],
            "file_s": round(file_s, 2),
            "refusal": spoken.refusal,
            "crowd": await crowd,
        }

    runs = []
    for _ in range(3):
        with running(api_keys=f"crowd:{CROWD_KEY},newcomer:{NEWCOMER_KEY}") as server:
            runs.append(asyncio.run(run(server.url)))
            print(f"  {runs[-1]}", flush=True)
    return {"runs": runs}


def alone() -> dict[str, Any]:
    """See the module."""
    clips = sorted(read_clips(), key=lambda clip: clip.seconds)[:SHORTEST]
    sentences = [frames_of_speech(clip.pcm) for clip in clips]
    file = as_wav(speeches(UPLOAD_S, 1)[0])
    languages = (RIGHT_LANGUAGE, WRONG_LANGUAGE)

    async def run(server: Server) -> dict[str, Any]:
        before = server.health()["live"]
        spoken: list[Spoken] = []
        uploads: list[asyncio.Task[float]] = []
        for number in range(ALONE):
            if number % UPLOADS_EVERY == 0:
                await asyncio.gather(*uploads[-1:])
                uploads.append(asyncio.create_task(upload(server.url, file)))
            frames, language = sentences[number % SHORTEST], languages[number % 2]
            spoken.append(await speak(server.url, frames, language=language))
        files_s = await asyncio.gather(*uploads)
        return {
            **figures(spoken),
            "file_p50_s": round(percentile(files_s, 50), 2),
            "before": before,
            "after": server.health()["live"],
        }

    with running() as server:
        return asyncio.run(run(server))


def learning() -> dict[str, Any]:
    """See the module."""
    frames = frames_of(20.0, LEARNING_SPEAKERS)

    async def one(url: str, number: int, until: float, all_spoken: list[Spoken]) -> None:
        await asyncio.sleep(number * LEARNING_S / 2 / LEARNING_SPEAKERS)
        while time.monotonic() < until:
            spoken = await speak(url, frames[number])
            all_spoken.append(spoken)
            if spoken.refusal:
                await asyncio.sleep(spoken.refusal["retry_after_s"])

    async def run(server: Server) -> dict[str, Any]:
        until, all_spoken = time.monotonic() + LEARNING_S, list[Spoken]()
        looks: list[dict[str, Any]] = []
        async with anyio.create_task_group() as tasks:
            for number in range(LEARNING_SPEAKERS):
                tasks.start_soon(one, server.url, number, until, all_spoken)
            while time.monotonic() < until:
                await anyio.sleep(5)
                health = await anyio.to_thread.run_sync(server.health)
                looks.append(health["live"])
                print(f"  {health['live']}", flush=True)
        after_s = [each.refused_after_s for each in all_spoken if each.refused_after_s]
        return {
            **figures(all_spoken),
            "refused_p99_s": round(percentile(after_s, 99), 3) if after_s else None,
            "looks": looks,
        }

    with tempfile.TemporaryDirectory() as folder, running(state_dir=Path(folder)) as server:
        shown = asyncio.run(run(server))
        server.end()
        server.start()
        server.wait_ready()
        shown["after the restart"] = server.health()["live"]
        return shown


CASES = {
    f.__name__: f for f in (speakers, dropped, flood, silent, crash, second_key, alone, learning)
}


def targets(shown: dict[str, Any]) -> dict[str, bool]:
    """Return which targets are reached, of the cases that were measured."""
    reached = {}
    for how, each in shown.get("speakers", {}).items():
        reached[f"{SPEAKERS} speakers are admitted, {how}"] = each["admitted"] == SPEAKERS
    if each := shown.get("dropped"):
        reached["a speaker is admitted after dropped connections"] = each["then"]
    if each := shown.get("flood"):
        reached["a speaker is admitted during a flood"] = each["flood"]["admitted"] == 1
        most_s = FLOOD_FACTOR * each["calm"]["final_p50_s"]
        reached["and its finals are in time"] = (each["flood"]["final_p50_s"] or math.inf) <= most_s
    if each := shown.get("silent"):
        is_open = each["silent sessions admitted"] == SILENT
        reached["silent sessions are admitted"] = is_open
        reached["speakers with them are admitted"] = each["admitted"] == SILENT_SPEAKERS
        reached[f"half of their finals within {SILENT_FINAL_S:g} s"] = (
            each["final_p50_s"] or math.inf
        ) <= SILENT_FINAL_S
    if each := shown.get("crash"):
        is_back = each["clients back"] == each["clients served"] == SPEAKERS
        reached["all clients are back and served after a crash"] = is_back
        times_s = (each["last one back after s"], each["earlier speech served after s"])
        reached[f"both within {BACK_S:g} s"] = max(times_s) <= BACK_S
    if each := shown.get("second_key"):
        reached[f"the final of another key within {LATE_S:g} s"] = all(
            run["final_s"] and max(run["final_s"]) <= LATE_S for run in each["runs"]
        )
    if each := shown.get("alone"):
        reached[f"{ALONE} speakers one after another are admitted"] = each["admitted"] == ALONE
    if each := shown.get("learning"):
        learned = [look["learned"] for look in each["looks"]]
        reached["the capacity is learned within a minute of load"] = any(learned[:12])
        reached["and known after a restart"] = each["after the restart"]["learned"]
        reached["refusals take 0.1 s"] = (each["refused_p99_s"] or 0) <= 0.1
    return reached


def main() -> None:
    parser = command_line(__doc__, "admission")
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=list(CASES))
    arguments = parser.parse_args()
    shown: dict[str, Any] = {}
    for name in arguments.only:
        print(f"{name}:", flush=True)
        shown[name] = CASES[name]()
        print(f"  {shown[name]}", flush=True)
    reached = targets(shown)
    publish(arguments.out, {"reached": reached, **shown})
    show_targets(reached)


if __name__ == "__main__":
    main()
