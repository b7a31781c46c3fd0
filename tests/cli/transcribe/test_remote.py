"""Transcribing with a server that loses jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle.cli.transcribe import remote
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.cli.transcribe.remote import RemoteRecogniser
from auricle.config.settings import ClientSettings
from auricle.errors import RequestError
from auricle.files.transcribe import FileTranscript
from auricle.types import Options
from tests.support.job_server import DONE, FORGOTTEN, RUNNING, ScriptedServer, scripted_server

pytestmark = pytest.mark.process

RECORDING_BYTES = 600_000


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"x" * RECORDING_BYTES)
    return path


async def recognise(
    server: ScriptedServer,
    recording: Path,
    options: Options = Options(),  # noqa: B008  # it is frozen
) -> tuple[FileTranscript, list[float]]:
    """Return the transcript and the fractions that were reported."""
    result: list[float] = []
    async with RemoteRecogniser(ClientSettings(url=server.url)) as recogniser:
        transcript = await recogniser.recognise(
            RecogniserRequest(recording, options), lambda fraction, _: result.append(fraction)
        )
    return transcript, result


async def test_a_job_that_is_forgotten_is_uploaded_again(
    server: ScriptedServer, recording: Path
) -> None:
    server.jobs = [RUNNING, FORGOTTEN, DONE]
    result, _ = await recognise(server, recording)
    assert result.transcript.text == "Good morning."
    assert len(server.received) == 2


async def test_a_server_that_forgets_every_job_is_given_up(
    server: ScriptedServer, recording: Path
) -> None:
    server.jobs = [FORGOTTEN]
    with pytest.raises(RequestError, match="lost the job repeatedly"):
        await recognise(server, recording)
    assert len(server.received) == remote.MAX_UPLOADS
