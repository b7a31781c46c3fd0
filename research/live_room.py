"""Words that a live session invents between real sentences: breaths, coughs, typing, room noise.

    python -m research.live_room --model DIR [--corpus CORPUS] [--minutes 10] [--endpoint-ms 300]
        [--out docs/benchmarks/live_room]

Sentences are real, the sounds between them synthetic (``tests/support/room_sounds.py``); both go
through one live session with the real voice detector and engine, on a clock that is a number. A
final that overlaps no sentence is invented; its words are counted by sound. The same sentences with
room noise alone give the error rate to compare with. ``--minutes 1`` is the short form; without a
corpus the sentences are those of ``testdata``.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import ShortWindowEngine
from auricle.values.commands import StreamParameters
from auricle.values.events import Final
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.charts import Bars, draw
from bench.lib.report import machine, write_json
from bench.lib.scoring import word_errors
from bench.lib.speech import READ, Clip, corpus, load_audio
from research.live_noise import Listener
from tests.support.room_sounds import SOUNDS, room, to_pcm

TESTDATA = Path(__file__).parents[1] / "testdata"
SENTENCES = ("fellow.wav", "pair.wav", "short.wav")
ENDPOINT_MS = 300
START_S = 2.0
PAUSE_S = (0.45, 1.6)
"""Between a sentence and a sound, and between two sounds: some are within a second of speech."""
SOUNDS_A_PAUSE = (1, 4)
EDGE_S = 0.2
"""A final that reaches so far into a sentence overlaps it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A sentence or a sound, and where it lies in the stream."""

    name: str
    start_s: float
    end_s: float
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Ten minutes of somebody at a desk who says a sentence now and then."""

    pcm: Pcm16
    plain: Pcm16
    """The same sentences at the same places, with room noise only."""
    sentences: tuple[Placed, ...]
    sounds: tuple[Placed, ...]


def scene(clips: Sequence[Clip], minutes: float, seed: int = 7) -> Scene:
    """Place sentences in turn, with one to three sounds between each two."""
    chance = np.random.default_rng(seed)
    names = tuple(SOUNDS)
    samples = int(minutes * 60 * SAMPLE_RATE_HZ)
    background = room(samples, chance)
    speech, other = np.zeros(samples), np.zeros(samples)
    sentences: list[Placed] = []
    sounds: list[Placed] = []
    at_s = START_S
    number = 0
    while True:
        clip = clips[number % len(clips)]
        number += 1
        if (at_s + clip.seconds + 1) * 60 > minutes * 3600:
            break
        start = int(at_s * SAMPLE_RATE_HZ)
        speech[start : start + clip.pcm.size] += clip.pcm / 32767
        sentences.append(Placed(clip.name, at_s, at_s + clip.seconds, clip.text))
        at_s += clip.seconds
        for _ in range(int(chance.integers(*SOUNDS_A_PAUSE))):
            at_s += chance.uniform(*PAUSE_S)
            name = names[len(sounds) % len(names)]
            sound = SOUNDS[name](chance)
            start = int(at_s * SAMPLE_RATE_HZ)
            end = min(start + sound.size, samples)
            other[start:end] += sound[: max(0, end - start)]
            sounds.append(Placed(name, at_s, at_s + sound.size / SAMPLE_RATE_HZ))
            at_s = sounds[-1].end_s
        at_s += chance.uniform(*PAUSE_S)
    pcm, plain = to_pcm(speech + other + background), to_pcm(speech + background)
    return Scene(pcm, plain, tuple(sentences), tuple(sounds))


def invented(finals: Sequence[Final], played: Scene) -> dict[str, list[str]]:
    """Return the texts of finals that overlap no sentence, by the sound that they overlap."""
    found: dict[str, list[str]] = {}
    for final in finals:
        start_s, end_s = final.start_sample / SAMPLE_RATE_HZ, final.end_sample / SAMPLE_RATE_HZ
        inner = (start_s + EDGE_S, end_s - EDGE_S)
        if final.text and not _overlapping(inner, played.sentences):
            names = [placed.name for placed in _overlapping((start_s, end_s), played.sounds)]
            found.setdefault("+".join(names) or "nothing", []).append(final.text)
    return found


def _overlapping(span_s: tuple[float, float], placed: Sequence[Placed]) -> list[Placed]:
    return [one for one in placed if one.start_s < span_s[1] and span_s[0] < one.end_s]


def measure(engine: ShortWindowEngine, played: Scene, endpoint_ms: int) -> dict[str, Any]:
    """Play the scene with its sounds and without them; return the figures."""
    reference = " ".join(sentence.text for sentence in played.sentences)
    figures: dict[str, Any] = {
        "sentences": len(played.sentences),
        "sounds": dict(Counter(sound.name for sound in played.sounds)),
    }
    for name, pcm in (("with sounds", played.pcm), ("room noise only", played.plain)):
        parameters = StreamParameters(
            seq=True, language="en", endpoint_ms=endpoint_ms, partials=False
        )
        listener = Listener(engine, parameters)
        result = listener.listen(pcm)
        found = invented(listener.finals, played)
        figures[name] = {
            "invented_words": sum(len(text.split()) for texts in found.values() for text in texts),
            "invented": found,
            "utterances": result.utterances,
            "dropped": sum(not final.text for final in listener.finals),
            "errors": asdict(word_errors(reference, " ".join(result.texts))),
            "engine_cpu_s": result.engine_cpu_s,
        }
    return figures


def sentences_of(directory: Path | None) -> list[Clip]:
    """Return read English clips of a corpus, or those of ``testdata``."""
    if directory is not None:
        return [clip for clip in corpus(directory) if clip.kind == READ]
    entries = json.loads((TESTDATA / "manifest.json").read_text())
    texts = {entry["file"]: entry["text"] for entry in entries}
    return [Clip(name, READ, load_audio(TESTDATA / name), texts[name]) for name in SENTENCES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--endpoint-ms", type=int, default=ENDPOINT_MS)
    parser.add_argument("--out", type=Path, help="path of the JSON and SVG, without suffix")
    arguments = parser.parse_args()
    settings = EngineSettings(arguments.model, "cpu", "int8", 1)
    engine = ShortWindowEngine(load_backend(settings))
    played = scene(sentences_of(arguments.corpus), arguments.minutes)
    figures = measure(engine, played, arguments.endpoint_ms)
    result = {
        "machine": machine(),
        "minutes": arguments.minutes,
        "endpoint_ms": arguments.endpoint_ms,
        **figures,
    }
    print(result)
    if arguments.out:
        write_json(arguments.out.with_suffix(".json"), result)
        names = ("with sounds", "room noise only")
        series = {
            "invented": [figures[name]["invented_words"] for name in names],
            "utterances without text": [figures[name]["dropped"] for name in names],
        }
        title = f"Words invented between sentences in {arguments.minutes:g} minutes"
        draw(arguments.out.with_suffix(".svg"), title, [Bars("Words", names, series)])
    if figures["with sounds"]["invented_words"]:
        raise SystemExit("words were invented where there is no speech")


if __name__ == "__main__":
    main()
