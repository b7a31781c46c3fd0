"""Voice activity for many streams at once: a cheap gate, and Silero behind it.

Most streams are silent most of the time, and Silero costs the same whether anybody speaks or not.
So a window is first weighed: if it is hardly louder than the quietest stretch of the last seconds,
its probability of speech is 0, and Silero sleeps. When the gate opens, Silero first hears the
windows before, so that it judges as if it had listened all along. (``bench/vad.py``,
``docs/decisions/006-a-gate-before-the-voice-detector.md``)
"""

from collections import deque

import numpy as np

from auricle.audio.vad import SILENCE_THRESHOLD, WINDOW_SAMPLES, Probabilities, SpeechDetector
from auricle.types import Pcm16

WARM_UP_WINDOWS = 16
"""Half a second: what Silero hears before the window that opened the gate."""

_OPENING_RATIO = 10**0.25
"""How much stronger than the floor a window must be: 2.5 dB."""
_FLOOR_BLOCKS, _BLOCK_WINDOWS = 6, 16
"""The floor is the quietest of 6 half seconds."""
_SMOOTHING = 0.3
_LEAST_POWER = 8.0
"""Of neighbouring samples' differences: dither of one bit has 2 or less."""
_HANGOVER_WINDOWS = 16
"""The gate stays open for half a second after the last window that opened it."""


class NoiseGate:
    """Tells which windows of one stream stand out from its background.

    The power is that of the differences between neighbouring samples: it hardly notices hum and
    rumble. The background is the least smoothed power of the last 3 s, so a lasting noise closes
    the gate again, whatever its level, and speech doesn't, since it has dips.
    """

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._block_floors: deque[float] = deque(maxlen=_FLOOR_BLOCKS)
        self._block_floor = np.inf
        self._block_windows = 0

    def passes(self, window: Pcm16) -> bool:
        """Return whether the stream's next window may be speech."""
        differences = np.diff(window.astype(np.float32))
        power = float(differences @ differences) / WINDOW_SAMPLES
        floor = min(self._block_floor, *self._block_floors, np.inf)
        self._follow(power)
        return power > max(floor * _OPENING_RATIO, _LEAST_POWER) or (
            len(self._block_floors) < 2 and power > _LEAST_POWER  # too early to know the background
        )

    def _follow(self, power: float) -> None:
        before = self._smoothed
        self._smoothed = power if before is None else before + _SMOOTHING * (power - before)
        self._block_floor = min(self._block_floor, self._smoothed)
        self._block_windows += 1
        if self._block_windows == _BLOCK_WINDOWS:
            self._block_floors.append(self._block_floor)
            self._block_floor, self._block_windows = np.inf, 0


class VoiceDetector:
    """Tells how probable speech is in each 32 ms of one live stream.

    However the stream is split over calls, the probabilities are the same to the last bit: each
    window is judged by itself.

    Raises:
        SetupError: Silero's file isn't there.
    """

    def __init__(self) -> None:
        self._silero = SpeechDetector()
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next sample is the first of a new one."""
        self._silero.reset()
        self._gate = NoiseGate()
        self._pcm = np.zeros(0, np.int16)  # that doesn't fill a window yet
        self._before: deque[Pcm16] = deque(maxlen=WARM_UP_WINDOWS)
        self._open_windows = 0

    @property
    def is_listening(self) -> bool:
        """Whether the gate is open."""
        return self._open_windows > 0

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probability of speech for each window that these samples complete.

        Returns:
            float32, shape [windows], in 0..1; empty when no window is complete yet.
        """
        held = np.concatenate([self._pcm, pcm])
        whole = held.size - held.size % WINDOW_SAMPLES
        self._pcm = held[whole:]
        windows = held[:whole].reshape(-1, WINDOW_SAMPLES)
        return np.array([self._judge(window) for window in windows], np.float32)

    def _judge(self, window: Pcm16) -> float:
        passes = self._gate.passes(window)
        if not self._open_windows and not passes:
            self._before.append(window)
            return 0.0
        if not self._open_windows:
            self._silero.reset()
            for earlier in self._before:
                self._silero.probabilities(earlier)
            self._before.clear()
        probability = float(self._silero.probabilities(window)[0])
        if passes or probability >= SILENCE_THRESHOLD:
            self._open_windows = _HANGOVER_WINDOWS
        else:
            self._open_windows -= 1
            self._before.append(window)
        return probability
