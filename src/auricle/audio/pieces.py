"""Speech cut out of a long recording, at silences, into pieces that a model can take; I/O-free.

A piece opens 500 ms before speech and closes 300 ms after it. Speech on both sides of a
silence shorter than 0.8 s shares a piece; a longer silence is a border, whatever the file's length
(docs/decisions/035). A piece that grows to the target length is cut at its best place: in a pause
if there is one, else where speech is least likely and quietest, preferably in its last third.
Where speech goes on over a cut, the next piece starts at the very sample where this one ends.

::

             lead       trail           lead            cut          trail
    ······|‹····speech····›|············|‹···speech······|······speech···›|·····
          └─ piece ────────┘            └─ piece ────────┴─ piece ────────┘

A window counts as speech by hysteresis: from :data:`~auricle.audio.vad.SPEECH_THRESHOLD` on, until
it falls below :data:`~auricle.audio.vad.SILENCE_THRESHOLD`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
from auricle.types import SAMPLE_RATE_HZ, Chunk, Pcm16

MAX_PIECE_SAMPLES = 30 * SAMPLE_RATE_HZ
"""Whisper's window: no piece is ever longer."""

BORDER_S = 0.8
"""A pause of at least this ends a sentence, in files as in subtitles."""

_DOUBT_SAMPLES = 2 * SAMPLE_RATE_HZ
"""A sound too short to be told from a click belongs to speech that comes within two seconds."""
_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class CutRules:
    """How pieces are made; lengths in 16 kHz samples.

    Attributes:
        target_samples: A piece that would grow beyond this is cut.
        lead_samples: What is kept before speech: Whisper misses words that start too soon.
        trail_samples: What is kept after speech, so that no word is clipped.
        merge_samples: Speech after a shorter silence than this belongs to the same piece.
    """

    target_samples: int = 11 * SAMPLE_RATE_HZ
    lead_samples: int = 500 * SAMPLE_RATE_HZ // 1000
    trail_samples: int = 300 * SAMPLE_RATE_HZ // 1000
    merge_samples: int = int(BORDER_S * SAMPLE_RATE_HZ)

    def __post_init__(self) -> None:
        if not SAMPLE_RATE_HZ <= self.target_samples <= MAX_PIECE_SAMPLES - self.trail_samples:
            raise ValueError(f"a target of {self.target_samples} samples leaves no room for pads")
        pads = self.lead_samples + self.trail_samples
        if min(self.lead_samples, self.trail_samples) < 0 or pads > self.merge_samples:
            raise ValueError("silences shorter than both pads have to be merged")
        if 2 * pads > self.target_samples:
            raise ValueError("the pads would fill most of a piece")


@dataclass(frozen=True, slots=True)
class _Window:
    """One window that was looked at: where it starts, and what it is."""

    start_sample: int
    probability: float
    is_voiced: bool


