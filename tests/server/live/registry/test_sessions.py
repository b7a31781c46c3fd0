"""Sessions that are resumed, given up and measured, and the end."""

from dataclasses import replace

import pytest
from structlog.testing import LogCapture

from auricle.config.sections.live import LiveSettings
from auricle.server.live.registry import FIRST_RETURN_S, RETURNS_PER_S
from auricle.values.commands import Finalize, Stop, StreamParameters
from auricle.values.errors import AuricleError, Draining, LedgerUnavailable, NotFound
from auricle.values.types import ClientId
from auricle.values.wording import WordingOf, no_wording
from tests.server.live.registry.helpers import PLAIN, SECOND, Ear, looks, resume_of
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm
from tests.support.transcriber import READY

pytestmark = pytest.mark.server


# Resumed sessions.


async def test_only_the_right_secret_of_the_right_client_finds_a_session(fakes: Sessions) -> None:
    runner = await fakes.open()
    assert fakes.live.find(ALICE, *resume_of(runner)) is runner
    assert fakes.live.find(ALICE, *resume_of(runner, "")) is None
    assert fakes.live.find(ALICE, *resume_of(runner, runner.session.secret[:-1])) is None
    assert fakes.live.find(ClientId("bob"), *resume_of(runner)) is None
    assert fakes.live.find(ALICE, "other", runner.session.secret) is None
    assert fakes.live.has_waiting_session(ALICE)
    assert not fakes.live.has_waiting_session(ClientId("bob"))


async def test_no_two_sessions_share_a_name_or_a_secret(fakes: Sessions) -> None:
    runners = [await fakes.open() for _ in range(3)]
    assert len({runner.session.id for runner in runners}) == 3
    assert len({runner.session.secret for runner in runners}) == 3


async def test_a_session_that_is_over_is_not_found(fakes: Sessions) -> None:
    runner = await fakes.open()
    runner.end()
    assert fakes.live.find(ALICE, *resume_of(runner)) is None
    await poll_until(lambda: not fakes.transcriber.reserved)
    assert not fakes.live.has_waiting_session(ALICE)


# Who is given up.


async def test_a_session_whose_connection_is_on_its_way_keeps_its_place(fakes: Sessions) -> None:
    runner = await fakes.open(PLAIN)  # one that can't be resumed
    await looks(fakes, 2)
    assert len(fakes.transcriber.reserved) == 1
    runner.attach(Ear())
    await looks(fakes, 1)
    assert len(fakes.transcriber.reserved) == 1


async def test_where_no_audio_comes_any_more_no_place_is_kept(fakes: Sessions) -> None:
    going, ear = await fakes.open(PLAIN), Ear()
    going.attach(ear)
    going.detach(ear)
    staying, ear = await fakes.open(), Ear()
    staying.attach(ear)
    staying.detach(ear)
    await poll_until(lambda: len(fakes.transcriber.reserved) == 1)
    assert fakes.live.waiting == 2
    assert fakes.live.find(ALICE, *resume_of(going)) is going  # for its last finals


async def test_a_client_that_comes_back_to_a_session_without_a_place_may_speak(
    fakes: Sessions,
) -> None:
    runner, ear = await fakes.open(PLAIN), Ear()
    runner.attach(ear)
    runner.detach(ear)
    await poll_until(lambda: not fakes.transcriber.reserved)
    runner.attach(ear)
    runner.receive_data(pcm(SPEECH[:SECOND]))
    assert runner.session.channels.busy == 1
    assert not ear.dismissals


@pytest.mark.wall_clock
async def test_a_session_whose_time_is_over_is_given_up_and_one_with_a_connection_is_not() -> None:
    async with sessions(LiveSettings(resume_grace_s=0.01)) as fakes:
        left, ear = await fakes.open(), Ear()
        left.attach(ear)
        left.detach(ear)
        staying = await fakes.open()
        staying.attach(Ear())
        never_attached = await fakes.open()
        await poll_until(lambda: left.is_over and never_attached.is_over)
        assert not staying.is_over
        assert fakes.live.connected == 1


