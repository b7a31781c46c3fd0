"""Two gateways on one PostgreSQL: vocabularies and voices that one of them stores, both use."""

from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from bench.lib.audio import as_wav
from tests.support.clips import CLIPS
from tests.support.command import serving, until
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.process

CLIP = CLIPS["fellow.wav"]
SIZE = "94912"
"""What the scripted engine returns first for the clip: the samples with its speech."""
LIMIT_S = 60
WAV = {"content-type": "audio/wav"}


def shared(folder: Path, postgres: PostgresServer) -> dict[str, Any]:
    settings = {"job_timeout_min_s": 2000, "known_voices": "*"}
    return settings | {"state_dir": folder / "shared", "database_url": postgres.conninfo}


def put(url: str, name: str, text: str, *, default: bool = False) -> None:
    body = {"replacements": [{"from": SIZE, "to": text}], "default": default}
    httpx2.put(f"{url}/v1/vocabularies/{name}", json=body, timeout=LIMIT_S).raise_for_status()


def delete(url: str, path: str) -> None:
    httpx2.delete(f"{url}{path}", timeout=LIMIT_S).raise_for_status()


def transcribed(url: str, **params: str) -> Any:
    content = as_wav(CLIP.pcm)
    answer = httpx2.post(
        f"{url}/utterance", params=params, content=content, headers=WAV, timeout=LIMIT_S
    )
    return answer.raise_for_status().json()


def first_words(url: str, **params: str) -> str:
    text: str = transcribed(url, **params)["text"]
    return text.rpartition(" ")[0]


def names(url: str) -> list[str | None]:
    return [each.get("name") for each in transcribed(url, speakers="true")["speakers"]]


@pytest.mark.wall_clock
def test_a_change_at_one_gateway_is_used_by_the_other(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    settings = shared(tmp_path, postgres)
    with (
        serving(tmp_path, **settings) as (_, one),
        serving(tmp_path, **settings) as (server, other),
    ):
        put(one, "team", "Take 1")
        assert first_words(other, vocabulary="team") == "Take 1"
        put(one, "team", "Take 2")
        until(lambda: first_words(other, vocabulary="team") == "Take 2", server)
        for number, url in enumerate((one, other, one)):
            put(url, f"default-{number}", f"Default {number}", default=True)
        for url in (one, other):
            until(lambda url=url: first_words(url) == "Default 2", server)  # type: ignore[misc]
        delete(other, "/v1/vocabularies/default-2")
        until(lambda: first_words(one) == SIZE, server)

        speech = as_wav(np.tile(CLIP.pcm, 3))
        params = {"name": "Joe", "consent": "true"}
        stored = httpx2.post(
            f"{one}/v1/voices", params=params, content=speech, headers=WAV, timeout=LIMIT_S
        )
        assert names(other) == ["Joe"]
        delete(other, f"/v1/voices/{stored.json()['id']}")
        assert names(one) == [None]


def test_a_job_of_a_killed_gateway_keeps_its_vocabulary(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    settings, gate, notes = shared(tmp_path, postgres), tmp_path / "gate", tmp_path / "notes"
    gate.touch()
    with serving(tmp_path, **settings) as (survivor, other):
        with serving(tmp_path, **settings) as (killed, one):
            put(one, "team", "Take 1")
            script = f"scripted:note:{notes}\nscripted:hold:{gate}"
            job = {"wait": "0", "job_id": "1", "vocabulary": "team", "initial_prompt": script}
            transcribed(one, **job)
            until(notes.exists, killed)
            killed.process.kill()
            killed.wait()
        delete(other, "/v1/vocabularies/team")
        gate.unlink()
        done: dict[str, Any] = {}

        def is_done() -> bool:
            done.update(httpx2.get(f"{other}/jobs/1", timeout=LIMIT_S).json())
            return done["state"] not in ("queued", "running")

        until(is_done, survivor)
        assert (done["state"], done["text"].rpartition(" ")[0]) == ("done", "Take 1")
