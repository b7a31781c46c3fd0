"""Find the files of Moonshine tiny-en, and check them before onnxruntime reads them.

They were pulled, or are assets of a package on PyPI, which is located but never imported: its own
code loads another onnxruntime. Standard library only: the server and the workers both use this
module.
"""

import importlib.util
from pathlib import Path

from auricle.engines.catalogue import PinnedFile
from auricle.engines.pulled import check_size, find_pulled, is_pulled, sha256_of
from auricle.values.errors import SetupError

ENGINE = "moonshine"
NAME = "moonshine-tiny-en"
"""Display name of the model; also accepted as a name."""
CATALOGUE_NAME = "tiny-en"
ASSETS = "assets/tiny-en"
"""The model's folder in the package."""
PACKAGE = "moonshine_voice"
REQUIREMENT = "moonshine-voice==0.0.73"
"""The package that contains the model; later versions do not. pyproject.toml pins the same."""


ENCODER = PinnedFile(
    "encoder_model.ort",
    13_281_600,
    "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
)
DECODER = PinnedFile(
    "decoder_model_merged.ort",
    30_412_256,
    "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
)
VOCABULARY = PinnedFile(
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
    return Path(spec.origin).parent / ASSETS


def is_known(cache_dir: Path) -> bool:
    """Return whether the model was pulled or its package is installed."""
    return is_pulled(cache_dir, ENGINE, CATALOGUE_NAME) or packaged_directory() is not None


def known_directory(cache_dir: Path) -> Path | None:
    """Return the directory of the pulled or the packaged model; ``None`` if neither is there.

    Raises:
        SetupError: The pulled model is damaged.
    """
    found = find_pulled(cache_dir, ENGINE, CATALOGUE_NAME)
    return packaged_directory() if found is None else found[0]


def find_directory(model: str | None, cache_dir: Path) -> Path:
    """Return the directory of a model, with all its files checked.

    Args:
        model: A name of the model, ``None`` for the same, or a directory that contains its files.
        cache_dir: AURICLE_CACHE_DIR, which contains pulled models.

    Raises:
        SetupError: It does not exist or its files are not the expected ones.
    """
    if not model or model in (NAME, CATALOGUE_NAME):
        directory = known_directory(cache_dir)
        if directory is None:
            raise SetupError(
                f"The Moonshine model is not on this machine. Run: auricle models pull {ENGINE}:"
                f"{CATALOGUE_NAME}, or: pip install {REQUIREMENT}"
            )
    else:
        directory = Path(model).expanduser().absolute()
        if not directory.is_dir():
            raise SetupError(
                f"There is no Moonshine model {model!r}. Set AURICLE_MODEL to {CATALOGUE_NAME} or "
                f"to a directory that contains {', '.join(file.name for file in FILES)}."
            )
    for file in FILES:
        check_file(directory, file)
    return directory


def check_file(directory: Path, file: PinnedFile) -> Path:
    """Return the path of a file whose size and SHA-256 are the expected ones.

    Raises:
        SetupError: It is missing, unreadable, or another file.
    """
    path = directory / file.name
    check_size(directory, file, _ADVICE)  # also a directory or a pipe
    try:
        digest = sha256_of(path)
    except OSError as exc:
        raise SetupError(f"{path} can't be read: {exc.strerror or exc}. {_ADVICE}") from exc
    if digest != file.sha256:
        raise SetupError(
            f"{path} is not a file of the model {NAME}: its SHA-256 is not the expected one. "
            f"{_ADVICE}"
        )
    return path


_ADVICE = (
    "Other Moonshine models are not supported. Get the files again: auricle models pull "
    f"{ENGINE}:{CATALOGUE_NAME}, or: pip install --force-reinstall --no-deps {REQUIREMENT}"
)
