import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.errors import Overloaded, SetupError
from auricle.server.spool import BUFFER_BYTES, SpoolDirectory

pytestmark = pytest.mark.unit


def files(parent: Path) -> list[Path]:
    return [path for path in parent.rglob("*") if path.is_file() and path.name != "lock"]


async def test_a_file_holds_what_was_written_and_is_gone_afterwards(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path)
    async with spool.file() as file:
        for size in (3, BUFFER_BYTES, 5):
            await file.write(b"x" * size)
        await file.flush()
        assert file.size_bytes == BUFFER_BYTES + 8
        assert file.path.stat().st_size == file.size_bytes
        assert await file.read(4) == b"xxxx"
        assert await file.read() == b"x" * file.size_bytes
        await file.write(b"y")
        await file.flush()
        assert await file.read() == b"x" * (file.size_bytes - 1) + b"y"
        assert file.path.stat().st_mode & 0o077 == 0
    assert files(tmp_path) == []
    spool.close()
    assert not spool.path.exists()


async def test_what_was_written_can_be_read_when_no_more_files_can_be_opened(
    tmp_path: Path,
) -> None:
    resource = pytest.importorskip("resource")
    spool = SpoolDirectory.open(tmp_path)
    async with spool.file() as file:
        await file.write(b"x")
        await file.flush()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                os.open(file.path, os.O_RDONLY)
            assert await file.read() == b"x"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    spool.close()


async def test_a_file_is_removed_when_its_request_fails_or_is_cancelled(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path)
    with contextlib.suppress(RuntimeError):
        async with spool.file() as file:
            await file.write(b"1")
            raise RuntimeError
    with anyio.move_on_after(0.01):
        async with spool.file():
            await anyio.sleep_forever()
    assert files(tmp_path) == []
    spool.close()


class FullDisk:
    """A file on a full disk."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: object) -> int:
        raise OSError(self._number, "injected")

    def close(self) -> None:
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
async def test_a_disk_that_takes_no_more_is_a_reason_to_come_back(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = SpoolDirectory.open(tmp_path)
    opened: list[Any] = []

    def fdopen(descriptor: int, *args: object, **kwargs: object) -> FullDisk:
        opened.append(descriptor)
        return FullDisk(number)

    monkeypatch.setattr("auricle.server.spool.os.fdopen", fdopen)
    with pytest.raises(Overloaded) as caught:
        async with spool.file() as file:
            await file.write(b"x" * BUFFER_BYTES)
    assert caught.value.retry_after_s > 0
    assert ("full" in str(caught.value)) is (number != errno.EIO)
    assert files(tmp_path) == []
    monkeypatch.undo()
    spool.close()
    for descriptor in opened:
        os.close(descriptor)


async def test_a_directory_that_was_removed_is_a_reason_to_come_back(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path)
    spool.close()
    with pytest.raises(Overloaded):
        async with spool.file():
            pass


def test_what_a_killed_server_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    living = SpoolDirectory.open(tmp_path)
    dead = SpoolDirectory.open(tmp_path)
    (dead.path / "upload").write_bytes(b"left behind")
    dead._lock.close()  # as the system does when a process ends
    fresh = SpoolDirectory.open(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living.path, fresh.path])
    living.close()
    fresh.close()


def test_a_place_that_cannot_be_written_to_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(SetupError, match="AURICLE_SPOOL_DIR"):
        SpoolDirectory.open(tmp_path / "file")
