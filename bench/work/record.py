"""Record speech and the costs of jobs on this machine, for the simulation.

python -m bench.work.record [--corpus DIR] [--only speech costs]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from auricle.audio.gate import VoiceDetector
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.config.settings import Settings
from auricle.engines.base import EngineSettings
from auricle.engines.moonshine.spec import load_streaming
from auricle.engines.registry import find_engine
from auricle.engines.whisper.prompt import Prompt
from auricle.engines.whisper.short_window import load
from auricle.engines.whisper.window import WindowPolicy
from auricle.values.types import SAMPLE_RATE_HZ, Options, Pcm16, Task
from bench.compare.__main__ import bundled_model
from bench.lib.report import machine
from bench.lib.speech import CORPUS
from bench.live.speech import aligned_clips
from bench.work.costs import COSTS, ROWS
from bench.work.speech import RECORDED

ROUNDS = 5
TOKENS = 24
QUIET_S = 1.0


def record_speech(corpus: Path) -> dict[str, Any]:
    """Return the probabilities and the words of each read clip."""
    clips = []
    for each in aligned_clips(corpus, bundled_model()):
        pcm = each.clip.pcm[: each.clip.pcm.size // WINDOW_SAMPLES * WINDOW_SAMPLES]
        samples = int(QUIET_S * SAMPLE_RATE_HZ) // WINDOW_SAMPLES * WINDOW_SAMPLES
        quiet = np.random.default_rng(0).normal(0, 3, samples).astype(np.int16)
        detector = VoiceDetector()
        detector.probabilities(quiet)
        clips.append(
            {
                "name": each.clip.name,
                "probabilities": [round(float(p), 3) for p in detector.probabilities(pcm)],
                "words": [
                    [int(w.start_s * SAMPLE_RATE_HZ), int(w.end_s * SAMPLE_RATE_HZ)]
                    for w in each.words
                ],
            }
        )
    return {"clips": clips}


def record_costs(corpus: Path) -> dict[str, Any]:
    """Return the CPU seconds of the parts of a job, on one thread."""
    path = bundled_model()
    engine = load(EngineSettings(str(path), "cpu", "int8", 1))
    backend = engine._backend  # its operations are measured one by one
    speech = np.concatenate([each.clip.pcm for each in aligned_clips(corpus, path)])
    features = backend.features(speech[: 30 * SAMPLE_RATE_HZ])
    encoder = {
        str(frames): _cpu_s(lambda f=frames: backend.encode([features[:, :f]]))  # type: ignore[misc]
        for frames in WindowPolicy().classes
    }
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    prompt = Prompt((), (*tokenizer.sot_sequence, tokenizer.no_timestamps), ())
    encoded = backend.encode([features[:, :1000]] * max(ROWS))
    step = {}
    for rows in ROWS:
        long_s, short_s = (
            _cpu_s(
                lambda n=tokens, r=rows: backend.generate(encoded[:r], [prompt] * r, 1, n)  # type: ignore[misc]
            )
            for tokens in (TOKENS, 1)
        )
        step[str(rows)] = round((long_s - short_s) / (TOKENS - 1), 5)
    return {
        "machine": machine(),
        "encoder_s": encoder,
        "step_s": step,
        "first_step_s": _cpu_s(lambda: backend.generate(encoded[:1], [prompt], 1, 1)),
        "features_s": _cpu_s(lambda: backend.features(speech[: 7 * SAMPLE_RATE_HZ])),
        "partial_s": _partial_costs(speech),
    }


def _partial_costs(speech: Pcm16) -> dict[str, float]:
    """Return the fixed cost of a streamed partial, and that of a second of its audio."""
    model = find_engine("moonshine").models.find(Settings.load({"engine": "moonshine"}).model)
    recognizer = load_streaming(EngineSettings(model.path, "cpu", "default", 1))
    recognizer.warm_up()
    lengths, costs = (1, 2, 3, 4, 5, 6, 7), []
    for at in range(4):
        stream, start = str(at), at * 8 * SAMPLE_RATE_HZ
        recognizer.open(stream, Options(language="en", is_partial=True, word_timestamps=True))
        own = []
        for second in lengths:
            first = start + (second - 1) * SAMPLE_RATE_HZ
            recognizer.feed(stream, speech[first : first + SAMPLE_RATE_HZ])
            began_s = time.process_time()
            recognizer.results([stream])
            own.append(time.process_time() - began_s)
        costs.append(own)
        recognizer.close(stream)
    per_s, fixed_s = np.polyfit(lengths, np.median(costs, axis=0), 1)
    return {"fixed": round(float(fixed_s), 4), "per_audio_s": round(float(per_s), 4)}


def _cpu_s(act: Callable[[], object]) -> float:
    act()
    costs = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        act()
        costs.append(time.process_time() - began_s)
    return round(statistics.median(costs), 5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--only", nargs="+", choices=("speech", "costs"))
    arguments = parser.parse_args()
    chosen = arguments.only or ("speech", "costs")
    if "speech" in chosen:
        RECORDED.write_text(json.dumps(record_speech(arguments.corpus)) + "\n")
    if "costs" in chosen:
        COSTS.write_text(json.dumps(record_costs(arguments.corpus), indent=1) + "\n")


if __name__ == "__main__":
    main()
