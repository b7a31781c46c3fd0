"""``auricle jobs`` and ``transcribe --detach`` with a real server."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from auricle.text.formats import registry
from tests.support.command import LIMIT_S, ROOT, command, completed, environment, serving, until

pytestmark = pytest.mark.process

CLIP = ROOT / "testdata" / "short.wav"

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder, workers=1, job_timeout_min_s=LIMIT_S) as (_, address):
        yield address


@pytest.fixture
def auricle(folder: Path, url: str) -> Run:
    """Run a command with the server's URL."""

    def run(*arguments: str, **settings: object) -> Completed:
        return completed(*arguments, environ=environment(folder, **{"url": url, **settings}))

    return run


@pytest.fixture
def held(tmp_path: Path) -> tuple[Path, list[str]]:
    """Return a file, and options for jobs that last until it is removed."""
    file = tmp_path / "held"
    file.touch()
    return file, ["--prompt", f"scripted:hold:{file}"]


def submitted(auricle: Run, *options: str) -> str:
    done = auricle("transcribe", "--detach", str(CLIP), *options)
    assert (done.returncode, done.stderr) == (0, "")
    [job_id] = done.stdout.splitlines()
    return job_id


def shown(auricle: Run, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads(auricle("jobs", "show", job_id).stdout)
    return job


def test_a_detached_job_is_awaited_later(auricle: Run) -> None:
    job_id = submitted(auricle, "--format", "json")
    done = auricle("jobs", "wait", job_id)
    attached = auricle("transcribe", str(CLIP))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == attached.stdout
    assert done.stdout.strip()
    job = shown(auricle, job_id)
    assert (job["state"], job["progress"]) == ("done", 1.0)
    assert job["result"]["text"] == done.stdout.strip()


@pytest.mark.parametrize(("format", "start"), [("srt", "1\n00:00:00"), ("json", '{\n  "text":')])
def test_the_transcript_has_the_chosen_format(
    auricle: Run, tmp_path: Path, format: str, start: str
) -> None:
    job_id, target = submitted(auricle, "--format", format), tmp_path / "out"
    done = auricle("jobs", "wait", job_id, "--format", format, "-o", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert target.read_text().startswith(start)


def test_the_suffix_of_the_file_chooses_the_format(auricle: Run, tmp_path: Path) -> None:
    job_id, target = submitted(auricle, "--format", "srt"), tmp_path / "talk.srt"
    assert auricle("jobs", "wait", job_id, "-o", str(target)).returncode == 0
    assert target.read_text().startswith("1\n00:00:00")
    document = tmp_path / "talk.docx"
    assert auricle("jobs", "wait", job_id, "-o", str(document)).returncode == 0
    assert document.read_bytes().startswith(b"PK")
    printed = auricle("jobs", "wait", job_id, "--format", "docx")
    assert (printed.returncode, "-o FILE.docx" in printed.stderr) == (2, True)


def test_detached_jobs_are_listed_cancelled_and_deleted(
    auricle: Run, held: tuple[Path, list[str]]
) -> None:
    file, options = held
    finished = submitted(auricle)
    assert auricle("jobs", "wait", finished).returncode == 0
    first, second = submitted(auricle, *options), submitted(auricle, *options)

    header, *lines = auricle("jobs", "list").stdout.splitlines()
    assert header.split() == ["id", "accepted", "state", "done", "length", "file"]
    assert [line.split()[0] for line in lines][:3] == [second, first, finished]
    assert lines[2].split()[3:] == ["done", "100%", "0:00:01", "short.wav"]
    assert lines[0].split()[-2:] == ["-", "short.wav"]
    assert all(line.index("short.wav") == header.index("file") for line in lines[:3])
    unfinished = auricle("jobs", "list", "--state", "queued", "--state", "running", "--json")
    listed = [json.loads(line)["job_id"] for line in unfinished.stdout.splitlines()]
    assert {first, second} == set(listed)

    cancelled = auricle("jobs", "cancel", first, finished, "unknown")
    assert cancelled.returncode == 2
    assert f"{first} was cancelled." in cancelled.stderr
    assert f"{finished}: The job has ended (done)." in cancelled.stderr
    assert "unknown: Unknown job_id." in cancelled.stderr
    assert auricle("jobs", "delete", second, finished).returncode == 0
    assert auricle("jobs", "delete", second).returncode == 2
    left = auricle("jobs", "list", "--json").stdout
    assert not any(job_id in left for job_id in (first, second, finished))
    file.unlink()


def test_a_missing_format_is_refused_before_the_wait(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FORMATS", {})
    refused = auricle("jobs", "wait", "no-such-job", "--format", "srt", "-o", "x.srt")
    assert refused.returncode == 2
    assert "lacks the format srt" in refused.stderr


def test_an_interrupted_wait_leaves_the_job_alone(
    auricle: Run, folder: Path, url: str, held: tuple[Path, list[str]]
) -> None:
    file, options = held
    job_id = submitted(auricle, *options)
    with command("jobs", "wait", job_id, environ=environment(folder, url=url)) as waiting:
        until(lambda: shown(auricle, job_id)["state"] == "running", waiting)
        until(psutil.Process(waiting.process.pid).net_connections, waiting)  # it is asking
        waiting.process.send_signal(signal.SIGINT)
        assert waiting.wait() == 130
    assert shown(auricle, job_id)["state"] == "running"
    file.unlink()
    assert auricle("jobs", "wait", job_id).returncode == 0


@pytest.mark.wall_clock
def test_a_wait_may_begin_before_its_server(tmp_path: Path) -> None:
    file = tmp_path / "held"
    file.touch()
    with serving(tmp_path, workers=1, job_timeout_min_s=LIMIT_S) as (server, url):
        environ = environment(tmp_path, url=url)
        detached = (
            "transcribe",
            "--detach",
            str(CLIP),
            "--prompt",
            f"scripted:hold:{file}",
        )
        job_id = completed(*detached, environ=environ).stdout.strip()
        server.process.kill()
        server.wait()
    file.unlink()
    with command("jobs", "wait", job_id, environ=environ) as waiting:
        until(lambda: "waiting for it" in waiting.stderr, waiting)
        with serving(tmp_path, workers=1, port=int(url.rsplit(":", 1)[1])):
            assert waiting.wait() == 0
    assert waiting.stdout.strip()


def test_a_job_that_fails_says_why(auricle: Run) -> None:
    job_id = submitted(auricle, "--prompt", "scripted:audio-error")
    done = auricle("jobs", "wait", job_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert job_id in done.stderr


def test_an_unknown_job_is_reported(auricle: Run) -> None:
    for name in ("show", "wait", "cancel", "delete"):
        done = auricle("jobs", name, "no?such#job")
        assert done.returncode == 2
        assert "Unknown job_id" in done.stderr


def test_an_unknown_state_is_refused_by_the_server(auricle: Run) -> None:
    done = auricle("jobs", "list", "--state", "lost")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "bad_request" in done.stderr
