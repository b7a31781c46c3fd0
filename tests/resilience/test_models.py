"""Two models in one server: one fails again and again, or is replaced, while people speak.

The engine answers with the samples that it was given, so a final that is made of any others shows.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import msgspec
import pytest

from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, MANY_SPEAKERS, Command, command, environment
from tests.support.model_pools import scripted
from tests.support.poll import poll_until
from tests.support.speakers import ASKED, Told, say, speech

pytestmark = [pytest.mark.process, pytest.mark.slow]

JOBS = 6
MIN_KILLS = 12
KILL_EVERY_S = 0.2
NAMES = ("fellow.wav", "short.wav", "pair.wav")
SPEAKERS = [speech((NAMES[i % 3], NAMES[(i + 1) % 3]), seed=i) for i in range(8)]


@dataclass
class Service:
    running: Command
    url: str
    model: Path

    async def health(self) -> dict[str, Any]:
        async with httpx2.AsyncClient(timeout=LIMIT_S) as client:
            body: dict[str, Any] = (await client.get(f"{self.url}/health")).json()
            return body

    async def pids(self, model: str) -> list[int]:
        workers = (await self.health())["workers"]
        return [w["pid"] for w in workers if w["pid"] and w.get("model", "main") == model]

    async def accept(self, model: str, number: int) -> None:
        """Send a job, which is done in the background."""
        async with httpx2.AsyncClient(timeout=LIMIT_S) as client:
            answer = await client.post(
                f"{self.url}/utterance",
                params={"wait": "0", "model": model, "job_id": f"{model}-{number}"},
                content=CLIPS[NAMES[number % 3]].path.read_bytes(),
                headers={"content-type": "audio/wav"},
            )
            assert answer.status_code == 202, answer.text

    async def text(self, model: str, number: int) -> str:
        """Wait for the end of a job, and return its text."""
        async with httpx2.AsyncClient(timeout=LIMIT_S) as client:
            while True:
                job = (await client.get(f"{self.url}/jobs/{model}-{number}")).json()
                if job["state"] in ("done", "failed"):
                    assert job["state"] == "done", job
                    return str(job["result"]["text"])
                await anyio.sleep(0.1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("models")
    model = folder / "model"
    model.mkdir()
    (model / "model.bin").write_bytes(b"old")
    environ = environment(
        folder,
        engine="",
        models=scripted(f"main={model};workers=2", "victim=;workers=1"),
        live_speakers=MANY_SPEAKERS,
        backoff_first_s=0.05,
        backoff_max_s=0.2,
        poison_attempts=1000,
    )
    with command("serve", environ=environ) as running:
        url = running.event("started")["url"]
        running.event("model_ready")
        yield Service(running, url, model)


async def say_all(url: str, model: str) -> list[Told]:
    told: list[Told] = [[] for _ in SPEAKERS]

    async def one(index: int) -> None:
        told[index] = await say(
            url, SPEAKERS[index], asked=msgspec.structs.replace(ASKED, model=model)
        )

    async with anyio.create_task_group() as group:
        for index in range(len(SPEAKERS)):
            group.start_soon(one, index)
    return told


@pytest.fixture(scope="module")
async def calm(service: Service) -> list[Told]:
    """The finals without faults."""
    told = await say_all(service.url, "main")
    for stream in told:
        assert len(stream) >= 2
        assert all(final[-1] is None for final in stream)
    return told


async def test_a_model_that_is_killed_again_and_again_leaves_another_undisturbed(
    service: Service, calm: list[Told]
) -> None:
    kills = 0

    async def kill() -> None:
        nonlocal kills
        while True:
            for pid in await service.pids("victim"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
            await anyio.sleep(KILL_EVERY_S)

    async def probe() -> None:
        async with httpx2.AsyncClient(timeout=LIMIT_S) as client:
            while True:
                assert (await client.get(f"{service.url}/readyz")).status_code == 200
                await anyio.sleep(0.2)

    before = await service.pids("main")
    for number in range(JOBS):
        for model in ("main", "victim"):
            await service.accept(model, number)
    async with anyio.create_task_group() as faults:
        faults.start_soon(kill)
        faults.start_soon(probe)
        assert await say_all(service.url, "main") == calm
        texts = [await service.text("main", number) for number in range(JOBS)]
        await poll_until(lambda: kills >= MIN_KILLS)
        faults.cancel_scope.cancel()
    assert await service.pids("main") == before
    # The victim's jobs are done once it is left alone.
    assert [await service.text("victim", number) for number in range(JOBS)] == texts
    main, victim = (await service.health())["models"]
    assert (main["jobs"]["retried"], main["jobs"]["failed"]) == (0, 0)
    assert victim["jobs"]["failed"] == 0


async def test_a_model_is_replaced_while_people_speak_and_no_word_is_lost(
    service: Service, calm: list[Told]
) -> None:
    before = set(await service.pids("main"))
    replaced = 0

    async def replace_model() -> None:
        nonlocal replaced
        while True:
            (service.model / "model.bin").write_bytes(b"new" * (replaced + 2))
            service.running.process.send_signal(signal.SIGHUP)
            event = await anyio.to_thread.run_sync(
                service.running.event, "model_replaced", abandon_on_cancel=True
            )
            assert event["model"] == "main"
            replaced += 1

    async with anyio.create_task_group() as group:
        group.start_soon(replace_model)
        assert await say_all(service.url, "main") == calm
        await poll_until(lambda: replaced > 0)
        group.cancel_scope.cancel()
    assert before.isdisjoint(await service.pids("main"))
    health = await service.health()
    assert health["jobs"]["failed"] == 0
    assert '"level": "error"' not in service.running.stderr
