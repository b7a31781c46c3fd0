"""Detect voice activity in many streams: a cheap noise gate, then Silero.

Most streams are silent most of the time, and Silero costs the same for silence as for speech. The
gate first compares each window with the quietest stretch of the last seconds. If the window is
hardly louder, its probability of speech is 0 and Silero does not run. When the gate opens, Silero
first processes the preceding windows, so that its state is as if it had run all along. Where noise
keeps the gate open in a pause, Silero is restarted in the same way. Otherwise its state would
depend on audio minutes ago, and a resumed session would find other utterances.
(``research/vad.py``, ``docs/decisions/006-energy-gate-before-the-voice-detector.md``)
"""

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from auricle.audio.vad import SILENCE_THRESHOLD, WINDOW_SAMPLES, Probabilities, SpeechDetector
from auricle.values.types import Pcm16

WARM_UP_WINDOWS = 16
"""Half a second: the audio before the opening window that Silero processes first, and the length of
a pause after which it is restarted."""

_LAG_SAMPLES = 6
"""Differences of samples this far apart are strongest from 0.5 to 2.2 kHz, where speech is."""
_OPENING_RATIO = 10**0.2
"""Minimum ratio of a window's power to the floor: 2 dB."""
_FLOOR_BLOCKS, _BLOCK_WINDOWS = 6, 16
"""The floor is the minimum of 6 half seconds and the current, incomplete one."""
_SMOOTHING = 0.3
_MIN_POWER = 8.0
"""Power of the differences: dither of one bit has 2 or less."""
_HANGOVER_WINDOWS = 16
"""The gate stays open for half a second after the last window that opened it."""

GRID_SAMPLES = _BLOCK_WINDOWS * WINDOW_SAMPLES
"""Streams that start at different positions of one clock, on this grid, reach the same results
after some seconds."""

Windows = npt.NDArray[np.int16]
"""int16, shape [windows, 512]."""

_NONE = np.zeros(0, np.float32)
_NONE.flags.writeable = False


class NoiseGate:
    """Select the windows of one stream that stand out from its background.

    The power is that of differences between nearby samples, which suppresses hum, rumble and much
    of a hiss. The background is the lowest smoothed power of the last 3 s. A lasting noise
    therefore closes the gate again at any level; speech does not, since it has dips.
    """

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._block_floors: deque[float] = deque(maxlen=_FLOOR_BLOCKS)
        self._floor = inf  # of the complete blocks and the current one
        self._block_floor = inf
        self._block_windows = 0

    def passes(self, power: float) -> bool:
        """Return whether the stream's next window may be speech, by its :func:`powers`."""
        floor = self._floor
        self._follow(power)
        if power <= _MIN_POWER:
            return False
        # The background is not known in the first second.
        return power > floor * _OPENING_RATIO or len(self._block_floors) < 2

    def _follow(self, power: float) -> None:
        before = self._smoothed
        smoothed = power if before is None else before + _SMOOTHING * (power - before)
        self._smoothed = smoothed
        if smoothed < self._block_floor:
            self._block_floor = smoothed
            self._floor = min(self._floor, smoothed)
        self._block_windows += 1
        if self._block_windows == _BLOCK_WINDOWS:
            self._block_floors.append(self._block_floor)
            self._floor = min(self._block_floors)
            self._block_floor, self._block_windows = inf, 0


def powers(windows: Windows) -> list[float]:
    """Return the mean power of the differences in each window, which are whole numbers.

    Their sum in 64 bits is exact, so it does not depend on how many windows are given.
    """
    samples = windows.astype(np.float64)
    differences = samples[:, _LAG_SAMPLES:] - samples[:, :-_LAG_SAMPLES]
    means = np.einsum("ij,ij->i", differences, differences) / differences.shape[1]
    return cast("list[float]", means.tolist())


class SpeechProbabilities(Protocol):
    """Returns the probability of speech for each window of a stream."""

    def reset(self) -> None:
        """Discard the stream's state: the next sample starts a new stream."""
        ...

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probability of speech for each window that these samples complete."""
        ...


class VoiceDetector:
    """Return the probability of speech for each 32 ms of one live stream.

    The probabilities do not depend on how the stream is split into calls, to the last bit.

    Raises:
        SetupError: Silero's model file is missing.
    """

    def __init__(self) -> None:
        self._silero = SpeechDetector()
        self._incomplete = np.zeros(WINDOW_SAMPLES, np.int16)
        self.reset()

    def reset(self) -> None:
        """Discard the stream's state: the next sample starts a new stream."""
        self._silero.reset()
        self._gate = NoiseGate()
        self._incomplete_samples = 0  # those that do not fill a window yet
        self._before: deque[Pcm16] = deque(maxlen=WARM_UP_WINDOWS)
        self._open_windows = 0
        self._quiet_windows = 0  # windows that Silero judged since the last one with speech

    @property
    def is_listening(self) -> bool:
        """Whether the gate is open."""
        return self._open_windows > 0

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probability of speech for each window that these samples complete.

        Returns:
            float32, shape [windows], in 0..1; empty when no window is complete yet.
        """
        incomplete_samples = self._incomplete_samples
        samples = incomplete_samples + pcm.size
        if samples < WINDOW_SAMPLES:
            self._incomplete[incomplete_samples:samples] = pcm
            self._incomplete_samples = samples
            return _NONE
        joined = np.concatenate([self._incomplete[:incomplete_samples], pcm])
        whole = samples - samples % WINDOW_SAMPLES
        self._incomplete_samples = samples - whole
        self._incomplete[: self._incomplete_samples] = joined[whole:]
        windows = joined[:whole].reshape(-1, WINDOW_SAMPLES)
        window_powers = powers(windows)
        probabilities = np.zeros(len(windows), np.float32)
        at = 0
        while at < len(windows):
            passes = self._gate.passes(window_powers[at])
            if not self._open_windows and passes:
                self._start_silero()
            if self._open_windows or passes:
                end = min(at + self._windows_together, len(windows))
                probabilities[at:end] = self._judge(
                    windows[at:end], window_powers[at:end], passes=passes
                )
                at = end
            else:
                self._before.append(windows[at])
                at += 1
        return probabilities

    @property
    def _windows_together(self) -> int:
        """Number of windows that Silero judges in any case, and without a restart among them.

        Its weights exceed the processor's nearest cache, so that three windows in one run take half
        of the time of three runs on a busy machine.
        """
        return max(1, min(self._open_windows, WARM_UP_WINDOWS - self._quiet_windows))

    def _judge(
        self, windows: Windows, window_powers: Sequence[float], *, passes: bool
    ) -> Probabilities:
        """Judge successive windows with Silero; ``passes`` is the gate's verdict on the first."""
        probabilities = self._silero.probabilities(windows.reshape(-1))
        for number, (window, probability) in enumerate(zip(windows, probabilities, strict=True)):
            passes = self._gate.passes(window_powers[number]) if number else passes
            self._before.append(window)
            is_voiced = probability >= SILENCE_THRESHOLD
            self._open_windows = (
                _HANGOVER_WINDOWS if passes or is_voiced else self._open_windows - 1
            )
            self._quiet_windows = 0 if is_voiced else self._quiet_windows + 1
        if self._quiet_windows == WARM_UP_WINDOWS and self._open_windows:
            self._start_silero()
        return probabilities

    def _start_silero(self) -> None:
        self._silero.reset()
        if self._before:
            self._silero.probabilities(np.concatenate(self._before))
