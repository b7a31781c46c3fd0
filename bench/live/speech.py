"""Speech for live streams: read English clips with pauses between them, and each word's times.

Word times come from faster-whisper (base, beam 5, the full window), once for each clip and model;
they are kept in ``~/.cache/auricle-bench``. Whisper lets a clip's last word end while it is still
being said (on this corpus 0.2 s early in the middle, 0.5 s at worst: "themselves" at its second
syllable), so the end of speech is moved to where the word's sound dies away; so is its start over a
silence before the first word. Each stream has a different order of clips, the same in each
run.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.speech import READ, Clip, corpus

CACHE = Path.home() / ".cache" / "auricle-bench"
PAUSE_S = (0.8, 1.5)
LAST_PAUSE_S = 1.5
LEAD_S = 0.5
FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
QUIETER_DB = 20.0
SILENT_DB = 30.0
MAX_SILENT_FRAMES = 30
MAX_CLOSURE_S = 0.18
ROOM_TONE = 3.0
"""Standard deviation of the noise in pauses: 80 dB below full scale, a quiet room."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and its times."""

    text: str
    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        """A moment that surely belongs to it."""
        return (self.start_s + self.end_s) / 2


@dataclass(frozen=True, slots=True)
class Spoken:
    """One clip as it lies in a stream; times are the stream's."""

    name: str
    text: str
    words: tuple[SpokenWord, ...]
    start_s: float
    """Where the sound of the first word begins."""
    end_s: float
    """Where the sound of the last word dies away."""


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """All that one stream plays."""

    pcm: Pcm16
    spoken: tuple[Spoken, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.pcm.size / SAMPLE_RATE_HZ

    @property
    def text(self) -> str:
        """The text of all clips."""
        return " ".join(spoken.text for spoken in self.spoken)


@dataclass(frozen=True, slots=True, eq=False)
class AlignedClip:
    """A clip and its words' times, from its own start."""

    clip: Clip
    words: tuple[SpokenWord, ...]


def aligned_clips(corpus_directory: Path, model: Path) -> list[AlignedClip]:
    """Return the corpus's read English clips with word times."""
    clips = [clip for clip in corpus(corpus_directory) if clip.kind == READ]
    digest = hashlib.sha256(str(model.resolve()).encode())
    for clip in clips:
        digest.update(clip.name.encode() + clip.pcm.tobytes())
    kept = CACHE / f"words-{digest.hexdigest()[:16]}.json"
    if not kept.is_file():
        times = _align(clips, model)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(times))
    words = json.loads(kept.read_text())
    return [
        AlignedClip(clip, tuple(SpokenWord(*word) for word in words[clip.name])) for clip in clips
    ]


def _align(clips: Sequence[Clip], model: Path) -> dict[str, list[tuple[str, float, float]]]:
    whisper = WhisperModel(str(model), device="cpu", compute_type="int8")
    times = {}
    for clip in clips:
        segments, _ = whisper.transcribe(
            clip.pcm.astype(np.float32) / 32768,
            language="en",
            beam_size=5,
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        times[clip.name] = [
            (word.word.strip(), float(word.start), float(word.end))
            for segment in segments
            for word in segment.words or ()
        ]
    return times


def talk(
    clips: Sequence[AlignedClip],
    stream: int,
    seconds: float,
    pause_s: tuple[float, float] = PAUSE_S,
) -> Talk:
    """Return what one stream plays: whole clips with pauses, ``seconds`` at the least."""
    chance = random.Random(1000 + stream)
    noise = np.random.default_rng(1000 + stream)
    parts = [_tone(LEAD_S, noise)]
    spoken: list[Spoken] = []
    samples = parts[0].size
    deck: list[AlignedClip] = []
    while samples < seconds * SAMPLE_RATE_HZ:
        if not deck:
            deck = list(clips)
            chance.shuffle(deck)
        chosen = deck.pop()
        start_s = samples / SAMPLE_RATE_HZ
        words = tuple(
            SpokenWord(w.text, w.start_s + start_s, w.end_s + start_s) for w in chosen.words
        )
        spoken.append(
            Spoken(
                chosen.clip.name,
                chosen.clip.text,
                words,
                start_s + sound_start_s(chosen.clip.pcm, chosen.words[0].start_s),
                start_s + sound_end_s(chosen.clip.pcm, chosen.words[-1].end_s),
            )
        )
        parts += [chosen.clip.pcm, _tone(chance.uniform(*pause_s), noise)]
        samples += parts[-2].size + parts[-1].size
    parts.append(_tone(LAST_PAUSE_S, noise))
    return Talk(np.concatenate(parts), tuple(spoken))


def sound_start_s(pcm: Pcm16, word_start_s: float) -> float:
    """Return where the sound of a clip's first word begins: some clips begin with a silence.

    That is its first frame no more than 30 dB below the clip's loud ones.
    """
    first = int(word_start_s * SAMPLE_RATE_HZ) // FRAME_SAMPLES
    audible = np.flatnonzero(_level_db(pcm)[first : first + MAX_SILENT_FRAMES] >= -SILENT_DB)
    return word_start_s + (
        int(audible[0]) * FRAME_SAMPLES / SAMPLE_RATE_HZ if audible.size else 0.0
    )


def _level_db(pcm: Pcm16) -> npt.NDArray[np.float64]:
    """Return how loud each frame is against the clip's loud ones."""
    frames = pcm[: pcm.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    level_db = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1)
    return np.asarray(level_db - np.percentile(level_db, 95), np.float64)


def sound_end_s(pcm: Pcm16, word_end_s: float) -> float:
    """Return where the sound of a clip's last word dies away, at its aligned end or later.

    That is its last frame no more than 20 dB below the clip's loud ones; a silence longer than a
    consonant's ends it.
    """
    is_loud = _level_db(pcm) >= -QUIETER_DB
    end = int(word_end_s * SAMPLE_RATE_HZ) // FRAME_SAMPLES
    longest_gap = int(MAX_CLOSURE_S * SAMPLE_RATE_HZ) // FRAME_SAMPLES
    for frame in range(end, len(is_loud)):
        if frame > end + longest_gap:
            break
        if is_loud[frame]:
            end = frame + 1
    return max(word_end_s, end * FRAME_SAMPLES / SAMPLE_RATE_HZ)


def _tone(seconds: float, noise: np.random.Generator) -> Pcm16:
    return noise.normal(0, ROOM_TONE, int(seconds * SAMPLE_RATE_HZ)).astype(np.int16)
