"""What follows a session, and what it may leave out."""

from collections.abc import Sequence
from typing import Any

import pytest

from auricle.server.live.followers import SessionFollower, SessionFollowers
from auricle.server.live.runner import LiveRunner
from auricle.session.output import Revised, UnfinishedAudio
from auricle.values.commands import Finalize, Stop, StreamParameters
from auricle.values.events import Final, SessionEvent, Wire
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm

pytestmark = pytest.mark.server


class Notes(SessionFollower):
    """Notes the finals of a session, and how it was released."""

    def __init__(self, *, keeps_finals: bool) -> None:
        self.keeps_finals = keeps_finals
        self.finals: list[int] = []
        self.released: list[bool] = []

    def publish(self, event: SessionEvent | Revised) -> None:
        assert not self.released, "nothing follows"
        if isinstance(event, Final):
            self.finals.append(event.id)

    def release(self, *, is_over: bool) -> None:
        self.released.append(is_over)


class Noting(SessionFollowers):
    """Opens one follower, and keeps what it may ask."""

    def __init__(self, *, keeps_finals: bool) -> None:
        self.notes = Notes(keeps_finals=keeps_finals)

    def open(self, *_: object, unfinished_audio: object = None, **__: object) -> SessionFollower:
        self.unfinished_audio = unfinished_audio
        return self.notes

    def unfinished(self) -> Sequence[UnfinishedAudio] | None:
        assert callable(self.unfinished_audio)
        found: Sequence[UnfinishedAudio] | None = self.unfinished_audio({})
        return found


async def start(fakes: Sessions, **parameters: Any) -> LiveRunner:
    wanted = StreamParameters(format=Wire.PCM16, **parameters)
    place = fakes.live.places.admit(ALICE, None)
    return await fakes.live.open(fakes.group, ALICE, wanted, place, owner=ALICE)


async def test_followers_that_override_nothing_change_nothing() -> None:
    idle = SessionFollowers()
    async with sessions(followers={"idle": idle}) as fakes:
        runner = await start(fakes)
        runner.receive_data(pcm(SPEECH[:16_000]))
        runner.receive_command(Finalize())
        await poll_until(lambda: runner.session.journal.finals)
        (final,) = runner.session.journal.finals
        await runner.until_kept(final)
        assert await idle.end_of(ALICE, runner.session.id) is None
        runner.receive_command(Stop())
        fakes.live.drain()
        runner.finish()
        await poll_until(lambda: not fakes.live.connected)
        assert runner.is_over


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_follower_that_keeps_finals_gets_the_last_one_of_a_client_that_left(
    keeps: bool,
) -> None:
    noting = Noting(keeps_finals=keeps)
    async with sessions(followers={"noting": noting}) as fakes:
        runner = await start(fakes)
        runner.receive_data(pcm(SPEECH[:16_000]))
        runner.finish()
        await poll_until(lambda: noting.notes.released)
    assert noting.notes.finals == ([1] if keeps else [])
    assert noting.notes.released == [True]


async def test_a_session_that_the_server_ends_is_not_over() -> None:
    noting = Noting(keeps_finals=True)
    async with sessions(followers={"noting": noting}) as fakes:
        await start(fakes)
    assert noting.notes.released == [False]


@pytest.mark.parametrize(
    ("parameters", "is_given"),
    [({}, True), ({"seq": True}, False), ({"redact": ("pci",)}, False)],
)
async def test_audio_is_given_unless_the_client_has_it_or_it_must_be_hidden(
    parameters: dict[str, Any], is_given: bool
) -> None:
    noting = Noting(keeps_finals=True)
    async with sessions(followers={"noting": noting}) as fakes:
        runner = await start(fakes, **parameters)
        header = bytes(8) if "seq" in parameters else b""
        runner.receive_data(header + pcm(SPEECH[:16_000]))
        await poll_until(lambda: runner.session.channels.busy)
        found = noting.unfinished()
    assert bool(found) == is_given
    assert (found is not None) == is_given
