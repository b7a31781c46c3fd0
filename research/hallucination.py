"""Words that Whisper invents in audio without speech: silence, hum, noise, clicks, music.

    python -m research.hallucination --model DIR [--minutes 10] [--out PATH]

An hour is six sounds of ten minutes. Each goes straight into the engine in jobs of 10 s, with the
guards on and off, through the file path (which finds no speech in most of it), and into
faster-whisper with and without its own voice filter. What is counted is words, all of them wrong.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import ShortWindowEngine, ShortWindowPolicy
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Pcm16, Transcript
from bench.files import PIECE_S, cut
from bench.lib.charts import Bars, draw
from bench.lib.report import machine, write_json
from tests.support.batching import transcribe_sorted
from tests.support.room_sounds import sounds_without_speech

JOB_SAMPLES = 10 * SAMPLE_RATE_HZ
OPTIONS = Options(language="en", beam_size=1)


def straight(engine: ShortWindowEngine, pcm: Pcm16) -> int:
    """Return the number of words from the engine in jobs of 10 s."""
    pieces = [pcm[at : at + JOB_SAMPLES] for at in range(0, pcm.size, JOB_SAMPLES)]
    return _words_in(engine, pieces, OPTIONS)


def through_files(engine: ShortWindowEngine, pcm: Pcm16) -> int:
    """Return the number of words from the file path."""
    pieces = [piece.pcm for piece in cut(pcm, PIECE_S)]
    return _words_in(engine, pieces, replace(OPTIONS, is_chunk=True))


def _words_in(engine: ShortWindowEngine, pieces: list[Pcm16], options: Options) -> int:
    jobs = [Job(JobId(str(i)), piece.copy(), options) for i, piece in enumerate(pieces)]
    results = transcribe_sorted(engine, jobs)
    return sum(len(result.text.split()) for result in results if isinstance(result, Transcript))


def theirs(whisper: WhisperModel, pcm: Pcm16, *, vad_filter: bool) -> int:
    """Return the number of words from faster-whisper."""
    count = 0
    pieces = [pcm] if vad_filter else np.split(pcm, range(JOB_SAMPLES, pcm.size, JOB_SAMPLES))
    for piece in pieces:
        if vad_filter and not cut(piece, PIECE_S):
            continue  # its filter fails on audio without any speech
        samples = piece.astype(np.float32) / 32768
        segments, _ = whisper.transcribe(samples, language="en", beam_size=1, vad_filter=vad_filter)
        count += sum(len(segment.text.split()) for segment in segments)
    return count


def known(out: Path | None, minutes: float) -> dict[str, dict[str, Any]]:
    """Return what an earlier run has measured."""
    path = out and out.with_suffix(".json")
    result = json.loads(path.read_text()) if path and path.exists() else {}
    return dict(result["sounds"]) if result.get("minutes_each") == minutes else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=10, help="of each sound")
    parser.add_argument(
        "--only", nargs="+", help="some sounds; others stay as they are in the JSON"
    )
    parser.add_argument("--out", type=Path, help="path of the JSON and SVG, without suffix")
    arguments = parser.parse_args()
    settings = EngineSettings(arguments.model, "cpu", "int8", 1)
    backend = load_backend(settings)
    whisper = WhisperModel(arguments.model, device="cpu", compute_type="int8", cpu_threads=1)
    guarded = ShortWindowEngine(backend)
    trusting = ShortWindowEngine(backend, ShortWindowPolicy(guard=None))
    ways: dict[str, Callable[[Pcm16], int]] = {
        "file path": lambda pcm: through_files(guarded, pcm),
        "engine, guards on": lambda pcm: straight(guarded, pcm),
        "engine, guards off": lambda pcm: straight(trusting, pcm),
        "faster-whisper": lambda pcm: theirs(whisper, pcm, vad_filter=False),
        "faster-whisper with its filter": lambda pcm: theirs(whisper, pcm, vad_filter=True),
    }
    made = sounds_without_speech(arguments.minutes)
    words = known(arguments.out, arguments.minutes) if arguments.only else {}
    for name in arguments.only or made:
        pcm, words[name] = made[name], {}
        for way, hear in ways.items():
            started_s = time.process_time()
            words[name][way] = {
                "words": hear(pcm),
                "cpu_s": round(time.process_time() - started_s, 1),
            }
        print(
            name, {way: (of["words"], of["cpu_s"]) for way, of in words[name].items()}, flush=True
        )
    words = {name: words[name] for name in made if name in words}
    result = {"machine": machine(), "minutes_each": arguments.minutes, "sounds": words}
    print(result["machine"])
    if arguments.out:
        write_json(arguments.out.with_suffix(".json"), result)
        series = {way: [of[way]["words"] for of in words.values()] for way in ways}
        title = f"Words invented in {arguments.minutes:g} minutes of each sound"
        draw(arguments.out.with_suffix(".svg"), title, [Bars("Words", tuple(words), series)])


if __name__ == "__main__":
    main()
