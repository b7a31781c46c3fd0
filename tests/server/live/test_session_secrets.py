"""IDs and secrets of live sessions; time is a number."""

import os
import re
import stat
from pathlib import Path

import pytest

from auricle.server.live.session_secrets import (
    FILE,
    KEY_BYTES,
    MAX_RETURNED,
    RETURN_S,
    SECRET_CHARACTERS,
    SessionSecrets,
)
from auricle.values.types import ClientId

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")
KEY, OTHER_KEY = b"k" * KEY_BYTES, b"o" * KEY_BYTES
START = 1000.0


def issued(key: bytes = KEY) -> tuple[str, str]:
    """Return a session of the last run with its secret."""
    last_run = SessionSecrets(key, START - 50)
    session = last_run.new_id()
    return session, last_run.new_secret(session, ALICE)


def test_no_two_sessions_share_an_id_or_a_secret() -> None:
    runs = [SessionSecrets(KEY, START) for _ in range(10)]
    ids = [run.new_id() for run in runs for _ in range(100)]
    assert len(set(ids)) == 1000
    assert len({runs[0].new_secret(session, ALICE) for session in ids}) == 1000


@pytest.mark.parametrize("prefix", ["", "Gw2-"])
def test_an_id_and_its_secret_are_safe_in_addresses(prefix: str) -> None:
    it = SessionSecrets(KEY, START, prefix)
    session = it.new_id()
    assert re.fullmatch(f"{prefix}[0-9a-f]{{24}}", session)
    assert re.fullmatch(rf"[\w-]{{{SECRET_CHARACTERS}}}", it.new_secret(session, ALICE), re.ASCII)


def test_only_the_right_secret_is_genuine() -> None:
    it = SessionSecrets(KEY, START)
    session, other = it.new_id(), it.new_id()
    secret = it.new_secret(session, ALICE)
    assert it.is_genuine(session, secret, ALICE)
    for wrong in (
        "",
        secret[:-1],
        secret + "A",
        secret.swapcase(),
        "w\u00f6rng",
        it.new_secret(other, ALICE),
    ):
        assert not it.is_genuine(session, wrong, ALICE)
    assert not it.is_genuine(other, secret, ALICE)
    assert not SessionSecrets(OTHER_KEY, START).is_genuine(session, secret, ALICE)


def test_a_secret_proves_nothing_for_another_client() -> None:
    session, secret = issued()
    it = SessionSecrets(KEY, START)
    assert not it.is_genuine(session, secret, BOB)
    assert not it.returns(session, secret, BOB, START)


def test_a_session_has_another_secret_each_time() -> None:
    it = SessionSecrets(KEY, START)
    session = it.new_id()
    secrets = {it.new_secret(session, ALICE) for _ in range(100)}
    assert len(secrets) == 100
    assert all(it.is_genuine(session, secret, ALICE) for secret in secrets)


def test_a_session_of_the_last_run_returns_once() -> None:
    session, secret = issued()
    it = SessionSecrets(KEY, START)
    assert it.returns(session, secret, ALICE, START + 1)
    assert not it.returns(session, secret, ALICE, START + 2)
    assert it.returns(*issued(), ALICE, START + 2)


def test_a_forged_secret_or_that_of_another_server_does_not_return() -> None:
    session, secret = issued()
    it = SessionSecrets(KEY, START)
    assert not it.returns(session, secret[::-1], ALICE, START)
    assert not it.returns("", "", ALICE, START)
    assert not it.returns(*issued(OTHER_KEY), ALICE, START)
    assert it.returns(session, secret, ALICE, START)  # an attempt of others does not use it up


def test_a_session_of_this_run_does_not_return() -> None:
    it = SessionSecrets(KEY, START)
    session = it.new_id()
    assert not it.returns(session, it.new_secret(session, ALICE), ALICE, START)


def test_sessions_return_only_for_some_time() -> None:
    it = SessionSecrets(KEY, START)
    assert it.returns(*issued(), ALICE, START + RETURN_S)
    assert not it.returns(*issued(), ALICE, START + RETURN_S + 0.1)


def test_what_is_remembered_of_returned_sessions_is_bounded() -> None:
    last_run, it = SessionSecrets(KEY, START), SessionSecrets(KEY, START)
    for _ in range(MAX_RETURNED + 10):
        session = last_run.new_id()
        assert it.returns(session, last_run.new_secret(session, ALICE), ALICE, START)
    assert len(it._returned) == MAX_RETURNED


def test_the_key_outlives_the_process(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    last_run = SessionSecrets.stored_in(folder, START)
    session = last_run.new_id()
    secret = last_run.new_secret(session, ALICE)
    assert SessionSecrets.stored_in(folder, START).returns(session, secret, ALICE, START)
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert not SessionSecrets.stored_in(tmp_path, START).is_genuine(session, secret, ALICE)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_the_server_may_read_the_key(tmp_path: Path) -> None:
    SessionSecrets.stored_in(tmp_path / "state", START)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_a_broken_key_is_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    it = SessionSecrets.stored_in(tmp_path, START)
    session = it.new_id()
    assert it.is_genuine(session, it.new_secret(session, ALICE), ALICE)
    assert not SessionSecrets(content, START).is_genuine(
        session, it.new_secret(session, ALICE), ALICE
    )
    again = SessionSecrets.stored_in(tmp_path, START)
    assert not again.is_genuine(session, it.new_secret(session, ALICE), ALICE)


def test_without_a_writable_folder_secrets_work_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    it = SessionSecrets.stored_in(tmp_path / "file", START)
    session = it.new_id()
    assert it.is_genuine(session, it.new_secret(session, ALICE), ALICE)
    assert not SessionSecrets(b"", START).is_genuine(session, it.new_secret(session, ALICE), ALICE)
