"""Files that change while the server runs; test_keys and test_tls try what is done with them."""

import os
from functools import partial
from pathlib import Path

import anyio
import pytest

from auricle.server.net.file_watch import is_open_to_others, watch_files
from tests.support.service import poll_until

pytestmark = pytest.mark.unit


async def test_each_change_of_any_file_is_reported_and_nothing_else(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    calls: list[str] = []

    def look() -> None:
        calls.append(f"{one.read_text()} {other.read_text() if other.exists() else '-'}")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(watch_files, (one, other), look, check_interval_s=0.001))
        await poll_until(lambda: calls == ["1 -"])
        new = tmp_path / "new"
        new.write_text("2")
        new.replace(other)  # in one step, which is seen once
        await poll_until(lambda: calls[-1] == "1 2")
        other.unlink()
        await poll_until(lambda: calls[-1] == "1 -")
        count = len(calls)
        os.utime(one, (1, 1))
        await poll_until(lambda: len(calls) == count + 1)
        tasks.cancel_scope.cancel()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True)])
def test_permissions_of_a_file_are_checked(tmp_path: Path, mode: int, is_open: bool) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    assert is_open_to_others(path) is is_open


def test_a_deleted_file_can_not_be_opened(tmp_path: Path) -> None:
    assert not is_open_to_others(tmp_path / "gone")
