"""Recorded speech without its sound: probabilities of the voice detector, and the times of words.

``speech.json`` was recorded from read clips of the corpus with ``python -m bench.work --record``.
A stream is a sequence of clips with pauses. Its samples hold the number of their window, so that
the simulated recognisers know which words a job contains.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.audio.vad import WINDOW_SAMPLES, Probabilities
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16, Word

RECORDED = Path(__file__).with_name("speech.json")
PAUSE_S = (0.8, 1.5)
LEAD_S = 0.5
SILENCE_PROBABILITY = 0.01
TOKENS_PER_WORD = 1.35
"""Of Whisper's vocabulary in read English."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recorded clip; times of words are in samples from its start."""

    probabilities: tuple[float, ...]
    words: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One clip as it lies in a stream: where it ends, and its first word starts, in samples."""

    first_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What one speaker says.

    Attributes:
        pcm: The number of its window, for each sample.
        probabilities: Of speech, for each window.
        words: All words, with their times in the stream.
        sentences: The clips.
    """

    pcm: Pcm16
    probabilities: Probabilities
    words: tuple[Word, ...]
    sentences: tuple[Sentence, ...]

    def spoken(self, pcm: Pcm16) -> tuple[Word, ...]:
        """Return the words of a part of the stream, with times from its start."""
        start = position_of(pcm)
        end = start + pcm.size
        return tuple(
            word.shifted(-start)
            for word in self.words
            if start <= word.start_sample and word.end_sample <= end
        )


def position_of(pcm: Pcm16) -> int:
    """Return where a part of a stream starts."""
    window = int(pcm[0])
    rest = int(np.argmax(pcm != window)) if bool((pcm != window).any()) else pcm.size
    return (window + 1) * WINDOW_SAMPLES - rest


class RecordedDetector:
    """Returns the recorded probabilities of the windows that samples complete."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._samples = 0

    def reset(self) -> None:
        """Do nothing: the recording has no state."""

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probabilities of the next windows."""
        first = self._samples // WINDOW_SAMPLES
        self._samples += pcm.size
        return self._stream.probabilities[first : self._samples // WINDOW_SAMPLES]


def recorded() -> list[Clip]:
    """Return the recorded clips."""
    return [
        Clip(tuple(each["probabilities"]), tuple(map(tuple, each["words"])))
        for each in json.loads(RECORDED.read_text())["clips"]
    ]


def stream(clips: Sequence[Clip], number: int, seconds: float) -> Stream:
    """Return what one speaker says; each number has another order of clips and pauses."""
    chance = random.Random(number)
    probabilities = [SILENCE_PROBABILITY] * _windows(LEAD_S + chance.uniform(0, 4))
    words: list[Word] = []
    sentences: list[Sentence] = []
    deck: list[Clip] = []
    while len(probabilities) * WINDOW_SAMPLES < seconds * SAMPLE_RATE_HZ:
        if not deck:
            deck = list(clips)
            chance.shuffle(deck)
        clip, at = deck.pop(), len(probabilities) * WINDOW_SAMPLES
        for start, end in clip.words:
            words.append(Word(at + start, at + end, f" w{len(words)}", 0.9))
        sentences.append(Sentence(at + clip.words[0][0], at + clip.words[-1][1]))
        probabilities += clip.probabilities
        probabilities += [SILENCE_PROBABILITY] * _windows(chance.uniform(*PAUSE_S))
    count = len(probabilities)
    pcm = np.repeat(np.arange(count, dtype=np.int16), WINDOW_SAMPLES)
    return Stream(pcm, np.array(probabilities, np.float32), tuple(words), tuple(sentences))


def _windows(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ / WINDOW_SAMPLES)
