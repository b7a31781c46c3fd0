"""Names of known voices in live sessions, in every API that has speakers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import numpy as np
import pytest

from auricle.session import speakers
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, Pcm16
from auricle.workers.kinds.speakers import kept_voices, labels
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import TwoVoices
from tests.support.poll import LIMIT_S
from tests.support.service import Live, live
from tests.support.session import spoken
from tests.support.stream import SPEECH, call, pcm
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

MODEL = "digest"
LOUD: Pcm16 = SPEECH[: 7 * SAMPLE_RATE_HZ // 2]
QUIET = (np.tile(LOUD, 2) / 6).astype(np.int16)
PAUSE = np.zeros(SAMPLE_RATE_HZ, np.int16)
START: dict[str, Any] = {"format": "pcm16", "language": "en", "speakers": "1"}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let finals wait for their speakers, and the last voices for their storage."""
    monkeypatch.setattr(labels, "PATIENCE_S", LIMIT_S)
    monkeypatch.setattr(speakers, "LAST_PATIENCE_S", LIMIT_S)
    monkeypatch.setattr(kept_voices, "LAST_WRITES_S", LIMIT_S)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Live]:
    workers = OptionalWorkers(speakers=LocalSpeakers(TwoVoices(), MODEL))
    settings = kept_in(folder, known_voices=("*",))
    async with live(folder, workers=workers, **settings) as started:
        started.transcriber.answer_with = lambda job: spoken("And so my fellow.", job)
        yield started


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with serving(tmp_path) as started:
        yield started


class Http:
    """Requests to the server."""

    def __init__(self, service: Live) -> None:
        self._url = f"http://127.0.0.1:{service.port}"

    async def send(self, method: str, path: str, **fields: Any) -> Any:
        async with httpx2.AsyncClient(base_url=self._url, timeout=LIMIT_S) as client:
            return await client.request(method, path, **fields)

    async def know(self, **voices: tuple[float, float]) -> dict[str, str]:
        """Store voices by name; return their ids."""
        entries = [
            {
                "name": name,
                "model": MODEL,
                "embedding": list(vector),
                "speech_s": 20,
                "created_at": 1.8e9,
            }
            for name, vector in voices.items()
        ]
        body = {"consent": True, "voices": entries}
        answer = await self.send("POST", "/v1/voices/import", json=body)
        assert answer.status_code == 201, answer.text
        return {each["name"]: each["id"] for each in answer.json()["voices"]}


async def test_a_known_voice_has_its_name_in_finals_and_in_the_kept_transcript(
    service: Live,
) -> None:
    http = Http(service)
    ids = await http.know(Ann=(0, 1))
    async with call(service.port, **START) as caller:
        ready = await caller.until("ready")
        await caller.send(pcm(np.concatenate([LOUD, PAUSE, QUIET, PAUSE])))
        await caller.tell("stop")
        assert await caller.until_closed() == (1000, "done")
        finals = {final["id"]: final.get("speakers") for final in caller.of("final")}
        for revision in caller.of("speaker_revision"):
            finals |= {final["id"]: final.get("speakers") for final in revision["finals"]}
    assert finals == {1: None, 2: [{"speaker": 1, "name": "Ann"}]}
    path = f"/v1/transcripts/{ready['session']}"

    async def names() -> list[str | None]:
        transcript = (await http.send("GET", path)).json()
        return [each["name"] for each in transcript["speakers"]]

    await wait_until(names, [None, "Ann"])
    await http.send("PATCH", f"/v1/voices/{ids['Ann']}", json={"name": "Anna"})
    assert await names() == [None, "Anna"]
    await http.send("DELETE", f"/v1/voices/{ids['Ann']}")
    assert await names() == [None, None]