async def test_a_finished_session_is_kept_until_its_last_final_is_acknowledged(
    fakes: Sessions,
) -> None:
    runner, ear = await fakes.open(), Ear()
    runner.attach(ear)
    runner.receive_data(bytes(8) + pcm(SPEECH[:16_000]))
    runner.receive_command(Stop())
    await poll_until(lambda: runner.session.is_closed)
    runner.detach(ear)
    await looks(fakes, 1)
    assert not runner.is_over
    runner.attach(ear, last_result=1)
    runner.detach(ear)
    await poll_until(lambda: runner.is_over)


async def test_only_the_newest_finished_sessions_are_kept() -> None:
    async with sessions(LiveSettings(max_sessions=1)) as fakes:
        runners = []
        for _ in range(2):
            runner, ear = await fakes.open(PLAIN), Ear()
            runners.append(runner)
            runner.attach(ear)
            runner.receive_data(pcm(SPEECH[:16_000]))
            runner.receive_command(Finalize())
            runner.detach(ear)
            await poll_until(lambda: not fakes.transcriber.reserved)
        await poll_until(lambda: runners[0].is_over)
        assert not runners[1].is_over


# Load.


async def test_load_is_measured_whether_anybody_speaks_or_not(fakes: Sessions) -> None:
    fakes.transcriber.current = replace(READY, workers=())
    await poll_until(lambda: fakes.figure("auricle_live_load") == 1)
    fakes.transcriber.current = READY
    await poll_until(lambda: fakes.figure("auricle_live_load") == 0)


async def test_a_transcriber_without_statistics_ends_no_session(
    fakes: Sessions, logged: LogCapture
) -> None:
    runner = await fakes.open()
    runner.attach(Ear())
    fakes.transcriber.current = RuntimeError("what somebody said")
    await looks(fakes, 2)
    assert not runner.is_over
    assert {line["error"] for line in logged.entries} == {"RuntimeError"}
    assert "what somebody said" not in str(logged.entries)


async def test_a_session_that_fails_when_it_is_looked_at_ends_alone(
    fakes: Sessions, logged: LogCapture
) -> None:
    neighbour = await fakes.open()
    neighbour.attach(Ear())
    failing, ear = await fakes.open(), Ear()
    failing.attach(ear)
    ear.fails = True
    failing.session.attach(0.0)  # events that were not sent yet
    await poll_until(lambda: failing.is_over)
    await looks(fakes, 2)
    assert not neighbour.is_over
    assert [line["error"] for line in logged.entries] == ["RuntimeError"]


# The end.


async def test_clients_reconnect_at_spread_times() -> None:
    async with sessions(LiveSettings(live_speakers=1000)) as fakes:
        few = [fakes.live.closing_messages()[1] for _ in range(200)]
        assert FIRST_RETURN_S <= min(few) < max(few) <= FIRST_RETURN_S + 1
        for _ in range(3 * RETURNS_PER_S):
            await fakes.open()
        many = [fakes.live.closing_messages()[1] for _ in range(500)]
        assert max(many) > FIRST_RETURN_S + 2
        assert max(many) <= FIRST_RETURN_S + 3
        error, _ = fakes.live.closing_messages()
        assert isinstance(error, Draining)
        assert error.close_code == 1012


async def test_draining_is_signalled_to_all_waiting_tasks(fakes: Sessions) -> None:
    assert not fakes.live.draining.is_set()
    fakes.live.drain()
    assert fakes.live.draining.is_set()


@pytest.mark.parametrize("error", [NotFound("none"), LedgerUnavailable("away", 1)])
async def test_a_lost_wording_refuses_a_new_session_only(error: AuricleError) -> None:
    class Lost:
        async def find(self, owner: ClientId | None, name: str) -> WordingOf:
            if name:
                raise error
            return no_wording

    parameters = StreamParameters(vocabulary="names")
    async with sessions(wordings=Lost()) as fakes:
        with pytest.raises(type(error)):
            await fakes.live.wording_of(ALICE, parameters)
        found = await fakes.live.wording_of(ALICE, parameters, is_resuming=True)
        assert found is no_wording
