"""One open file on its way to pieces of speech: reader, voice detector and cutter in a row.

It works in steps that take about as long each, whatever the file is: a step ends with a piece, or
after so much audio or time. The file may be opened in its middle, where another worker lost it: it
is then decoded from its start (no format can be entered anywhere with the same samples), the
detector hears the last seconds before that place, and pieces start there at the earliest.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from auricle.audio.pieces import CutRules, PieceCutter
from auricle.audio.vad import WINDOW_SAMPLES, SpeechDetector
from auricle.errors import AudioError, EmptyAudio, TooLong
from auricle.types import SAMPLE_RATE_HZ, Chunk, Pcm16

STEP_SAMPLES = 60 * SAMPLE_RATE_HZ
STEP_S = 1.0
"""A step goes on no longer: the parent's budget for it is many times that."""
LOOK_SAMPLES = SAMPLE_RATE_HZ
"""Looked at together: a call of the detector costs more than a window does."""
WARM_UP_SAMPLES = 128 * WINDOW_SAMPLES
"""4 s: what the detector remembers. Whole windows, so that the next one starts at the place."""


class SampleReader(Protocol):
    """A file that is read from its start to its end."""

    @property
    def fraction(self) -> float:
        """How much of it was read, 0..1."""
        ...

    @property
    def failures(self) -> int:
        """Packets that could not be decoded."""
        ...

    def read(self) -> Pcm16 | None:
        """Return the next samples, maybe none; ``None`` at the end."""
        ...

    def close(self) -> None:
        """Let go of the file; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step gave: a piece, or only progress, or the end."""

    piece: Chunk | None
    is_done: bool


class FileStream:
    """A file that is read step by step; owns the reader.

    Args:
        reader: The file, at its start.
        max_samples: A file that lasts longer is refused when that much was decoded.
        from_sample: Where to go on.
    """

    def __init__(self, reader: SampleReader, max_samples: int, from_sample: int) -> None:
        self._reader = reader
        self._max_samples = max_samples
        self._detector = SpeechDetector()
        self._cutter = PieceCutter(CutRules(), from_sample)
        self._from_sample = from_sample
        self._hear_from = from_sample - min(
            WARM_UP_SAMPLES, from_sample // WINDOW_SAMPLES * WINDOW_SAMPLES
        )
        self._decoded_samples = 0
        self._unseen: list[Pcm16] = []
        self._unseen_samples = 0
        self._pieces: deque[Chunk] = deque()  # bounded by the pieces in LOOK_SAMPLES
        self._is_at_end = False
        self._fraction = 0.0
        self.next_sample = from_sample
        """Where another worker would have to go on, once the last step's piece is safe."""

    @property
    def duration_samples(self) -> int:
        """What was decoded so far."""
        return self._decoded_samples

    @property
    def fraction(self) -> float:
        """How much of the file was read, 0..1; never falls."""
        self._fraction = max(self._fraction, self._reader.fraction)
        return self._fraction

    def step(self) -> StepResult:
        """Go on to the next piece, or for a bounded stretch.

        Raises:
            AudioError: The file can't be decoded.
            EmptyAudio: There is no sample in it.
            TooLong: It lasts too long.
        """
        ends_at_s = time.monotonic() + STEP_S
        heard_until = max(self._decoded_samples, self._hear_from) + STEP_SAMPLES
        while not self._pieces and not self._is_at_end:
            if self._decoded_samples >= heard_until or time.monotonic() >= ends_at_s:
                break
            pcm = self._reader.read()
            if pcm is None:
                self._end()
            else:
                self._take(pcm)
        if self._pieces:
            piece = self._pieces.popleft()
            is_last = not self._pieces
            end = piece.start_sample + piece.pcm.size
            self.next_sample = self._cutter.next_sample if is_last else end
            return StepResult(piece, is_done=False)
        self.next_sample = self._cutter.next_sample
        return StepResult(None, is_done=self._is_at_end)

    def close(self) -> None:
        """Let go of the file; idempotent."""
        self._reader.close()

    def _take(self, pcm: Pcm16) -> None:
        start = self._decoded_samples
        self._decoded_samples += pcm.size
        if self._decoded_samples > self._max_samples:
            raise TooLong(
                f"The audio lasts longer than the {self._max_samples / SAMPLE_RATE_HZ:g} s allowed."
            )
        if start < self._from_sample:
            warm = pcm[max(0, self._hear_from - start) : self._from_sample - start]
            if warm.size:
                self._detector.probabilities(warm)
            pcm = pcm[self._from_sample - start :]
        if not pcm.size:
            return
        self._unseen.append(pcm)
        self._unseen_samples += pcm.size
        if self._unseen_samples >= LOOK_SAMPLES:
            self._look()

    def _look(self) -> None:
        pcm = np.concatenate(self._unseen)
        self._unseen, self._unseen_samples = [], 0
        self._pieces += self._cutter.feed(pcm, self._detector.probabilities(pcm))

    def _end(self) -> None:
        self._is_at_end = True
        if not self._decoded_samples:
            if self._reader.failures:
                raise AudioError("Nothing in the file can be decoded.")
            raise EmptyAudio("The file holds no audio.")
        if self._decoded_samples <= self._from_sample:
            return  # all of it was heard before
        if self._unseen:
            self._look()
        # The last window may be incomplete: it is filled up with silence.
        self._pieces += self._cutter.feed(np.zeros(0, np.int16), self._detector.finish())
        self._pieces += self._cutter.finish()
