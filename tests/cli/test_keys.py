"""``auricle keys``: a key is shown once, listed by its name, and removed."""

from pathlib import Path

import pytest

from auricle.server.access.key_file import hashed, read_keys
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key_file = tmp_path / "keys"
    monkeypatch.setenv("AURICLE_KEYS_FILE", str(key_file))
    return key_file


def test_a_new_key_is_all_that_goes_to_stdout(auricle: Run, path: Path) -> None:
    done = auricle("keys", "add", "anna")
    key = done.stdout.strip()
    [stored] = read_keys(path)
    assert (stored.name, stored.hash) == ("anna", hashed(key.encode()))
    assert "anna" in done.stderr
    assert key not in done.stderr


def test_keys_are_listed_by_their_names(auricle: Run, path: Path) -> None:
    keys = [
        auricle("keys", "add", name, "--requests", "60").stdout.strip() for name in ("anna", "ben")
    ]
    header, *lines = auricle("keys", "list").stdout.splitlines()
    assert header.split() == ["name", "hash", "limits"]
    assert [line.split() for line in lines] == [
        [key.name, f"{key.hash.hex()[:8]}…", "requests=60"] for key in read_keys(path)
    ]
    assert not any(key in "".join(lines) for key in keys)


def test_a_key_is_removed_by_its_name(auricle: Run, path: Path) -> None:
    auricle("keys", "add", "anna")
    auricle("keys", "add", "ben")
    assert auricle("keys", "remove", "anna").exit_code == 0
    assert [key.name for key in read_keys(path)] == ["ben"]
    again = auricle("keys", "remove", "anna")
    assert again.exit_code == 2
    assert again.stderr.startswith("auricle: ")


def test_the_file_may_be_an_option(auricle: Run, tmp_path: Path) -> None:
    path = tmp_path / "others"
    assert auricle("keys", "add", "anna", "--keys-file", str(path)).exit_code == 0
    assert [key.name for key in read_keys(path)] == ["anna"]
