"""What commands about a server's jobs and transcripts share."""

import time
from pathlib import Path

import pytest

from auricle.cli.support.server_commands import (
    delete_each,
    local_time,
    open_server,
    print_or_write,
)
from auricle.values.errors import NotFound
from tests.support.job_server import ScriptedServer

pytestmark = pytest.mark.process


def test_each_is_deleted_and_reported(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_server(server.url, None) as opened:
        delete_each(opened, ["a", "b/c"], "v1", "transcripts")
    assert server.requests == ["DELETE /v1/transcripts/a", "DELETE /v1/transcripts/b%2Fc"]
    assert capsys.readouterr().err.splitlines() == ["a was deleted.", "b/c was deleted."]


def test_those_that_are_missing_are_named_after_the_others_were_deleted(
    server: ScriptedServer,
) -> None:
    server.deletions = [
        (404, {"error": {"code": "not_found", "message": "There is none."}}),
        (200, {}),
    ]
    with open_server(server.url, None) as opened, pytest.raises(NotFound) as caught:
        delete_each(opened, ["a", "b"], "jobs")
    assert str(caught.value) == "a: There is none."
    assert server.requests == ["DELETE /jobs/a", "DELETE /jobs/b"]


def test_a_text_is_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_or_write("Good morning.\n", None)
    assert capsys.readouterr().out == "Good morning.\n"
    print_or_write("Good morning.\n", tmp_path / "talk.txt")
    assert (tmp_path / "talk.txt").read_text() == "Good morning.\n"
    assert capsys.readouterr().out == ""


def test_times_are_those_of_this_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-2")  # east of Greenwich
    time.tzset()
    try:
        assert local_time(1_800_000_000) == "2027-01-15 10:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()
