"""Split one open file into chunks of speech: reader, voice detector and cutter in sequence.

The work is done in steps of bounded time: a step ends with a chunk, or after a limit of audio or
time. A file may be resumed in the middle, after another worker died. It is then decoded from the
start, because no format can be entered anywhere with identical samples, and the detector, whose
memory is as long as the file, examines all of it again (8 s of processor time for each hour). The
chunks are therefore the same as without the interruption.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from auricle.audio.chunks import ChunkCutter, CutRules, next_window
from auricle.audio.vad import WINDOW_SAMPLES, Probabilities, SpeechDetector
from auricle.values.errors import AudioError, EmptyAudio, TooLong
from auricle.values.types import SAMPLE_RATE_HZ, Chunk, Pcm16

STEP_SAMPLES = 60 * SAMPLE_RATE_HZ
STEP_S = 1.0
"""Maximum duration of a step; the parent's budget for it is many times that."""
LOOK_SAMPLES = SAMPLE_RATE_HZ
"""Samples for each call of the detector; a call costs more than one window."""


class SampleReader(Protocol):
    """A file that is read from its start to its end."""

    @property
    def fraction(self) -> float:
        """Fraction of the file that was read, 0..1."""
        ...

    @property
    def failures(self) -> int:
        """Packets that could not be decoded."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the file, whether they are mixed or not."""
        ...

    def read(self) -> Pcm16 | None:
        """Return the next samples, possibly an empty array; ``None`` at the end."""
        ...

    def close(self) -> None:
        """Close the file; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of a step: a chunk, progress only, or the end."""

    chunk: Chunk | None
    is_done: bool


class FileStream:
    """A file that is read in steps; owns the reader.

    Args:
        reader: Reader at the start of the file.
        max_samples: Maximum duration, in samples; a longer file fails when this is decoded.
        from_sample: Position at which to resume.
        rules: How chunks are cut.
    """

    def __init__(
        self,
        reader: SampleReader,
        max_samples: int,
        from_sample: int,
        rules: CutRules | None = None,
    ) -> None:
        self._reader = reader
        self._max_samples = max_samples
        self._detector = SpeechDetector()
        self._cutter = ChunkCutter(rules or CutRules(), from_sample)
        self._from_sample = from_sample
        self._windows_before = next_window(from_sample) // WINDOW_SAMPLES
        self._decoded_samples = 0
        self._unseen: list[Pcm16] = []
        self._unseen_samples = 0
        self._chunks: deque[Chunk] = deque()  # bounded by the chunks in LOOK_SAMPLES
        self._is_at_end = False
        self._fraction = 0.0
        self.next_sample = from_sample
        """Position at which another worker would resume after the last step."""

    @property
    def duration_samples(self) -> int:
        """Number of samples decoded so far."""
        return self._decoded_samples

    @property
    def channels(self) -> int:
        """Channels of the file."""
        return self._reader.channels

    @property
    def fraction(self) -> float:
        """Fraction of the file that was read, 0..1; never decreases."""
        self._fraction = max(self._fraction, self._reader.fraction)
        return self._fraction

    def step(self) -> StepResult:
        """Decode up to the next chunk, or up to the limit of a step.

        Raises:
            AudioError: The file cannot be decoded.
            EmptyAudio: The file contains no samples.
            TooLong: The duration exceeds the maximum.
        """
        ends_at_s = time.monotonic() + STEP_S
        decode_until = self._decoded_samples + STEP_SAMPLES
        while not self._chunks and not self._is_at_end:
            if self._decoded_samples >= decode_until or time.monotonic() >= ends_at_s:
                break
            pcm = self._reader.read()
            if pcm is None:
                self._end()
            else:
                self._take(pcm)
        if self._chunks:
            chunk = self._chunks.popleft()
            is_last = not self._chunks
            end = chunk.start_sample + chunk.pcm.size
            self.next_sample = self._cutter.next_sample if is_last else end
            return StepResult(chunk, is_done=False)
        self.next_sample = self._cutter.next_sample
        return StepResult(None, is_done=self._is_at_end)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._reader.close()

    def _take(self, pcm: Pcm16) -> None:
        self._decoded_samples += pcm.size
        if self._decoded_samples > self._max_samples:
            raise TooLong(
                f"The audio is longer than the maximum of {self._max_samples / SAMPLE_RATE_HZ:g} s."
            )
        self._unseen.append(pcm)
        self._unseen_samples += pcm.size
        if self._unseen_samples >= LOOK_SAMPLES:
            self._look()

    def _look(self) -> None:
        pcm = np.concatenate(self._unseen)
        start = self._decoded_samples - pcm.size
        self._unseen, self._unseen_samples = [], 0
        self._cut(pcm[max(0, self._from_sample - start) :], self._detector.probabilities(pcm))

    def _cut(self, pcm: Pcm16, probabilities: Probabilities) -> None:
        """Cut what lies after the resume position; the rest was cut before."""
        known = min(self._windows_before, len(probabilities))
        self._windows_before -= known
        if pcm.size or len(probabilities) > known:
            self._chunks += self._cutter.feed(pcm, probabilities[known:])

    def _end(self) -> None:
        self._is_at_end = True
        if not self._decoded_samples:
            if self._reader.failures:
                raise AudioError("No audio in the file can be decoded.")
            raise EmptyAudio("The file contains no audio.")
        if self._decoded_samples <= self._from_sample:
            return  # all of it was processed before
        if self._unseen:
            self._look()
        # The last window may be incomplete; it is padded with silence.
        self._cut(np.zeros(0, np.int16), self._detector.finish())
        self._chunks += self._cutter.finish()