class PieceCutter:
    """Cuts one recording into pieces of speech.

    Holds at most one unfinished piece beside what was just fed.

    Args:
        rules: How pieces are made.
        start_sample: Where in the recording the first sample that is fed lies: 0, or the
            ``next_sample`` of a cutter that was lost.
    """

    def __init__(self, rules: CutRules, start_sample: int = 0) -> None:
        self._rules = rules
        # Held audio; a bytearray forgets its front without moving the rest.
        self._pcm = bytearray()
        self._pcm_start = start_sample
        self._first_window = start_sample
        self._seen_windows = 0
        self._floor = start_sample  # nothing before it is given out again
        self._is_talking = False
        self._open: list[_Window] = []  # of the unfinished piece, from its first voiced one on
        self._voice_end = start_sample

    @property
    def next_sample(self) -> int:
        """Where a new cutter has to go on so that no speech is doubled or lost.

        It holds once all the pieces returned so far are safe; when only some of them are, go on
        at the end of the last one that is.
        """
        return self._pcm_start

    def feed(self, pcm: Pcm16, probabilities: Probabilities) -> list[Chunk]:
        """Take samples, and the probabilities of the windows that are complete by now.

        Args:
            pcm: The recording's next samples.
            probabilities: Of the recording's next windows of 512 samples, counted from
                ``start_sample``; the last may reach beyond the samples if no more will come.

        Returns:
            The pieces that are finished, in order.
        """
        self._pcm += pcm.tobytes()
        windows = self._seen_windows + len(probabilities)
        if self._first_window + windows * WINDOW_SAMPLES >= self._pcm_end + WINDOW_SAMPLES:
            raise ValueError("there are probabilities of samples that were never fed")
        return self._look_at(probabilities.tolist())

    def finish(self) -> list[Chunk]:
        """Take note that the recording ends here; return what is left. The cutter is used up."""
        pieces = self._close(self._pcm_end) if self._open else []
        self._pcm_start, self._pcm = self._pcm_end, bytearray()
        return pieces

    @property
    def _pcm_end(self) -> int:
        return self._pcm_start + len(self._pcm) // _SAMPLE_BYTES

    @property
    def _piece_start(self) -> int:
        return max(self._floor, self._open[0].start_sample - self._rules.lead_samples)

    def _look_at(self, probabilities: Iterable[float]) -> list[Chunk]:
        pieces: list[Chunk] = []
        for probability in probabilities:
            start = self._first_window + self._seen_windows * WINDOW_SAMPLES
            self._seen_windows += 1
            threshold = SILENCE_THRESHOLD if self._is_talking else SPEECH_THRESHOLD
            self._is_talking = probability >= threshold
            pieces += self._take(_Window(start, probability, self._is_talking))
        self._forget()
        return pieces

    def _take(self, window: _Window) -> list[Chunk]:
        """Let one window open, lengthen, close or split the piece."""
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
        if end - self._piece_start >= self._rules.target_samples:
            return self._split()
        return []

    def _close(self, limit: int) -> list[Chunk]:
        """Finish the piece after its last speech, or drop it if it holds too little."""
        windows, start = self._open, self._piece_start
        self._open = []
        self._floor = min(self._voice_end + self._rules.trail_samples, limit)
        if not _holds_speech(windows):
            return []
        return [
            Chunk(start, self._samples(start, self._floor), _voiced(windows, start, self._floor))
        ]

    def _split(self) -> list[Chunk]:
        """Finish the piece at its best place, and start again with what lies after it."""
        windows, at = self._open, self._best_cut()
        self._open = windows[:at]
        last = max(window.start_sample for window in self._open if window.is_voiced)
        self._voice_end = last + WINDOW_SAMPLES
        pieces = self._close(limit=windows[at].start_sample)
        for window in windows[at:]:
            pieces += self._take(window)
        return pieces

    def _best_cut(self) -> int:
        """Return the index of the window that the next piece starts with."""
        start = self._open[0].start_sample
        end = min(start + len(self._open) * WINDOW_SAMPLES, self._pcm_end)
        return best_cut(
            [window.probability for window in self._open],
            loudness(self._samples(start, end)),  # the last window may be incomplete
            start - self._piece_start,
            self._rules.target_samples,
        )

    def _samples(self, start: int, end: int) -> Pcm16:
        first, last = ((at - self._pcm_start) * _SAMPLE_BYTES for at in (start, end))
        return np.frombuffer(bytes(self._pcm[first:last]), np.int16)

    def _forget(self) -> None:
        """Let go of audio that no piece can need any more."""
        if self._open:
            needed = self._piece_start
        else:
            seen = self._first_window + self._seen_windows * WINDOW_SAMPLES
            needed = max(self._floor, seen - self._rules.lead_samples)
        gone = max(0, needed - self._pcm_start)
        del self._pcm[: gone * _SAMPLE_BYTES]
        self._pcm_start += gone


def find_pieces(pcm: Pcm16, rules: CutRules = CutRules()) -> list[Chunk]:
    """Return the speech in a recording that is in memory."""
    detector, cutter = SpeechDetector(), PieceCutter(rules)
    probabilities = np.concatenate([detector.probabilities(pcm), detector.finish()])
    return cutter.feed(pcm, probabilities) + cutter.finish()


def _holds_speech(windows: Sequence[_Window]) -> bool:
    voiced = sum(window.probability >= SPEECH_THRESHOLD for window in windows)
    return voiced >= MIN_SPEECH_WINDOWS


def _voiced(windows: Sequence[_Window], earliest: int, limit: int) -> tuple[tuple[int, int], ...]:
    """Return where somebody speaks within these bounds: runs of voiced windows.

    Each begins a window early: the detector notices speech some 20 ms late.
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
