import re
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address

import pytest
from structlog.testing import LogCapture

from auricle.commands import Configure, Finalize, Stop, StreamParameters
from auricle.config.settings import LiveSettings
from auricle.errors import (
    AuricleError,
    BadRequest,
    Draining,
    ModelNotFound,
    Overloaded,
    RateLimited,
)
from auricle.events import SessionEvent, Wire
from auricle.limits import SESSION_AUDIO_S
from auricle.protocol.native.stream import Resume
from auricle.server.access.rate_limits import SESSION_RETRY_S, KeyLimits
from auricle.server.live.registry import (
    FIRST_RETURN_S,
    LATE_S,
    PLACE_RETRY_S,
    RETURNS_PER_S,
)
from auricle.server.live.runner import LiveRunner
from auricle.transcriber import QueueStats
from auricle.types import ClientId, ReservationRequest
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.models import models_of
from tests.support.scripted_engine import SPEC
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm
from tests.support.transcriber import READY

pytestmark = pytest.mark.server

PLAIN = StreamParameters(format=Wire.PCM16)


class Ear:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.dismissals: list[AuricleError] = []

    def deliver(self, event: SessionEvent) -> None:
        if self.fails:
            raise RuntimeError

    def dismiss(self, error: AuricleError) -> None:
        self.dismissals.append(error)


@pytest.fixture
async def fakes() -> AsyncIterator[Sessions]:
    async with sessions() as started:
        yield started


async def looks(fakes: Sessions, count: int) -> None:
    """Wait for this number of checks of the sessions; the last one may still run."""
    wanted = fakes.transcriber.times_asked + count + 1
    await poll_until(lambda: fakes.transcriber.times_asked >= wanted)


def resume_of(runner: LiveRunner, secret: str | None = None) -> Resume:
    return Resume(runner.session.id, runner.session.secret if secret is None else secret)


# Admission.


async def test_a_new_session_is_admitted_only_if_its_finals_would_be_in_time(
    fakes: Sessions,
) -> None:
    fakes.live.admit(ALICE, None, is_resuming=False)
    fakes.live.admit(ALICE, None, is_resuming=True)
    assert fakes.transcriber.reservations == [
        ReservationRequest(ALICE, SESSION_AUDIO_S, LATE_S, standing=True),
        ReservationRequest(ALICE, SESSION_AUDIO_S, standing=True, resumed=True),
    ]


async def test_more_channels_than_the_whole_queue_has_room_for_are_refused_for_good(
    fakes: Sessions,
) -> None:
    queue = QueueStats(max_audio_s=20.0)
    fakes.transcriber.current = replace(READY, queue=queue)
    fakes.live.admit(ALICE, None, is_resuming=False, channels=2)
    with pytest.raises(BadRequest, match="AURICLE_QUEUE_AUDIO_S=25"):
        fakes.live.admit(ALICE, None, is_resuming=False, channels=3)


async def test_the_share_of_places_that_is_free_goes_down_to_nothing() -> None:
    async with sessions(LiveSettings(max_sessions=4)) as fakes:
        assert fakes.live.free_share == 1
        rooms = [fakes.live.admit(ALICE, None, is_resuming=False) for _ in range(4)]
        assert fakes.live.free_share == 0
        fakes.live.leave(rooms[0])
        assert fakes.live.free_share == 0.25


async def test_a_place_is_free_again_once_its_room_is_given_back(fakes: Sessions) -> None:
    rooms = [fakes.live.admit(ALICE, None, is_resuming=False) for _ in range(64)]
    with pytest.raises(Overloaded) as caught:
        fakes.live.admit(ALICE, None, is_resuming=True)
    assert caught.value.retry_after_s == PLACE_RETRY_S
    fakes.live.leave(rooms[0])
    fakes.live.leave(rooms[0])
    fakes.live.admit(ALICE, None, is_resuming=False)
    with pytest.raises(Overloaded):
        fakes.live.admit(ALICE, None, is_resuming=False)


async def test_an_address_has_a_limit_of_sessions_for_all_keys_and_loopback_has_none() -> None:
    async with sessions(LiveSettings(max_sessions_per_address=2)) as fakes:
        here, neighbour, local = map(ip_address, ("192.0.2.1", "192.0.2.2", "127.0.0.1"))
        room = fakes.live.admit(ALICE, here, is_resuming=False)
        fakes.live.admit(ClientId("bob"), here, is_resuming=False)
        with pytest.raises(RateLimited, match="2 concurrent live sessions") as caught:
            fakes.live.admit(ALICE, here, is_resuming=True)
        assert caught.value.retry_after_s == PLACE_RETRY_S
        fakes.live.admit(ALICE, neighbour, is_resuming=False)
        for _ in range(3):
            fakes.live.admit(ALICE, local, is_resuming=False)
        fakes.live.leave(room)
        fakes.live.admit(ALICE, here, is_resuming=False)
    async with sessions(LiveSettings(max_sessions_per_address=0)) as fakes:
        for _ in range(40):
            fakes.live.admit(ALICE, here, is_resuming=False)


async def test_a_key_has_a_limit_of_sessions_independent_of_others() -> None:
    async with sessions(limits=KeyLimits(sessions=1)) as fakes:
        runner = await fakes.open()
        with pytest.raises(RateLimited, match="1 concurrent live sessions") as caught:
            await fakes.open()
        assert caught.value.retry_after_s == SESSION_RETRY_S
        other = await fakes.open(client=ClientId("bob"))
        runner.end()
        await poll_until(lambda: len(fakes.transcriber.reserved) == 1)
        await fakes.open()
        assert not other.is_over


