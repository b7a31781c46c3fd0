"""``auricle backup`` and ``auricle restore`` with a real server."""

import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import Run
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, completed, environment, serving
from tests.support.service import WAV

pytestmark = pytest.mark.process


def run(folder: Path, *arguments: object, **settings: object) -> "subprocess.CompletedProcess[str]":
    return completed(*map(str, arguments), environ=environment(folder, **settings))


def test_jobs_of_a_running_server_are_in_another_one_later(tmp_path: Path) -> None:
    held, backup = tmp_path / "held", tmp_path / "backup"
    held.touch()
    with serving(tmp_path, workers=1, job_timeout_min_s=LIMIT_S) as (_, url):
        query = {"wait": "0", "job_id": "kept", "initial_prompt": f"scripted:hold:{held}"}
        speech = CLIPS["short.wav"].path.read_bytes()
        posted = httpx2.post(f"{url}/utterance", params=query, content=speech, headers=WAV)
        assert posted.status_code == 202
        done = run(tmp_path, "backup", backup)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith(f"{backup} has 1 job and 0 transcripts (")
        assert "checked), and 1 recording (" in done.stderr
        again = run(tmp_path, "backup", backup)
        assert (again.returncode, "--force" in again.stderr) == (2, True)
        assert run(tmp_path, "backup", "--force", backup).returncode == 0
        refused = run(tmp_path, "restore", "--force", backup)
        assert refused.returncode == 2
        assert f"A server uses {tmp_path / 'state'}: stop it first." in refused.stderr
    held.unlink()
    other = tmp_path / "other"
    restored = run(tmp_path, "restore", backup, "--state-dir", other)
    assert (restored.returncode, f"{other} has 1 job" in restored.stderr) == (0, True)
    with serving(tmp_path, workers=1, state_dir=other) as (_, url):
        finished = run(tmp_path, "jobs", "wait", "kept", url=url)
    assert finished.returncode == 0
    assert finished.stdout.strip()


@pytest.mark.parametrize(("command", "program"), [("backup", "pg_dump"), ("restore", "pg_restore")])
def test_with_postgresql_its_own_programs_are_named(
    auricle: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, program: str
) -> None:
    monkeypatch.setenv("AURICLE_DATABASE_URL", "postgresql://auricle:secret@db/auricle")
    monkeypatch.setenv("AURICLE_AUDIO_URL", "s3://speech/jobs")
    result = auricle(command, str(tmp_path / "backup"))
    assert result.exit_code == 2
    assert f"`{program} " in result.stderr
    assert '--dbname="$AURICLE_DATABASE_URL"' in result.stderr
    assert "s3://speech/jobs" in result.stderr
    assert "secret" not in result.stderr
    assert not (tmp_path / "backup").exists()


def test_with_postgresql_the_audio_in_the_state_directory_is_named(
    auricle: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_DATABASE_URL", "postgresql://auricle:secret@db/auricle")
    monkeypatch.setenv("AURICLE_STATE_DIR", "/state")
    result = auricle("backup", str(tmp_path / "backup"))
    assert "The audio is in /state/audio: back it up as well." in result.stderr
