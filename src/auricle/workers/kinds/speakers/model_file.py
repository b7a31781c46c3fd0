"""The file of a speaker model, checked before a worker loads it."""

import hashlib
from pathlib import Path

from auricle.config.section import variable
from auricle.engines.onnx_file import BadFile, read_onnx
from auricle.values.errors import SetupError
from auricle.workers.kinds.speakers.fbank import BANDS

SETTING = variable("speaker_model")
BUNDLED_MODEL = Path(__file__).with_name("campplus.onnx")
BUNDLED_DIMENSIONS = 192
MAX_DIMENSIONS = 1024
"""Maximum size of an embedding; published models have 128 to 512."""


def digest_of(path: Path) -> str:
    """Return what identifies a model: embeddings of another one can't be compared.

    Raises:
        OSError: The file can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path) -> None:
    """Check that a file is an ONNX model from filter banks to one output.

    Raises:
        SetupError: It is not, or it cannot be read.
    """
    try:
        graph = read_onnx(path)
    except OSError as exc:
        raise SetupError(f"{SETTING}: {path} cannot be read: {exc.strerror}.") from exc
    except BadFile as exc:
        raise SetupError(f"{SETTING}: {path} cannot be used: {exc}.") from exc
    shapes = list(graph.input_shapes.values())
    if [len(shape) for shape in shapes] != [3] or shapes[0][2] not in (BANDS, None):
        raise SetupError(
            f"{SETTING}: {path} is not a speaker model: it has no single input "
            f"[batch, frames, {BANDS}]."
        )
    if len(graph.outputs) != 1:
        raise SetupError(
            f"{SETTING}: {path} is not a speaker model: it has {len(graph.outputs)} outputs."
        )
