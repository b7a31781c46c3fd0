"""How soon a final follows the end of speech: one stream, whose client finalises or waits.

    python -m bench.live.finals --model DIR --corpus DIR [--runs 3] [--clips 20]
        [--endpoint-ms 500] [--modes finalize,endpoint] [--other SRC]
        [--out docs/benchmarks/finals]

Read clips are played in real time as Opus packets of 20 ms, each followed by room noise. In the
first mode, the client sends ``finalize`` 0.2 s after the end of the clip, as voice agents do; in
the second one, it waits for the server's endpointing. A delay counts from the end of the clip to
the last final of it, so it includes that wait. The JSON has all runs, their medians, CPU seconds
per second of audio, word errors, and the time that faster-whisper takes for one clip on the same
machine (the yardstick). ``--other`` measures another version of Auricle, by the path of its
``src``, in turn with this one.
"""

import asyncio
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import frame_of, play_stream
from auricle.client.connection import open_websocket, stream_url
from auricle.protocol.framing import pack
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16
from bench.lib.audio import opus_packets
from bench.lib.cpu import tree_cpu_s
from bench.lib.report import command_line, machine, publish
from bench.lib.scoring import total, word_errors
from bench.lib.service import running
from bench.lib.speech import CORPUS, READ, Clip, corpus
from bench.live.speech import ROOM_TONE

