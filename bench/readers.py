"""What many readers of one live session cost: the delay added for each, and for the speaker.

    python -m bench.readers [--readers 500] [--stalled 100] [--seconds 45]

One speaker repeats a clip in real time. Readers follow the session's events on sockets of their
own, in another process. Three runs: without readers, with all of them reading, and with some that
never read. The delay added is the time from the arrival of an event at the speaker to the arrival
of the same event at a reader. ``latency_ms`` of the finals shows what the speaker waits.
"""

import asyncio
import itertools
import json
import multiprocessing
import resource
import selectors
import socket
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import frame_of, framed, play_stream
from auricle.client.connection import open_websocket
from bench.lib.charts import Bars, Chart
from bench.lib.cpu import tree_cpu_s
from bench.lib.report import command_line, publish, require
from bench.lib.service import Server, running
from tests.support.clips import CLIPS

CHUNK_SAMPLES = 1600
PAUSE_SAMPLES = 16_000
OPEN_S = 20.0
END_S = 10.0
READ_BYTES = 1 << 16
STALLED_BUFFER_BYTES = 4096
"""Receive buffer of a reader that never reads, so that the server's own is soon full."""
MAX_ADDED_MS = 50.0
MAX_CHANGE_MS = 10.0
"""What counts as no change of the 95th percentile while some readers stall. The 99th is one event
of a hundred, and differs as much between two equal runs."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """A number of readers, and how many of them never read."""

    readers: int
    stalled: int


def read_all(pipe: Connection, port: int, crowd: Crowd) -> None:
    """Follow a session with all readers, in a separate process, until it ends."""
    session = pipe.recv()
    request = f"GET /v1/sessions/{session}/events?history=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    selector, stalled = selectors.DefaultSelector(), []
    for number in range(crowd.readers):
        reader = socket.socket()
        is_stalled = number < crowd.stalled
        if is_stalled:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER_BYTES)
            stalled.append(reader)
        reader.connect(("127.0.0.1", port))
        reader.sendall(request.encode())
        if not is_stalled:
            reader.setblocking(False)
            selector.register(reader, selectors.EVENT_READ, number)
    pipe.send("open")
    received: list[tuple[int, float, bytes]] = []
    began_s = time.process_time()
    left = crowd.readers - crowd.stalled
    while left and (not pipe.poll() or selector.select(END_S)):
        for key, _ in selector.select(0.1):
            data = key.fileobj.recv(READ_BYTES)  # type: ignore[union-attr]  # a socket
            received.append((key.data, time.monotonic(), data))
            if b'"type":"ended"' in data:
                selector.unregister(key.fileobj)
                left -= 1
    pipe.send((time.process_time() - began_s, received))


async def speak(port: int, seconds: float, pipe: Connection | None) -> list[tuple[float, str]]:
    """Speak in real time; return the messages with the time of their arrival."""
    clip = CLIPS["fellow.wav"].pcm
    padded = clip.tobytes() + bytes(2 * PAUSE_SAMPLES)
    sizes = range(0, len(padded), 2 * CHUNK_SAMPLES)
    turn = [padded[at : at + 2 * CHUNK_SAMPLES].ljust(2 * CHUNK_SAMPLES, b"\0") for at in sizes]
    chunks = itertools.islice(itertools.cycle(turn), int(seconds * 16_000 / CHUNK_SAMPLES))
    url = f"ws://127.0.0.1:{port}/v1/stream?format=pcm16&language=en"
    stream = await open_websocket(url, OPEN_S)
    ready = json.loads(await stream.recv())
    if pipe is not None:
        pipe.send(ready["session"])
        await asyncio.to_thread(pipe.recv)
        await asyncio.sleep(1)  # their first bytes
    ending = frame_of('{"type":"stop"}')
    played = await play_stream(stream, framed(chunks), CHUNK_SAMPLES, END_S, ending=ending)
    return played.received


def events(data: bytes) -> list[str]:
    return [
        line.removeprefix(b"data: ").decode()
        for line in data.split(b"\n")
        if line.startswith(b"data: ")
    ]


def added_ms(
    spoken: list[tuple[float, str]], received: list[tuple[int, float, bytes]]
) -> tuple[list[float], int]:
    """Return the delay of each event for each reader, and the number of finals received."""
    arrived_at = {message: at for at, message in spoken}
    delays_ms, finals = [], 0
    for _, at, data in received:
        for event in events(data):
            if event in arrived_at:
                delays_ms.append(1000 * (at - arrived_at[event]))
                finals += event.startswith('{"type":"final"')
    return delays_ms, finals


def measure(server: Server, crowd: Crowd, seconds: float) -> dict[str, Any]:
    """Speak to a number of readers, and return the figures."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(
        target=read_all, args=(theirs, server.port, crowd)
    )
    cpu_s = tree_cpu_s(server.process)
    if crowd.readers:
        child.start()
    own_s = server.process.cpu_times()
    began_at = time.monotonic()
    spoken = asyncio.run(speak(server.port, seconds, ours if crowd.readers else None))
    wall_s = time.monotonic() - began_at
    gateway = server.process.cpu_times()
    latencies = [
        message["latency_ms"]
        for _, text in spoken
        if (message := json.loads(text))["type"] == "final" and message["text"]
    ]
    result: dict[str, Any] = {
        "readers": crowd.readers,
        "stalled": crowd.stalled,
        "finals": len(latencies),
        "speaker_final_ms": {"p50": statistics.median(latencies), "max": max(latencies)},
        "gateway_cores": round(
            (gateway.user + gateway.system - own_s.user - own_s.system) / wall_s, 3
        ),
        "all_cores": round((tree_cpu_s(server.process) - cpu_s) / wall_s, 3),
    }
    if crowd.readers:
        ours.send("stop")
        reader_cpu_s, received = ours.recv()
        child.join()
        delays_ms, finals = added_ms(spoken, received)
        result |= {
            "events_received": len(delays_ms),
            "finals_received": finals,
            "finals_expected": sum('"type":"final"' in text for _, text in spoken)
            * (crowd.readers - crowd.stalled),
            "added_ms": {f"p{q}": round(percentile(delays_ms, q), 1) for q in (50, 95, 99)}
            | {"max": round(max(delays_ms), 1)},
            "reader_cores": round(reader_cpu_s / wall_s, 3),
        }
    print(json.dumps(result))
    return result


