"""Two gateways on one PostgreSQL and one directory of audio: one dies in the middle of a file."""

from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psycopg
import pytest

from tests.support.clips import CLIPS
from tests.support.command import serving, until
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.process, pytest.mark.wall_clock]  # a lease of 30 s

CLIP = CLIPS["fellow.wav"]
PAUSE = np.zeros(3 * 16_000, np.int16)
LONG = np.concatenate([part for n in range(6) for part in (CLIP.pcm - np.int16(n), PAUSE)])
"""Several chunks, all different."""
SETTINGS = {"job_timeout_min_s": 2000, "workers": 1, "batch_jobs": 1}


def post(url: str, job_id: str, prompt: str) -> None:
    params = {"wait": "0", "job_id": job_id, "audio_format": "pcm16", "language": "en"}
    headers = {"content-type": "application/octet-stream"}
    response = httpx2.post(
        f"{url}/utterance",
        params=params | {"initial_prompt": prompt},
        content=LONG.tobytes(),
        headers=headers,
        timeout=60,
    )
    assert response.status_code == 202


def job(url: str, job_id: str) -> Any:
    return httpx2.get(f"{url}/jobs/{job_id}", timeout=60).json()


def begun(notes: Path) -> list[str]:
    """Return the texts of the chunks that the engine began."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return [line.split(" ", 1)[1] for line in lines]


def test_another_gateway_finishes_a_file_without_repeating_finished_chunks(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    shared = SETTINGS | {"state_dir": tmp_path / "shared", "database_url": postgres.conninfo}
    with serving(tmp_path, **shared) as (second, second_url):
        post(second_url, "undisturbed", f"scripted:note:{notes}")
        until(lambda: job(second_url, "undisturbed")["state"] == "done", second)
        expected, chunks = job(second_url, "undisturbed")["text"], begun(notes)
    assert len(chunks) >= 4
    notes.unlink()
    prompt = f"scripted:note:{notes}\nscripted:sleep:0.5\nscripted:hold:{gate}"
    with serving(tmp_path, **shared) as (first, first_url):
        post(first_url, "long", prompt)
        until(lambda: len(begun(notes)) >= 3, first)
        gate.touch()  # the chunk that runs, or the next one, waits
        with (
            serving(tmp_path, **shared) as (second, second_url),
            psycopg.connect(postgres.conninfo, autocommit=True) as database,
        ):
            until(lambda: stored(database) == len(begun(notes)) - 1, first)
            first.process.kill()
            first.wait()
            before = begun(notes)
            gate.unlink()
            until(lambda: job(second_url, "long")["state"] not in ("queued", "running"), second)
            body = job(second_url, "long")
    assert (body["state"], body["text"]) == ("done", expected)
    after = begun(notes)[len(before) :]
    assert set(before) | set(after) == set(chunks)
    assert [text for text in after if text in before] == before[-1:], "only the open chunk"
    assert len(after) == len(set(after))


def stored(database: psycopg.Connection) -> int:
    """Return the number of finished chunks in the database."""
    row = database.execute("SELECT COUNT(*) FROM chunks").fetchone()
    return int(row[0]) if row else 0
