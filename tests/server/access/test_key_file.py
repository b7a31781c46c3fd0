"""The file of keys: what it holds, how it is changed, and that the server follows it."""

import hashlib
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.server.access.key_file import (
    MAX_FILE_BYTES,
    StoredKey,
    add_key,
    follow_keys,
    parse_keys,
    read_keys,
    read_removed,
    remove_key,
)
from auricle.server.access.rate_limits import KeyLimits
from auricle.values.errors import SetupError
from tests.support.poll import poll_until
from tests.support.service import in_process

pytestmark = pytest.mark.server

ANNA, BEN = (f"{name} sha256:{digit * 64}" for name, digit in (("anna", "a"), ("ben", "b")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def names(keys: Sequence[StoredKey]) -> list[str]:
    return [key.name for key in keys]


def test_each_line_is_a_name_and_a_hash() -> None:
    found = parse_keys(f"# who may\n\n{ANNA}\n  {BEN.replace(' ', chr(9))}\r\n", "keys")
    assert found == (
        StoredKey("anna", bytes.fromhex("a" * 64)),
        StoredKey("ben", bytes.fromhex("b" * 64)),
    )
    assert parse_keys("", "keys") == ()


@pytest.mark.parametrize(
    "line",
    [
        "anna",
        "anna secret-key",
        ANNA[:-1],
        f"{ANNA}0",
        ANNA.upper(),
        f"{ANNA} more",
        f"{ANNA} requests=-1",
        f"an,na {ANNA.split()[1]}",
        f"{'a' * 65} {ANNA.split()[1]}",
        ANNA.split()[1],
    ],
)
def test_an_invalid_line_is_reported_by_its_number_and_never_shown(line: str) -> None:
    with pytest.raises(SetupError, match=r"keys, line 2: expected .*auricle keys add") as caught:
        parse_keys(f"{BEN}\n{line}\n", "keys")
    assert "secret-key" not in str(caught.value)


def test_limits_stand_behind_the_hash_and_are_kept_when_others_change(path: Path) -> None:
    add_key(path, "anna", KeyLimits(sessions=2, audio_s=600, requests=0))
    add_key(path, "ben")
    add_key(path, "carl")
    remove_key(path, "ben")
    assert path.read_text().split("\n")[0].endswith(" sessions=2 audio_s=600 requests=0")
    assert [key.limits for key in read_keys(path)] == [KeyLimits(2, 600, 0), KeyLimits()]


@pytest.mark.parametrize("line", [f"anna sha256:{'c' * 64}", f"carl sha256:{'a' * 64}"])
def test_a_name_or_a_key_is_there_once(line: str) -> None:
    with pytest.raises(SetupError, match="line 2: duplicate name or key"):
        parse_keys(f"{ANNA}\n{line}\n", "keys")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * (MAX_FILE_BYTES + 1)], ids=["bytes", "huge"])
def test_what_is_no_file_of_keys_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(SetupError, match="not a key file"):
        read_keys(path)


def test_a_file_that_is_not_there_or_cant_be_read_says_what_to_do(path: Path) -> None:
    with pytest.raises(SetupError, match="auricle keys add"):
        read_keys(path)
    with pytest.raises(SetupError, match="can't be read"):
        read_keys(path.parent)  # a folder


def test_a_new_key_is_random_and_only_its_hash_is_kept(path: Path) -> None:
    first, second = add_key(path, "anna"), add_key(path, "ben")
    assert first != second
    assert len(first) == len("aur_") + 43  # 256 bits in base64
    assert first.startswith("aur_")
    assert read_keys(path)[0] == StoredKey("anna", hashlib.sha256(first.encode()).digest())
    assert names(read_keys(path)) == ["anna", "ben"]
    assert first not in path.read_text()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_new_file_is_for_its_owner_and_a_files_mode_stays(path: Path) -> None:
    add_key(path, "anna")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    add_key(path, "ben")
    remove_key(path, "anna")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_key_is_added_below_a_last_line_without_an_end(path: Path) -> None:
    path.write_text(ANNA)
    add_key(path, "ben")
    assert names(read_keys(path)) == ["anna", "ben"]


def test_a_removed_key_is_remembered_unless_its_data_is_kept(path: Path) -> None:
    for name in ("anna", "ben", "carl"):
        add_key(path, name)
    remove_key(path, "anna")
    remove_key(path, "ben", keeps_data=True)
    assert (names(read_keys(path)), read_removed(path)) == (["carl"], frozenset({"anna"}))
    add_key(path, "anna")
    assert (names(read_keys(path)), read_removed(path)) == (["carl", "anna"], frozenset())
    assert "removed" not in path.read_text()


