"""A real server, killed by SIGKILL: its accepted jobs are finished by the next one."""

from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.support.clips import CLIPS
from tests.support.command import Command, serving, until

pytestmark = pytest.mark.process

CLIP = CLIPS["fellow.wav"]
PAUSE = np.zeros(3 * 16_000, np.int16)
LONG = np.concatenate([part for n in range(6) for part in (CLIP.pcm - np.int16(n), PAUSE)])
"""Several chunks, all different."""


def post(url: str, job_id: str, pcm: bytes, **query: str) -> Any:
    params = {"wait": "0", "job_id": job_id, "audio_format": "pcm16", **query}
    headers = {"content-type": "application/octet-stream"}
    return httpx2.post(f"{url}/utterance", params=params, content=pcm, headers=headers, timeout=60)


def job(url: str, job_id: str) -> Any:
    return httpx2.get(f"{url}/jobs/{job_id}", timeout=60).json()


def kill(server: Command) -> None:
    server.process.kill()
    server.wait()


def until_done(url: str, job_id: str, server: Command) -> Any:
    until(lambda: job(url, job_id)["state"] not in ("queued", "running"), server)
    return job(url, job_id)


def audio_files(folder: Path) -> list[Path]:
    return list((folder / "state" / "audio").iterdir())


def test_a_killed_server_continues_its_jobs_at_its_next_start(tmp_path: Path) -> None:
    gate, notes = tmp_path / "gate", tmp_path / "notes"
    gate.touch()
    script = f"scripted:note:{notes}\nscripted:hold:{gate}"
    settings = {"job_timeout_min_s": 2000, "max_file_jobs": 1, "workers": 1}
    with serving(tmp_path, **settings) as (server, url):
        post(url, "undisturbed", CLIP.pcm.tobytes())
        expected = until_done(url, "undisturbed", server)["text"]
        assert expected
        accepted = post(url, "running", CLIP.pcm.tobytes(), initial_prompt=script)
        assert accepted.status_code == 202
        until(lambda: notes.exists(), server)
        for number in range(5):
            assert post(url, f"queued-{number}", CLIP.pcm.tobytes()).status_code == 202
        assert job(url, "running")["state"] == "running"
        assert job(url, "queued-4")["state"] == "queued"
        kill(server)
    assert len(audio_files(tmp_path)) == 6
    gate.unlink()
    with serving(tmp_path, **settings) as (server, url):
        for job_id in ("running", *(f"queued-{number}" for number in range(5))):
            body = until_done(url, job_id, server)
            assert (body["state"], body["text"]) == ("done", expected)
        again = post(url, "queued-0", CLIP.pcm.tobytes())
        assert (again.status_code, again.json()["state"]) == (202, "done")
        other = post(url, "queued-0", CLIP.pcm.tobytes(), language="de")
        assert (other.status_code, other.json()["error"]["code"]) == (409, "job_conflict")
        until(lambda: not audio_files(tmp_path), server)


def test_a_killed_server_repeats_only_the_open_chunk(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    noted = f"scripted:note:{notes}"
    query = {"initial_prompt": f"{noted}\nscripted:sleep:0.5", "language": "en"}
    settings = {"job_timeout_min_s": 2000, "workers": 1, "batch_jobs": 1}
    with serving(tmp_path, **settings) as (server, url):
        post(url, "undisturbed", LONG.tobytes(), initial_prompt=noted, language="en")
        expected = until_done(url, "undisturbed", server)["text"]
    chunks = len(notes.read_text().splitlines())
    assert chunks >= 4
    notes.unlink()
    with serving(tmp_path, **settings) as (server, url):
        post(url, "long", LONG.tobytes(), **query)
        # The third chunk was begun, so that the first one was stored.
        until(lambda: notes.exists() and len(notes.read_text().splitlines()) >= 3, server)
        kill(server)
    with serving(tmp_path, **settings) as (server, url):
        assert until_done(url, "long", server)["text"] == expected
    runs = [line.split(" ", 1)[1] for line in notes.read_text().splitlines()]
    repeated = len(runs) - chunks
    assert repeated <= 2
