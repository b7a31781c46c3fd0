"""A few recordings that are used repeatedly, so that the expected results are known."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav
from bench.lib.report import ROOT
from bench.lib.speech import READ, Clip, in_room, load_audio, read_clips
from tests.support.containers import muxed

PAUSES_S = (0.8, 1.3, 0.9)
EDGE_S = 0.5
ROOM_TONE = 8.0
"""The pauses' noise, as a standard deviation of samples: a quiet room."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Some speech in the forms that the clients send.

    Attributes:
        name: Of the recording.
        pcm: The speech with pauses.
        parts: The same, cut in the pauses.
        text: The reference.
        wav: The speech as a WAV file.
        opus: The speech as Opus in Ogg.
    """

    name: str
    pcm: Pcm16
    parts: tuple[Pcm16, ...]
    text: str
    wav: bytes
    opus: bytes

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.pcm.size / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Recordings:
    """All recordings."""

    live: tuple[Recording, ...]
    short: tuple[Recording, ...]
    long: tuple[Recording, ...]


def make_recordings(*, is_brief: bool, with_real_speech: bool) -> Recordings:
    """Return recordings.

    Args:
        is_brief: Fewer and shorter ones, for a run of seconds.
        with_real_speech: From the corpus or a synthetic voice, or else from ``testdata``.
    """
    clips = short_clips(with_real_speech=with_real_speech)
    live_s, long_s, count = (7.0, 12.0, 1) if is_brief else (14.0, 40.0, 3)
    return Recordings(
        tuple(make_recording(f"live {i}", clips, live_s, i) for i in range(count)),
        tuple(make_recording(f"short {i}", clips, 2.0 + i, 10 + i) for i in range(count + 1)),
        tuple(make_recording(f"long {i}", clips, long_s, 20 + i) for i in range(count)),
    )


def short_clips(*, with_real_speech: bool) -> list[Clip]:
    """Return clips of speech that recordings are made of."""
    if with_real_speech:
        return read_clips(12.0)
    names = ("fellow.wav", "short.wav", "pair.wav")
    return [Clip(name, READ, load_audio(ROOT / "testdata" / name), "") for name in names]


def make_recording(name: str, clips: Sequence[Clip], min_s: float, seed: int) -> Recording:
    """Return a recording of at least ``min_s`` seconds, with pauses."""
    order = list(clips)
    random.Random(seed).shuffle(order)
    chosen: list[Clip] = []
    for clip in itertools.cycle(order):
        chosen.append(clip)
        if sum(one.seconds for one in chosen) >= min_s:
            break
    noise = np.random.default_rng(seed)
    parts = tuple(
        _in_a_room(clip.pcm, pause_s, noise)
        for clip, pause_s in zip(chosen, itertools.cycle(PAUSES_S), strict=False)
    )
    pcm = np.concatenate(parts)
    text = " ".join(clip.text for clip in chosen)
    return Recording(name, pcm, parts, text, as_wav(pcm), muxed(pcm, "ogg", is_live=False))


def _in_a_room(pcm: Pcm16, pause_s: float, noise: np.random.Generator) -> Pcm16:
    """Return speech with room noise before and after."""
    edge = np.zeros(int(EDGE_S * SAMPLE_RATE_HZ), np.int16)
    pause = np.zeros(int(pause_s * SAMPLE_RATE_HZ), np.int16)
    return in_room(np.concatenate([edge, pcm, pause]), ROOM_TONE, noise)
