"""The key file: one line per key with its name, hash and limits; reloaded when it changes.

::

    # name   hash and limits
    anna     sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 requests=60
    ben      removed

The hash is plain SHA-256. A key made by ``auricle keys add`` has 256 random bits and cannot be
brute-forced, so a salt or a slow hash would add nothing. Without a salt the same key gives the same
tokens on every server. The token secret is derived from the hash (:mod:`.tokens`): the file does
not reveal keys, but anyone who can read it can issue tokens. Keep it as private as a key.
"""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from auricle.server.access.rate_limits import NO_OWN_LIMITS, KeyLimits, parse_limits
from auricle.server.net.file_watch import CHECK_INTERVAL_S, is_open_to_others, watch_files
from auricle.system.atomic_file import replacing
from auricle.values.errors import SetupError
from auricle.values.types import RESERVED_CLIENTS

MAX_FILE_BYTES = 2**20
REMOVED = "removed"
"""Stands for the hash of a removed key; the server deletes what it has stored for the key."""

_PREFIX = "aur_"
"""Lets secret scanners recognise leaked keys."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")

_log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One line of the key file."""

    name: str
    hash: bytes
    limits: KeyLimits = NO_OWN_LIMITS


def hashed(key: bytes) -> bytes:
    """Return the SHA-256 digest that is stored for a key."""
    return hashlib.sha256(key).digest()


