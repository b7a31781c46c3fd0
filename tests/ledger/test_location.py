from pathlib import Path
from typing import Any

import pytest

from auricle.config.settings import LedgerSettings
from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.location import open_audio, open_database
from auricle.ledger.sqlite import FILE_NAME, SqliteDatabase
from auricle.values.errors import LedgerUnavailable, SetupError
from tests.support.postgres import PostgresServer


def test_without_a_url_the_database_is_a_file_in_the_state_directory(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state", None)
    database.close()

    assert isinstance(database, SqliteDatabase)
    assert (tmp_path / "state" / FILE_NAME).exists()


def test_with_a_url_the_database_is_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.empty()
    database = open_database(tmp_path / "state", postgres.conninfo)
    database.close()

    assert not isinstance(database, SqliteDatabase)
    assert not (tmp_path / "state").exists()


def test_without_a_url_audio_is_in_the_state_directory(tmp_path: Path) -> None:
    audio = open_audio(LedgerSettings(state_dir=tmp_path / "state"), tmp_path)

    assert isinstance(audio, AudioDirectory)
    assert (tmp_path / "state" / "audio").is_dir()


def test_with_a_url_audio_is_in_the_bucket(bucket_settings: dict[str, Any], tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF")
    settings = LedgerSettings(state_dir=tmp_path / "state", **bucket_settings)
    path = open_audio(settings, tmp_path).fetch(open_audio(settings, tmp_path).put(upload), 4)

    assert path.read_bytes() == b"RIFF"
    assert not (tmp_path / "state").exists()


def test_a_bucket_that_does_not_exist_is_a_setup_error(
    bucket_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = LedgerSettings(**bucket_settings | {"audio_url": "s3://no-such-bucket/x"})
    with pytest.raises(SetupError, match="AURICLE_AUDIO_URL"):
        open_audio(settings, tmp_path)


def test_a_service_that_is_away_does_not_prevent_the_start(
    bucket_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = LedgerSettings(**bucket_settings | {"audio_endpoint": "http://127.0.0.1:1"})
    audio = open_audio(settings, tmp_path)

    with pytest.raises(LedgerUnavailable):
        audio.check()
