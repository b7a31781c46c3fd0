"""How often a final does not continue the stable text that was shown before it.

    python -m research.live_stable --model DIR --corpus CORPUS [--endpoint-ms 300 500] [--clips N]
        [--out docs/benchmarks/live_stable]

Each clip of the corpus goes through a separate live session, with the real voice detector and the
real engine, on a simulated clock: each partial is ready at once, as on an idle server. A
final continues the stable text literally, or in its words (without case and punctuation), or not.
Borders between two finals of one clip, where a pause split a sentence, are counted as well.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import ShortWindowEngine
from auricle.session.utterances.agreement import continues
from auricle.values.commands import StreamParameters
from auricle.values.events import Partial
from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.report import machine, write_json
from bench.lib.speech import Clip, corpus
from research.live_noise import Listener
from tests.support.room_sounds import room, to_pcm

PAUSE_S = 2.0


def measure(engine: ShortWindowEngine, clips: list[Clip], endpoint_ms: int) -> dict[str, Any]:
    """Return the figures of all clips at one endpoint."""
    chance = np.random.default_rng(5)
    figures: dict[str, Any] = {
        "finals_with_stable_text": 0,
        "not_continued_literally": 0,
        "not_continued_in_words": 0,
        "reported_as_revised": 0,
        "stable_shrank": 0,
        "borders_within_a_clip": 0,
        "capital_after_an_open_sentence": 0,
        "small_letter_after_an_open_sentence": 0,
    }
    examples: list[tuple[str, str]] = []
    borders: list[tuple[str, str]] = []
    for clip in clips:
        edge = room(int(PAUSE_S * SAMPLE_RATE_HZ), chance)
        speech = np.concatenate([edge, clip.pcm / 32767 + room(clip.pcm.size, chance), edge])
        parameters = StreamParameters(seq=True, language=clip.language, endpoint_ms=endpoint_ms)
        listener = Listener(engine, parameters)
        listener.listen(to_pcm(speech))
        stable: dict[int, str] = {}
        for event in listener.events:
            if isinstance(event, Partial):
                before = stable.get(event.utterance, "")
                figures["stable_shrank"] += not event.stable.startswith(before)
                stable[event.utterance] = event.stable
        finals = [final for final in listener.finals if final.text]
        for final in listener.finals:
            shown = stable.get(final.utterance, "")
            if not shown:
                continue
            in_words = continues(shown, final.text, clip.language)
            figures["finals_with_stable_text"] += 1
            figures["not_continued_literally"] += not final.text.startswith(shown)
            figures["not_continued_in_words"] += not in_words
            figures["reported_as_revised"] += final.revised
            if not in_words:
                examples.append((shown, final.text))
        for first, second in zip(finals, finals[1:], strict=False):
            figures["borders_within_a_clip"] += 1
            if first.text[-1] not in ".?!。？！":
                kind = "capital" if second.text[0].isupper() else "small_letter"
                figures[f"{kind}_after_an_open_sentence"] += 1
            borders.append((first.text[-30:], second.text[:30]))
    return figures | {"revised": examples, "borders": borders}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--endpoint-ms", type=int, nargs="+", default=[300, 500])
    parser.add_argument(
        "--clips", type=int, help="number of clips to use, from the first; default: all"
    )
    parser.add_argument("--out", type=Path, help="path of the JSON, without suffix")
    arguments = parser.parse_args()
    settings = EngineSettings(arguments.model, "cpu", "int8", 1)
    engine = ShortWindowEngine(load_backend(settings))
    clips = corpus(arguments.corpus)[: arguments.clips]
    result: dict[str, Any] = {"machine": machine(), "clips": len(clips), "endpoint_ms": {}}
    for endpoint_ms in arguments.endpoint_ms:
        figures = result["endpoint_ms"][str(endpoint_ms)] = measure(engine, clips, endpoint_ms)
        print(endpoint_ms, figures, flush=True)
    if arguments.out:
        write_json(arguments.out.with_suffix(".json"), result)


if __name__ == "__main__":
    main()
