"""Clips as files: Auricle's OpenAI API, and faster-whisper in this process.

Both transcribe each clip once, alone, in English, with a beam of 5 and one thread: Auricle's
workers have one each.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import httpx2
import numpy as np
from faster_whisper import WhisperModel

from bench.lib.audio import as_wav
from bench.lib.cpu import tree_cpu_s
from bench.lib.service import running
from bench.lib.speech import Clip
from bench.suites.clips import Material

LIMIT_S = 120.0
CONDITIONS = {
    "auricle": "auricle serve with its defaults; each clip as a WAV file to "
    "/v1/audio/transcriptions, one at a time",
    "faster-whisper": "WhisperModel(DIR, device='cpu', compute_type='int8', cpu_threads=1)"
    ".transcribe(samples, language='en')",
}


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What a system made of the clips.

    Attributes:
        texts: One for each clip.
        seconds: Duration of the requests or calls, together.
        cpu_s: Processor time of the system, with its children, in seconds.
    """

    texts: tuple[str, ...]
    seconds: float
    cpu_s: float


@cache
def transcribed(material: Material) -> dict[str, Transcribed]:
    """Return what each system made of all clips, read ones before spelled ones."""
    clips = [*material.read(), *material.spelled()]
    return {"auricle": _by_auricle(material, clips), "faster-whisper": _in_process(material, clips)}


def _by_auricle(material: Material, clips: Sequence[Clip]) -> Transcribed:
    with running(engine="whisper", model=material.model) as server:
        http = httpx2.Client(base_url=server.url, timeout=LIMIT_S)

        def transcribe(clip: Clip) -> str:
            response = http.post(
                "/v1/audio/transcriptions",
                files={"file": ("clip.wav", as_wav(clip.pcm), "audio/wav")},
                data={"model": "whisper-1", "language": "en"},
            )
            response.raise_for_status()
            return str(response.json()["text"])

        return _timed(transcribe, clips, lambda: tree_cpu_s(server.process))


def _in_process(material: Material, clips: Sequence[Clip]) -> Transcribed:
    whisper = WhisperModel(str(material.model), device="cpu", compute_type="int8", cpu_threads=1)

    def transcribe(clip: Clip) -> str:
        segments, _ = whisper.transcribe(clip.pcm.astype(np.float32) / 32768, language="en")
        return "".join(segment.text for segment in segments).strip()

    return _timed(transcribe, clips, time.process_time)


def _timed(
    transcribe: Callable[[Clip], str], clips: Sequence[Clip], cpu_clock: Callable[[], float]
) -> Transcribed:
    transcribe(clips[0])
    began_at, cpu_s = time.perf_counter(), cpu_clock()
    texts = tuple(map(transcribe, clips))
    return Transcribed(texts, time.perf_counter() - began_at, cpu_clock() - cpu_s)
