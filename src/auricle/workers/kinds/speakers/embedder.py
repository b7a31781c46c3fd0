"""Speaker embeddings by CAM++, or by another model with the same input and output.

The model (Wang et al. 2023, arXiv 2303.00332) is 3D-Speaker's for Chinese and English, with its
weights in 8 bits and without the ReLU that its export had added; ``research/speaker_model.py`` made
the file. ``campplus.md`` says where it comes from and what it costs in accuracy.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auricle.engines.onnx_session import open_session
from auricle.values.errors import SetupError
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from auricle.workers.kinds.speakers.fbank import BANDS, filter_bank, is_silent
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL
from auricle.workers.kinds.speakers.voices.stretches import MIN_STRETCH_SAMPLES

Embeddings = npt.NDArray[np.float32]
"""float32, shape [stretches, dimensions]."""


class SpeakerEmbedder:
    """Embed stretches of speech; the same audio always has the same embedding.

    Args:
        path: An ONNX file with an input [batch, frames, 80] of :func:`filter_bank` and an output
            [batch, dimensions].
        threads: Threads of the model.

    Raises:
        SetupError: The file is not such a model.
    """

    def __init__(self, path: Path = BUNDLED_MODEL, threads: int = 1) -> None:
        try:
            self._model = open_session(path, threads)
        except Exception as exc:
            raise SetupError(f"The speaker model {path} cannot be loaded.") from exc
        inputs = self._model.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 3 or inputs[0].shape[2] != BANDS:
            raise SetupError(f"{path} is not a speaker model: its input is not [batch, frames, 80]")
        self._input = inputs[0].name
        self._output = self._model.get_outputs()[0].name
        noise = np.random.default_rng(0).integers(-3000, 3000, SAMPLE_RATE_HZ, np.int16)
        try:
            vector = self._run(noise)
        except Exception as exc:
            raise SetupError(f"The speaker model {path} cannot embed one second.") from exc
        if vector.ndim != 1 or not np.isfinite(vector).all():
            raise SetupError(f"{path} is not a speaker model: its output is not an embedding")
        self.dimensions = vector.size

    def embed(self, pcm: Pcm16, stretches: Sequence[tuple[int, int]]) -> Embeddings:
        """Return the embedding of each stretch, of unit length.

        Stretches are embedded one at a time: a batch of equal lengths is not faster, and so an
        embedding does not depend on the other stretches.

        Args:
            pcm: The audio.
            stretches: (start, end) in samples, each at least ``MIN_STRETCH_SAMPLES`` long.

        Returns:
            float32, shape [stretches, dimensions]; zeros for a stretch of digital silence.

        Raises:
            ValueError: A stretch is too short or outside the audio.
        """
        for start, end in stretches:
            if not 0 <= start < end <= pcm.size or end - start < MIN_STRETCH_SAMPLES:
                raise ValueError(f"stretch {start} to {end} of {pcm.size} samples")
        vectors = np.zeros((len(stretches), self.dimensions), np.float32)
        for row, (start, end) in zip(vectors, stretches, strict=True):
            part = pcm[start:end]
            if not is_silent(part):
                vector = self._run(part)
                row[:] = vector / np.linalg.norm(vector)
        return vectors

    def _run(self, pcm: Pcm16) -> Embeddings:
        (vectors,) = self._model.run([self._output], {self._input: filter_bank(pcm)[None]})
        return np.asarray(vectors[0], np.float32)
