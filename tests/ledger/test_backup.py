"""Backups: of databases in use, checked, and restored where no server runs."""

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.backup import Copied, back_up, restore
from auricle.ledger.databases.sqlite import FILE_NAME, SqliteDatabase
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import LedgerCorrupt, LedgerForeign, LedgerInUse, SetupError
from auricle.values.types import ClientId
from tests.support.ledger import a_spec, damage

POISONED = Outcome(JobState.FAILED, keep_s=60)
QUOTA = Quota(max_jobs=10**6, max_ended_jobs=10**6, max_audio_bytes=10**12)
NOW = 1.8e9
SPEECH = b"speech" * 1000


class Server:
    """The database and the audio of a server that runs."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.database = SqliteDatabase.open(state)
        self.ledger = Ledger(self.database, "gateway", POISONED)
        self.audio = AudioDirectory(state / "audio")

    def accept(self, job_id: str) -> str:
        upload = self.state / "upload"
        upload.write_bytes(SPEECH)
        name = self.audio.put(upload)
        upload.unlink()
        spec = a_spec(job_id, audio=name, audio_bytes=len(SPEECH))
        self.ledger.accept(spec, QUOTA, NOW)
        return name

    def finish(self) -> None:
        job = self.ledger.lease(NOW)
        assert job is not None
        self.ledger.finish(claim_of(job), Outcome(JobState.DONE, 60.0, text="Good day."), NOW)
        self.audio.delete(job.spec.audio)


def jobs_of(state: Path) -> dict[str, str]:
    """Return the states of all jobs."""
    database = SqliteDatabase.open(state)
    rows = database.read(lambda t: t.execute("SELECT job_id, state FROM jobs"))
    database.close()
    return dict(rows)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "state")
    yield server
    server.database.close()


def test_a_backup_of_a_server_that_runs_is_restored_elsewhere(
    server: Server, tmp_path: Path
) -> None:
    server.accept("done")
    server.finish()
    name = server.accept("waiting")
    transcript = KeptTranscript("t", ClientId("key"), "job", "en", NOW, NOW + 10)
    Transcripts(server.database).add(transcript, [KeptSegment(0, 0, 900, "Good day.")])
    copied = back_up(server.state, tmp_path / "backup")
    assert (copied.jobs, copied.transcripts, copied.recordings) == (2, 1, 1)
    assert copied.audio_bytes == len(SPEECH)
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["audio", FILE_NAME]
    assert (tmp_path / "backup" / FILE_NAME).stat().st_mode & 0o777 == 0o600
    server.accept("later")

    state = tmp_path / "other"
    assert restore(tmp_path / "backup", state) == copied
    assert jobs_of(state) == {"done": "done", "waiting": "queued"}
    assert AudioDirectory(state / "audio").fetch(name, len(SPEECH)).read_bytes() == SPEECH
    assert not list(state.glob(".new-*"))


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_neither_a_backup_nor_a_restore_follows_a_link(server: Server, tmp_path: Path) -> None:
    name = server.accept("waiting")
    back_up(server.state, tmp_path / "backup")
    (tmp_path / "secret").write_bytes(b"of root")
    for folder in (server.state, tmp_path / "backup"):
        (folder / "audio" / name).unlink()
        (folder / "audio" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(SetupError):
        back_up(server.state, tmp_path / "other")
    with pytest.raises(SetupError):
        restore(tmp_path / "backup", tmp_path / "restored")
    assert b"of root" not in [
        path.read_bytes() for path in tmp_path.glob("*/audio/*") if not path.is_symlink()
    ]


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_only_the_server_may_open_the_lock(server: Server) -> None:
    assert (server.state / "ledger.lock").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_one_moment_of_a_database_that_is_written(
    server: Server, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        for number in range(10_000):
            if stop.is_set():
                break
            server.ledger.accept(a_spec(str(number)), QUOTA, NOW)

    server.ledger.accept(a_spec("0"), QUOTA, NOW)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        copied = [back_up(server.state, tmp_path / str(number)) for number in range(5)]
    finally:
        stop.set()
        writer.join()
    server.database.close()
    counts = [each.jobs for each in copied]
    assert counts == sorted(counts)
    assert 0 < counts[-1] <= len(jobs_of(server.state))
    for number, count in enumerate(counts):
        names = jobs_of(tmp_path / str(number))
        assert sorted(map(int, names)) == list(range(count))  # in order, and none is missing


def test_audio_of_jobs_that_end_meanwhile_is_not_kept(server: Server, tmp_path: Path) -> None:
    first = server.accept("first")
    back_up(server.state, tmp_path / "backup")
    server.finish()
    second = server.accept("second")
    copied = back_up(server.state, tmp_path / "backup", replaces=True)
    assert os.listdir(tmp_path / "backup" / "audio") == [second] != [first]
    assert (copied.jobs, copied.recordings) == (2, 1)


def test_a_backup_is_replaced_on_request_only(server: Server, tmp_path: Path) -> None:
    server.accept("first")
    back_up(server.state, tmp_path / "backup")
    before = (tmp_path / "backup" / FILE_NAME).read_bytes()
    server.accept("second")
    with pytest.raises(SetupError, match="--force"):
        back_up(server.state, tmp_path / "backup")
    assert (tmp_path / "backup" / FILE_NAME).read_bytes() == before
    assert back_up(server.state, tmp_path / "backup", replaces=True).jobs == 2
    with pytest.raises(SetupError, match="the state directory itself"):
        back_up(server.state, server.state, replaces=True)


def test_a_damaged_database_replaces_no_backup(server: Server, tmp_path: Path) -> None:
    for number in range(200):
        server.accept(str(number))
    back_up(server.state, tmp_path / "backup")
    before = (tmp_path / "backup" / FILE_NAME).read_bytes()
    server.database.close()
    damage(server.state / FILE_NAME)
    with pytest.raises(LedgerCorrupt):
        back_up(server.state, tmp_path / "backup", replaces=True)
    assert (tmp_path / "backup" / FILE_NAME).read_bytes() == before
    assert not list((tmp_path / "backup").glob(".new-*"))


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="AURICLE_STATE_DIR"):
        back_up(tmp_path / "state", tmp_path / "backup")
    with pytest.raises(SetupError, match="There is no backup"):
        restore(tmp_path / "backup", tmp_path / "state")
    assert not list(tmp_path.iterdir())


def test_nothing_is_restored_below_a_server(server: Server, tmp_path: Path) -> None:
    server.accept("first")
    back_up(server.state, tmp_path / "backup")
    for replaces in (False, True):
        with pytest.raises(LedgerInUse, match="stop it first"):
            restore(tmp_path / "backup", server.state, replaces=replaces)
    server.accept("second")
    server.database.close()
    with pytest.raises(SetupError, match="--force"):
        restore(tmp_path / "backup", server.state)
    assert set(jobs_of(server.state)) == {"first", "second"}
    restore(tmp_path / "backup", server.state, replaces=True)
    assert set(jobs_of(server.state)) == {"first"}


def test_commits_of_a_killed_server_are_not_applied_to_what_was_restored(
    server: Server, tmp_path: Path
) -> None:
    server.accept("first")
    back_up(server.state, tmp_path / "backup")
    server.accept("second")
    killed = tmp_path / "killed"
    shutil.copytree(server.state, killed)  # with SQLite's log of recent commits
    assert (killed / f"{FILE_NAME}-wal").stat().st_size > 0
    restore(tmp_path / "backup", killed, replaces=True)
    assert set(jobs_of(killed)) == {"first"}


def test_a_copy_of_a_state_directory_is_restored_with_its_recent_commits(
    server: Server, tmp_path: Path
) -> None:
    name = server.accept("first")
    shutil.copytree(server.state, tmp_path / "copy")
    assert (tmp_path / "copy" / f"{FILE_NAME}-wal").stat().st_size > 0
    restore(tmp_path / "copy", tmp_path / "new")
    assert set(jobs_of(tmp_path / "new")) == {"first"}
    assert (tmp_path / "new" / "audio" / name).read_bytes() == SPEECH


@pytest.mark.parametrize("kind", ["damaged", "foreign"])
def test_what_is_no_backup_replaces_nothing(server: Server, tmp_path: Path, kind: str) -> None:
    server.accept("first")
    server.database.close()
    backup = tmp_path / "backup"
    backup.mkdir()
    if kind == "damaged":
        (backup / FILE_NAME).write_bytes(b"This is not a database." * 100)
    else:
        with contextlib.closing(sqlite3.connect(backup / FILE_NAME)) as connection:
            connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(LedgerCorrupt if kind == "damaged" else LedgerForeign):
        restore(backup, server.state, replaces=True)
    assert set(jobs_of(server.state)) == {"first"}


def test_a_folder_that_cant_be_written_is_a_setup_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="can't be read or written"):
        back_up(server.state, tmp_path / "file" / "backup")


def test_what_root_restores_belongs_to_the_owner_of_the_directory(
    server: Server, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    server.accept("first")
    back_up(server.state, tmp_path / "backup")
    state = tmp_path / "other"
    state.mkdir()
    os.chown(state, 65534, 65534)
    assert isinstance(restore(tmp_path / "backup", state), Copied)
    assert {path.stat().st_uid for path in state.rglob("*")} == {65534}
