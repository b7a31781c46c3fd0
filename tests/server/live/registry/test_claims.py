"""Connections that claim one lost session, and sessions whose parts fail as they end."""

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.config.sections.live import LiveSettings
from auricle.server.live.followers import SessionFollower, SessionFollowers
from auricle.server.live.runner import LiveRunner
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError, TakenOver
from auricle.values.events import Wire
from auricle.values.types import ClientId
from tests.server.live.registry.helpers import PLAIN, Ear, looks, resume_of
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.service import poll_until

pytestmark = pytest.mark.server

RESUMABLE = StreamParameters(format=Wire.PCM16, seq=True)
CLAIMS = 1000


class Store(SessionFollowers):
    """Waits for every session's speaker, and answers when it is allowed to."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.asked = 0

    def is_waiting(self, client: ClientId, session_id: str) -> bool:
        return True

    async def end_of(self, client: ClientId, session_id: str) -> object:
        self.asked += 1
        await self.gate.wait()
        return None


class Failing(SessionFollowers):
    """Fails whenever a session is looked at, or ends."""

    def complete(self, session_id: str, sample: int) -> None:
        raise RuntimeError

    def end(self, session_id: str, reason: str, sample: int, now: float) -> None:
        raise RuntimeError


class Broken(SessionFollowers):
    def open(self, *_: object, **__: object) -> SessionFollower:
        raise RuntimeError


async def claim_and_open(fakes: Sessions, lost: tuple[str, str]) -> LiveRunner:
    place = fakes.live.places.admit(ALICE, None, is_known=True)
    try:
        claim = await fakes.live.reclaim(ALICE, *lost)
    except AuricleError:
        fakes.live.places.leave(place)
        raise
    return await fakes.live.open(
        fakes.group, ALICE, RESUMABLE, place, owner=ALICE, is_resuming=True, claim=claim
    )


async def test_of_claims_that_arrive_together_one_gets_the_session() -> None:
    store = Store()
    async with sessions(LiveSettings(max_sessions=CLAIMS), followers={"store": store}) as fakes:
        lost = await fakes.open()
        lost.end()
        await poll_until(lambda: not fakes.transcriber.reserved)
        opened: list[LiveRunner] = []
        refused: list[TakenOver] = []

        async def claim() -> None:
            try:
                opened.append(await claim_and_open(fakes, resume_of(lost)))
            except TakenOver as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(CLAIMS):
                group.start_soon(claim)
            await poll_until(lambda: store.asked == CLAIMS)
            store.gate.set()
        (runner,) = opened
        assert runner.session.id == lost.session.id
        assert [error.code for error in refused] == ["taken_over"] * (CLAIMS - 1)
        assert len(fakes.transcriber.reserved) == 1
        runner.end()
        await poll_until(lambda: not fakes.transcriber.reserved)
        assert fakes.live.admission.speakers == 0


async def test_a_session_that_is_claimed_again_before_it_is_served_refuses_its_connection() -> None:
    store = Store()
    store.gate.set()
    async with sessions(followers={"store": store}) as fakes:
        lost = await fakes.open()
        lost.end()
        await poll_until(lambda: not fakes.transcriber.reserved)
        first, second = [await claim_and_open(fakes, resume_of(lost)) for _ in range(2)]
        with pytest.raises(TakenOver):
            first.attach(Ear())
        second.attach(Ear())


async def test_a_session_is_never_replaced_by_another_of_its_id() -> None:
    store = Store()
    store.gate.set()
    async with sessions(followers={"store": store}) as fakes:
        lost = await fakes.open()
        lost.end()
        await poll_until(lambda: not fakes.transcriber.reserved)
        claim = await fakes.live.reclaim(ALICE, *resume_of(lost))
        first, second = (fakes.live.places.admit(ALICE, None) for _ in range(2))
        runner = await fakes.live.open(fakes.group, ALICE, RESUMABLE, first, claim=claim)
        with pytest.raises(TakenOver):
            await fakes.live.open(fakes.group, ALICE, RESUMABLE, second, claim=claim)
        assert fakes.live.find(ALICE, *resume_of(runner)) is runner
        assert len(fakes.transcriber.reserved) == 1


async def test_a_session_whose_parts_fail_ends_alone_and_frees_its_place(
    logged: LogCapture,
) -> None:
    async with sessions(followers={"failing": Failing()}) as fakes:
        runner = await fakes.open(PLAIN)
        await poll_until(lambda: not fakes.transcriber.reserved)
        assert runner.is_over
        await looks(fakes, 2)  # the sessions are still watched
    assert any(entry["event"] == "unexpected_error" for entry in logged.entries)


async def test_a_session_that_can_not_be_opened_frees_its_place() -> None:
    async with sessions(followers={"broken": Broken()}) as fakes:
        with pytest.raises(RuntimeError):
            await fakes.open()
        assert not fakes.transcriber.reserved
