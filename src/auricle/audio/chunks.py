"""Cut a long recording at silences into chunks that fit the model's window; no I/O.

A chunk starts 500 ms before speech and ends 300 ms after it. Speech on both sides of a silence
shorter than 0.8 s shares a chunk; a longer silence separates chunks, for files of any length
(docs/decisions/035). A chunk that reaches the target length is cut at the best place: in a pause if
there is one, else where speech is least likely and quietest, preferably in its last third. Where
speech continues over a cut, the next chunk starts at exactly the sample where this one ends.

::

           pre-roll    post-roll        pre-roll         cut        post-roll
    ······|‹····speech····›|············|‹···speech······|······speech···›|·····
          └─ chunk ────────┘            └─ chunk ────────┴─ chunk ────────┘

Speech starts at :data:`~auricle.audio.vad.SPEECH_THRESHOLD` and continues until a window falls
below :data:`~auricle.audio.vad.SILENCE_THRESHOLD` (hysteresis).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auricle.audio.cuts import best_cut, loudness
from auricle.audio.vad import (
    MIN_SPEECH_WINDOWS,
    SILENCE_THRESHOLD,
    SPEECH_THRESHOLD,
    WINDOW_SAMPLES,
    Probabilities,
    SpeechDetector,
)
from auricle.values.types import (
    MAX_JOB_SAMPLES,
    SAMPLE_BYTES,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_MS,
    Chunk,
    Pcm16,
)

BORDER_S = 0.8
"""A pause of at least this length ends a sentence, in files and in subtitles."""

_DOUBT_SAMPLES = 2 * SAMPLE_RATE_HZ
"""A sound too short to be distinguished from a click is kept if speech follows within 2 s."""


@dataclass(frozen=True, slots=True)
class CutRules:
    """How chunks are cut; lengths in 16 kHz samples.

    Attributes:
        target_samples: A chunk that would grow beyond this is cut.
        pre_roll_samples: Pre-roll: models miss words that start too early in their window.
        post_roll_samples: Audio after speech, so that no word is clipped.
        merge_samples: Speech after a silence shorter than this belongs to the same chunk.
    """

    target_samples: int = 11 * SAMPLE_RATE_HZ
    pre_roll_samples: int = 500 * SAMPLES_PER_MS
    post_roll_samples: int = 300 * SAMPLES_PER_MS
    merge_samples: int = int(BORDER_S * SAMPLE_RATE_HZ)

    def __post_init__(self) -> None:
        if not SAMPLE_RATE_HZ <= self.target_samples <= MAX_JOB_SAMPLES - self.post_roll_samples:
            raise ValueError(
                f"target_samples is {self.target_samples}; it must be "
                f"{SAMPLE_RATE_HZ} to {MAX_JOB_SAMPLES} minus post_roll_samples"
            )
        if self.pre_roll_samples < 0 or not 0 <= self.post_roll_samples <= self.merge_samples:
            raise ValueError(
                "padding must not be negative, nor post_roll_samples over merge_samples"
            )
        if 2 * (self.pre_roll_samples + self.post_roll_samples) > self.target_samples:
            raise ValueError("target_samples must be at least twice the padding")

    def within(self, max_samples: int) -> "CutRules":
        """Return the rules for an engine whose jobs have at most this many samples."""
        target_samples = min(self.target_samples, max_samples - self.post_roll_samples)
        return replace(self, target_samples=target_samples)


@dataclass(frozen=True, slots=True)
class _JudgedWindow:
    """One examined window: its start, its probability of speech, whether it is voiced."""

    start_sample: int
    probability: float
    is_voiced: bool


def next_window(sample: int) -> int:
    """Return the start of the first window at or after a sample.

    Windows lie at multiples of their length from the start of a recording, so that a cutter that
    resumes examines the same windows as the one before it.
    """
    return -(-sample // WINDOW_SAMPLES) * WINDOW_SAMPLES


class ChunkCutter:
    """Cut one recording into chunks of speech.

    Holds at most one unfinished chunk, besides the samples of the last call.

    Args:
        rules: How chunks are cut.
        start_sample: Position in the recording of the first sample that is fed: 0, or the
            ``next_sample`` of a cutter that was lost.
    """

    def __init__(self, rules: CutRules, start_sample: int = 0) -> None:
        self._rules = rules
        # A bytearray drops its front without moving the rest.
        self._pcm = bytearray()
        self._pcm_start = start_sample
        self._first_window = next_window(start_sample)
        self._window_count = 0
        self._floor = start_sample  # no later chunk starts before this
        self._is_speech = False
        self._open: list[
            _JudgedWindow
        ] = []  # of the unfinished chunk, from its first voiced window
        self._voice_end = start_sample

    @property
    def next_sample(self) -> int:
        """Where a new cutter must continue so that no speech is doubled or lost.

        Valid once all returned chunks are stored; if only some are, continue at the end of the
        last stored one.
        """
        return self._pcm_start

    def feed(self, pcm: Pcm16, probabilities: Probabilities) -> list[Chunk]:
        """Add samples, and the probabilities of the windows that are complete.

        Args:
            pcm: The recording's next samples.
            probabilities: Those of the recording's next windows of 512 samples, the first of
                which starts at ``next_window(start_sample)``; the last may reach beyond the
                samples if no more follow.

        Returns:
            The finished chunks, in order.
        """
        self._pcm += pcm.tobytes()
        windows = self._window_count + len(probabilities)
        if self._first_window + windows * WINDOW_SAMPLES >= self._pcm_end + WINDOW_SAMPLES:
            raise ValueError("probabilities cover samples that were not fed")
        return self._add_windows(probabilities.tolist())

    def finish(self) -> list[Chunk]:
        """End the recording and return the remaining chunks; the cutter can't be used again."""
        chunks = self._close(self._pcm_end) if self._open else []
        self._pcm_start, self._pcm = self._pcm_end, bytearray()
        return chunks

    @property
    def _pcm_end(self) -> int:
        return self._pcm_start + len(self._pcm) // SAMPLE_BYTES

    @property
    def _chunk_start(self) -> int:
        return max(self._floor, self._open[0].start_sample - self._rules.pre_roll_samples)

    def _add_windows(self, probabilities: Iterable[float]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for probability in probabilities:
            start = self._first_window + self._window_count * WINDOW_SAMPLES
            self._window_count += 1
            threshold = SILENCE_THRESHOLD if self._is_speech else SPEECH_THRESHOLD
            self._is_speech = probability >= threshold
            chunks += self._take(_JudgedWindow(start, probability, self._is_speech))
        self._forget()
        return chunks

    def _take(self, window: _JudgedWindow) -> list[Chunk]:
        """Open, lengthen, close or split the chunk with one window."""
        if not self._open and not window.is_voiced:
            return []
        self._open.append(window)
        end = window.start_sample + WINDOW_SAMPLES
        if window.is_voiced:
            self._voice_end = end
        silence = end - self._voice_end
        if silence >= self._rules.merge_samples and (
            silence >= _DOUBT_SAMPLES or _holds_speech(self._open)
        ):
            return self._close(self._pcm_end)
        if end - self._chunk_start >= self._rules.target_samples:
            return self._split()
        return []

    def _close(self, limit: int) -> list[Chunk]:
        """Finish the chunk after its last speech, or drop it if it has too little speech."""
        windows, start = self._open, self._chunk_start
        self._open = []
        self._floor = min(self._voice_end + self._rules.post_roll_samples, limit)
        if not _holds_speech(windows):
            return []
        return [
            Chunk(start, self._samples(start, self._floor), _voiced(windows, start, self._floor))
        ]

    def _split(self) -> list[Chunk]:
        """Finish the chunk at the best place and continue with the windows after it."""
        windows, at = self._open, self._best_cut()
        self._open = windows[:at]
        last = max(window.start_sample for window in self._open if window.is_voiced)
        self._voice_end = last + WINDOW_SAMPLES
        chunks = self._close(limit=windows[at].start_sample)
        for window in windows[at:]:
            chunks += self._take(window)
        return chunks

    def _best_cut(self) -> int:
        """Return the index of the window that starts the next chunk."""
        start = self._open[0].start_sample
        end = min(start + len(self._open) * WINDOW_SAMPLES, self._pcm_end)
        return best_cut(
            [window.probability for window in self._open],
            loudness(self._samples(start, end)),  # the last window may be incomplete
            start - self._chunk_start,
            self._rules.target_samples,
        )

    def _samples(self, start: int, end: int) -> Pcm16:
        first, last = ((at - self._pcm_start) * SAMPLE_BYTES for at in (start, end))
        return np.frombuffer(bytes(self._pcm[first:last]), np.int16)

    def _forget(self) -> None:
        """Drop audio that no later chunk can need."""
        if self._open:
            needed = self._chunk_start
        else:
            seen = self._first_window + self._window_count * WINDOW_SAMPLES
            needed = max(self._floor, seen - self._rules.pre_roll_samples)
        dropped_samples = max(0, needed - self._pcm_start)
        del self._pcm[: dropped_samples * SAMPLE_BYTES]
        self._pcm_start += dropped_samples


def find_chunks(pcm: Pcm16, rules: CutRules = CutRules()) -> list[Chunk]:
    """Return the chunks of speech of a recording in memory."""
    detector, cutter = SpeechDetector(), ChunkCutter(rules)
    probabilities = np.concatenate([detector.probabilities(pcm), detector.finish()])
    return cutter.feed(pcm, probabilities) + cutter.finish()


def _holds_speech(windows: Sequence[_JudgedWindow]) -> bool:
    voiced_windows = sum(window.probability >= SPEECH_THRESHOLD for window in windows)
    return voiced_windows >= MIN_SPEECH_WINDOWS


def _voiced(
    windows: Sequence[_JudgedWindow], earliest: int, limit: int
) -> tuple[tuple[int, int], ...]:
    """Return the stretches of speech within these bounds: runs of voiced windows.

    Each starts one window early: the detector reports speech about 20 ms late.
    """
    runs: list[tuple[int, int]] = []
    for window in windows:
        start = max(earliest, window.start_sample - WINDOW_SAMPLES)
        end = min(window.start_sample + WINDOW_SAMPLES, limit)
        if not window.is_voiced or window.start_sample >= end:
            continue
        if runs and runs[-1][1] >= start:
            start = runs.pop()[0]
        runs.append((start, end))
    return tuple(runs)
