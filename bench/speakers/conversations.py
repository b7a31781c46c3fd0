"""Conversations with known turns: clips of several speakers with pauses, overlaps and noise.

Each speaker's voice is in one half only: settings are tuned on one half, and figures are published
for the other. A turn is one to six clips of a speaker, most of two to five seconds. The clips of a
speaker are few (25 to 120 s), so a long conversation repeats them, each time with other noise.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.speech import SPOKEN, Clip, corpus, pink_noise, say, sentence

TUNING, REPORTED = "tuning", "reported"
VOICES: Mapping[str, tuple[str, ...]] = {
    TUNING: ("fjlp", "marh", "mdms2", "menk", "miry", "austen"),
    REPORTED: ("fvap", "mjgm", "mjwl", "mmxg", "LJ001", "joe"),
}
"""Speakers of AN4, readers of LibriVox, and a synthetic voice (joe)."""
SYNTHETIC = "joe"

FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
SILENT_DB = 30.0
HOLE_S = 0.3
"""A shorter silence inside a turn belongs to it."""
MIN_SOUND_S = 0.05
CLIP_GAP_S = (0.05, 0.4)
PAUSE_S = (0.1, 1.2)
OVERLAP_S = (0.2, 1.0)
OVERLAPS = 0.15
"""Share of turns that start before the one before has ended."""
LEVEL_DB = (-6.0, 0.0)
SNR_DB = (15.0, 30.0)
TURN_S = ((1.0, 4.0), (3.0, 8.0), (6.0, 15.0))
PEAK = 16_000.0
TELEPHONE_HZ = (300, 3400)
MU = 255
"""ITU-T G.711, North America and Japan."""


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """Uninterrupted speech of one speaker; times in samples."""

    start_sample: int
    end_sample: int
    speaker: str


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """Audio, who speaks when, and the text of all clips in the order in which they start."""

    name: str
    pcm: Pcm16
    turns: tuple[SpokenTurn, ...]
    text: str = ""

    @property
    def speakers(self) -> frozenset[str]:
        """Everyone who speaks."""
        return frozenset(turn.speaker for turn in self.turns)

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return self.pcm.size / SAMPLE_RATE_HZ


def load_voices(directory: Path, half: str) -> dict[str, list[Clip]]:
    """Return the clips of each speaker of a half."""
    voices: dict[str, list[Clip]] = {name: [] for name in VOICES[half]}
    for clip in corpus(directory):
        name = re.split(r"[-.]", clip.name)
        speaker = name[2] if name[0] == "an4" else name[0]
        if speaker in voices:
            voices[speaker].append(clip)
    if SYNTHETIC in voices:
        chance = random.Random(17)
        texts = [sentence(chance) for _ in range(12)]
        voices[SYNTHETIC] = [Clip(f"joe-{i}", SPOKEN, say(t), t) for i, t in enumerate(texts)]
    return voices


def sounds(pcm: Pcm16) -> list[tuple[int, int]]:
    """Return where a clean clip has sound, in samples, without a voice detector."""
    frames = pcm[: pcm.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    level_db = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1)
    is_loud = level_db >= np.percentile(level_db, 95) - SILENT_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_loud, [False]])))
    runs: list[tuple[int, int]] = []
    for start, end in (edges.reshape(-1, 2) * FRAME_SAMPLES).tolist():
        if runs and start - runs[-1][1] < HOLE_S * SAMPLE_RATE_HZ:
            start = runs.pop()[0]
        runs.append((start, end))
    return [run for run in runs if run[1] - run[0] >= MIN_SOUND_S * SAMPLE_RATE_HZ]


def converse(
    voices: Mapping[str, Sequence[Clip]], speakers: int, seconds: float, seed: int
) -> Conversation:
    """Return a conversation of some speakers of a half, of at least this length."""
    chance = random.Random(seed)
    chosen = chance.sample(sorted(voices), speakers)
    decks = {name: _deck(voices[name], random.Random(f"{seed} {name}")) for name in chosen}
    gains = {name: 10 ** (chance.uniform(*LEVEL_DB) / 20) for name in chosen}
    mixed = np.zeros(int((seconds + 30) * SAMPLE_RATE_HZ))
    turns: list[SpokenTurn] = []
    texts: list[str] = []
    at, speaker = SAMPLE_RATE_HZ // 2, ""
    waiting = list(chosen)
    while at < seconds * SAMPLE_RATE_HZ or waiting:
        others = [name for name in chosen if name != speaker] if speakers > 1 else chosen
        speaker = waiting.pop() if waiting and chance.random() < 0.7 else chance.choice(others)
        waiting = [name for name in waiting if name != speaker]
        target = int(chance.uniform(*chance.choice(TURN_S)) * SAMPLE_RATE_HZ)
        start = at
        while at == start or at - start < target:
            clip = next(decks[speaker])
            runs = sounds(clip.pcm)
            pcm = clip.pcm[runs[0][0] : runs[-1][1]].astype(np.float64)
            pcm *= gains[speaker] * PEAK / np.abs(pcm).max()
            mixed[at : at + pcm.size] += pcm
            texts.append(clip.text)
            shift = at - runs[0][0]
            turns += [SpokenTurn(first + shift, last + shift, speaker) for first, last in runs]
            at += pcm.size
            end = at
            at += int(chance.uniform(*CLIP_GAP_S) * SAMPLE_RATE_HZ)
        if chance.random() < OVERLAPS and end - start > 2 * SAMPLE_RATE_HZ:
            at = end - int(chance.uniform(*OVERLAP_S) * SAMPLE_RATE_HZ)
        else:
            at = end + int(chance.uniform(*PAUSE_S) * SAMPLE_RATE_HZ)
    mixed = _noisy(mixed[: max(turn.end_sample for turn in turns) + SAMPLE_RATE_HZ], chance, seed)
    pcm16 = np.clip(mixed, -32768, 32767).astype(np.int16)
    return Conversation(f"{speakers}-speakers-{seed}", pcm16, _joined(turns), " ".join(texts))


def by_telephone(conversation: Conversation) -> Conversation:
    """Return a conversation as a telephone carries it: 300 to 3400 Hz, 8 kHz, 8 bits, mu-law."""
    band = np.fft.rfft(conversation.pcm / 32768)
    hz = np.fft.rfftfreq(conversation.pcm.size, 1 / SAMPLE_RATE_HZ)
    band[(hz < TELEPHONE_HZ[0]) | (hz > TELEPHONE_HZ[1])] = 0
    narrow = soxr.resample(np.fft.irfft(band, conversation.pcm.size), SAMPLE_RATE_HZ, 8000)
    narrow = np.clip(narrow, -1, 1)
    code = np.round(np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU) * 127) / 127
    narrow = np.sign(code) * np.expm1(np.abs(code) * np.log1p(MU)) / MU
    pcm = np.clip(soxr.resample(narrow, 8000, SAMPLE_RATE_HZ) * 32768, -32768, 32767)
    return replace(conversation, name=f"{conversation.name}-telephone", pcm=pcm.astype(np.int16))


def _noisy(
    mixed: npt.NDArray[np.float64], chance: random.Random, seed: int
) -> npt.NDArray[np.float64]:
    loud = np.abs(mixed) > PEAK / 20
    power = np.mean(mixed[loud] ** 2) / 10 ** (chance.uniform(*SNR_DB) / 10)
    noise = pink_noise(mixed.size, np.random.default_rng(seed))
    return np.asarray(mixed + np.sqrt(power) * noise, np.float64)


def _deck(clips: Sequence[Clip], chance: random.Random) -> Iterator[Clip]:
    while True:
        yield from chance.sample(list(clips), len(clips))


def _joined(turns: Sequence[SpokenTurn]) -> tuple[SpokenTurn, ...]:
    """Return the turns with short silences of one speaker filled."""
    joined: list[SpokenTurn] = []
    last: dict[str, int] = {}
    for turn in sorted(turns, key=lambda each: each.start_sample):
        at = last.get(turn.speaker)
        if at is not None and turn.start_sample - joined[at].end_sample < HOLE_S * SAMPLE_RATE_HZ:
            joined[at] = SpokenTurn(joined[at].start_sample, turn.end_sample, turn.speaker)
            continue
        last[turn.speaker] = len(joined)
        joined.append(turn)
    return tuple(joined)