@pytest.mark.parametrize("name", ["", "a b", "#a", "ключ", "a" * 65, "a:b"])
def test_a_name_that_would_not_be_read_again_is_refused(path: Path, name: str) -> None:
    with pytest.raises(SetupError, match="name"):
        add_key(path, name)
    assert not path.exists()


def test_a_name_that_is_there_is_refused_and_so_is_a_broken_file(path: Path) -> None:
    path.write_text(f"{ANNA}\n")
    with pytest.raises(SetupError, match="already has a key anna"):
        add_key(path, "anna")
    path.write_text("broken\n")
    with pytest.raises(SetupError, match="line 1"):
        add_key(path, "ben")
    assert path.read_text() == "broken\n"
    with pytest.raises(SetupError, match="can't be written"):
        add_key(path / "below", "ben")


def test_removing_leaves_all_other_lines_and_links_as_they_are(path: Path) -> None:
    path.write_text(f"# anna is first\n{ANNA}\n\n{BEN}\n")
    link = path.parent / "link"
    link.symlink_to(path)
    remove_key(link, "anna", keeps_data=True)
    assert link.is_symlink()
    assert path.read_text() == f"# anna is first\n\n{BEN}\n"
    assert sorted(path.parent.iterdir()) == [path, link]
    with pytest.raises(SetupError, match="no key anna"):
        remove_key(path, "anna")


def lay(path: Path, text: str, mode: int = 0o600) -> None:
    """Put a file there in one step."""
    new = path.parent / "new"
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)


@asynccontextmanager
async def following(path: Path) -> AsyncIterator[list[list[str]]]:
    """Follow a file, and give what was handed on each time."""
    handed: list[list[str]] = []
    async with anyio.create_task_group() as tasks:
        use = partial(_note, handed)
        tasks.start_soon(partial(follow_keys, path, use, check_interval_s=0.001))
        await poll_until(lambda: bool(handed))
        yield handed
        tasks.cancel_scope.cancel()


def _note(handed: list[list[str]], keys: Sequence[StoredKey]) -> None:
    handed.append(names(keys))


async def test_each_change_is_handed_on_once(path: Path) -> None:
    lay(path, f"{ANNA}\n")
    async with following(path) as handed:
        add_key(path, "carl")
        await poll_until(lambda: len(handed) == 2)
        remove_key(path, "anna")
        await poll_until(lambda: len(handed) == 3)
    assert handed == [["anna"], ["anna", "carl"], ["carl"]]


async def test_a_file_that_breaks_or_goes_changes_nothing_and_is_reported_once(
    path: Path, logged: LogCapture
) -> None:
    def told() -> list[str]:
        return [str(e["reason"]) for e in logged.entries if e["event"] == "keys_file_unusable"]

    lay(path, f"{ANNA}\n")
    async with following(path) as handed:
        os.unlink(path)
        await poll_until(lambda: len(told()) == 1)
        lay(path, "anna secret-key\n")
        await poll_until(lambda: len(told()) == 2)
        assert handed == [["anna"]]
        os.unlink(path)
        add_key(path, "ben")
        await poll_until(lambda: handed[-1] == ["ben"])
    assert "secret-key" not in str(logged.entries)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(
    ("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o660, True)]
)
async def test_a_file_that_others_can_read_or_write_is_reported(
    path: Path, logged: LogCapture, mode: int, is_open: bool
) -> None:
    lay(path, f"{ANNA}\n", mode)
    async with following(path):
        await poll_until(lambda: any(e["event"] == "keys_read" for e in logged.entries))
    assert any(e["event"] == "keys_file_open_to_others" for e in logged.entries) is is_open


async def test_the_server_takes_and_drops_keys_while_it_runs(tmp_path: Path, path: Path) -> None:
    first = add_key(path, "anna")
    with in_process(tmp_path / "spool", keys_file=path) as service:

        def status(key: str) -> int:
            headers = {"authorization": f"Bearer {key}"}
            return int(service.client.post("/v1/auth/token", headers=headers).status_code)

        assert (status(first), status("wrong")) == (200, 401)
        second = add_key(path, "ben")
        remove_key(path, "anna")
        await poll_until(lambda: (status(first), status(second)) == (401, 200))
