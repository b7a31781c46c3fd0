"""A speech engine in one file: it writes the melody of a voice, as notes with times.

cd docs/examples && AURICLE_ENGINE=pitch_engine auricle serve
"""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from auricle.engines.base import EngineSettings, EngineSpec, NoModelFiles
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Pcm16, Segment, Transcript, Word

FRAME_SAMPLES = SAMPLE_RATE_HZ // 10
LAGS = range(SAMPLE_RATE_HZ // 400, SAMPLE_RATE_HZ // 70)
"""Periods of a voice in samples: 400 Hz to 70 Hz."""
MIN_CORRELATION = 0.5
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

SPEC = EngineSpec(name="pitch", models=NoModelFiles("pitch"))


def load(settings: EngineSettings) -> "PitchEngine":
    """Load heavy libraries and the model here, in the worker."""
    return PitchEngine()


class PitchEngine:
    """Finds the pitch of each tenth of a second by autocorrelation."""

    def warm_up(self) -> None:
        """Run one real transcription."""
        self.transcribe([Job(JobId("warm-up"), np.ones(SAMPLE_RATE_HZ, np.int16))])

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one result for each job, in order."""
        return [self._transcribe(job) for job in jobs]

    def _transcribe(self, job: Job) -> Transcript:
        words, at = [], 0
        frames = [job.pcm[i : i + FRAME_SAMPLES] for i in range(0, job.pcm.size, FRAME_SAMPLES)]
        for note, same in groupby(frames, key=note_of):
            start, at = at, at + sum(frame.size for frame in same)
            if note:
                words.append(Word(start, at, f" {note}", probability=1.0))
        text = "".join(word.text for word in words)
        segments = (Segment(0, job.pcm.size, text, tuple(words)),) if words else ()
        return Transcript(text.strip(), job.options.language, 0.0, job.pcm.size, segments)


def note_of(frame: Pcm16) -> str:
    """Return the name of the frame's note, such as A3; empty if it has no pitch."""
    if frame.size < FRAME_SAMPLES:
        return ""
    spectrum = np.fft.rfft(frame - frame.mean(), 2 * frame.size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    lag = LAGS[int(np.argmax(correlation[LAGS.start : LAGS.stop]))]
    if correlation[lag] <= MIN_CORRELATION * correlation[0]:
        return ""
    key = round(12 * math.log2(SAMPLE_RATE_HZ / lag / 440)) + 69
    return f"{NAMES[key % 12]}{key // 12 - 1}"
