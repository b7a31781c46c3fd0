"""Words that Whisper hears where nobody speaks: silence, hum, noise, clicks, music.

    python -m bench.hallucination --model DIR [--minutes 10] [--out docs/benchmarks/hallucination]

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
import numpy.typing as npt
from faster_whisper import WhisperModel

from auricle.engine import EngineSettings
from auricle.engine.whisper.batching import transcribe_sorted
from auricle.engine.whisper.ctranslate2_model import WhisperBackend
from auricle.engine.whisper.loading import load_model
from auricle.engine.whisper.short_window import ShortWindowEngine, ShortWindowPolicy
from auricle.types import SAMPLE_RATE_HZ, Job, JobId, Options, Pcm16, Transcript
from bench.files import PIECE_S, cut
from bench.report import Bars, draw, machine, write_json
from bench.speech import pink_noise

JOB_SAMPLES = 10 * SAMPLE_RATE_HZ
OPTIONS = Options(language="en", beam_size=1)
Sound = npt.NDArray[np.float64]


def sounds(minutes: float) -> dict[str, Pcm16]:
    """Return six sounds without a word in them."""
    chance = np.random.default_rng(11)
    samples = int(minutes * 60 * SAMPLE_RATE_HZ)
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * n * times_s) / n for n in range(1, 6))
    clicks = np.zeros(samples)
    clicks[chance.integers(0, samples, samples // 8000)] = 1.0
    made = {
        "silence": np.zeros(samples),
        "hum": 0.05 * np.asarray(hum),
        "white noise": 0.05 * chance.standard_normal(samples),
        "pink noise": 0.05 * pink_noise(samples, chance),
        "clicks": clicks * chance.uniform(0.2, 0.9, samples),
        "music": 0.1 * _music(times_s, chance),
    }
    return {name: _pcm(sound) for name, sound in made.items()}


def _music(times_s: Sound, chance: np.random.Generator) -> Sound:
    """Return triads in a steady beat, each note with overtones that die away."""
    sound = np.zeros_like(times_s)
    beat_samples = SAMPLE_RATE_HZ // 2
    for start in range(0, times_s.size, beat_samples):
        local_s = times_s[start : start + beat_samples] - times_s[start]
        root_hz = 220 * 2 ** (chance.integers(-5, 8) / 12)
        for semitones in (0, int(chance.choice((3, 4))), 7):
            note_hz = root_hz * 2 ** (semitones / 12)
            for overtone in range(1, 5):
                decay = np.exp(-3 * local_s) / overtone
                sound[start : start + beat_samples] += decay * np.sin(
                    2 * np.pi * note_hz * overtone * local_s
                )
    return sound


def _pcm(sound: Sound) -> Pcm16:
    return np.clip(sound * 32767, -32767, 32767).astype(np.int16)


def straight(engine: ShortWindowEngine, pcm: Pcm16) -> int:
    """Return how many words the engine hears in jobs of 10 s."""
    pieces = [pcm[at : at + JOB_SAMPLES] for at in range(0, pcm.size, JOB_SAMPLES)]
    return _words_in(engine, pieces, OPTIONS)


def through_files(engine: ShortWindowEngine, pcm: Pcm16) -> int:
    """Return how many words the file path hears."""
    pieces = [piece.pcm for piece in cut(pcm, PIECE_S)]
    return _words_in(engine, pieces, replace(OPTIONS, is_piece=True))


def _words_in(engine: ShortWindowEngine, pieces: list[Pcm16], options: Options) -> int:
    jobs = [Job(JobId(str(i)), piece.copy(), options) for i, piece in enumerate(pieces)]
    results = transcribe_sorted(engine, jobs)
    return sum(len(result.text.split()) for result in results if isinstance(result, Transcript))


def theirs(whisper: WhisperModel, pcm: Pcm16, *, vad_filter: bool) -> int:
    """Return how many words faster-whisper hears."""
    heard = 0
    pieces = [pcm] if vad_filter else np.split(pcm, range(JOB_SAMPLES, pcm.size, JOB_SAMPLES))
    for piece in pieces:
        if vad_filter and not cut(piece, PIECE_S):
            continue  # its filter fails on audio without any speech
        samples = piece.astype(np.float32) / 32768
        segments, _ = whisper.transcribe(samples, language="en", beam_size=1, vad_filter=vad_filter)
        heard += sum(len(segment.text.split()) for segment in segments)
    return heard


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
    whisper: WhisperModel = load_model(settings, arguments.model)
    backend = WhisperBackend(whisper)
    guarded = ShortWindowEngine(backend, "base")
    trusting = ShortWindowEngine(backend, "base", ShortWindowPolicy(guard=None))
    ways: dict[str, Callable[[Pcm16], int]] = {
        "file path": lambda pcm: through_files(guarded, pcm),
        "engine, guards on": lambda pcm: straight(guarded, pcm),
        "engine, guards off": lambda pcm: straight(trusting, pcm),
        "faster-whisper": lambda pcm: theirs(whisper, pcm, vad_filter=False),
        "faster-whisper with its filter": lambda pcm: theirs(whisper, pcm, vad_filter=True),
    }
    made = sounds(arguments.minutes)
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
