"""``auricle keys webhook-secret``: receivers get the secret of their key."""

from pathlib import Path

import pytest

from auricle.values.types import ANONYMOUS
from auricle.webhooks.request import secret_of_owner, written_secret
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit

SECRET = "a secret of more than thirty-two characters"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key_file = tmp_path / "keys"
    monkeypatch.setenv("AURICLE_KEYS_FILE", str(key_file))
    return key_file


def test_the_webhook_secret_of_a_key_is_shown(
    auricle: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("AURICLE_API_KEYS", "ben:a-key")
    auricle("keys", "add", "anna")
    secrets = [auricle("keys", "webhook-secret", name).stdout.strip() for name in ("anna", "ben")]
    unknown = auricle("keys", "webhook-secret", "carl")
    unnamed = auricle("keys", "webhook-secret")

    assert secrets == [
        written_secret(secret_of_owner(SECRET.encode(), name)) for name in ("anna", "ben")
    ]
    assert (unknown.exit_code, unnamed.exit_code) == (2, 2)


def test_a_server_without_keys_has_one_webhook_secret(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_WEBHOOK_SECRET", SECRET)
    expected = written_secret(secret_of_owner(SECRET.encode(), ANONYMOUS))

    assert auricle("keys", "webhook-secret").stdout.strip() == expected
    assert auricle("keys", "webhook-secret", "anna").exit_code == 2


def test_without_a_server_secret_there_are_no_webhook_secrets(
    auricle: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auricle("keys", "add", "anna")
    absent = auricle("keys", "webhook-secret", "anna")
    monkeypatch.setenv("AURICLE_WEBHOOK_SECRET", "short")
    short = auricle("keys", "webhook-secret", "anna")

    assert (absent.exit_code, short.exit_code) == (2, 2)
    assert "AURICLE_WEBHOOK_SECRET" in absent.stderr
    assert "32" in short.stderr
    assert "short" not in short.stderr.replace("shorter", "")


def test_without_a_file_it_says_how_to_name_one(auricle: Run) -> None:
    done = auricle("keys", "list")
    assert done.exit_code == 2
    assert "AURICLE_KEYS_FILE" in done.stderr
