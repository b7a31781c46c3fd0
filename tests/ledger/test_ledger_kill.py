"""SIGKILL at every statement, commit and rename: nothing accepted is lost or done twice."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.ledger.audio.store import sweep
from auricle.ledger.jobs.job import JobState
from auricle.ledger.jobs.lease import claim_of
from auricle.ledger.jobs.store import Ledger
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.outbox import DeliveryState
from tests.support.ledger import a_spec, open_at, open_audio_at
from tests.support.ledger_life import DONE, NOW, POISONED, QUOTA, URL, keep_transcript
from tests.support.lives import lives_of
from tests.support.postgres import PostgresServer

pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(900),  # some hundred processes
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked"),
]

LATER = NOW + 3600
MAX_CHECKPOINTS = 200
SUCCESSOR = replace(DONE, result=b'{"by": "successor"}')

Live = Callable[[int, str, str], list[str]]


@pytest.fixture
def live(tmp_path: Path, new_audio: Callable[[int], str]) -> Iterator[Live]:
    """Return a function that runs a life up to a checkpoint and returns what it printed."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF")
    with lives_of("tests.support.ledger_life") as run:
        yield lambda checkpoint, *locations: run(checkpoint, *locations, str(upload))


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """Return the server of the database, if it has one."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def new_location(server: PostgresServer | None, tmp_path: Path) -> Callable[[int], str]:
    """Return a function that returns the location of an empty database."""
    if server is None:
        return lambda number: str(tmp_path / f"state-{number}")

    def empty(_: int) -> str:
        server.empty()
        return server.conninfo

    return empty


@pytest.fixture(params=["directory", "bucket"])
def new_audio(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], str]:
    """Return a function that returns the location of an empty store of audio."""
    if request.param == "directory":
        return lambda number: str(tmp_path / f"audio-{number}")
    if "postgres" in request.node.name:
        pytest.skip("a bucket is tried with SQLite: the two are independent")
    settings: dict[str, str] = request.getfixturevalue("bucket_settings")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", settings["audio_endpoint"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", settings["audio_region"])
    return lambda number: f"{settings['audio_url']}-{number}"


def test_a_kill_at_any_statement_loses_no_job_and_does_none_twice(
    live: Live,
    server: PostgresServer | None,
    new_location: Callable[[int], str],
    new_audio: Callable[[int], str],
    tmp_path: Path,
) -> None:
    outcomes: set[str] = set()
    for checkpoint in range(1, MAX_CHECKPOINTS):
        location, audio_location = new_location(checkpoint), new_audio(checkpoint)
        *steps, end = live(checkpoint, location, audio_location)
        if server is not None:
            server.wait_until_unused()
        recover(location, audio_location, tmp_path / "upload", steps)
        outcomes |= set(steps)
        if end == "end 0":
            break
        assert end == "end killed"

    assert end == "end 0"
    has_files_only = Path(location).is_absolute() and Path(audio_location).is_absolute()
    assert checkpoint > (30 if has_files_only else 20)
    assert outcomes == {"accepted", "chunk", "done", "sent", "delivered"}


def recover(location: str, audio_location: str, upload: Path, steps: list[str]) -> None:
    """Do what the caller, the next server and the receiver do, and check what is left."""
    database = open_at(location)
    audio = open_audio_at(audio_location)
    ledger, events = Ledger(database, "successor", POISONED), StoredEvents(database)
    sweep(audio, ledger.needed_audio, older_than=1e12)
    if "accepted" not in steps:  # the caller got no answer and repeats its request
        spec = a_spec(audio=audio.put(upload), callback_url=URL)
        stored, is_new = ledger.accept(replace(spec, uid="repeated"), QUOTA, LATER)
        if not is_new:
            audio.delete(spec.audio)
        assert stored.spec.job_id == spec.job_id
    job = ledger.find(a_spec().owner, "job-1")
    assert job is not None
    assert "done" not in steps or job.state is JobState.DONE
    if not job.state.is_final:
        taken = ledger.lease(LATER)
        assert taken is not None, "the job must be taken over"
        assert "chunk" not in steps or ledger.chunks(job.number) == {"0": b"zero"}
        path = audio.fetch(taken.spec.audio, 4)
        assert path.read_bytes() == b"RIFF"
        audio.release(path)
        ledger.finish(claim_of(taken), SUCCESSOR, LATER, keep_transcript)
        audio.delete(taken.spec.audio)
    job = ledger.find(a_spec().owner, "job-1")
    assert job is not None
    assert job.state is JobState.DONE
    assert "done" not in steps or job.result == DONE.result
    while (due := events.next_delivery(LATER)) is not None:
        assert "delivered" not in steps
        events.end_attempt(due, 200, LATER)
    for subject in (f"jobs/{job.spec.uid}", f"transcripts/{a_spec().uid}"):
        (delivery,) = events.of(subject)
        assert delivery.state is DeliveryState.DELIVERED
    assert len(ledger.page(job.spec.owner)) == 1
    sweep(audio, ledger.needed_audio, older_than=1e12)
    assert list(audio.names(older_than=1e12)) == []
    assert audio_location.startswith("s3://") or list(Path(audio_location).iterdir()) == []
    database.close()
