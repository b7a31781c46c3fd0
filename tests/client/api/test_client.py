"""``Client`` with a real server."""

import inspect
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle import AsyncClient, Client
from auricle.client import Closed, Connected, Job, Transcript
from auricle.client.api import calls
from auricle.values.errors import (
    BadRequest,
    DeadlineExceeded,
    EmptyAudio,
    JobConflict,
    NotFound,
    RequestError,
    SetupError,
    Unauthorized,
    Unreachable,
    UnsupportedFormat,
)
from tests.client.api.conftest import KEY, NOON
from tests.support.clips import CLIPS, TESTDATA
from tests.support.command import LIMIT_S, serving
from tests.support.job_server import ACCEPTED, DONE, FORGOTTEN, FULL, LOST, RUNNING, ScriptedServer
from tests.support.scripted_engine import SURE

pytestmark = pytest.mark.process

CLIP = TESTDATA / "fellow.wav"
NO_SAMPLES = CLIP.read_bytes()[:44]  # the header
LONG = b"x" * 1_000_001


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, api_key=KEY) as client:
        yield client


def test_a_path_the_bytes_and_an_open_file_have_the_same_transcript(client: Client) -> None:
    transcript = client.transcribe(CLIP, language="en")
    assert transcript.text
    assert (transcript.language, transcript.model) == ("en", "scripted")
    assert transcript.duration_ms == 6068
    [segment] = transcript.segments
    assert segment.text == transcript.text
    assert 0 < segment.start_s < segment.end_s < 6.1
    assert not transcript.gaps
    assert client.transcribe(str(CLIP)).text == transcript.text
    assert client.transcribe(CLIP.read_bytes()).text == transcript.text
    with CLIP.open("rb") as file:
        assert client.transcribe(file).text == transcript.text


def test_options_reach_the_server(client: Client) -> None:
    transcript = client.transcribe(
        CLIP, word_timestamps=True, languages=["en", "de"], trace_id="trace-7"
    )
    assert transcript.trace_id == "trace-7"
    [segment] = transcript.segments
    assert segment.words
    assert segment.words[0].probability == SURE


def test_an_invalid_option_is_reported_by_name(client: Client) -> None:
    with pytest.raises(TypeError, match="langauge"):
        client.transcribe(CLIP, langauge="en")  # type: ignore[call-arg]  # a typing error
    with pytest.raises(BadRequest, match="beam_size"):
        client.transcribe(CLIP, beam_size=99)


def test_the_class_of_an_error_says_who_is_at_fault(client: Client, url: str) -> None:
    with pytest.raises(EmptyAudio):
        client.transcribe(NO_SAMPLES)
    with pytest.raises(UnsupportedFormat):
        client.transcribe(b"not audio")
    with pytest.raises(RequestError, match="No such file"):
        client.transcribe("missing.wav")
    with Client(url, api_key="wrong") as stranger, pytest.raises(Unauthorized):
        stranger.transcribe(CLIP)


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unreachable, match="refused"):
        client.transcribe(CLIP)


def test_an_invalid_url_is_reported() -> None:
    with pytest.raises(SetupError, match="Invalid URL"):
        Client("127.0.0.1:6007")


def test_a_job_is_created_awaited_listed_and_deleted(client: Client) -> None:
    job = client.jobs.create(CLIP, job_id="film")
    assert (job.id, job.has_ended) == ("film", False)
    with pytest.raises(RequestError, match="queued|running"):
        _ = job.transcript
    seen: list[Job] = []
    transcript = client.jobs.wait("film", on_progress=seen.append)
    assert transcript.text
    assert transcript.to_subtitles().startswith("1\n00:00:00,")
    assert seen[-1].state == "done"
    assert client.jobs.get("film").transcript == transcript
    assert "film" in [each.id for each in client.jobs.list("done", "failed")]
    assert "film" not in [each.id for each in client.jobs.list("queued")]
    with pytest.raises(JobConflict):
        client.jobs.create(CLIP, job_id="film", language="de")
    assert client.jobs.create(CLIP, job_id="film").state == "done"  # the same job
    assert client.jobs.delete("film").id == "film"
    with pytest.raises(NotFound):
        client.jobs.get("film")


def test_events_of_a_job_end_with_its_transcript(client: Client) -> None:
    job = client.jobs.create(CLIP)
    *_, last = client.jobs.events(job.id)
    assert last.transcript.text
    client.jobs.delete(job.id)