def targets(runs: list[Mapping[str, Any]]) -> dict[str, bool]:
    """Return which targets are reached."""
    _, reading, stalled = runs
    change_ms = stalled["added_ms"]["p95"] - reading["added_ms"]["p95"]
    return {
        f"p99 of the delay added at most {MAX_ADDED_MS:g} ms": max(
            run["added_ms"]["p99"] for run in (reading, stalled)
        )
        <= MAX_ADDED_MS,
        "no change if some never read": change_ms <= MAX_CHANGE_MS,
        "every final for every reader": all(
            run["finals_received"] == run["finals_expected"] for run in (reading, stalled)
        ),
    }


def charts(runs: list[Mapping[str, Any]]) -> list[Chart]:
    """Return the delay added for readers, by run."""
    names = [
        f"{run['readers']} readers" + (f", {run['stalled']} stall" if run["stalled"] else "")
        for run in runs
    ]
    series = {q: [run["added_ms"][q] for run in runs] for q in ("p50", "p95", "p99")}
    return [Bars("Delay added after the speaker's own message, ms", names, series)]


def main() -> None:
    parser = command_line(__doc__, "readers")
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--stalled", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=45.0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowds = [
        Crowd(0, 0),
        Crowd(options.readers, 0),
        Crowd(options.readers, options.stalled),
    ]
    with running(max_readers=2 * options.readers) as server:  # half of them for one session
        runs: list[Mapping[str, Any]] = [
            measure(server, crowd, options.seconds) for crowd in crowds
        ]
    publish(options.out, {"runs": runs}, "Many readers of one live session", charts(runs[1:]))
    require(targets(runs))


if __name__ == "__main__":
    main()
