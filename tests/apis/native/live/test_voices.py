"""Sessions of clients that have lost one: whose speakers keep their numbers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.values.optional_workers import OptionalWorkers
from auricle.workers.kinds.speakers import kept_voices, labels
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import TwoVoices
from tests.support.service import Live, keys, live, poll_until
from tests.support.session import silence, spoken
from tests.support.stream import SPEECH, Caller, call, pcm

pytestmark = pytest.mark.server

LOUD = np.concatenate([SPEECH[: 3 * 16_000], silence(0.7)])
QUIET = (LOUD / 6).astype(np.int16)
ASKED: dict[str, Any] = {"format": "pcm16", "seq": 1, "speakers": 1, "language": "en"}
ALICE, BOB = ({"authorization": f"Bearer a-secret-of-{name}"} for name in ("alice", "bob"))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for each label, and store all voices, however busy the machine is."""
    monkeypatch.setattr(labels, "PATIENCE_S", 60.0)
    monkeypatch.setattr(kept_voices, "LAST_WRITES_S", 60.0)


@asynccontextmanager
async def served(folder: Path, grace_s: float = 60.0) -> AsyncIterator[Live]:
    settings, ledger = LiveSettings(resume_grace_s=grace_s), LedgerSettings(state_dir=folder)
    secrets = keys("alice:a-secret-of-alice", "bob:a-secret-of-bob")
    workers = OptionalWorkers(speakers=LocalSpeakers(TwoVoices()))
    async with live(folder, settings, ledger, workers=workers, api_keys=secrets) as service:
        service.transcriber.answer_with = lambda job: spoken("And so my fellow.", job)
        yield service


async def speakers(caller: Caller, *parts: np.ndarray[Any, np.dtype[np.int16]]) -> list[int]:
    """Say something in a new session, and return the speaker of each final."""
    await caller.send(bytes(8) + pcm(np.concatenate(parts)))
    return [(await caller.until("final", id=id + 1))["speaker"] for id in range(len(parts))]


def claim(ready: dict[str, Any]) -> dict[str, Any]:
    return {"session": ready["session"], "secret": ready["secret"]}


async def lost(service: Live) -> dict[str, Any]:
    """Return the ``ready`` of a session of Alice with two voices, whose connection is lost."""
    async with call(service.port, headers=ALICE, **ASKED) as caller:
        ready = await caller.until("ready")
        assert not ready["speakers_continue"]
        assert await speakers(caller, LOUD, QUIET) == [0, 1]
        caller.connection.transport.abort()
    await poll_until(lambda: service.state.live.connected == 0)
    return dict(ready)


async def until_expired(service: Live) -> None:
    await poll_until(lambda: not service.state.live.waiting + service.state.live.finishing)


async def test_a_session_that_replaces_an_expired_one_continues_its_numbers(tmp_path: Path) -> None:
    async with served(tmp_path, grace_s=0.5) as service:
        ready = await lost(service)
        await until_expired(service)
        async with call(service.port, headers=ALICE, resume=1, **ASKED) as caller:
            await caller.tell("resume", **claim(ready), last_result=0)
            again = await caller.until("ready")
            assert (again["resumed"], again["speakers_continue"]) == (False, True)
            assert again["session"] != ready["session"]
            assert await speakers(caller, QUIET, LOUD) == [1, 0]


@pytest.mark.parametrize("first", ["resume", "start"])
async def test_numbers_continue_after_a_restart(tmp_path: Path, first: str) -> None:
    async with served(tmp_path) as service:
        ready = await lost(service)
        service.state.drain()
    async with served(tmp_path) as service:
        query: dict[str, Any] = {"resume": 1, **ASKED} if first == "resume" else {}
        fields = (
            {"last_result": 0} if first == "resume" else ASKED | {"seq": True, "speakers": True}
        )
        async with call(service.port, headers=ALICE, **query) as caller:
            await caller.tell(first, **claim(ready), **fields)
            assert (await caller.until("ready"))["speakers_continue"]
            assert await speakers(caller, QUIET, LOUD) == [1, 0]


async def test_only_the_secret_of_a_session_and_its_client_continue_its_numbers(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as service:
        ready = await lost(service)
        service.state.drain()
    secret = ready["secret"]
    async with served(tmp_path) as service:
        for headers, presented in (
            (BOB, claim(ready)),
            (ALICE, claim(ready) | {"secret": secret[:-1] + ("A" if secret[-1] != "A" else "B")}),
            (ALICE, claim(ready) | {"session": "0" * 24}),
            (ALICE, {}),
        ):
            async with call(service.port, headers=headers) as caller:
                fields = ASKED | {"seq": True, "speakers": True}
                await caller.tell("start", **fields, **presented)
                assert not (await caller.until("ready"))["speakers_continue"]
                assert await speakers(caller, QUIET) == [0]


async def test_a_client_that_has_not_got_its_new_session_can_ask_again(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        ready = await lost(service)
        service.state.drain()
    async with served(tmp_path) as service:
        for _ in range(3):
            async with call(service.port, headers=ALICE, resume=1, **ASKED) as caller:
                await caller.tell("resume", **claim(ready), last_result=0)
                newest = await caller.until("ready")
                assert newest["speakers_continue"]
                caller.connection.transport.abort()
        service.state.drain()
    async with (
        served(tmp_path) as service,
        call(service.port, headers=ALICE, resume=1, **ASKED) as caller,
    ):
        await caller.tell("resume", **claim(newest), last_result=0)  # it had got the last one
        assert (await caller.until("ready"))["speakers_continue"]
        assert await speakers(caller, QUIET) == [1]


async def test_numbers_do_not_continue_after_a_session_was_stopped(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        async with call(service.port, headers=ALICE, **ASKED) as caller:
            ready = await caller.until("ready")
            assert await speakers(caller, LOUD, QUIET) == [0, 1]
            await caller.tell("ack", result=2)
            await caller.tell("stop")
            assert await caller.until_closed() == (1000, "done")
        await until_expired(service)
        async with call(service.port, headers=ALICE) as caller:
            fields = ASKED | {"seq": True, "speakers": True}
            await caller.tell("start", **fields, **claim(ready))
            assert not (await caller.until("ready"))["speakers_continue"]