@pytest.mark.parametrize(
    ("gateway", "shape"), [("", r"[0-9a-f]{16}"), ("Gw2", r"Gw2-[0-9a-f]{16}")]
)
async def test_the_id_of_a_session_begins_with_the_name_of_its_gateway(
    gateway: str, shape: str
) -> None:
    async with sessions(gateway_id=gateway) as fakes:
        runner = await fakes.open()
        assert re.fullmatch(shape, runner.session.id)
        assert fakes.live.find(ALICE, resume_of(runner)) is runner


@pytest.mark.parametrize("ends", [False, True])
async def test_speech_is_charged_while_it_comes_and_cut_off_for_nothing(ends: bool) -> None:
    async with sessions(limits=KeyLimits(audio_s=1)) as fakes:
        runner = await fakes.open()
        runner.receive_data(bytes(8) + pcm(SPEECH[:48_000]))
        if ends:
            runner.end()
        await looks(fakes, 1)
        assert runner.is_over is ends
        with pytest.raises(RateLimited, match="1 seconds of audio") as caught:
            await fakes.open()
        assert caught.value.retry_after_s > 1
        await fakes.open(client=ClientId("bob"))


async def test_parameters_that_make_no_session_leave_no_room_behind(fakes: Sessions) -> None:
    with pytest.raises(BadRequest):
        await fakes.open(StreamParameters(language="klingon"))
    assert fakes.transcriber.reserved == {}
    assert fakes.live.connected + fakes.live.waiting == 0


# Resumed sessions.


async def test_only_the_right_secret_of_the_right_client_finds_a_session(fakes: Sessions) -> None:
    runner = await fakes.open()
    assert fakes.live.find(ALICE, resume_of(runner)) is runner
    assert fakes.live.find(ALICE, resume_of(runner, "")) is None
    assert fakes.live.find(ALICE, resume_of(runner, runner.session.secret[:-1])) is None
    assert fakes.live.find(ClientId("bob"), resume_of(runner)) is None
    assert fakes.live.find(ALICE, Resume("other", runner.session.secret)) is None
    assert fakes.live.has_waiting_session(ALICE)
    assert not fakes.live.has_waiting_session(ClientId("bob"))


async def test_no_two_sessions_share_a_name_or_a_secret(fakes: Sessions) -> None:
    runners = [await fakes.open() for _ in range(3)]
    assert len({runner.session.id for runner in runners}) == 3
    assert len({runner.session.secret for runner in runners}) == 3


async def test_a_session_that_is_over_is_not_found(fakes: Sessions) -> None:
    runner = await fakes.open()
    runner.end()
    assert fakes.live.find(ALICE, resume_of(runner)) is None
    await poll_until(lambda: not fakes.transcriber.reserved)
    assert not fakes.live.has_waiting_session(ALICE)


# Who is given up.


async def test_a_session_whose_connection_is_on_its_way_keeps_its_room(fakes: Sessions) -> None:
    runner = await fakes.open(PLAIN)  # one that can't be resumed
    await looks(fakes, 2)
    assert len(fakes.transcriber.reserved) == 1
    runner.attach(Ear())
    await looks(fakes, 1)
    assert len(fakes.transcriber.reserved) == 1


async def test_where_no_audio_comes_any_more_no_room_is_kept(fakes: Sessions) -> None:
    going, ear = await fakes.open(PLAIN), Ear()
    going.attach(ear)
    going.detach(ear)
    staying, ear = await fakes.open(), Ear()
    staying.attach(ear)
    staying.detach(ear)
    await poll_until(lambda: len(fakes.transcriber.reserved) == 1)
    assert fakes.live.waiting == 2
    assert fakes.live.find(ALICE, resume_of(going)) is going  # for its last finals


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


async def test_clients_reconnect_at_spread_times(fakes: Sessions) -> None:
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


async def test_a_session_has_room_in_the_queue_of_each_model_that_it_uses() -> None:
    async with sessions(models=models_of(SPEC, tiny=SPEC)) as fakes:
        live, transcriber = fakes.live, fakes.transcriber
        with pytest.raises(ModelNotFound):
            live.admit(ALICE, None, is_resuming=False, model="large")
        assert transcriber.reservations == []
        parameters = StreamParameters(format=Wire.PCM16, model="tiny")
        room = live.admit(ALICE, None, is_resuming=False, model="tiny")
        runner = await live.open(fakes.group, ALICE, parameters, room)
        runner.receive_command(Configure(model="tiny"))
        runner.receive_command(Configure(model="scripted"))
        runner.receive_command(Configure(model="tiny"))
        assert [each.model for each in transcriber.reserved.values()] == ["tiny", "scripted"]
        assert all(each.standing for each in transcriber.reserved.values())
        transcriber.refuse = Overloaded("full", 1)
        runner.receive_command(Configure(model="scripted"))  # its room is kept
        runner.end()
        await poll_until(lambda: not transcriber.reserved)


async def test_a_model_without_room_leaves_a_session_as_it_is() -> None:
    async with sessions(models=models_of(SPEC, tiny=SPEC)) as fakes:
        runner = await fakes.open()
        fakes.transcriber.refuse = Overloaded("full", 1)
        with pytest.raises(Overloaded):
            runner.receive_command(Configure(model="tiny"))
        assert runner.session.model == "scripted"
        with pytest.raises(ModelNotFound):
            runner.receive_command(Configure(model="large"))
