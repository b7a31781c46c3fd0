"""``auricle serve`` whose database can't be used: one line, and what to do."""

import contextlib
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auricle.ledger.databases.sqlite import FILE_NAME, SqliteDatabase
from tests.support.command import LIMIT_S, ROOT, command, environment

pytestmark = pytest.mark.process


def damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"This is not a database." * 100)


def newer(path: Path) -> None:
    changed(path, "PRAGMA user_version = 1000")


def without_tables(path: Path) -> None:
    changed(path, "DROP TABLE deliveries")


def in_the_way(path: Path) -> None:
    path.parent.touch()


def changed(path: Path, statement: str) -> None:
    SqliteDatabase.open(path.parent).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("prepare", "problem", "step"),
    [
        (damaged, "is damaged or is not a database", "Restore it from a backup"),
        (newer, "has schema version 1000", "Start the newer version"),
        (without_tables, "is damaged or is not a database", "Restore it from a backup"),
        (in_the_way, "Jobs can't be stored in", "Set AURICLE_STATE_DIR to a writable directory"),
    ],
)
def test_a_file_that_cant_be_used_is_one_event_without_a_traceback(
    tmp_path: Path, prepare: Callable[[Path], None], problem: str, step: str
) -> None:
    prepare(tmp_path / "state" / FILE_NAME)
    with command("serve", environ=environment(tmp_path)) as server:
        assert server.wait() == 2
    assert_said_once(server.events(), problem, step)


def test_postgresql_that_is_away_is_one_event_without_names(tmp_path: Path) -> None:
    pytest.importorskip("psycopg_pool", reason="psycopg is missing: make setup")
    url = "postgresql://auricle:secret@127.0.0.1:1/jobs"
    with command("serve", environ=environment(tmp_path, database_url=url)) as server:
        assert server.wait() == 2
    assert_said_once(server.events(), "(Connection refused)", "Check AURICLE_DATABASE_URL")
    assert "secret" not in server.stderr


def assert_said_once(events: list[dict[str, object]], problem: str, step: str) -> None:
    [failed] = [event for event in events if event["level"] in ("error", "critical")]
    assert failed["event"] == "start_failed"
    assert problem in str(failed["message"])
    assert step in str(failed["message"])
    assert not any("Traceback" in str(event) for event in events)


def test_a_terminal_shows_one_line(tmp_path: Path) -> None:
    damaged(tmp_path / "state" / FILE_NAME)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "auricle", "serve", "--log-level", "error"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=ROOT,
    ) as server:
        os.close(theirs)
        output = b""
        with contextlib.suppress(OSError):  # Linux's end of a terminal
            while read := os.read(ours, 65536):
                output += read
        assert server.wait(LIMIT_S) == 2
    os.close(ours)
    [line] = output.decode().split("\r\n")[:-1]
    assert "auricle: " in line
    assert "is damaged or is not a database" in line
