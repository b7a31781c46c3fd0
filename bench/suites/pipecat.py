"""Pipecat's TTFS (time to final segment): the last final minus the end of speech.

The runner of stt-benchmark is run unmodified: it plays each clip in real time to Pipecat's own
service, with Silero's voice detector (0.2 s of silence), and takes TTFS from Pipecat's metrics. Its
data set, its ground truth and its semantic word errors need a hub and vendors' keys.

The peers: servers with the same APIs, and faster-whisper in the agent's own process, which is
Pipecat's own service for Whisper, without a server.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.lib.charts import Bars, Chart
from bench.lib.scoring import total, word_errors
from bench.lib.service import running
from bench.lib.speech import Clip
from bench.suites.clips import Material
from bench.suites.peers import condition, peer
from bench.suites.third_party import Checkout, Json, run_program, version

TITLE = "Pipecat's TTFS: from the end of speech to the last final"
ENVIRONMENT = "suite-pipecat"
CHECKOUT = Checkout("pipecat-ai/stt-benchmark", "eadbc9df335fa1a8e6cfd7e61e8c270bcb5a13ac", "src")
CLIPS, FEW = 8, 2
DOORS = {
    "deepgram": "Pipecat's DeepgramSTTService",
    "openai": "Pipecat's OpenAISTTService, a file for each turn",
    "openai_realtime": "Pipecat's OpenAIRealtimeSTTService",
}
PEERS = {
    "coro-asr": {"deepgram": CLIPS, "openai": CLIPS},
    "speaches": {"openai": CLIPS, "openai_realtime": FEW},
    "whisper-live-kit": {"deepgram": FEW},
}
"""Clips by peer and door: few where clips have no text, since each of those waits 20 s."""
IN_PROCESS = "faster-whisper in the agent"
MODEL = "Systran/faster-whisper-base"
"""The name by which speaches knows the model; others ignore it."""
FIGURES = ("ttfb_median", "ttfb_p95", "ttfb_max")


@contextmanager
def as_samples(clips: Sequence[Clip]) -> Iterator[list[str]]:
    """Give the paths of clips as raw PCM files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{Path(clip.name).stem}.pcm" for clip in clips]
        for path, clip in zip(paths, clips, strict=True):
            path.write_bytes(clip.pcm.astype("<i2").tobytes())
        yield list(map(str, paths))


def measure_service(service: str, clips: Sequence[Clip], **request: str) -> Json:
    """Return TTFS and word errors of one service; the TTFS of clips with a text.

    Args:
        service: The suite's name of it.
        clips: The clips.
        request: The URL of the server, or the model.
    """
    with as_samples(clips) as paths:
        asked = {"service": service, "clips": paths} | request
        answer = run_program("pipecat", ENVIRONMENT, CHECKOUT.require() / "src", asked)
    statistics, results = answer["statistics"], answer["results"]
    texts = [each["transcription"] or "" for each in results]
    errors = total([word_errors(clip.text, t) for clip, t in zip(clips, texts, strict=True)])
    return {
        "clips": len(clips),
        "failed": sum(not text for text in texts),
        "final_before_vad": sum(
            bool(each["transcription"]) and each["ttfb_seconds"] is None for each in results
        ),
        "ttfs_s": {name[5:]: _rounded(statistics.get(name)) for name in FIGURES},
        "wer_percent": round(errors.percent, 2),
        "errors": sorted({each["error"] for each in results if each["error"]}),
        "each_s": [_rounded(each["ttfb_seconds"]) for each in results],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def measure(material: Material) -> Json:
    """Return the figures of each system and door."""
    clips = material.shortest(CLIPS)
    systems: Json = {}
    with running(engine="whisper", model=material.model, live_speakers=1) as server:
        for door in DOORS:
            systems[f"auricle, {door}"] = measure_service(door, clips, url=server.url)
    for name, doors in PEERS.items():
        with peer(name, material.model) as other:
            url = f"http://127.0.0.1:{other.address[1]}"
            for door, count in doors.items():
                figures = measure_service(door, clips[:count], url=url, model=MODEL)
                systems[f"{name}, {door}"] = figures
    systems[IN_PROCESS] = measure_service("whisper", clips, model=str(material.model))
    return {
        "suite": CHECKOUT.figures() | {"pipecat-ai": version(ENVIRONMENT, "pipecat-ai")},
        "run": "its runner: transport, voice detector, observers and statistics",
        "not_run": "its data set, on a hub; ground truth and semantic word errors, by cloud models",
        "vad_stop_s": 0.2,
        "doors": DOORS,
        "conditions": {
            "auricle": "auricle serve with AURICLE_LIVE_SPEAKERS=1",
            **{name: condition(name) for name in PEERS},
            IN_PROCESS: "Pipecat's WhisperSTTService, in its process, int8",
        },
        "clips": f"the {len(clips)} shortest read sentences of the corpus",
        "mean_clip_s": round(sum(clip.seconds for clip in clips) / len(clips), 2),
        "systems": systems,
    }


def rows(report: Json) -> list[str]:
    """Return the lines of a table."""
    return [
        f"{name:28} TTFS median {_shown(each['ttfs_s']['median'])}  p95 "
        f"{_shown(each['ttfs_s']['p95'])}  max {_shown(each['ttfs_s']['max'])}  "
        f"failed {each['failed']} of {each['clips']}  WER {each['wer_percent']:.2f} %"
        for name, each in report["systems"].items()
    ]


def _shown(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:.2f} s"


def charts(report: Json) -> list[Chart]:
    """Return the TTFS of each system that had a text for every clip."""
    shown = {
        name: list(each["ttfs_s"].values())
        for name, each in report["systems"].items()
        if not each["failed"] and each["ttfs_s"]["median"] is not None
    }
    return [Bars("TTFS, s", ["median", "p95", "max"], shown)]