def test_a_wait_ends_at_its_timeout(client: Client) -> None:
    job = client.jobs.create(CLIP, initial_prompt="scripted:sleep:30")
    with pytest.raises(DeadlineExceeded):
        client.jobs.wait(job.id, timeout_s=0.05)
    cancelled = client.jobs.delete(job.id)
    assert cancelled.state == "cancelled"
    with pytest.raises(RequestError, match="cancelled"):
        _ = cancelled.transcript


def test_an_upload_is_repeated_even_if_it_is_the_first_request(server: ScriptedServer) -> None:
    empty = (400, {"error": {"code": "empty_audio", "message": "It is empty."}})
    server.uploads = [LOST, empty, ACCEPTED]
    with Client(server.url) as client:
        assert (client.transcribe(LONG)).text == "Good morning."
    assert server.received == [LONG, b"", LONG]


def test_a_recording_is_sent_once_to_a_path_that_does_not_exist(server: ScriptedServer) -> None:
    server.uploads = [FORGOTTEN]
    with Client(server.url) as client, pytest.raises(NotFound):
        client.transcribe(LONG)
    assert len(server.received) == 1


def test_a_job_of_a_server_that_is_away_is_waited_for(server: ScriptedServer) -> None:
    server.jobs = [LOST, DONE]
    with Client(server.url) as client:
        assert client.jobs.wait("a").text == "Good morning."
    server.jobs = [LOST, (200, b'data: {"job_id": "a", "state": "cancelled", "progress": 0}\n\n')]
    with Client(server.url) as client:
        assert [job.state for job in client.jobs.events("a")] == ["cancelled"]
    server.jobs = [LOST]
    with Client(server.url) as client, pytest.raises(Unreachable):
        client.jobs.wait("a", timeout_s=0.05)


def test_a_failed_job_raises_its_error(client: Client) -> None:
    job = client.jobs.create(NO_SAMPLES)
    with pytest.raises(EmptyAudio):
        client.jobs.wait(job.id)
    client.jobs.delete(job.id)


def test_a_large_recording_is_a_job_that_is_deleted_when_it_was_read(
    server: ScriptedServer,
) -> None:
    server.uploads = [FULL, ACCEPTED]
    server.jobs = [RUNNING, DONE]
    seen: list[float] = []
    with Client(server.url) as client:
        transcript = client.transcribe(LONG, on_progress=lambda job: seen.append(job.progress))
    assert transcript.text == "Good morning."
    assert seen == [0.5, 1.0]
    assert server.received == [LONG, LONG]
    assert server.requests[-1].startswith("DELETE /jobs/")


def test_a_job_that_the_server_has_lost_is_uploaded_again(server: ScriptedServer) -> None:
    server.jobs = [FORGOTTEN, DONE]
    with Client(server.url) as client:
        assert client.transcribe(LONG).text == "Good morning."
    assert len(server.received) == 2
    server.jobs = [FORGOTTEN]
    with Client(server.url) as client, pytest.raises(NotFound):
        client.transcribe(LONG)
    assert len(server.received) == 5


@pytest.mark.wall_clock
@pytest.mark.smoke
def test_a_transcription_outlives_its_server(tmp_path: Path) -> None:
    recording = tmp_path / "long.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(CLIPS["fellow.wav"].pcm.tobytes() * 6)
    results: list[Transcript] = []
    has_begun = threading.Event()

    def note(job: Job) -> None:
        if job.progress > 0:
            has_begun.set()

    slow = {"model": "scripted:slow:1", "batch_jobs": 1}
    with serving(tmp_path, **slow) as (first, url), Client(url, patience_s=120) as client:

        def transcribe() -> None:
            results.append(client.transcribe(recording, on_progress=note))

        thread = threading.Thread(target=transcribe)
        thread.start()
        assert has_begun.wait(LIMIT_S)
        first.process.kill()
        first.wait()
        port = int(url.rsplit(":", 1)[1])
        with serving(tmp_path, port=port, **slow) as (second, _):
            thread.join()
            routes = [event.get("route") for event in second.events()]
    [transcript] = results
    assert len(transcript.segments) == 6
    assert "/utterance" not in routes  # the job went on; it was not uploaded again


def test_kept_transcripts_are_listed_searched_and_exported(client: Client) -> None:
    listed = list(client.transcripts.list(source="native"))
    assert [each.id for each in listed] == ["talk", "older", "async"]
    assert [each.id for each in client.transcripts.list(source="native", until=NOON - 1)] == [
        "older",
        "async",
    ]
    assert "older" not in [each.id for each in client.transcripts.list(since=NOON - 1)]
    [match] = client.transcripts.search("READ nobody", language="en")
    assert (match.transcript.id, match.segment.start_ms) == ("talk", 1000)
    transcript = client.transcripts.get("talk")
    assert transcript.text == "The report is late. Nobody read it. I did."
    assert transcript.segments[1].speaker == 1
    assert client.transcripts.export("talk", "srt").startswith("1\n00:00:00,000 --> ")


