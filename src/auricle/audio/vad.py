"""Detect speech in a stream with Silero VAD v6 on one thread.

The model reads windows of 512 samples (32 ms), each preceded by the last 64 samples of the previous
window, and keeps recurrent state between windows. The model file is part of faster-whisper, which
is not imported: only its location on disk is looked up. faster-whisper's wrapper cannot stream, and
overwrites the last 4 ms of its input array with zeros.
"""

import functools
import importlib.util
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

# When imported, onnxruntime 1.32 (Linux) assigns a device ID, writes telemetry to ~/.cache and
# tries to upload it to mobile.events.data.microsoft.com.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from auricle.values.errors import SetupError
from auricle.values.types import Pcm16

WINDOW_SAMPLES = 512
"""Silero's window at 16 kHz, in samples."""

SPEECH_THRESHOLD = 0.5
"""Silero's default: speech starts at this probability."""

SILENCE_THRESHOLD = 0.35
"""Silero's default: speech continues until a window falls below this probability."""

MIN_SPEECH_WINDOWS = 3
"""About 100 ms: shorter sounds are clicks and breaths."""

Probabilities = npt.NDArray[np.float32]

_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (1, 1, 128)
# The model processes the windows of one call in parallel, with about 10 KB for each.
_WINDOWS_PER_RUN = 512


@functools.lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    """Load the model once for each process; running it does not change it."""
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
        "The voice detector's model silero_vad_v6.onnx is missing; install faster-whisper 1.2.1."
    )


class SpeechDetector:
    """Return the probability of speech for each 32 ms of one stream.

    The probabilities do not depend on how the stream is split into calls.

    Raises:
        SetupError: The model file is missing.
    """

    def __init__(self) -> None:
        self._model = _session()
        self.reset()

    def reset(self) -> None:
        """Discard the stream's state: the next sample starts a new stream."""
        self._h = np.zeros(_STATE_SHAPE, np.float32)
        self._c = np.zeros(_STATE_SHAPE, np.float32)
        # The context of the next window, then the samples that do not fill it yet.
        self._incomplete = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return the probability of speech for each window that these samples complete.

        Returns:
            float32, shape [windows], in 0..1; empty when no window is complete yet.
        """
        samples = np.concatenate([self._incomplete, pcm.astype(np.float32) / 32768])
        windows = (samples.size - _CONTEXT_SAMPLES) // WINDOW_SAMPLES
        self._incomplete = samples[windows * WINDOW_SAMPLES :]
        if not windows:
            return np.zeros(0, np.float32)
        if windows == 1:  # live speech; a view costs a tenth of the model's run
            return self._run(samples[np.newaxis, : _CONTEXT_SAMPLES + WINDOW_SAMPLES])
        inputs = np.lib.stride_tricks.sliding_window_view(
            samples, _CONTEXT_SAMPLES + WINDOW_SAMPLES
        )
        inputs = inputs[::WINDOW_SAMPLES]
        runs = range(0, windows, _WINDOWS_PER_RUN)
        return np.concatenate([self._run(inputs[at : at + _WINDOWS_PER_RUN]) for at in runs])

    def finish(self) -> Probabilities:
        """Return the probability of the last, incomplete window, padded with silence; then reset.

        Returns:
            float32, shape [1], or [0] if the stream ended with a whole window.
        """
        missing = -(self._incomplete.size - _CONTEXT_SAMPLES) % WINDOW_SAMPLES
        last = self.probabilities(np.zeros(missing, np.int16))
        self.reset()
        return last

    def _run(self, inputs: npt.NDArray[np.float32]) -> Probabilities:
        output, self._h, self._c = self._model.run(
            None, {"input": np.ascontiguousarray(inputs), "h": self._h, "c": self._c}
        )
        return np.asarray(output, np.float32).reshape(-1)


def has_speech(pcm: Pcm16) -> bool:
    """Return whether these samples contain speech, at least about 100 ms of it."""
    detector = SpeechDetector()
    probabilities = np.concatenate([detector.probabilities(pcm), detector.finish()])
    return is_speech(probabilities)


def is_speech(probabilities: Probabilities) -> bool:
    """Return whether these windows contain speech."""
    return int(np.count_nonzero(probabilities >= SPEECH_THRESHOLD)) >= MIN_SPEECH_WINDOWS
