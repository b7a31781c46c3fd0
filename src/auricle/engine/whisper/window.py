"""How much context the encoder gets: the length classes of the short window.

Whisper was trained on 30 s windows, and every server built on it pads each call to 3000 mel frames.
The encoder takes fewer. What it needs is some quiet after the speech and a floor, or the decoder
starts to loop; both were chosen by ``bench/context_sweep.py`` (docs/decisions/007). Lengths come in
a few fixed classes: a job is padded to its own class, never to its batch, so its text can't depend
on its neighbours.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.types import Pcm16

Features = npt.NDArray[np.float32]
"""Log-mel spectrogram as Whisper takes it, float32, shape [mels, frames]."""

SAMPLES_PER_FRAME = 160
"""Whisper's hop: 10 ms at 16 kHz."""
FRAMES_PER_SECOND = 100
FULL_FRAMES = 3000
"""The window that Whisper was trained on: 30 s."""
SAMPLES_PER_TIMESTAMP = 320
"""One step of Whisper's timestamp tokens: 20 ms, one encoder position."""
MAX_TOKENS = 448
"""Positions of Whisper's decoder: prompt and text together."""
MAX_NEW_TOKENS = MAX_TOKENS // 2
"""CTranslate2 generates at most this many; it also bounds a prompt."""


LEVEL_SAMPLES = 480
CLEAN_DB = 18.0


def is_clean(pcm: Pcm16) -> bool:
    """Tell whether a recording's pauses are much quieter than its speech.

    Levels of 30 ms, the tenth percentile against the ninety-fifth: 22 dB and more in the corpus,
    about 22 with noise at 20 dB, 14 at 10 dB (2026-11-25).
    """
    levels = pcm[: pcm.size // LEVEL_SAMPLES * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES)
    if not levels.size:
        return False
    power = np.mean(levels.astype(np.float64) ** 2, axis=1) + 1
    quiet, loud = np.percentile(power, [10, 95])
    return bool(loud >= quiet * 10 ** (CLEAN_DB / 10))


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """Which encoder lengths there are.

    The values are those of ``bench/context_sweep.py``, 2026-11-25.

    Attributes:
        classes: Lengths in mel frames, rising; the last is the full window. Errors with a floor of
            1000, 1200 and 1600 are the same within chance, so it is the cheapest.
        lead_frames: Silence put before short, clean sound: Whisper misses words that start at once.
            Spelled clips at beam 5 have 19 errors with it and 30 without.
        lead_up_to_frames: Longer sound gets none: after a silence Whisper likes to repeat itself.
        tail_frames: Padding that must follow the sound within its class: with less it repeats
            itself or loses sentences, with more nothing is gained.
    """

    classes: tuple[int, ...] = (1000, 1200, 1400, 1600, 2000, 2500, FULL_FRAMES)
    lead_frames: int = 30
    lead_up_to_frames: int = 600
    tail_frames: int = 200

    def __post_init__(self) -> None:
        if tuple(sorted(set(self.classes))) != self.classes or self.classes[-1] != FULL_FRAMES:
            raise ValueError(f"classes {self.classes} do not rise to {FULL_FRAMES}")
        if any(frames % 2 for frames in self.classes):
            raise ValueError(f"classes {self.classes}: the encoder halves the frames")

    def lead_for(self, pcm: Pcm16) -> int:
        """Return how many frames of silence to put before the sound.

        Before a noisy recording silence is an edge that costs more words than it saves
        (``bench/context_sweep.py``).
        """
        is_short = pcm.size <= self.lead_up_to_frames * SAMPLES_PER_FRAME
        return self.lead_frames if is_short and is_clean(pcm) else 0

    def frames_for(self, content_frames: int) -> int:
        """Return the class of a window with so many frames, the lead among them."""
        for frames in self.classes:
            if content_frames + self.tail_frames <= frames:
                return frames
        return FULL_FRAMES


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """How many tokens speech can have: more is a loop.

    Measured on the corpus, read speech has 2 to 6 tokens a second and spelled letters up to 8;
    ``floor`` leaves room for timestamps and for a burst in a short clip.
    """

    floor: int = 24
    per_second: float = 12.0

    def tokens_for(self, content_frames: int) -> int:
        """Return the most tokens, timestamps among them, that so much sound may have."""
        limit = self.floor + self.per_second * content_frames / FRAMES_PER_SECOND
        return min(MAX_NEW_TOKENS, int(limit))


def max_length_for(new_tokens: int, prompt_tokens: int) -> int:
    """Return CTranslate2's ``max_length`` that allows exactly ``new_tokens``.

    It generates ``min(max_length / 2, max_length - (prompt - 1))`` tokens: the prompt's last token
    is fed as the first step of the text.
    """
    return min(MAX_TOKENS, max(2 * new_tokens, new_tokens + prompt_tokens - 1))


SILENCE_BELOW_LOUDEST = 2.0
"""Whisper's spectrogram ends 8 decades below the loudest, and is divided by 4."""
LEAST_FEATURE = -1.5
"""Of digital silence alone: (log10(1e-10) + 4) / 4."""


def silence_of(features: Features) -> float:
    """Return the value that digital silence has in this spectrogram.

    OpenAI's Whisper pads sound with zeros, and so its spectrogram with this. faster-whisper pads
    the spectrogram with 0, a grey noise half way up: that costs errors, most of all in short clips
    (``bench/context_sweep.py``).
    """
    return max(float(features.max()) - SILENCE_BELOW_LOUDEST, LEAST_FEATURE)


def padded(features: Features, frames: int, silence: float) -> Features:
    """Return the first ``frames`` of a spectrogram, padded with silence."""
    kept = features[:, :frames]
    return np.pad(kept, ((0, 0), (0, frames - kept.shape[1])), constant_values=silence)
