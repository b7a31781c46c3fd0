from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.settings import Settings
from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.databases.sqlite import FILE_NAME, SqliteDatabase
from auricle.ledger.location import check_urls, database_at, open_audio, open_database
from auricle.values.errors import LedgerUnavailable, SetupError
from tests.support.postgres import PostgresServer


def test_without_a_url_the_database_is_a_file_in_the_state_directory(tmp_path: Path) -> None:
    database = open_database(LedgerSettings(state_dir=tmp_path / "state"))
    database.close()

    assert isinstance(database, SqliteDatabase)
    assert (tmp_path / "state" / FILE_NAME).exists()


def test_with_a_url_the_database_is_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.empty()
    url = SecretStr(postgres.conninfo)
    database = open_database(LedgerSettings(state_dir=tmp_path / "state", database_url=url))
    database.close()

    assert not isinstance(database, SqliteDatabase)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://auricle@db/auricle",
        "postgres://auricle@db/auricle",
        "host=db user=auricle password=a://b",
        "",
    ],
)
def test_postgresql_has_urls_of_two_schemes_and_connection_strings(url: str) -> None:
    assert database_at(url).title == "PostgreSQL"


def test_a_url_whose_scheme_no_folder_supports_is_refused_without_its_password() -> None:
    url = SecretStr("mysql://auricle:secret@db/auricle")
    with pytest.raises(SetupError) as error:
        check_urls(LedgerSettings(database_url=url))

    assert str(error.value).startswith("AURICLE_DATABASE_URL: ")
    assert "mysql://, since no folder of auricle.ledger.databases does" in str(error.value)
    assert "postgresql://" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "https://bucket/prefix", "bucket/prefix"])
def test_audio_at_a_url_that_no_folder_supports_is_refused(url: str) -> None:
    with pytest.raises(SetupError, match=r"AURICLE_AUDIO_URL: .*auricle\.ledger\.audio.*s3://"):
        check_urls(LedgerSettings(audio_url=url))


def test_a_malformed_url_of_audio_is_refused_before_it_is_opened() -> None:
    with pytest.raises(SetupError, match="AURICLE_AUDIO_URL: write it as s3://bucket/prefix"):
        check_urls(LedgerSettings(audio_url="s3://"))


def test_urls_that_are_supported_pass_and_so_do_none() -> None:
    url = SecretStr("postgresql://auricle@db/auricle")
    check_urls(LedgerSettings(database_url=url, audio_url="s3://bucket/prefix"))
    check_urls(LedgerSettings())


def test_without_a_url_audio_is_in_the_state_directory(tmp_path: Path) -> None:
    settings = Settings(ledger=LedgerSettings(state_dir=tmp_path / "state"))
    audio = open_audio(settings, tmp_path)

    assert isinstance(audio, AudioDirectory)
    assert (tmp_path / "state" / "audio").is_dir()


def test_with_a_url_audio_is_in_the_bucket(bucket_settings: dict[str, Any], tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF")
    settings = Settings.load({"state_dir": tmp_path / "state"} | bucket_settings)
    path = open_audio(settings, tmp_path).fetch(open_audio(settings, tmp_path).put(upload), 4)

    assert path.read_bytes() == b"RIFF"
    assert not (tmp_path / "state").exists()


def test_a_bucket_that_does_not_exist_is_a_setup_error(
    bucket_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = Settings.load(bucket_settings | {"audio_url": "s3://no-such-bucket/x"})
    with pytest.raises(SetupError, match="AURICLE_AUDIO_URL"):
        open_audio(settings, tmp_path)


def test_a_service_that_is_away_does_not_prevent_the_start(
    bucket_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = Settings.load(bucket_settings | {"audio_endpoint": "http://127.0.0.1:1"})
    audio = open_audio(settings, tmp_path)

    with pytest.raises(LedgerUnavailable):
        audio.check()
