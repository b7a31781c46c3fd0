"""Does the service return faster-whisper's text unchanged, clip by clip?

This is about the service, not about its engine: the workers run the engine that passes each job to
faster-whisper (``bench.engine`` compares the default engine with it). Each clip is posted as it is
(FLAC body, ``POST /utterance``) to a real server, and given, cut into the same pieces of speech, to
``faster_whisper.WhisperModel`` in this process: the same model directory, int8, one thread, the
same beam, and no context from earlier text (the engine's only change). One pass names the language,
for each beam; one more leaves it out, on a part of the clips.

A difference is explained only by what can be shown: "sampled" when faster-whisper, called again,
doesn't give its own text again (above temperature 0 it draws at random); "no speech" when the
service's voice detector found none, so that Whisper was never asked. The rest is unexplained.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from faster_whisper import WhisperModel

from auricle.audio.chunks import find_chunks
from auricle.audio.vad import has_speech
from auricle.config.sections.model import ModelSettings
from auricle.engines.whisper.models.fetch import resolve
from bench.lib.report import ROOT, machine, write_json
from bench.lib.scoring import Errors, character_errors, paired_difference, total, word_errors
from bench.lib.service import Server, running
from bench.lib.speech import AN4, CORPUS, READ, SPOKEN, Clip, corpus, load_audio

ENGINE = "faster-whisper"
WORKERS = 2
MAX_WAIT_S = 600.0
REPEATS = 4
UNNAMED_EACH = 6
SHORT_EACH = 15
SCORES: dict[str, Callable[[str, str], Errors]] = {
    READ: word_errors,
    SPOKEN: word_errors,
    AN4: character_errors,
}


@dataclass(frozen=True, slots=True)
class Pass:
    """All clips with the same settings; no ``language`` is detection."""

    name: str
    clips: Sequence[Clip]
    beam_size: int
    names_language: bool

    def language(self, clip: Clip) -> str | None:
        """Return what is asked for."""
        return clip.language if self.names_language else None


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """What one side made of a clip."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A clip whose two texts or languages aren't the same, and why."""

    clip: str
    direct: DecodedAudio
    served: DecodedAudio
    cause: str


def folder() -> Path:
    if CORPUS.is_dir():
        return CORPUS
    print("The corpus is missing: using testdata, which is one synthetic voice.")
    return ROOT / "testdata"


def clips_in(directory: Path) -> list[Clip]:
    if directory == CORPUS:
        return corpus(directory)
    entries = json.loads((directory / "manifest.json").read_text())
    return [
        Clip(entry["file"], SPOKEN, load_audio(directory / entry["file"]), entry["text"])
        for entry in entries
        if entry["file"].endswith((".flac", ".wav", ".mp3", ".webm"))
    ]


def passes(clips: Sequence[Clip], beam_sizes: Sequence[int]) -> list[Pass]:
    named = [Pass(f"language named, beam {beam}", clips, beam, True) for beam in beam_sizes]
    others = [clip for clip in clips if clip.language != "en"]
    english = [clip for clip in clips if clip.language == "en"]
    part = [*english[::UNNAMED_EACH], *others]
    return [*named, Pass(f"language left out, beam {beam_sizes[0]}", part, beam_sizes[0], False)]


class Direct:
    """faster-whisper in this process; as many models side by side as the server has workers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._model = WhisperModel(
            resolve(ModelSettings()),
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            num_workers=WORKERS,
        )

    def hear_all(self, of: Pass) -> list[DecodedAudio]:
        """Return the text of each clip."""
        with ThreadPoolExecutor(WORKERS) as threads:
            return list(threads.map(lambda clip: self.hear(clip, of), of.clips))

    def hear(self, clip: Clip, of: Pass) -> DecodedAudio:
        """Return the text of one clip."""
        language, texts = of.language(clip), []
        for piece in find_chunks(clip.pcm):
            segments, info = self._model.transcribe(
                piece.pcm.astype(np.float32) / 32768,
                language=language,
                beam_size=of.beam_size,
                condition_on_previous_text=False,
                word_timestamps=True,
            )
            texts.append("".join(segment.text for segment in segments).strip())
            language = info.language
        return DecodedAudio(" ".join(filter(None, texts)), language or "")


async def hear_served(service: Server, directory: Path, of: Pass) -> list[DecodedAudio]:
    """Post each clip, as many at a time as there are workers."""
    places = asyncio.Semaphore(WORKERS)

    async def post(client: httpx2.AsyncClient, clip: Clip) -> DecodedAudio:
        query = {"beam_size": str(of.beam_size), "max_wait_s": str(MAX_WAIT_S)}
        if language := of.language(clip):
            query["language"] = language
        async with places:
            answer = await client.post(
                "/utterance",
                params=query,
                headers={"content-type": "application/octet-stream"},
                content=(directory / clip.name).read_bytes(),
            )
        if answer.status_code != 200:
            raise RuntimeError(f"{clip.name}: {answer.status_code} {answer.text}")
        body = answer.json()
        return DecodedAudio(body["text"], body["language"])

    async with httpx2.AsyncClient(base_url=service.url, timeout=MAX_WAIT_S + 30) as client:
        return await asyncio.gather(*(post(client, clip) for clip in of.clips))


def differences(
    of: Pass, direct: Direct, theirs: Sequence[DecodedAudio], ours: Sequence[DecodedAudio]
) -> list[Difference]:
    """Return each clip that isn't the same, with its cause."""
    found = []
    for clip, first, second in zip(of.clips, theirs, ours, strict=True):
        if first == second:
            continue
        if not second.text and not has_speech(clip.pcm):
            cause = "no speech"
        else:
            again = {direct.hear(clip, of) for _ in range(REPEATS)}
            cause = "sampled" if again != {first} else "unexplained"
        found.append(Difference(clip.name, first, second, cause))
    return found


