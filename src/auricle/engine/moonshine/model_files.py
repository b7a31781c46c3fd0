"""Find the files of Moonshine tiny-en, and check them before onnxruntime reads them.

They are assets of a package on PyPI, which is located but never imported: its own code loads
another onnxruntime. Standard library only: the server and the workers both use this module.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from auricle.errors import SetupError

NAME = "moonshine-tiny-en"
PACKAGE = "moonshine_voice"
REQUIREMENT = "moonshine-voice==0.0.73"
"""The package that contains the model; later versions do not. pyproject.toml pins the same."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the model."""

    name: str
    size_bytes: int
    sha256: str


ENCODER = ModelFile(
    "encoder_model.ort",
    13_281_600,
    "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
)
DECODER = ModelFile(
    "decoder_model_merged.ort",
    30_412_256,
    "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
)
VOCABULARY = ModelFile(
    "tokenizer.bin",
    249_974,
    "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
)
FILES = (ENCODER, DECODER, VOCABULARY)
SIZE_MB = sum(file.size_bytes for file in FILES) / 1e6


def packaged_directory() -> Path | None:
    """Return the directory of the installed package's model; ``None`` if it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "assets" / "tiny-en"


def find_directory(model: str | None) -> Path:
    """Return the directory of a model, with all its files checked.

    Args:
        model: ``NAME`` or ``None`` for the package's model, or a directory that contains its files.

    Raises:
        SetupError: It does not exist or its files are not the expected ones.
    """
    if not model or model == NAME:
        directory = packaged_directory()
        if directory is None:
            raise SetupError(
                f"The Moonshine model is not installed. Run: pip install {REQUIREMENT}, or set "
                "AURICLE_MODEL to a directory that contains the files of its folder "
                "moonshine_voice/assets/tiny-en."
            )
    else:
        directory = Path(model).expanduser().absolute()
        if not directory.is_dir():
            raise SetupError(
                f"There is no Moonshine model {model!r}. Set AURICLE_MODEL to {NAME} or to a "
                f"directory that contains {', '.join(file.name for file in FILES)}."
            )
    for file in FILES:
        check_file(directory, file)
    return directory


def check_file(directory: Path, file: ModelFile) -> Path:
    """Return the path of a file whose size and SHA-256 are the expected ones.

    Raises:
        SetupError: It is missing, unreadable, or another file.
    """
    path = directory / file.name
    try:
        if path.stat().st_size != file.size_bytes:  # also a directory or a pipe
            raise _unusable(path, f"it does not have {file.size_bytes} bytes")
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    if digest != file.sha256:
        raise _unusable(path, "its SHA-256 is not the expected one")
    return path


def _unusable(path: Path, reason: str) -> SetupError:
    return SetupError(
        f"{path} is not a file of the model {NAME}: {reason}. Other Moonshine models are not "
        "supported. Install the files again: pip install --force-reinstall --no-deps "
        f"{REQUIREMENT}"
    )