async def test_a_name_comes_and_goes_with_its_voice_while_a_session_runs(service: Live) -> None:
    http = Http(service)
    async with call(service.port, **START) as caller:
        await caller.until("ready")
        await caller.send(pcm(np.concatenate([QUIET, PAUSE])))
        assert "speakers" not in await caller.until("final")
        ids = await http.know(Ann=(0, 1))
        revision = await speak_until_revised(caller)
        assert revision["finals"][0]["speakers"] == [{"speaker": 0, "name": "Ann"}]
        await http.send("DELETE", f"/v1/voices/{ids['Ann']}")
        revision = await speak_until_revised(caller)
        assert "speakers" not in revision["finals"][0]


async def test_a_deleted_voice_is_not_left_in_those_of_lost_sessions(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        ids = await Http(service).know(Ann=(0, 1))
        async with call(service.port, **START, seq=1) as caller:
            ready = await caller.until("ready")
            await caller.send(bytes(8) + pcm(np.concatenate([QUIET, PAUSE])))
            await caller.until("final")
            service.state.drain()
            await caller.until_closed()
    async with serving(tmp_path) as service:  # the client may continue its session here
        keeper = service.state.workers.speakers.keeper  # type: ignore[attr-defined]
        assert keeper.find(ANONYMOUS, ready["session"])
        await Http(service).send("DELETE", f"/v1/voices/{ids['Ann']}")
        assert keeper.find(ANONYMOUS, ready["session"]) == b""


async def test_a_speaker_of_a_session_is_remembered_while_it_runs_and_afterwards(
    service: Live,
) -> None:
    http = Http(service)
    async with call(service.port, **START) as caller:
        ready = await caller.until("ready")
        for _ in range(2):
            await caller.send(pcm(np.concatenate([QUIET, PAUSE])))
            await caller.until("final")
        body = {"consent": True, "transcript": ready["session"], "speaker": 0}
        answer = await http.send("POST", "/v1/voices", json=body | {"name": "Ann"})
        assert answer.status_code == 201, answer.text
        await caller.tell("stop")
        await caller.until_closed()

    async def remembered() -> int:
        answer = await http.send("POST", "/v1/voices", json=body | {"name": f"{time.time()}"})
        return int(answer.status_code)

    await wait_until(remembered, 201)


async def test_a_voice_that_is_deleted_while_its_owner_speaks_is_not_stored_at_the_end(
    service: Live,
) -> None:
    http = Http(service)
    ids = await http.know(Ann=(0, 1))
    async with call(service.port, **START) as caller:
        ready = await caller.until("ready")
        for said in (LOUD, QUIET, LOUD, QUIET, LOUD):
            await caller.send(pcm(np.concatenate([said, PAUSE])))
            await caller.until("final")
        assert (await http.send("DELETE", f"/v1/voices/{ids['Ann']}")).status_code == 204
        await caller.tell("stop")
        await caller.until_closed()

    async def remembered(speaker: int) -> int:
        body = {"consent": True, "transcript": ready["session"], "speaker": speaker}
        answer = await http.send("POST", "/v1/voices", json=body | {"name": f"{time.time()}"})
        return int(answer.status_code)

    await wait_until(partial(remembered, 0), 201)  # the other voice is stored
    assert await remembered(1) == 404


async def test_a_session_of_a_server_without_voices_is_as_ever(tmp_path: Path) -> None:
    workers = OptionalWorkers(speakers=LocalSpeakers(TwoVoices(), MODEL))
    async with live(tmp_path, workers=workers) as service:
        service.transcriber.answer_with = lambda job: spoken("And so my fellow.", job)
        async with call(service.port, **START) as caller:
            await caller.send(pcm(np.concatenate([LOUD, PAUSE])))
            final = await caller.until("final")
    assert (final["speaker"], "speakers" in final) == (0, False)


async def speak_until_revised(caller: Any) -> dict[str, Any]:
    """Send silence until names change."""
    while True:
        await caller.send(pcm(PAUSE[:3200]))
        with anyio.move_on_after(0.3):
            revision: dict[str, Any] = await caller.until("speaker_revision")
            return revision


async def wait_until(call: Any, expected: object) -> None:
    with anyio.fail_after(LIMIT_S):
        while await call() != expected:
            await anyio.lowlevel.checkpoint()
