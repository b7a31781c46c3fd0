"""The length classes of the encoder's window.

Whisper was trained on 30 s windows, and servers built on it pad each call to 3000 mel frames. The
encoder accepts fewer. It needs some silence after the speech and a minimum length, or the decoder
starts to loop; ``research/context_sweep.py`` measured both (docs/decisions/007). There are a
few fixed length classes. A job is padded to its own class, never to its batch, so that its text
cannot depend on the other jobs.
"""

from dataclasses import dataclass

import numpy as np

from auricle.engines.log_mel import SAMPLES_PER_FRAME, Features
from auricle.values.types import Pcm16

"""Whisper's hop: 10 ms at 16 kHz."""
FRAMES_PER_SECOND = 100
FULL_FRAMES = 3000
"""The window that Whisper was trained on, 30 s, in frames."""
SAMPLES_PER_TIMESTAMP = 320
"""One step of Whisper's timestamp tokens: 20 ms, one encoder position."""
MAX_TOKENS = 448
"""Positions of Whisper's decoder, for prompt and text together."""
MAX_NEW_TOKENS = MAX_TOKENS // 2
"""CTranslate2's maximum number of generated tokens; it also limits a prompt."""
MAX_BATCH_JOBS = 8
"""Decoding 8 together takes a third of the time of 8 alone (bench/engine.py); more gain little."""
MAX_BATCH_FRAMES = 12_800
"""Frames that are decoded together, as memory grows with them: eight windows of 1600, or four of
3000."""

LEVEL_SAMPLES = 480
CLEAN_DB = 18.0


def is_clean(pcm: Pcm16) -> bool:
    """Return whether a recording's pauses are much quieter than its speech.

    Compares the tenth percentile of 30 ms levels with the ninety-fifth: 22 dB and more in the
    corpus, about 22 with noise at 20 dB, 14 at 10 dB (2026-11-25).
    """
    levels = pcm[: pcm.size // LEVEL_SAMPLES * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES)
    if not levels.size:
        return False
    power = np.mean(levels.astype(np.float64) ** 2, axis=1) + 1
    quiet, loud = np.percentile(power, [10, 95])
    return bool(loud >= quiet * 10 ** (CLEAN_DB / 10))


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """The encoder's length classes and padding.

    The values are those of ``research/context_sweep.py``, 2026-11-25.

    Attributes:
        classes: Lengths in mel frames, ascending; the last is the full window. Errors with a
            minimum of 1000, 1200 and 1600 do not differ significantly, so the fastest is used.
        lead_frames: Silence before short, clean audio: Whisper misses words that start at once.
            Spelled clips at beam 5 have 19 errors with it and 30 without.
        lead_up_to_frames: Longer audio gets no silence: after silence Whisper tends to repeat.
        tail_frames: Padding that must follow the audio within its class: with less Whisper repeats
            itself or loses sentences, more has no effect.
    """

    classes: tuple[int, ...] = (1000, 1200, 1400, 1600, 2000, 2500, FULL_FRAMES)
    lead_frames: int = 30
    lead_up_to_frames: int = 600
    tail_frames: int = 200

    def __post_init__(self) -> None:
        if tuple(sorted(set(self.classes))) != self.classes or self.classes[-1] != FULL_FRAMES:
            raise ValueError(f"classes {self.classes} must ascend to {FULL_FRAMES}")
        if any(frames % 2 for frames in self.classes):
            raise ValueError(f"classes {self.classes} must be even: the encoder halves the frames")

    @property
    def content_limits_s(self) -> tuple[float, ...]:
        """Longest audio of each class, in seconds."""
        return tuple((frames - self.tail_frames) / FRAMES_PER_SECOND for frames in self.classes)

    def lead_for(self, pcm: Pcm16) -> int:
        """Return the number of frames of silence to put before the audio.

        Before a noisy recording, silence is an edge that causes more word errors than it prevents
        (``research/context_sweep.py``).
        """
        is_short = pcm.size <= self.lead_up_to_frames * SAMPLES_PER_FRAME
        return self.lead_frames if is_short and is_clean(pcm) else 0

    def frames_for(self, content_frames: int) -> int:
        """Return the class of a window with this number of frames, including the lead."""
        for frames in self.classes:
            if content_frames + self.tail_frames <= frames:
                return frames
        return FULL_FRAMES


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """Maximum number of tokens that speech can have; more is a loop.

    On the corpus, read speech has 2 to 6 tokens a second and spelled letters up to 8; ``floor``
    leaves room for timestamps and for a burst in a short clip.
    """

    floor: int = 24
    per_second: float = 12.0

    def tokens_for(self, content_frames: int) -> int:
        """Return the maximum number of tokens, with timestamps, for this many frames of audio."""
        limit = self.floor + self.per_second * content_frames / FRAMES_PER_SECOND
        return min(MAX_NEW_TOKENS, int(limit))


def max_length_for(new_tokens: int, prompt_tokens: int) -> int:
    """Return CTranslate2's ``max_length`` that allows exactly ``new_tokens``.

    CTranslate2 generates ``min(max_length / 2, max_length - (prompt - 1))`` tokens: the prompt's
    last token is the input of the text's first step.
    """
    return min(MAX_TOKENS, max(2 * new_tokens, new_tokens + prompt_tokens - 1))


SILENCE_BELOW_LOUDEST = 2.0
"""Whisper's spectrogram is clipped 8 decades below its maximum, and divided by 4."""
MIN_FEATURE = -1.5
"""Value of digital silence alone: (log10(1e-10) + 4) / 4."""


def silence_of(features: Features) -> float:
    """Return the value of digital silence in this spectrogram.

    OpenAI's Whisper pads audio with zeros, which is this value in the spectrogram. faster-whisper
    pads the spectrogram with 0, which is noise at half the range: that causes errors, most of all
    in short clips (``research/context_sweep.py``).
    """
    return max(float(features.max()) - SILENCE_BELOW_LOUDEST, MIN_FEATURE)


def padded(features: Features, frames: int, silence: float) -> Features:
    """Return the first ``frames`` of a spectrogram, padded with silence."""
    kept = features[:, :frames]
    return np.pad(kept, ((0, 0), (0, frames - kept.shape[1])), constant_values=silence)