def test_speakers_of_a_kept_transcript_are_named_and_merged(client: Client) -> None:
    changed = client.transcripts.rename_speaker("older", 0, "Ann")
    assert changed.speakers[0].name == "Ann"
    changed = client.transcripts.merge_speakers("older", 2, into=0)
    assert [segment.speaker for segment in changed.segments] == [0, 1, 0]
    with pytest.raises(NotFound):
        client.transcripts.rename_speaker("older", 2, "Ben")


def test_a_kept_transcript_is_deleted(client: Client) -> None:
    client.jobs.wait(client.jobs.create(CLIP).id)
    [kept] = client.transcripts.list(source="job", limit=1)
    client.transcripts.delete(kept.id)
    with pytest.raises(NotFound):
        client.transcripts.get(kept.id)


def test_a_token_replaces_the_key(client: Client, url: str) -> None:
    token = client.create_token(ttl_s=300)
    assert token.expires_in_s == 300
    with Client(url, api_key=token.text) as page:
        assert page.transcribe(CLIP).text
        with pytest.raises(Unauthorized):
            list(page.jobs.list())


def test_a_live_session_is_listed_and_shared(client: Client, url: str) -> None:
    assert not client.sessions.list()
    with client.live(language="en", partials=False) as stream:
        events = iter(stream)
        assert isinstance(next(events), Connected)
        [session] = client.sessions.list()
        assert session.source == "native"
        token = client.sessions.create_reader_token(session.id, ttl_s=60)
        assert token.expires_in_s == 60
        with pytest.raises(NotFound):
            client.sessions.create_reader_token("unknown")
        stream.finish()
        *_, last = events
        assert isinstance(last, Closed)


def test_threads_share_a_client(client: Client) -> None:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(client.transcribe(CLIP).text))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4
    assert len(set(texts)) == 1


def test_a_page_of_a_list_is_followed_by_the_next(server: ScriptedServer) -> None:
    summary = {
        "job_id": "a",
        "trace_id": "a",
        "state": "done",
        "progress": 1.0,
        "accepted_at": 1.0,
        "finished_at": 2.0,
        "audio_bytes": 3,
    }
    server.jobs = [
        (200, {"jobs": [summary, summary], "next": 7}),
        (200, {"jobs": [summary], "next": None}),
    ]
    with Client(server.url) as client:
        assert len(list(client.jobs.list(limit=5))) == 3
    assert server.requests == ["GET /jobs?limit=5", "GET /jobs?limit=3&before=7"]


def test_a_response_of_another_program_is_reported(server: ScriptedServer, tmp_path: Path) -> None:
    server.jobs = [(200, {"hello": 1})]
    with Client(server.url) as client, pytest.raises(Exception, match="not from an Auricle server"):
        client.jobs.get("a")


def test_an_interrupt_cancels_the_job(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CLEANUP_LIMIT_S", LIMIT_S)

    def interrupt(job: Job) -> None:
        raise KeyboardInterrupt

    server.jobs = [RUNNING]
    with Client(server.url) as client:
        with pytest.raises(KeyboardInterrupt):
            client.transcribe(LONG, on_progress=interrupt)
        assert server.requests[-1].startswith("DELETE /jobs/")


@pytest.mark.anyio
async def test_a_client_blocks_even_in_a_program_with_an_event_loop(client: Client) -> None:
    job = client.jobs.create(CLIP)
    assert [each.state for each in client.jobs.events(job.id)][-1] == "done"
    client.jobs.delete(job.id)


def test_both_clients_have_the_same_methods_and_their_help() -> None:
    def methods(client: object) -> dict[str, tuple[list[str], str | None]]:
        return {
            name: ([*inspect.signature(method).parameters], inspect.getdoc(method))
            for name, method in inspect.getmembers(client, inspect.ismethod)
            if not name.startswith("_")
        }

    url = "http://127.0.0.1:1"
    blocking, waiting = Client(url), AsyncClient(url)
    for group in ("jobs", "transcripts", "sessions"):
        assert methods(getattr(blocking, group)) == methods(getattr(waiting, group))
    own, other = methods(blocking), methods(waiting)
    assert own.pop("close") == other.pop("aclose")
    assert own.pop("live")[0] == other.pop("live")[0]
    assert own == other
    blocking.close()
