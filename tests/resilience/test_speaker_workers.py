"""Labels of live speakers are those of peace while the speaker worker is killed again and again."""

import contextlib
import os
import signal
from collections.abc import Iterator

import anyio
import httpx2
import pytest

from auricle.client import LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.events import Final, SpeakerRevision
from tests.support.command import LIMIT_S, serving
from tests.support.dialogue import dialogue
from tests.support.poll import poll_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

SPEECH = dialogue()
STEP = 3200
ASKED = StreamParameters(language="en", speakers=True)
Labels = dict[int, int | None]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("speakers")) as (_, url):
        yield url


async def kill(url: str) -> None:
    """Kill the speaker worker once it is there."""
    async with httpx2.AsyncClient(timeout=LIMIT_S) as client:
        while True:
            health = (await client.get(f"{url}/health")).json()
            if pids := [worker["pid"] for worker in health["speakers"]["workers"]]:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.kill(pids[0], signal.SIGKILL)
                    return
            await anyio.sleep(0.05)


async def labelled(url: str, *, kills: int) -> Labels:
    """Speak in real time and return the last label of each final."""
    labels: Labels = {}
    due = [(n + 1) * SPEECH.size // (kills + 1) for n in range(kills)]
    async with LiveClient(url, ASKED) as client, anyio.create_task_group() as group:

        async def speak() -> None:
            for at in range(0, SPEECH.size, STEP):
                client.push(SPEECH[at : at + STEP])
                while due and due[0] <= at:
                    due.pop(0)
                    await kill(url)
                await anyio.sleep(STEP / 16_000)
            await poll_until(lambda: None not in labels.values())
            client.finish()

        group.start_soon(speak)
        async for event in client:
            if isinstance(event, Final):
                labels[event.id] = event.speaker
            elif isinstance(event, SpeakerRevision):
                labels |= {final.id: final.speaker for final in event.finals}
    return labels


async def test_labels_are_those_of_peace(url: str) -> None:
    calm = await labelled(url, kills=0)
    assert len(set(calm.values())) == 2
    assert await labelled(url, kills=4) == calm
    health = httpx2.get(f"{url}/health", timeout=LIMIT_S).json()
    assert sum(worker["restarts"] for worker in health["speakers"]["workers"]) >= 3
