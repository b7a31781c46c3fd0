"""``auricle transcribe --detach``: uploads, and the IDs that are printed."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import Run
from tests.support.job_server import ACCEPTED, ScriptedServer
from tests.support.job_server_fixtures import RECORDING

pytestmark = pytest.mark.process

REFUSED = (400, {"error": {"code": "bad_request", "message": "No."}})


def uploaded(server: ScriptedServer) -> list[str]:
    """Return the ids of the uploaded jobs."""
    uploads = [line for line in server.requests if line.startswith("POST")]
    return [match[1] for line in uploads if (match := re.search(r"job_id=(\w+)", line))]


def test_the_id_is_printed_after_the_upload_and_the_job_is_left_alone(
    auricle: Run, server: ScriptedServer, recording: Path
) -> None:
    done = auricle("transcribe", "--detach", "--url", server.url, "--format", "srt", str(recording))
    [job_id] = uploaded(server)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{job_id}\n", "")
    assert server.received == [RECORDING]
    assert [line.split()[0] for line in server.requests] == ["GET", "POST"]
    assert "word_timestamps=true" in server.requests[1]


def test_the_callback_is_part_of_each_job(
    auricle: Run, server: ScriptedServer, recording: Path
) -> None:
    url = "https://app.example/hook?of=me"
    options = ("--detach", "--url", server.url, "--callback-url", url)
    done = auricle("transcribe", *options, str(recording))
    assert done.exit_code == 0
    query = parse_qs(urlsplit(server.requests[1].split()[1]).query)
    assert query["callback_url"] == [url]


def test_a_callback_without_detach_is_refused(auricle: Run, recording: Path) -> None:
    done = auricle("transcribe", "--callback-url", "https://app.example/", str(recording))
    assert done.exit_code == 2
    assert "--detach" in done.stderr


def test_several_files_have_an_id_each_and_those_that_fail_are_reported(
    auricle: Run, server: ScriptedServer, recording: Path, tmp_path: Path
) -> None:
    server.uploads = [ACCEPTED, REFUSED, ACCEPTED]
    missing = tmp_path / "missing.wav"
    files = [str(path) for path in (recording, missing, recording, recording)]
    done = auricle("transcribe", "--detach", "--url", server.url, *files)
    first, _, third = uploaded(server)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [first, third]
    assert f"{missing}: can't be read" in done.stderr
    assert f"{recording}: No. (bad_request)" in done.stderr
    assert f"{recording}: {first}" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--detach requires a server"),
        (["--url", "http://127.0.0.1:9", "-o", "out.txt"], "auricle jobs wait ID -o FILE"),
        (["--url", "http://127.0.0.1:9"], "No Auricle server answers"),
    ],
)
def test_what_can_not_be_detached_is_refused(
    auricle: Run, recording: Path, options: list[str], message: str
) -> None:
    done = auricle("transcribe", "--detach", str(recording), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
