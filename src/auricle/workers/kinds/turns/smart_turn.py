"""The end of a turn by Smart Turn v3.2, which judges the sound of the last 8 s.

Smart Turn is Whisper's encoder with a classifier (``smart_turn.md``). It knows nothing of words, so
it works for any language, and the end of a phrase may sound finished, too.
"""

from pathlib import Path

import numpy as np

from auricle.engines.log_mel import Spectrogram
from auricle.engines.onnx_session import open_session
from auricle.values.errors import SetupError
from auricle.values.types import MAX_TURN_SAMPLES, Pcm16
from auricle.workers.kinds.turns.model_file import BUNDLED_MODEL

BANDS = 80
_MIN_VARIANCE = 1e-7
"""That of Hugging Face's feature extractor, with which the model was trained."""


class SmartTurn:
    """Judge ends of turns; the same audio always has the same probability.

    Args:
        path: The model's file.
        threads: Threads of the model.

    Raises:
        SetupError: The file is not such a model.
    """

    def __init__(self, path: Path = BUNDLED_MODEL, threads: int = 1) -> None:
        self._spectrogram = Spectrogram(BANDS)
        try:
            self._model = open_session(path, threads)
            self.probability(np.zeros(MAX_TURN_SAMPLES, np.int16))
        except Exception as exc:
            raise SetupError(f"The turn model {path} cannot be loaded.") from exc

    def probability(self, pcm: Pcm16) -> float:
        """Return the probability that the speaker has finished, from 0 to 1.

        Args:
            pcm: The speech and the silence after it; at most ``MAX_TURN_SAMPLES``.

        Raises:
            ValueError: It is longer.
        """
        if pcm.size > MAX_TURN_SAMPLES:
            raise ValueError(f"{pcm.size} samples; at most {MAX_TURN_SAMPLES}")
        samples = np.zeros(MAX_TURN_SAMPLES, np.float32)
        samples[MAX_TURN_SAMPLES - pcm.size :] = pcm.astype(np.float32) / 32768
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + _MIN_VARIANCE)
        features = self._spectrogram(samples).astype(np.float32)
        (logits,) = self._model.run(None, {"input_features": features[None]})
        return float(np.clip(np.asarray(logits, np.float32).reshape(1)[0], 0, 1))
