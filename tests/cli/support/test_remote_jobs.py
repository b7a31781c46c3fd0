"""Jobs of a server: retries, limits of retries, and errors."""

from pathlib import Path

import pytest

from auricle.cli.support import remote_jobs
from auricle.cli.support.remote_jobs import RemoteJobs
from auricle.config.sections.client import ClientSettings
from auricle.files.transcribe import FileTranscript
from auricle.values.errors import NotFound, RequestError, SetupError
from auricle.values.types import Options, Speaker, SpeakerOptions, Task
from tests.support.job_server import (
    ACCEPTED,
    DONE,
    FORGOTTEN,
    FULL,
    LOST,
    RESULT,
    RUNNING,
    ScriptedServer,
)
from tests.support.job_server_fixtures import RECORDING

pytestmark = pytest.mark.process


async def recognise(
    server: ScriptedServer,
    recording: Path,
    options: Options = Options(),  # noqa: B008  # it is frozen
    speakers: SpeakerOptions | None = None,
) -> tuple[FileTranscript, list[float]]:
    """Return the transcript and the fractions that were reported."""
    fractions: list[float] = []
    async with RemoteJobs(server.url, ClientSettings()) as jobs:
        await jobs.submit(recording, options, "a job", speakers=speakers)
        transcript = await jobs.follow("a job", lambda fraction, _: fractions.append(fraction))
    return transcript, fractions


async def test_the_recording_is_sent_whole_and_its_result_returned(
    server: ScriptedServer, recording: Path
) -> None:
    server.jobs = [RUNNING, DONE]
    result, fractions = await recognise(server, recording)
    assert server.received == [RECORDING]
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


async def test_speakers_are_requested_and_read(server: ScriptedServer, recording: Path) -> None:
    word = {"start": 0.0, "end": 1.5, "word": " Hi", "probability": 0.9}
    said = {
        "start": 0.0,
        "end": 1.5,
        "text": " Hi",
        "speaker": 0,
        "words": [word | {"speaker": 0, "speaker_confidence": 0.8}],
    }
    result = {
        **RESULT,
        "segments": [said],
        "speakers": [{"speaker": 0, "name": "Ann"}],
        "warnings": ["Some have no speakers."],
    }
    server.jobs = [(200, {"job_id": "a", "state": "done", "progress": 1.0, "result": result})]
    read, _ = await recognise(server, recording, speakers=SpeakerOptions(2))
    [upload] = [line for line in server.requests if line.startswith("POST")]
    assert "speakers=true&num_speakers=2" in upload
    (segment,) = read.transcript.segments
    assert (segment.speaker, read.transcript.speakers) == (0, (Speaker(0, "Ann"),))
    assert [(each.speaker, each.speaker_confidence) for each in segment.words or ()] == [(0, 0.8)]
    assert read.warnings == ("Some have no speakers.",)


async def test_separate_channels_are_requested_and_read(
    server: ScriptedServer, recording: Path
) -> None:
    said = {"start": 0.0, "end": 1.5, "text": " Hi", "speaker": 1, "channel": 1}
    result = {**RESULT, "segments": [said], "speakers": [{"speaker": 0}, {"speaker": 1}]}
    server.jobs = [(200, {"job_id": "a", "state": "done", "progress": 1.0, "result": result})]
    async with RemoteJobs(server.url, ClientSettings()) as jobs:
        await jobs.submit(recording, Options(), "a job", is_multichannel=True)
        read = await jobs.follow("a job", lambda *step: None)
    [upload] = [line for line in server.requests if line.startswith("POST")]
    assert "multichannel=true" in upload
    assert [segment.channel for segment in read.transcript.segments] == [1]


async def test_a_full_server_is_asked_again_when_it_says(
    server: ScriptedServer, recording: Path
) -> None:
    server.uploads = [FULL, FULL, ACCEPTED]
    result, _ = await recognise(server, recording)
    assert result.transcript.text == "Good morning."
    assert len(server.received) == 3


async def test_a_path_that_does_not_exist_is_not_a_lost_job(
    server: ScriptedServer, recording: Path
) -> None:
    server.uploads = [FORGOTTEN]
    with pytest.raises(RequestError, match="not_found") as caught:
        await recognise(server, recording)
    assert not isinstance(caught.value, NotFound)


async def test_the_server_of_a_job_may_be_away_at_first(server: ScriptedServer) -> None:
    server.probes, server.jobs = [LOST], [LOST, DONE]
    absences: list[str] = []
    async with RemoteJobs(server.url, ClientSettings(), lambda: absences.append("waiting")) as jobs:
        result = await jobs.follow("a", lambda *step: None)
    assert result.transcript.text == "Good morning."
    assert absences == ["waiting"]
    with pytest.raises(SetupError, match="No Auricle server answers"):
        async with RemoteJobs(server.url, ClientSettings()):
            raise AssertionError


async def test_a_server_that_stays_full_is_given_up(
    server: ScriptedServer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_jobs, "PATIENCE_S", 0.0)
    server.uploads = [FULL]
    with pytest.raises(RequestError, match=r"The queue is full\. \(queue_full\)"):
        await recognise(server, recording)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            {"job_id": "a", "state": "failed", "progress": 0.2, "error": FULL[1]["error"]},  # type: ignore[index]  # it is that dict
            "The queue is full",
        ),
        ({"job_id": "a", "state": "cancelled", "progress": 0.2}, "it is cancelled"),
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
    server.uploads = [(500, b"<html>Oops</html>")]
    with pytest.raises(RequestError, match=r"HTTP 500.*not from an Auricle server"):
        await recognise(server, recording)


async def test_gaps_come_through(server: ScriptedServer, recording: Path) -> None:
    gaps = [{"start": 0.5, "end": 1.0, "code": "poison_job"}]
    error = {"code": "poison_job", "message": "Some are missing.", "gaps": gaps}
    server.jobs = [
        (
            200,
            {"job_id": "a", "state": "done", "progress": 1.0, "result": RESULT | {"error": error}},
        )
    ]
    result, _ = await recognise(server, recording)
    [gap] = result.gaps
    assert (gap.start_sample, gap.end_sample, gap.code) == (8000, 16_000, "poison_job")


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "nowhere", "ftp://h"])
async def test_an_invalid_address_is_reported(url: str) -> None:
    with pytest.raises(SetupError, match="Invalid --url"):
        async with RemoteJobs(url, ClientSettings()):
            raise AssertionError


async def test_an_unknown_model_is_not_a_lost_job(server: ScriptedServer, recording: Path) -> None:
    error = {"code": "model_not_found", "message": "The models are: base, tiny."}
    server.uploads = [(404, {"error": error})]
    with pytest.raises(RequestError, match=r"base, tiny\. \(model_not_found\)") as caught:
        await recognise(server, recording, Options(model="large"))
    assert not isinstance(caught.value, NotFound)
    assert "model=large" in server.requests[-1]
