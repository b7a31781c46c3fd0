"""Check the files of a model's directory without loading the model.

Standard library only: the command line and the workers both use it.
"""

from pathlib import Path
from struct import Struct

from auricle.values.errors import SetupError

BASE_MODEL_MB = 145
REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")
"""Without the tokenizer faster-whisper would request one from the hub on each start."""

# CTranslate2's serialization (python/ctranslate2/specs/model_spec.py): the version, then the length
# and the characters of the specification's name, with a final NUL.
_HEADER = Struct("<IH")
_WHISPER = b"WhisperSpec"
_MAX_NAME_BYTES = 200

_WHISPER_SIZES = frozenset({"tiny", "base", "small", "medium", "large", "turbo"})
_WHISPER_PARTS = _WHISPER_SIZES.union(
    ("whisper", "openai", "faster", "distil", "en", "1", "v1", "v2", "v3", "v3.5"),
    ("ggml", "mlx", "ct2", "fp16", "float16", "int8", "4bit", "8bit"),
)


def check_model_directory(path: Path) -> None:
    """Check that a directory holds a Whisper model in CTranslate2's format.

    Raises:
        SetupError: It does not; the message says what to do.
    """
    missing = [name for name in REQUIRED_FILES if not (path / name).is_file()]
    if not list(path.glob("vocabulary.*")):
        missing.append("vocabulary.json")
    if missing:
        raise SetupError(
            f"The model directory {path} has no {', no '.join(missing)}. {_how_to_convert(path)}"
        )
    if _specification(path / "model.bin") != _WHISPER:
        raise SetupError(
            f"{path / 'model.bin'} is not a Whisper model for CTranslate2. {_how_to_convert(path)}"
        )


def model_mb(path: str) -> float:
    """Return the size of a model's file in MB; Whisper base's size if there is no file."""
    try:
        return (Path(path) / "model.bin").stat().st_size / 1e6
    except OSError:
        return BASE_MODEL_MB


def revision_of(path: str) -> str:
    """Return the commit of a model in the hub's cache; empty for other models."""
    folder = Path(path)
    return folder.name if folder.parent.name == "snapshots" else ""


def display_name(model: str) -> str:
    """Return a model's display name: the hub's name or the last part of a path.

    The hub's cache names directories ``models--ORGANISATION--NAME/snapshots/COMMIT``.
    """
    path = Path(model)
    if path.parent.name == "snapshots":
        return path.parent.parent.name.removeprefix("models--").replace("--", "/")
    return path.name if path.is_absolute() else model


def is_whisper_name(name: str) -> bool:
    """Return whether a name is that of a Whisper model, in any spelling.

    Examples: ``large-v3``, ``whisper-1``, ``openai/whisper-base``,
    ``Systran/faster-whisper-tiny.en``.
    """
    last = name.lower().rpartition("/")[2].replace("v3.5", "v3_5").replace(".", "-")
    parts = {part.replace("v3_5", "v3.5") for part in last.split("-")}
    return parts <= _WHISPER_PARTS and not parts.isdisjoint(_WHISPER_SIZES | {"whisper"})


def _specification(model_bin: Path) -> bytes:
    try:
        with model_bin.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return b""
            _, length = _HEADER.unpack(header)
            return file.read(min(length, _MAX_NAME_BYTES)).rstrip(b"\0")
    except OSError as exc:
        raise SetupError(f"{model_bin} can't be read: {exc.strerror}.") from exc


def _how_to_convert(path: Path) -> str:
    return (
        "Convert a model with: ct2-transformers-converter --model openai/whisper-base "
        f"--copy_files tokenizer.json preprocessor_config.json --output_dir {path} ; "
        "or set AURICLE_MODEL to a name that `auricle models` lists."
    )
