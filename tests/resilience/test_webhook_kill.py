"""A real server that is killed or stopped between the end of a job and its webhook."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.clips import CLIPS
from tests.support.command import Command, serving, until
from tests.support.receiver import Receiver, receiver_running
from tests.support.stream import SPEECH, call, pcm

pytestmark = pytest.mark.process

CLIP = CLIPS["fellow.wav"].pcm.tobytes()
LINEAR: dict[str, Any] = {"encoding": "linear16", "sample_rate": 16_000}
SETTINGS: dict[str, object] = {
    "webhook_secret": "a secret of more than thirty-two characters",
    "webhook_allow_private": "1",
    "workers": 1,
    "job_timeout_min_s": 2000,
    "drain_s": 60,
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_running() as server:
        yield server


def post(url: str, job_id: str, callback_url: str, **query: str) -> None:
    params = {"wait": "0", "job_id": job_id, "audio_format": "pcm16", "callback_url": callback_url}
    answer = httpx2.post(
        f"{url}/utterance",
        params=params | query,
        content=CLIP,
        headers={"content-type": "application/octet-stream"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text


def webhook(url: str, job_id: str) -> Any:
    return httpx2.get(f"{url}/jobs/{job_id}", timeout=60).json()["webhook"]


def events(receiver: Receiver) -> list[tuple[str, str]]:
    """Return id and type of each event that arrived."""
    return [
        (headers["webhook-id"], json.loads(body)["type"]) for _, headers, body in receiver.requests
    ]


def post_held(server: Command, url: str, receiver: Receiver, folder: Path) -> Path:
    """Post a job and wait until it runs; return the file until whose removal it does."""
    gate, notes = folder / "gate", folder / "notes"
    gate.touch()
    script = f"scripted:note:{notes}\nscripted:hold:{gate}"
    post(url, "running", receiver.url(), initial_prompt=script)
    until(lambda: notes.exists(), server)
    return gate


def kill(server: Command) -> None:
    server.process.kill()
    server.wait()


@pytest.mark.slow
def test_a_killed_server_sends_the_same_event_after_its_next_start(
    tmp_path: Path, receiver: Receiver
) -> None:
    with serving(tmp_path, **SETTINGS) as (server, url):
        receiver.statuses = [500]
        post(url, "tried", receiver.url())
        until(lambda: webhook(url, "tried")["last_status"] == 500, server)
        kill(server)
    with serving(tmp_path, **SETTINGS) as (server, url):
        until(lambda: webhook(url, "tried")["state"] == "delivered", server)
    first, second = events(receiver)

    assert first == second
    assert first[1] == "job.done"


def test_an_attempt_that_was_killed_is_repeated_at_the_next_start(
    tmp_path: Path, receiver: Receiver
) -> None:
    with serving(tmp_path, **SETTINGS) as (server, url):
        post(url, "hangs", receiver.url("/hang-once"))
        until(lambda: receiver.requests, server)
        kill(server)
    with serving(tmp_path, **SETTINGS) as (server, url):
        until(lambda: webhook(url, "hangs")["state"] == "delivered", server)
    first, second = events(receiver)

    assert first == second


@pytest.mark.slow
def test_jobs_that_a_killed_server_left_are_sent_when_the_next_one_has_done_them(
    tmp_path: Path, receiver: Receiver
) -> None:
    with serving(tmp_path, **SETTINGS) as (server, url):
        gate = post_held(server, url, receiver, tmp_path)
        kill(server)
    gate.unlink()
    with serving(tmp_path, **SETTINGS) as (server, url):
        until(lambda: webhook(url, "running")["state"] == "delivered", server)

    assert [kind for _, kind in events(receiver)] == ["job.done"]


def test_a_server_that_is_stopped_sends_the_webhooks_of_the_jobs_it_finishes(
    tmp_path: Path, receiver: Receiver
) -> None:
    with serving(tmp_path, **SETTINGS) as (server, url):
        gate = post_held(server, url, receiver, tmp_path)
        server.process.send_signal(signal.SIGTERM)
        server.event("draining")
        gate.unlink()
        assert server.wait() == 0

    assert [kind for _, kind in events(receiver)] == ["job.done"]


@pytest.mark.slow
def test_a_receiver_that_hangs_does_not_keep_a_hurried_server_and_gets_the_event_later(
    tmp_path: Path, receiver: Receiver
) -> None:
    with serving(tmp_path, **SETTINGS) as (server, url):
        post(url, "hangs", receiver.url("/hang-once"))
        until(lambda: receiver.requests, server)
        server.process.send_signal(signal.SIGTERM)
        server.event("draining")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
    with serving(tmp_path, **SETTINGS) as (server, url):
        until(lambda: webhook(url, "hangs")["state"] == "delivered", server)
    first, second = events(receiver)

    assert first == second


async def test_a_killed_server_reports_the_transcript_of_a_session_at_its_next_start(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings: dict[str, object] = {
        **SETTINGS,
        "keep_transcripts": 1,
        "transcript_webhook_url": receiver.url(),
        "state_dir": tmp_path / "state",
    }
    with serving(tmp_path, **settings) as (server, url):
        async with call(int(url.rpartition(":")[2]), path="/v1/listen", **LINEAR) as speaker:
            await speaker.send(pcm(SPEECH))
            await speaker.tell("Finalize")
            await speaker.until("Results", is_final=True)
            assert events(receiver) == []  # the session goes on
            kill(server)
    with serving(tmp_path, **settings) as (server, url):
        until(lambda: receiver.requests, server)
        (transcript,) = httpx2.get(f"{url}/v1/transcripts", timeout=60).json()["transcripts"]
        ((_, kind),) = events(receiver)
        assert kind == "transcript.kept"
        assert json.loads(receiver.requests[0][2])["data"]["id"] == transcript["id"]

        async with call(int(url.rpartition(":")[2]), path="/v1/listen", **LINEAR) as speaker:
            await speaker.send(pcm(SPEECH))
            await speaker.tell("CloseStream")
            await speaker.until("Metadata")
        until(lambda: len(receiver.requests) == 2, server)  # at its end, not after a minute