def parse_keys(
    text: str, source: str, reserved: Collection[str] = RESERVED_CLIENTS
) -> tuple[StoredKey, ...]:
    """Parse the contents of a key file.

    Args:
        text: The contents.
        source: The file's name, for errors. Errors never quote the text: it may hold a key.
        reserved: Names of clients without a key.

    Raises:
        SetupError: A line is malformed, or a name or hash is a duplicate.
    """
    keys: list[StoredKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[1:] == [REMOVED]:
            continue
        digest = _HASH.fullmatch(words[1]) if len(words) > 1 else None
        limits = parse_limits(words[2:])
        if digest is None or limits is None or not _NAME.fullmatch(words[0]):
            raise SetupError(
                f"{source}, line {number}: expected `NAME sha256:HASH [LIMIT=NUMBER ...]`. "
                "Correct it, or remove it and create a key with `auricle keys add NAME`."
            )
        if words[0] in reserved:
            raise SetupError(
                f"{source}, line {number}: the name {words[0]} is reserved; rename it."
            )
        key = StoredKey(words[0], bytes.fromhex(digest.group(1)), limits)
        if any(key.name == other.name or key.hash == other.hash for other in keys):
            raise SetupError(f"{source}, line {number}: duplicate name or key.")
        keys.append(key)
    return tuple(keys)


def read_keys(path: Path, reserved: Collection[str] = RESERVED_CLIENTS) -> tuple[StoredKey, ...]:
    """Read a key file.

    Args:
        path: The key file.
        reserved: Names of clients without a key.

    Raises:
        SetupError: The file can't be read or is not a valid key file.
    """
    return parse_keys(_text_of(path), str(path), reserved)


def read_removed(path: Path) -> frozenset[str]:
    """Return the names of removed keys in a key file that no other key has.

    Raises:
        SetupError: The file can't be read or is not a valid key file.
    """
    text = _text_of(path)
    names = {key.name for key in parse_keys(text, str(path), ())}
    lines = (line.split() for line in text.splitlines())
    return frozenset(words[0] for words in lines if words[1:] == [REMOVED]) - names


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise SetupError(f"{path} is larger than 1 MiB, so it is not a key file.")
        return data.decode()
    except FileNotFoundError as error:
        raise SetupError(
            f"{path} does not exist: create it with `auricle keys add NAME`, or unset "
            "AURICLE_KEYS_FILE."
        ) from error
    except OSError as error:
        raise SetupError(
            f"{path} can't be read ({error.strerror}): check its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{path} is not UTF-8 text, so it is not a key file.") from error


def add_key(
    path: Path,
    name: str,
    limits: KeyLimits = NO_OWN_LIMITS,
    reserved: Collection[str] = RESERVED_CLIENTS,
) -> str:
    """Create a key, append its hash to the file, and return the key, which is stored nowhere.

    A missing file is created with mode 0600.

    Args:
        path: The key file.
        name: The key's name.
        limits: The key's limits.
        reserved: Names of clients without a key.

    Raises:
        SetupError: The name is invalid or in use, or the file can't be read or written.
    """
    if not _NAME.fullmatch(name):
        raise SetupError("A key's name is 1 to 64 letters, digits, dots, hyphens or underscores.")
    if name in reserved:
        raise SetupError(f"The name {name} is reserved for clients without a key; use another.")
    key = _PREFIX + secrets.token_urlsafe(32)
    line = f"{name} sha256:{hashed(key.encode()).hex()} {limits.text()}".rstrip() + "\n"
    try:
        if path.exists() and any(stored.name == name for stored in read_keys(path)):
            raise SetupError(f"{path} already has a key {name}: remove it, or use another name.")
        if path.exists() and name in read_removed(path):
            _replace_lines(path.resolve(), name, b"")
        # Append in one write: the file keeps its owner, and readers never see half a line.
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"
            file.write(line.encode())
    except OSError as error:
        raise SetupError(f"{path} can't be written ({error.strerror}).") from error
    return key


def remove_key(path: Path, name: str, *, keeps_data: bool = False) -> None:
    """Remove a key from the file, leaving all other lines unchanged.

    Args:
        path: The key file.
        name: The key's name.
        keeps_data: Whether the server keeps what it has stored for the key.

    Raises:
        SetupError: No key has this name, or the file can't be read or written.
    """
    if all(key.name != name for key in read_keys(path)):
        raise SetupError(f"{path} has no key {name}; `auricle keys list` lists its keys.")
    path = path.resolve()  # replace a symlink's target, not the link
    try:
        _replace_lines(path, name, b"" if keeps_data else f"{name} {REMOVED}\n".encode())
    except OSError as error:
        raise SetupError(f"{path} can't be written ({error.strerror}).") from error


def _replace_lines(path: Path, name: str, new: bytes) -> None:
    """Replace the lines of a key."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [new if line.split()[:1] == [name.encode()] else line for line in lines]
    _replace(path, b"".join(kept))


def _replace(path: Path, data: bytes) -> None:
    """Replace a file atomically, with the same permissions and owner."""
    before = path.stat()
    with replacing(path, 0o600) as file:
        file.write(data)
        if os.name == "posix":
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            if os.fstat(file.fileno()).st_uid != before.st_uid:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)


async def follow_keys(
    path: Path,
    use: Callable[[Sequence[StoredKey]], None],
    *,
    reserved: Collection[str] = RESERVED_CLIENTS,
    check_interval_s: float = CHECK_INTERVAL_S,
) -> None:
    """Load the key file now and whenever it changes; runs until cancelled.

    A missing or invalid file is logged, and the previous keys stay in use.

    Args:
        path: The key file.
        use: Receives the keys; called in a thread.
        reserved: Names of clients without a key.
        check_interval_s: Seconds between checks of the file.
    """
    refresh = partial(_refresh, path, use, reserved)
    await watch_files((path,), refresh, check_interval_s=check_interval_s)


def _refresh(
    path: Path, use: Callable[[Sequence[StoredKey]], None], reserved: Collection[str]
) -> None:
    try:
        keys = read_keys(path, reserved)
    except SetupError as error:
        _log.warning("keys_file_unusable", reason=str(error), keys="unchanged")
        return
    use(keys)
    _log.info("keys_read", keys=len(keys))
    if is_open_to_others(path):
        _log.warning("keys_file_open_to_others", advice=f"chmod 600 {path}")
