"""Transcribing with a server that loses jobs."""

from pathlib import Path

import pytest

from auricle.cli.transcribe import remote
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.cli.transcribe.remote import RemoteRecogniser
from auricle.config.settings import ClientSettings
from auricle.errors import RequestError
from auricle.files.transcribe import FileTranscript
from auricle.types import Options
from tests.support.job_server import DONE, FORGOTTEN, RUNNING, ScriptedServer

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
