"""Clips of real speech with known words, and what is made of them: talks, silence, noise."""

import io
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]
"""Mono, shape [samples], 16 kHz."""

RATE_HZ = 16_000
PAUSE_S = 1.0
EDGE_LEVEL = 200
"""Amplitude below which the end of a clip is taken for silence (-44 dBFS)."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A recording and its words."""

    name: str
    pcm: Pcm16
    text: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip in a talk. ``end`` is the sample after its speech, ``until`` that after its pause."""

    text: str
    end: int
    until: int


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """Clips with pauses, as one person says them to a microphone."""

    pcm: Pcm16
    utterances: tuple[Utterance, ...]

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(utterance.text for utterance in self.utterances)

    @property
    def duration_s(self) -> float:
        """Duration with the pauses."""
        return self.pcm.size / RATE_HZ


def read_clips(folder: Path) -> list[Clip]:
    """Read ``clips.json`` (``file`` and ``text`` of each clip) and its recordings.

    Args:
        folder: With WAV files, or FLAC files if the package ``soundfile`` is installed.

    Raises:
        ValueError: A recording is not mono with 16 bits and 16 kHz.
    """
    rows = json.loads((folder / "clips.json").read_text("utf-8"))
    return [Clip(row["file"], _read(folder / row["file"]), row["text"]) for row in rows]


def _read(path: Path) -> Pcm16:
    if path.suffix.lower() == ".wav":
        with wave.open(str(path)) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        if form != (1, 2, RATE_HZ):
            raise ValueError(f"{path}: must be mono, 16 bits, 16 kHz")
        return pcm
    import soundfile  # an optional package: only for other formats than WAV

    samples, rate_hz = soundfile.read(path, dtype="int16")
    if samples.ndim != 1 or rate_hz != RATE_HZ:
        raise ValueError(f"{path}: must be mono, 16 kHz")
    pcm16: Pcm16 = samples
    return pcm16


def talk(clips: Sequence[Clip], pause_s: float = PAUSE_S) -> Talk:
    """Join clips, each followed by a pause."""
    pause = np.zeros(round(pause_s * RATE_HZ), np.int16)
    parts: list[Pcm16] = []
    utterances: list[Utterance] = []
    position = 0
    for clip in clips:
        loud = np.flatnonzero(np.abs(clip.pcm.astype(np.int32)) > EDGE_LEVEL)
        spoken = int(loud[-1]) + 1 if loud.size else clip.pcm.size
        parts += [clip.pcm, pause]
        end, position = position + spoken, position + clip.pcm.size + pause.size
        utterances.append(Utterance(clip.text, end, position))
    return Talk(np.concatenate(parts), tuple(utterances))


def without_speech(seconds: float, step_s: float = 10.0) -> Talk:
    """Return silence and noise in turns: digital silence, white noise at -50 dBFS, hum.

    Args:
        seconds: Duration.
        step_s: Duration of each of them.
    """
    random = np.random.default_rng(1)
    size = round(step_s * RATE_HZ)
    hum = 300 * np.sin(2 * np.pi * 100 * np.arange(size) / RATE_HZ)
    kinds = [np.zeros(size), random.normal(0, 100, size), hum + random.normal(0, 30, size)]
    steps = max(1, round(seconds / step_s))
    parts = [kinds[step % len(kinds)].astype(np.int16) for step in range(steps)]
    utterances = tuple(Utterance("", (i + 1) * size, (i + 1) * size) for i in range(steps))
    return Talk(np.concatenate(parts), utterances)


def wav(pcm: Pcm16) -> bytes:
    """Return samples as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm.astype("<i2").tobytes())
    return out.getvalue()
