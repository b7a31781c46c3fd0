"""The file of keys: a line for each with name, hash and limits, changed while the server runs.

::

    # who    what
    anna     sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 requests=60

The hash is plain SHA-256. A key of ``auricle keys add`` has 256 random bits: nobody guesses those,
however fast the hash is, so neither salt nor slowness would add anything, and the same key makes
the same tokens on every server. A token's secret follows from the hash (:mod:`.tokens`), so who can
read the file can make tokens: it tells no key, but is to be as private as one.
"""

import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from auricle.errors import SetupError
from auricle.server.access.rate_limits import NO_OWN_LIMITS, KeyLimits, parse_limits
from auricle.server.net.file_watch import CHECK_INTERVAL_S, is_open_to_others, watch_files

MAX_FILE_BYTES = 2**20

_PREFIX = "aur_"
"""So that programs that look for lost keys know ours."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")

_log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A line of the file."""

    name: str
    hash: bytes
    limits: KeyLimits = NO_OWN_LIMITS


def hashed(key: bytes) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(key).digest()


def parse_keys(text: str, source: str) -> tuple[StoredKey, ...]:
    """Return the keys of a file.

    Args:
        text: What is in it.
        source: Its name, for the error, which shows nothing of the text: it may hold a key.

    Raises:
        SetupError: A line can't be read, or a name or key is there twice.
    """
    found: list[StoredKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        digest = _HASH.fullmatch(words[1]) if len(words) > 1 else None
        limits = parse_limits(words[2:])
        if digest is None or limits is None or not _NAME.fullmatch(words[0]):
            raise SetupError(
                f"{source}, line {number} is not `NAME sha256:HASH`, with limits behind it if any: "
                "mend it, or remove it and make a key with `auricle keys add NAME`."
            )
        key = StoredKey(words[0], bytes.fromhex(digest.group(1)), limits)
        if any(key.name == other.name or key.hash == other.hash for other in found):
            raise SetupError(f"{source}, line {number} has a name or key for the second time.")
        found.append(key)
    return tuple(found)


def read_keys(path: Path) -> tuple[StoredKey, ...]:
    """Return the keys of a file.

    Raises:
        SetupError: It can't be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise SetupError(f"{path} is larger than 1 MiB; that is no file of keys.")
        return parse_keys(data.decode(), str(path))
    except FileNotFoundError as error:
        raise SetupError(
            f"There is no {path}: make it with `auricle keys add NAME`, or unset AURICLE_KEYS_FILE."
        ) from error
    except OSError as error:
        raise SetupError(f"{path} can't be read ({error.strerror}): look at its mode.") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{path} is not text; that is no file of keys.") from error


def add_key(path: Path, name: str, limits: KeyLimits = NO_OWN_LIMITS) -> str:
    """Make a key, append its hash to the file, and return the key, which is nowhere else.

    The file is made for its owner's eyes only if it is not there.

    Raises:
        SetupError: The name can't be used or is there, or the file can't be read or written.
    """
    if not _NAME.fullmatch(name):
        raise SetupError("A key's name is 1 to 64 letters, digits, dots, hyphens or underscores.")
    key = _PREFIX + secrets.token_urlsafe(32)
    line = f"{name} sha256:{hashed(key.encode()).hex()} {limits.text()}".rstrip() + "\n"
    try:
        if path.exists() and any(known.name == name for known in read_keys(path)):
            raise SetupError(f"{path} has a key {name} already: remove it, or take another name.")
        # Appended in one write, so that the file keeps its owner, and a reader sees all or nothing.
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"
            file.write(line.encode())
    except OSError as error:
        raise SetupError(f"{path} can't be written ({error.strerror}).") from error
    return key


def remove_key(path: Path, name: str) -> None:
    """Take a key out of the file; all other lines stay as they are.

    Raises:
        SetupError: There is none of this name, or the file can't be read or written.
    """
    if all(key.name != name for key in read_keys(path)):
        raise SetupError(f"{path} has no key {name}; `auricle keys list` shows those it has.")
    path = path.resolve()  # a link stays one
    try:
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if line.split()[:1] != [name.encode()]]
        _replace(path, b"".join(kept))
    except OSError as error:
        raise SetupError(f"{path} can't be written ({error.strerror}).") from error


def _replace(path: Path, data: bytes) -> None:
    """Write a file anew in one step: nobody sees half of it, and a full disk leaves the old one."""
    before = path.stat()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(before.st_mode))
        if os.name == "posix" and os.stat(temporary).st_uid != before.st_uid:
            os.chown(temporary, before.st_uid, before.st_gid)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


async def follow_keys(
    path: Path,
    use: Callable[[Sequence[StoredKey]], None],
    *,
    check_interval_s: float = CHECK_INTERVAL_S,
) -> None:
    """Hand on what is in the file, now and whenever it changes; runs until it is cancelled.

    A file that is gone or broken changes nothing: it is logged, and the keys stay as they were.

    Args:
        path: The file.
        use: What takes the keys; called in a thread.
        check_interval_s: Seconds between two looks.
    """
    await watch_files((path,), partial(_refresh, path, use), check_interval_s=check_interval_s)


def _refresh(path: Path, use: Callable[[Sequence[StoredKey]], None]) -> None:
    try:
        found = read_keys(path)
    except SetupError as error:
        _log.warning("keys_file_unusable", reason=str(error), keys="as before")
        return
    use(found)
    _log.info("keys_read", keys=len(found))
    if is_open_to_others(path):
        _log.warning("keys_file_open_to_others", advice=f"chmod 600 {path}")
