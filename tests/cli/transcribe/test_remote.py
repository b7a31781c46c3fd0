"""Transcribing with a server that loses jobs."""

from pathlib import Path

import anyio
import pytest

from auricle.cli.support import remote_jobs
from auricle.cli.transcribe import remote
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.cli.transcribe.remote import RemoteRecogniser
from auricle.config.sections.client import ClientSettings
from auricle.files.transcribe import FileTranscript
from auricle.values.errors import RequestError
from auricle.values.types import Options
from tests.support.job_server import DONE, FORGOTTEN, LOST, RUNNING, Answer, ScriptedServer
from tests.support.poll import LIMIT_S, poll_until

pytestmark = pytest.mark.process


async def recognise(server: ScriptedServer, recording: Path) -> FileTranscript:
    request = RecogniserRequest(recording, Options())
    async with RemoteRecogniser(ClientSettings(url=server.url)) as recogniser:
        return await recogniser.recognise(request, lambda fraction, spoken_s: None)


async def test_a_job_that_is_forgotten_is_uploaded_again(
    server: ScriptedServer, recording: Path
) -> None:
    server.jobs = [RUNNING, FORGOTTEN, DONE]
    result = await recognise(server, recording)
    assert result.transcript.text == "Good morning."
    assert len(server.received) == 2


async def test_a_server_that_forgets_every_job_is_given_up(
    server: ScriptedServer, recording: Path
) -> None:
    server.jobs = [FORGOTTEN]
    with pytest.raises(RequestError, match="lost the job repeatedly"):
        await recognise(server, recording)
    assert len(server.received) == remote.MAX_UPLOADS


@pytest.mark.parametrize(
    ("deletion", "report"),
    [
        ((200, {"job_id": "a", "state": "cancelled", "progress": 0.5}), "was cancelled."),
        (FORGOTTEN, "was cancelled."),
        (LOST, "may continue: see `auricle jobs show"),
        ((500, {"error": {"code": "internal", "message": "No."}}), "may continue"),
    ],
)
async def test_an_interrupt_says_what_became_of_the_job(
    server: ScriptedServer,
    recording: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    deletion: Answer,
    report: str,
) -> None:
    monkeypatch.setattr(remote_jobs, "CLEANUP_LIMIT_S", LIMIT_S)
    server.jobs, server.deletions = [RUNNING], [deletion]
    async with anyio.create_task_group() as group:
        group.start_soon(recognise, server, recording)
        await poll_until(lambda: any(line.startswith("GET /jobs/") for line in server.requests))
        group.cancel_scope.cancel()
    printed = capsys.readouterr().err
    assert printed.startswith(f"{recording}: ")
    assert report in printed
    [upload] = [line for line in server.requests if line.startswith("POST")]
    job_id = upload.partition("job_id=")[2].partition("&")[0]
    assert job_id in printed
    assert ("may continue" in printed) == (f"--url {server.url}" in printed)
