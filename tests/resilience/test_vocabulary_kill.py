"""A real server, killed while it stores vocabularies and accepts jobs that use them.

What was answered is there after a restart; what was not is there wholly or not at all. A job keeps
the vocabulary that it was accepted with, whatever becomes of it before the job runs.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from auricle.client import ClientRules, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.events import Failed, Final
from tests.support.clips import CLIPS
from tests.support.command import Command, serving, until

pytestmark = [pytest.mark.process, pytest.mark.wall_clock]

SIZE = "94912"
"""What the scripted engine returns first for the clip: the samples with its speech."""
PCM = CLIPS["fellow.wav"].pcm
ROUNDS = 3
LIMIT_S = 60
ANSWERS = [200, 202]
"""To a vocabulary, and to a job. A round waits for none of them, one, or both, before it kills."""
HEADERS = {"content-type": "application/octet-stream"}


STEP = 1600
UTTERANCE = np.concatenate([CLIPS["short.wav"].pcm, np.zeros(2 * 16_000, np.int16)])
LIVE_SIZES = ("25280", "25792")
"""The same of the first utterance of a session, and of the others."""


def vocabulary(number: int) -> dict[str, Any]:
    """Return a large vocabulary, which writes the number in the result as its own one."""
    change = {"from": SIZE, "to": f"Take {number}"}
    return {"terms": [f"Zyntrix {number} {n}" for n in range(1000)], "replacements": [change]}


def begin(url: str, number: int, answers: list[int], script: str = "") -> None:
    """Store a vocabulary, then a job that uses it; add the status of each answer."""
    params = {"wait": "0", "job_id": f"job-{number}", "audio_format": "pcm16", "vocabulary": "team"}
    with (
        suppress(httpx2.TransportError),
        httpx2.Client(base_url=url, timeout=LIMIT_S) as web,
    ):
        answers.append(web.put("/v1/vocabularies/team", json=vocabulary(number)).status_code)
        job = web.post(
            "/utterance",
            params=params | {"initial_prompt": script},
            content=PCM.tobytes(),
            headers=HEADERS,
        )
        answers.append(job.status_code)


def kill(server: Command) -> None:
    server.process.kill()
    server.wait()


def stored_number(url: str) -> int:
    """Return the number of the stored vocabulary, which must be one as it was sent."""
    body = httpx2.get(f"{url}/v1/vocabularies/team", timeout=LIMIT_S).json()
    number = int(body["replacements"][0]["to"].split()[1])
    assert [each["term"] for each in body["terms"]] == vocabulary(number)["terms"]
    return number


def finished(url: str, job_id: str, server: Command) -> Any:
    """Return a job after its end; ``None`` if there is none."""

    def look() -> httpx2.Response:
        return httpx2.get(f"{url}/jobs/{job_id}", timeout=LIMIT_S)

    if look().status_code == 404:
        return None
    until(lambda: look().json()["state"] not in ("queued", "running"), server)
    return look().json()


def test_a_killed_server_keeps_what_it_has_answered(tmp_path: Path) -> None:
    gate, dice = tmp_path / "gate", random.Random(28)
    gate.touch()
    settings = {"workers": 1, "max_file_jobs": 1, "job_timeout_min_s": 2000}
    first: list[int] = []
    answers: dict[int, list[int]] = {}
    possible = {0}
    with ThreadPoolExecutor(1) as thread:
        with serving(tmp_path, **settings) as (server, url):
            began_at = time.monotonic()
            begin(url, 0, first, f"scripted:hold:{gate}")
            assert first == ANSWERS
            took_s = time.monotonic() - began_at
            kill(server)
        for number in range(1, ROUNDS + 1):
            with serving(tmp_path, **settings) as (server, url):
                before = stored_number(url)
                assert before in possible
                own = answers[number] = []
                sending = thread.submit(begin, url, number, own)
                until(lambda own=own, number=number: len(own) >= number % 3, server)  # type: ignore[misc]
                time.sleep(dice.uniform(0, took_s / 2))
                kill(server)
                sending.result()
                assert own == ANSWERS[: len(own)]
                possible = {number} if own else {before, number}
    with serving(tmp_path, **settings) as (server, url):
        assert stored_number(url) in possible
        httpx2.delete(f"{url}/v1/vocabularies/team", timeout=LIMIT_S).raise_for_status()
        gate.unlink()
        for number, own in answers.items():
            job = finished(url, f"job-{number}", server)
            assert job is not None or own != ANSWERS
            assert job is None or job["text"].startswith(f"Take {number} ")


@pytest.mark.anyio
async def test_a_session_continues_without_a_vocabulary_that_was_deleted_before_a_restart(
    tmp_path: Path,
) -> None:
    parameters = StreamParameters(language="en", vocabulary="team")
    rules = ClientRules(first_delay_s=0.05, max_delay_s=0.2)
    texts: list[str] = []
    with serving(tmp_path) as (server, url), ExitStack() as stack:
        body = {"replacements": [{"from": size, "to": "Take"} for size in LIVE_SIZES]}
        httpx2.put(f"{url}/v1/vocabularies/team", json=body, timeout=LIMIT_S).raise_for_status()
        async with LiveClient(url, parameters, rules=rules) as client:
            for number in range(3):
                if number == 2:
                    deleted = httpx2.delete(f"{url}/v1/vocabularies/team", timeout=LIMIT_S)
                    assert deleted.is_success
                    kill(server)
                    port = int(url.rsplit(":", 1)[1])
                    server, _ = stack.enter_context(serving(tmp_path, port=port))
                for at in range(0, UTTERANCE.size, STEP):
                    client.push(UTTERANCE[at : at + STEP])
                async for event in client:
                    assert not isinstance(event, Failed)
                    if isinstance(event, Final):
                        texts.append(event.text.split(" ")[0])
                        break
    assert texts == ["Take", "Take", LIVE_SIZES[1]]
