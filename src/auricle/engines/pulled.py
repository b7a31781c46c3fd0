"""Models that were pulled: their directories, and the lock file that says what is in them.

A model is in ``CACHE/models/ENGINE/NAME``. Its lock file ``auricle-model.json`` records the source,
the revision, the licence, and size and SHA-256 of each file. The directory gets its name only when
all of it is there. Standard library only: the command line and the server use it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from auricle.engines.catalogue import PinnedFile
from auricle.values.errors import SetupError

LOCK_NAME = "auricle-model.json"
LOCK_VERSION = 1
MAX_LOCK_BYTES = 2**20
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class PulledModel:
    """The content of a lock file.

    Attributes:
        name: The model's name for its engine.
        engine: A value of AURICLE_ENGINE.
        title: What ``/v1/models`` calls it.
        source: Where the files came from.
        revision: Identifies the files: a commit or a SHA-256.
        licence: As in the catalogue, or as the hub reported it.
        pinned: Whether the digests were known before the download; if not, they are those that the
            hub reported for the revision.
        files: All files, with their digests.
    """

    name: str
    engine: str
    title: str
    source: str
    revision: str
    licence: str
    pinned: bool
    files: tuple[PinnedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all files in bytes."""
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> bytes:
        """Return the lock file's content."""
        return json.dumps({"version": LOCK_VERSION, **asdict(self)}, indent=1).encode() + b"\n"


def engine_directory(cache_dir: Path, engine: str) -> Path:
    """Return the directory of an engine's pulled models, which may not exist."""
    return cache_dir.absolute() / "models" / engine


def pulled_directory(cache_dir: Path, engine: str, name: str) -> Path:
    """Return the directory of a pulled model, which may not exist."""
    return engine_directory(cache_dir, engine) / name


def staging_directory(cache_dir: Path, engine: str, name: str) -> Path:
    """Return the directory of an unfinished pull, which may not exist."""
    return engine_directory(cache_dir, engine) / f".{name}.pull"


def read_lock(directory: Path) -> PulledModel | None:
    """Return the lock file of a directory; ``None`` if there is none.

    Raises:
        SetupError: It is damaged.
    """
    try:
        with (directory / LOCK_NAME).open("rb") as opened:
            content = opened.read(MAX_LOCK_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise SetupError(f"{directory / LOCK_NAME} can't be read: {exc.strerror}.") from exc
    try:
        fields = json.loads(content)
        if fields.pop("version") != LOCK_VERSION:
            raise ValueError
        files = tuple(PinnedFile(**file) for file in fields.pop("files"))
        if not files or not all(is_plain_name(file.name) for file in files):
            raise ValueError
        return PulledModel(**fields, files=files)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise SetupError(
            f"{directory / LOCK_NAME} is damaged. Remove {directory} and pull the model again."
        ) from exc


def find_pulled(cache_dir: Path, engine: str, name: str) -> tuple[Path, PulledModel] | None:
    """Return a pulled model's directory and lock; ``None`` if it was not pulled.

    Compares the sizes of its files only; :func:`verify` reads them.

    Raises:
        SetupError: A file is missing or has another size.
    """
    if not is_plain_name(name) or "/" in name:
        return None
    directory = pulled_directory(cache_dir, engine, name)
    lock = read_lock(directory)
    if lock is None:
        return None
    for file in lock.files:
        check_size(directory, file, again(lock))
    return directory, lock


def is_pulled(cache_dir: Path, engine: str, name: str) -> bool:
    """Return whether a model was pulled, without checking its files."""
    return (pulled_directory(cache_dir, engine, name) / LOCK_NAME).is_file()


def verify(
    directory: Path, lock: PulledModel, on_bytes: Callable[[int], None] = lambda _: None
) -> None:
    """Compare all files of a pulled model with its lock file.

    Raises:
        SetupError: A file is missing, unreadable or another one.
    """
    for file in lock.files:
        check_size(directory, file, again(lock))
        try:
            digest = sha256_of(directory / file.name, on_bytes)
        except OSError as exc:
            raise _unusable(directory / file.name, exc.strerror or str(exc), again(lock)) from exc
        if digest != file.sha256:
            reason = f"its SHA-256 is {digest}, not {file.sha256}"
            raise _unusable(directory / file.name, reason, again(lock))


def check_size(directory: Path, file: PinnedFile, advice: str) -> None:
    """Check that a file exists and has the expected size.

    Raises:
        SetupError: It does not; the message ends with the advice.
    """
    path = directory / file.name
    try:
        size_bytes = path.stat().st_size
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc), advice) from exc
    if size_bytes != file.size_bytes:
        raise _unusable(path, f"it has {size_bytes} bytes, not {file.size_bytes}", advice)


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """Return a file's SHA-256 in hexadecimal.

    Raises:
        OSError: It can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def remove(directory: Path) -> None:
    """Remove a pulled model or an unfinished pull; the lock file first, so that no part is used.

    Raises:
        SetupError: A file can't be removed.
    """
    try:
        (directory / LOCK_NAME).unlink(missing_ok=True)
        shutil.rmtree(directory)
    except OSError as exc:
        raise SetupError(f"{directory} can't be removed: {exc.strerror}.") from exc


def is_plain_name(name: str) -> bool:
    """Return whether a name is a relative path that stays in its folder."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and not name.startswith(("/", "-"))
        and not {"..", "."} & set(name.split("/"))
        and not {"\\", "\0", ":"} & set(name)
    )


def again(lock: PulledModel) -> str:
    """Return what to run to repair a pulled model."""
    return f"Run: auricle models pull {lock.engine}:{lock.name}"


def _unusable(path: Path, reason: str, advice: str) -> SetupError:
    return SetupError(f"{path} can't be used: {reason}. {advice}")