def scores(
    of: Pass, theirs: Sequence[DecodedAudio], ours: Sequence[DecodedAudio]
) -> dict[str, Any]:
    """Return the error rates of both, for each kind of clips whose texts can be scored."""
    rates = {}
    for kind, score in SCORES.items():
        chosen = [i for i, clip in enumerate(of.clips) if clip.kind == kind]
        if not chosen:
            continue
        first, second = (
            [score(of.clips[i].text, side[i].text) for i in chosen] for side in (theirs, ours)
        )
        rates[kind] = {
            "unit": "characters" if score is character_errors else "words",
            "clips": len(chosen),
            "direct_percent": round(total(first).percent, 2),
            "served_percent": round(total(second).percent, 2),
            "difference": asdict(paired_difference(first, second)),
        }
    return rates


def compare(of: Pass, direct: Direct, ours: Sequence[DecodedAudio]) -> dict[str, Any]:
    began_at = time.monotonic()
    theirs = direct.hear_all(of)
    found = differences(of, direct, theirs, ours)
    rates = scores(of, theirs, ours)
    print(f"\n{of.name}: {len(of.clips) - len(found)} of {len(of.clips)} clips the same")
    for kind, rate in rates.items():
        print(
            f"  {kind:7} {rate['clips']:4} clips, {rate['unit']:10}"
            f" wrong: direct {rate['direct_percent']:6.2f} %"
            f"  served {rate['served_percent']:6.2f} %"
        )
    for difference in found:
        print(f"  {difference.clip} ({difference.cause})")
        print(f"    direct [{difference.direct.language}] {difference.direct.text}")
        print(f"    served [{difference.served.language}] {difference.served.text}")
    return {
        "clips": len(of.clips),
        "audio_s": round(sum(clip.seconds for clip in of.clips), 1),
        "same": len(of.clips) - len(found),
        "differences": [asdict(difference) for difference in found],
        "errors": rates,
        "direct_s": round(time.monotonic() - began_at, 1),
    }


def verdict(results: dict[str, dict[str, Any]]) -> bool:
    """Print whether the target is reached."""
    causes = [d["cause"] for result in results.values() for d in result["differences"]]
    unexplained = causes.count("unexplained")
    explained = {cause: causes.count(cause) for cause in sorted(set(causes) - {"unexplained"})}
    word = "reached" if not causes else "NOT reached"
    if causes and not unexplained:
        word = "reached but for explained ones"
    print(f"\ntarget, the same text clip by clip: {word}")
    print(f"  {unexplained} unexplained; explained: {explained or 'none'}")
    return not unexplained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beam", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--short", action="store_true", help="a few clips, for checks")
    parser.add_argument("--json", type=Path, default=ROOT / "bench/results/accuracy.json")
    arguments = parser.parse_args()
    print(machine())
    print(f"engine of the service: {ENGINE}")
    directory = folder()
    clips = clips_in(directory)
    if arguments.short and directory == CORPUS:
        others = [clip for clip in clips if clip.language != "en"]
        clips = [*clips[::SHORT_EACH], *others[:1]]
    all_passes = passes(clips, arguments.beam[:1] if arguments.short else arguments.beam)
    served, began_at = [], time.monotonic()
    with running(workers=WORKERS, engine=ENGINE, max_wait_s=MAX_WAIT_S) as service:
        for of in all_passes:
            served.append(asyncio.run(hear_served(service, directory, of)))
    served_s = round(time.monotonic() - began_at, 1)
    direct = Direct(directory)
    pairs = zip(all_passes, served, strict=True)
    results = {of.name: compare(of, direct, ours) for of, ours in pairs}
    is_reached = verdict(results)
    write_json(
        arguments.json,
        {
            "machine": machine(),
            "engine": ENGINE,
            "is_short": arguments.short,
            "corpus": directory == CORPUS,
            "served_s": served_s,
            "passes": results,
            "is_reached": is_reached,
        },
    )
    if not is_reached:
        raise SystemExit("some texts differ for no known reason")


if __name__ == "__main__":
    main()