FRAME_S = 0.02
FRAME_SAMPLES = int(FRAME_S * SAMPLE_RATE_HZ)
OPEN_LIMIT_S = 10.0
FINALIZE_AFTER_S = 0.2
PAUSE_S = 1.5
"""Noise after each clip."""
LAST_FINAL_S = 30.0
MODES = ("finalize", "endpoint")
PERCENTILES = (50, 95, 100)


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One clip with noise after it, as packets."""

    clip: Clip
    packets: Sequence[OpusPacket]


@dataclass(frozen=True, slots=True)
class ClipResult:
    """The text of one clip, and how long its final took."""

    delay_s: float
    text: str


def prepare(clips: Sequence[Clip]) -> list[Utterance]:
    """Return the clips of one stream as packets; the encoder runs over all of them."""
    noise = np.random.default_rng(1)
    step, pause = FRAME_SAMPLES, int(PAUSE_S * SAMPLE_RATE_HZ)
    parts = [_padded(clip.pcm, pause - clip.pcm.size % step, noise) for clip in clips]
    packets = iter(opus_packets(np.concatenate(parts)))
    return [
        Utterance(clip, [next(packets) for _ in range(part.size // step)])
        for clip, part in zip(clips, parts, strict=True)
    ]


def _padded(pcm: Pcm16, samples: int, noise: np.random.Generator) -> Pcm16:
    return np.concatenate([pcm, noise.normal(0, ROOM_TONE, samples).astype(np.int16)])


async def play(
    url: str, utterances: Sequence[Utterance], mode: str, endpoint_ms: int
) -> list[ClipResult]:
    """Play the clips in one session, and return the result of each."""
    query = f"format=opus&seq=1&frame_ms=20&language=en&endpoint_ms={endpoint_ms}"
    connection = await open_websocket(f"{stream_url(url)}?{query}", OPEN_LIMIT_S)
    await asyncio.wait_for(connection.recv(), OPEN_LIMIT_S)  # `ready`
    played = await play_stream(
        connection,
        frames_of(utterances, mode),
        FRAME_SAMPLES,
        LAST_FINAL_S,
        ending=frame_of('{"type":"stop"}'),
    )
    finals = [
        (at_s, event)
        for at_s, message in played.received
        if (event := json.loads(message))["type"] == "final" and event["text"]
    ]
    results, start_s = [], 0.0
    for one in utterances:
        end_s = start_s + len(one.packets) * FRAME_S
        own = [
            (at, event)
            for at, event in finals
            if start_s <= (event["start_s"] + event["end_s"]) / 2 < end_s
        ]
        ended_at = played.began_at + start_s + one.clip.seconds
        delay_s = own[-1][0] - ended_at if own else math.inf
        results.append(ClipResult(delay_s, " ".join(event["text"] for _, event in own)))
        start_s = end_s
    return results


def frames_of(utterances: Sequence[Utterance], mode: str) -> list[bytes]:
    """Return a frame for each packet; in one mode, ``finalize`` follows the speech of each clip."""
    frames: list[bytes] = []
    for one in utterances:
        finalize_at = math.ceil((one.clip.seconds + FINALIZE_AFTER_S) / FRAME_S) - 1
        for number, packet in enumerate(one.packets):
            message = frame_of(pack(packet, len(frames)))
            if mode == "finalize" and number == finalize_at:
                message += frame_of('{"type":"finalize"}')
            frames.append(message)
    return frames


def measure(
    source: Path | None,
    model: Path,
    played: Sequence[Utterance],
    modes: Sequence[str],
    endpoint_ms: int,
) -> dict[str, Any]:
    """Return the figures of each mode, of a new server."""
    environment = {} if source is None else {"PYTHONPATH": str(source)}
    audio_s = sum(len(one.packets) for one in played) * FRAME_S
    figures: dict[str, Any] = {}
    with running(environment=environment, engine="whisper", model=model) as server:
        for mode in modes:
            cpu_s = tree_cpu_s(server.process)
            results = asyncio.run(play(server.url, played, mode, endpoint_ms))
            cpu_s = tree_cpu_s(server.process) - cpu_s
            errors = total(
                [word_errors(one.clip.text, h.text) for one, h in zip(played, results, strict=True)]
            )
            delays_s = [each.delay_s for each in results]
            figures[mode] = {
                **{f"p{p}_s": round(percentile(delays_s, p), 3) for p in PERCENTILES},
                "wer_percent": round(errors.percent, 2),
                "cpu_s_per_audio_s": round(cpu_s / audio_s, 3),
            }
    return figures


def yardstick_s(model: Path, clip: Clip) -> float:
    """Return the seconds that faster-whisper takes for a clip with its defaults, best of three."""
    whisper = WhisperModel(str(model), device="cpu", compute_type="int8")
    samples = clip.pcm.astype(np.float32) / 32768

    def once() -> float:
        started_s = time.perf_counter()
        list(whisper.transcribe(samples, language="en")[0])
        return time.perf_counter() - started_s

    return min(once() for _ in range(3))


def medians(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure."""
    return {
        mode: {
            name: round(statistics.median(run[mode][name] for run in runs), 3)
            for name in runs[0][mode]
        }
        for mode in runs[0]
    }


def _sources(other: Path | None) -> Iterator[tuple[str, Path | None]]:
    yield "auricle", None
    if other is not None:
        yield "other", other


def main() -> None:
    parser = command_line(__doc__, "finals")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--endpoint-ms", type=int, default=500)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--other", type=Path)
    arguments = parser.parse_args()
    clips = [clip for clip in corpus(arguments.corpus) if clip.kind == READ][: arguments.clips]
    played = prepare(clips)
    report: dict[str, Any] = {
        "endpoint_ms": arguments.endpoint_ms,
        "clips": len(clips),
        "yardstick": {
            "clip": clips[0].name,
            "seconds": round(clips[0].seconds, 1),
            "faster_whisper_s": round(yardstick_s(arguments.model, clips[0]), 2),
        },
    }
    print(json.dumps(machine() | report))
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(arguments.runs):
        for name, source in _sources(arguments.other):
            modes = arguments.modes.split(",")
            figures = measure(source, arguments.model, played, modes, arguments.endpoint_ms)
            runs.setdefault(name, []).append(figures)
            print(name, json.dumps(figures), flush=True)
    report["median"] = {name: medians(each) for name, each in runs.items()}
    print(json.dumps(report["median"]))
    publish(arguments.out, report | {"runs": runs})


if __name__ == "__main__":
    main()
