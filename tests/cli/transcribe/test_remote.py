"""Transcribing with a server: retries, limits of retries, and errors."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from auricle.cli.transcribe import remote
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.cli.transcribe.remote import RemoteRecogniser
from auricle.config.settings import ClientSettings
from auricle.errors import RequestError, SetupError
from auricle.files.transcribe import FileTranscript
from auricle.types import Options, Task

pytestmark = pytest.mark.process

RECORDING_BYTES = 600_000

Answer = tuple[int, object]

ACCEPTED: Answer = (202, {"state": "queued", "progress": 0.0})
RUNNING: Answer = (200, {"state": "running", "progress": 0.5})
RESULT = {
    "text": "Good morning.",
    "language": "en",
    "language_probability": 0.99,
    "duration_ms": 1500,
    "segments": [{"start": 0.0, "end": 1.5, "text": " Good morning.", "words": None}],
}
DONE: Answer = (200, {"state": "done", "progress": 1.0, "result": RESULT})
FORGOTTEN: Answer = (404, {"error": {"code": "not_found", "message": "There is no such job."}})
FULL: Answer = (
    503,
    {
        "error": {
            "code": "queue_full",
            "message": "The queue is full.",
            "retryable": True,
            "retry_after_s": 0.01,
        }
    },
)


class ScriptedServer(ThreadingHTTPServer):
    """Answers uploads and polls from two scripts, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Scripted)
        self.uploads: list[Answer] = [ACCEPTED]
        self.jobs: list[Answer] = [DONE]
        self.requests: list[str] = []
        self.received: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Scripted(BaseHTTPRequestHandler):
    server: ScriptedServer

    def do_GET(self) -> None:
        self._answer((200, {}) if self.path == "/livez" else _next(self.server.jobs))

    def do_POST(self) -> None:
        self.server.received.append(self.rfile.read(int(self.headers["content-length"])))
        self._answer(_next(self.server.uploads))

    def do_DELETE(self) -> None:
        self._answer((200, {}))

    def _answer(self, answer: Answer) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        status, content = answer
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _next(script: list[Answer]) -> Answer:
    """Return the next response; the last one is repeated."""
    return script.pop(0) if len(script) > 1 else script[0]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        thread = threading.Thread(target=scripted.serve_forever, args=(0.01,))
        thread.start()
        yield scripted
        scripted.shutdown()
        thread.join()


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


async def test_the_recording_is_sent_whole_and_its_result_returned(
    server: ScriptedServer, recording: Path
) -> None:
    server.jobs = [RUNNING, DONE]
    result, fractions = await recognise(server, recording)
    assert server.received == [b"x" * RECORDING_BYTES]
    assert result.transcript.text == "Good morning."
    assert result.transcript.duration_samples == 24_000
    assert result.transcript.segments[0].end_sample == 24_000
    assert fractions == [0.5, 1.0]


async def test_the_options_are_the_servers_own(server: ScriptedServer, recording: Path) -> None:
    options = Options(
        language="de",
        task=Task.TRANSLATE,
        beam_size=1,
        initial_prompt="Herr Müller & Söhne",
        hotwords=("Auricle", "Opus"),
        word_timestamps=True,
    )
    await recognise(server, recording, options)
    [upload] = [line for line in server.requests if line.startswith("POST")]
    for part in (
        "wait=0",
        "language=de",
        "task=translate",
        "beam_size=1",
        "initial_prompt=Herr",
        "hotwords=Auricle%2COpus",
        "word_timestamps=true",
    ):
        assert part in upload


async def test_a_full_server_is_asked_again_when_it_says(
    server: ScriptedServer, recording: Path
) -> None:
    server.uploads = [FULL, FULL, ACCEPTED]
    result, _ = await recognise(server, recording)
    assert result.transcript.text == "Good morning."
    assert len(server.received) == 3


async def test_a_server_that_stays_full_is_given_up(
    server: ScriptedServer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 0.0)
    server.uploads = [FULL]
    with pytest.raises(RequestError, match=r"The queue is full\. \(queue_full\)"):
        await recognise(server, recording)


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


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            {"state": "failed", "progress": 0.2, "error": FULL[1]["error"]},  # type: ignore[index]  # it is that dict
            "The queue is full",
        ),
        ({"state": "cancelled", "progress": 0.2}, "cancelled on the server"),
    ],
)
async def test_a_job_that_ended_without_a_result_says_why(
    server: ScriptedServer, recording: Path, job: object, said: str
) -> None:
    server.jobs = [(200, job)]
    with pytest.raises(RequestError, match=said):
        await recognise(server, recording)


async def test_another_kind_of_server_is_reported_as_such(
    server: ScriptedServer, recording: Path
) -> None:
    server.uploads = [(502, b"<html>Bad gateway</html>")]
    with pytest.raises(RequestError, match=r"HTTP 502.*not from an Auricle server"):
        await recognise(server, recording)


async def test_gaps_come_through(server: ScriptedServer, recording: Path) -> None:
    gaps = [{"start": 0.5, "end": 1.0, "code": "poison_job"}]
    error = {"code": "poison_job", "message": "Some are missing.", "gaps": gaps}
    server.jobs = [(200, {"state": "done", "progress": 1.0, "result": RESULT | {"error": error}})]
    result, _ = await recognise(server, recording)
    [gap] = result.gaps
    assert (gap.start_sample, gap.end_sample, gap.code) == (8000, 16_000, "poison_job")


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "nowhere", "ftp://h"])
async def test_an_invalid_address_is_reported(url: str) -> None:
    with pytest.raises(SetupError, match="Invalid --url"):
        async with RemoteRecogniser(ClientSettings(url=url)):
            raise AssertionError
