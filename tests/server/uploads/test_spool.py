import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from structlog.testing import LogCapture

from auricle.server.uploads.spool import BUFFER_BYTES, SpoolDirectory
from auricle.values.errors import Overloaded, SetupError
from tests.support.command import LIMIT_S, ROOT, serving
from tests.support.service import CLIP, WAV, poll_until

pytestmark = pytest.mark.server


def files(parent: Path) -> list[Path]:
    return [path for path in parent.rglob("*") if path.is_file()]


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


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
async def test_only_the_server_s_user_can_read_a_directory_that_it_creates(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path / "spool")
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    shutil.rmtree(tmp_path / "spool")
    async with spool.file():
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    spool.close()


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
async def test_a_disk_that_is_full_is_a_retryable_error(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = SpoolDirectory.open(tmp_path)
    opened: list[Any] = []

    def fdopen(descriptor: int, *args: object, **kwargs: object) -> FullDisk:
        opened.append(descriptor)
        return FullDisk(number)

    monkeypatch.setattr("auricle.server.uploads.spool.os.fdopen", fdopen)
    with pytest.raises(Overloaded) as caught:
        async with spool.file() as file:
            await file.write(b"x" * BUFFER_BYTES)
    assert caught.value.retry_after_s > 0
    is_full = number != errno.EIO
    assert ("full" in str(caught.value)) is is_full
    assert caught.value.code == ("ledger_full" if is_full else "queue_full")
    assert files(tmp_path) == []
    monkeypatch.undo()
    spool.close()
    for descriptor in opened:
        os.close(descriptor)


@pytest.mark.parametrize("gone", ["directory", "parent"])
async def test_a_directory_that_was_removed_is_made_again(
    tmp_path: Path, logged: LogCapture, gone: str
) -> None:
    spool = SpoolDirectory.open(tmp_path / "spool")
    shutil.rmtree(spool.path if gone == "directory" else spool.path.parent)
    async with spool.file() as file:
        await file.write(b"speech")
        await file.flush()
        assert file.path.read_bytes() == b"speech"
        assert spool.path.stat().st_mode & 0o077 == 0
        fresh = SpoolDirectory.open(tmp_path / "spool")
        assert file.path.exists()  # the new directory is locked, too
    assert not spool.is_failing
    assert [entry["event"] for entry in logged.entries] == ["spool_directory_made_again"]
    fresh.close()
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
async def test_an_upload_outlives_its_name(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path)
    async with spool.file() as file:
        await file.write(b"speech")
        shutil.rmtree(tmp_path)
        await file.write(b", and more of it")
        await file.flush()
        content = await anyio.Path(file.readable_path).read_bytes()
        assert content == b"speech, and more of it"
    assert not spool.is_failing
    spool.close()


@pytest.mark.process
def test_files_are_transcribed_in_the_sandbox_after_the_directory_was_removed(
    tmp_path: Path,
) -> None:
    content = CLIP.path.read_bytes()

    def removed() -> Iterator[bytes]:
        yield content[:1000]
        remove()
        yield content[1000:]

    def remove() -> None:
        for path in (tmp_path / "spool").iterdir():
            shutil.rmtree(path)

    with serving(tmp_path, sandbox_folders=ROOT) as (_, url):
        for body in (content, removed(), content):
            answer = httpx2.post(
                f"{url}/utterance", content=body, headers=WAV, timeout=LIMIT_S, trust_env=False
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["text"]


async def test_a_directory_that_another_process_made_again_is_locked(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path)
    shutil.rmtree(spool.path)
    spool.path.mkdir()
    async with spool.file() as file:
        SpoolDirectory.open(tmp_path).close()
        assert file.path.exists()
    spool.close()


async def test_it_is_known_and_logged_while_nothing_can_be_stored(
    tmp_path: Path, logged: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.uploads.spool.CHECK_EVERY_S", 0.01)
    spool = SpoolDirectory.open(tmp_path / "spool")
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("in the way")
    async with anyio.create_task_group() as group:
        for _ in range(2):
            with pytest.raises(Overloaded):
                async with spool.file():
                    pass
        assert spool.is_failing
        [entry] = logged.entries
        assert (entry["event"], entry["log_level"]) == ("uploads_not_stored", "error")
        assert entry["error"] == "ENOTDIR"
        checks, check = list[None](), spool._check

        def counted() -> None:
            checks.append(None)
            check()

        monkeypatch.setattr(spool, "_check", counted)
        group.start_soon(spool.watch)
        await poll_until(lambda: len(checks) > 2)
        assert spool.is_failing
        (tmp_path / "spool").unlink()
        await poll_until(lambda: not spool.is_failing)
        group.cancel_scope.cancel()
    async with spool.file() as file:
        await file.write(b"x")
    events = [entry["event"] for entry in logged.entries]
    assert events.count("uploads_not_stored") == 1
    assert "uploads_stored_again" in events
    spool.close()


async def test_a_failure_is_noticed_without_any_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.uploads.spool.CHECK_EVERY_S", 0.01)
    spool = SpoolDirectory.open(tmp_path / "spool")
    async with anyio.create_task_group() as group:
        group.start_soon(spool.watch)
        shutil.rmtree(spool.path)
        await poll_until(spool.path.is_dir)
        shutil.move(tmp_path / "spool", tmp_path / "elsewhere")
        (tmp_path / "spool").write_text("in the way")
        await poll_until(lambda: spool.is_failing)
        group.cancel_scope.cancel()


def test_what_a_killed_server_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    living = SpoolDirectory.open(tmp_path)
    dead = SpoolDirectory.open(tmp_path)
    (dead.path / "upload").write_bytes(b"left behind")
    assert dead._lock is not None
    os.close(dead._lock)  # as the system does when a process ends
    fresh = SpoolDirectory.open(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living.path, fresh.path])
    living.close()
    fresh.close()


def test_a_directory_whose_lock_cannot_be_tried_is_not_removed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("precious")
    (tmp_path / "auricle-spool-link").symlink_to(mine, target_is_directory=True)
    (tmp_path / "auricle-spool-file").write_text("precious")
    SpoolDirectory.open(tmp_path).close()
    assert (mine / "file").exists()
    assert (tmp_path / "auricle-spool-file").exists()
    assert (tmp_path / "auricle-spool-link").is_symlink()


STARTS = 300
PROGRAM = """
import sys
from collections.abc import Iterator
from pathlib import Path
from auricle.server.uploads.spool import SpoolDirectory

parent, starts = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
lost = 0
for _ in range(starts):
    spool = SpoolDirectory.open(parent)
    upload = spool.path / "upload"
    for _ in range(3):
        try:
            upload.write_bytes(b"speech")
            lost += upload.read_bytes() != b"speech"
        except OSError:
            lost += 1
    spool.close()
print(lost, flush=True)
"""


@pytest.mark.process
def test_servers_that_start_together_leave_each_others_directories_alone(tmp_path: Path) -> None:
    servers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path), str(STARTS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(4)
    ]
    try:
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        for server in servers:
            assert server.stdin is not None
            server.stdin.write("go\n")
            server.stdin.flush()
        results = [server.communicate(timeout=300)[0] for server in servers]
    finally:
        for server in servers:
            server.kill()
            server.communicate()
    assert results == ["0\n"] * 4
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(SetupError, match="AURICLE_SPOOL_DIR"):
        SpoolDirectory.open(tmp_path / "file")
