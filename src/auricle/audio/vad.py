"""Where there is speech: Silero VAD v6 on one thread, as a stream.

The model looks at windows of 512 samples (32 ms), each with the last 64 samples of the window
before it, and carries a state of its own from window to window. The file comes with faster-whisper,
which is not imported: only its place on disk is looked up. (faster-whisper's own wrapper can't
stream, and writes zeros over the last 4 ms of the array that it is given.)
"""

import functools
import importlib.util
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

# From its import on, onnxruntime 1.32 (Linux) gives the machine a number, keeps a diary in ~/.cache
# and looks for mobile.events.data.microsoft.com to send it to.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from auricle.errors import SetupError
from auricle.types import Pcm16

WINDOW_SAMPLES = 512
"""Silero's window at 16 kHz."""

SPEECH_THRESHOLD = 0.5
"""Silero's own default: at or above it a window is speech."""

SILENCE_THRESHOLD = 0.35
"""Silero's own default: speech goes on until a window falls below it."""

MIN_SPEECH_WINDOWS = 3
"""Some 100 ms: shorter sounds are clicks and breaths."""

Probabilities = npt.NDArray[np.float32]

_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (1, 1, 128)
# The model works on the windows of one call in parallel, at some 10 KB each.
_WINDOWS_PER_RUN = 512


@functools.lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    """Load the model, once a process: running it changes nothing in it."""
    spec = importlib.util.find_spec("faster_whisper")
    roots = (spec and spec.submodule_search_locations) or ()
    for root in roots:
        path = Path(root, "assets", "silero_vad_v6.onnx")
        if path.is_file():
            options = onnxruntime.SessionOptions()
            options.inter_op_num_threads = 1
            options.intra_op_num_threads = 1
            options.enable_cpu_mem_arena = False  # it would keep the largest run's memory
            options.log_severity_level = 4
            return onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
    raise SetupError(
        "The voice detector's model (silero_vad_v6.onnx) is missing: install faster-whisper 1.2.1."
    )


class SpeechDetector:
    """Tells how probable speech is in each 32 ms of one stream.

    However the stream is split over calls, the probabilities are the same.

    Raises:
        SetupError: The model's file isn't there.
    """

    def __init__(self) -> None:
        self._model = _session()
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next sample is the first of a new one."""
        self._h = np.zeros(_STATE_SHAPE, np.float32)
        self._c = np.zeros(_STATE_SHAPE, np.float32)
        # The context of the next window, and then the samples that don't fill it yet.
        self._held = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probability of speech for each window that these samples complete.

        Returns:
            float32, shape [windows], in 0..1; empty when no window is complete yet.
        """
        held = np.concatenate([self._held, pcm.astype(np.float32) / 32768])
        windows = (held.size - _CONTEXT_SAMPLES) // WINDOW_SAMPLES
        self._held = held[windows * WINDOW_SAMPLES :]
        if not windows:
            return np.zeros(0, np.float32)
        inputs = np.lib.stride_tricks.sliding_window_view(held, _CONTEXT_SAMPLES + WINDOW_SAMPLES)
        inputs = inputs[::WINDOW_SAMPLES]
        runs = range(0, windows, _WINDOWS_PER_RUN)
        return np.concatenate([self._run(inputs[at : at + _WINDOWS_PER_RUN]) for at in runs])

    def finish(self) -> Probabilities:
        """Return the probability for the last, incomplete window, filled with silence; then reset.

        Returns:
            float32, shape [1], or [0] when the stream ended with a whole window.
        """
        missing = -(self._held.size - _CONTEXT_SAMPLES) % WINDOW_SAMPLES
        last = self.probabilities(np.zeros(missing, np.int16))
        self.reset()
        return last

    def _run(self, inputs: npt.NDArray[np.float32]) -> Probabilities:
        output, self._h, self._c = self._model.run(
            None, {"input": np.ascontiguousarray(inputs), "h": self._h, "c": self._c}
        )
        return np.asarray(output, np.float32).reshape(-1)


def has_speech(pcm: Pcm16) -> bool:
    """Return whether these samples hold any speech at all: some 100 ms of it."""
    detector = SpeechDetector()
    probabilities = np.concatenate([detector.probabilities(pcm), detector.finish()])
    return is_speech(probabilities)


def is_speech(probabilities: Probabilities) -> bool:
    """Return whether these windows hold any speech at all."""
    return int(np.count_nonzero(probabilities >= SPEECH_THRESHOLD)) >= MIN_SPEECH_WINDOWS
