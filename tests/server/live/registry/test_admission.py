"""Who may start a session, and what a session holds."""

import json
import re
from dataclasses import replace
from ipaddress import ip_address
from struct import pack

import anyio
import pytest

from auricle.config.sections.live import LiveSettings
from auricle.server.access.rate_limits import SESSION_RETRY_S, KeyLimits
from auricle.server.live.admission.capacity import SEVERAL, SPEAKERS_PER_WORKER, STEP_S
from auricle.server.live.places import PLACE_RETRY_S
from auricle.server.live.registry import (
    MAX_READ_INTERVAL_S,
    MAX_SILENT_READ_INTERVAL_S,
)
from auricle.values.commands import Configure, Finalize, Stop, StreamParameters
from auricle.values.errors import (
    BadRequest,
    ModelNotFound,
    NoWorkerReady,
    Overloaded,
    RateLimited,
    ServerFull,
)
from auricle.values.events import Wire
from auricle.values.transcriber import QueueStats, WorkerState
from auricle.values.types import ClientId, ReservationRequest
from tests.server.live.registry.helpers import PLAIN, SECOND, Ear, looks, resume_of, speak
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.models import models_of
from tests.support.scripted_engine import SPEC
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm
from tests.support.transcriber import READY

pytestmark = pytest.mark.server

MUCH_LATER_S = 1e9


async def test_an_admitted_session_may_always_submit_its_finals(fakes: Sessions) -> None:
    place = fakes.live.places.admit(ALICE, None)
    assert fakes.transcriber.reservations == [ReservationRequest(ALICE, 0.0, standing=True)]
    fakes.live.places.leave(place)
    assert not fakes.transcriber.reserved


async def test_the_share_of_places_that_is_free_goes_down_to_nothing() -> None:
    async with sessions(LiveSettings(max_sessions=4)) as fakes:
        assert fakes.live.places.free_share == 1
        places = [fakes.live.places.admit(ALICE, None) for _ in range(4)]
        assert fakes.live.places.free_share == 0
        fakes.live.places.leave(places[0])
        assert fakes.live.places.free_share == 0.25


@pytest.mark.usefixtures("speakers_at_once")
async def test_the_share_of_speakers_that_is_free_goes_down_to_nothing() -> None:
    async with sessions(LiveSettings(live_speakers=4)) as fakes:
        fakes.transcriber.gate = anyio.Event()
        for speakers in range(1, 5):
            speak(await fakes.open())
            await poll_until(lambda speakers=speakers: fakes.live.admission.speakers == speakers)
            assert fakes.live.places.free_share == 1 - speakers / 4


async def test_a_silent_session_is_read_less_often_once_there_are_many() -> None:
    async with sessions(LiveSettings(max_sessions=200, live_speakers=200)) as fakes:
        fakes.transcriber.gate = anyio.Event()
        speaker, silent, *_ = runners = [await fakes.open() for _ in range(100)]
        for runner in runners:
            runner.attach(Ear())
        speak(speaker)
        read_interval_s = fakes.live.read_interval_s
        await poll_until(lambda: read_interval_s(silent) == MAX_SILENT_READ_INTERVAL_S)
        assert read_interval_s(speaker) == MAX_READ_INTERVAL_S
        speak(silent)  # and at the regular interval from its first word on
        assert read_interval_s(silent) == MAX_READ_INTERVAL_S
        for runner in runners[1:]:
            runner.detach(Ear())
            runner.end()
        await poll_until(lambda: read_interval_s(speaker) < MAX_READ_INTERVAL_S)


async def test_a_place_is_free_again_once_it_is_given_back() -> None:
    async with sessions(LiveSettings(max_sessions=3)) as fakes:
        places = [fakes.live.places.admit(ALICE, None) for _ in range(3)]
        for is_known in (False, True):
            with pytest.raises(Overloaded) as caught:
                fakes.live.places.admit(ALICE, None, is_known=is_known)
            assert caught.value.retry_after_s == PLACE_RETRY_S
            assert not isinstance(caught.value, ServerFull)
        fakes.live.places.leave(places[0])
        fakes.live.places.leave(places[0])
        fakes.live.places.admit(ALICE, None)
        with pytest.raises(Overloaded):
            fakes.live.places.admit(ALICE, None)


async def test_a_session_whose_client_is_gone_makes_room_where_no_slot_is_free() -> None:
    async with sessions(LiveSettings(max_sessions=3)) as fakes:
        longest, shorter, staying = [await fakes.open() for _ in range(3)]
        for runner in (longest, shorter, staying):
            runner.attach(ear := Ear())
            if runner is not staying:
                runner.detach(ear)
        await fakes.open()
        await poll_until(lambda: longest.is_over)
        assert not shorter.is_over
        await fakes.open()
        await poll_until(lambda: shorter.is_over)
        with pytest.raises(Overloaded):
            await fakes.open()
        assert not staying.is_over


async def test_no_session_is_given_up_for_one_that_is_refused() -> None:
    async with sessions(LiveSettings(max_sessions=1)) as fakes:
        runner, ear = await fakes.open(), Ear()
        runner.attach(ear)
        runner.detach(ear)
        fakes.transcriber.refuse = NoWorkerReady("none", 1)
        with pytest.raises(NoWorkerReady):
            await fakes.open()
        assert fakes.live.find(ALICE, *resume_of(runner)) is runner


@pytest.mark.usefixtures("speakers_at_once")
async def test_only_as_many_people_as_the_machine_holds_may_speak() -> None:
    async with sessions(LiveSettings(live_speakers=2)) as fakes:
        fakes.transcriber.gate = anyio.Event()
        speaking = [await fakes.open() for _ in range(2)]
        for runner in speaking:
            speak(runner)
        await poll_until(lambda: fakes.live.admission.speakers == 2)
        with pytest.raises(ServerFull) as caught:
            await fakes.open()
        assert (caught.value.speakers, caught.value.capacity) == (2, 2)
        assert len(fakes.transcriber.reserved) == 2
        speaking[0].end()
        await poll_until(lambda: len(fakes.transcriber.reserved) == 1)
        await fakes.open()
        fakes.live.places.admit(ALICE, None, is_known=True)


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_silent_session_takes_no_speaker_s_place() -> None:
    async with sessions(LiveSettings(live_speakers=2)) as fakes:
        fakes.transcriber.gate = anyio.Event()
        silent = await fakes.open()
        silent.attach(Ear())
        for at in range(30):
            silent.receive_data(pack("<Q", at * SECOND) + bytes(2 * SECOND))
        for _ in range(2):
            await poll_until(lambda: fakes.live.admission.speakers in (0, 1))
            speak(await fakes.open())
        await poll_until(lambda: fakes.live.admission.speakers == 2)
        with pytest.raises(ServerFull):
            await fakes.open()
        assert not silent.is_over


async def test_newcomers_who_begin_to_speak_at_once_are_refused_beyond_what_is_bearable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auricle.server.live.admission.admission.FIRST_WORDS_S", 600.0)
    async with sessions(LiveSettings(live_speakers=4)) as fakes:
        fakes.transcriber.gate = anyio.Event()
        runners = [await fakes.open() for _ in range(9)]
        ears = [Ear() for _ in runners]
        for runner, ear in zip(runners, ears, strict=True):
            runner.attach(ear)
            speak(runner)
        refused = [error for ear in ears for error in ear.dismissals]
        assert [runner.is_over for runner in runners] == [False] * 5 + [True] * 4
        assert {type(error) for error in refused} == {ServerFull}
        assert len(refused) == 4
        assert fakes.live.admission.load().waiting == 1  # they are of one key and network


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_client_with_an_id_keeps_its_position_among_those_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auricle.server.live.admission.line.GRACE_S", 600.0)
    async with sessions(LiveSettings(live_speakers=1)) as fakes:
        fakes.transcriber.gate = anyio.Event()
        speaking = await fakes.open()
        speak(speaking)
        await poll_until(lambda: fakes.live.admission.speakers == 1)
        for waiter in ("first", "second"):
            with pytest.raises(ServerFull):
                fakes.live.places.admit(ALICE, None, waiter=waiter)
        assert fakes.live.admission.load().waiting == 2
        speaking.end()
        await poll_until(lambda: not fakes.transcriber.reserved)
        with pytest.raises(ServerFull):
            fakes.live.places.admit(ALICE, None, waiter="second")
        fakes.live.places.admit(ALICE, None, waiter="first")


async def test_what_was_learned_and_who_may_come_back_is_kept() -> None:
    async with sessions() as fakes:
        runner = await fakes.open()
        await fakes.open(PLAIN)  # can't be resumed
        stopped = await fakes.open()
        stopped.attach(Ear())
        stopped.receive_command(Stop())
        await poll_until(lambda: stopped.session.is_closed)
        await fakes.live.store_capacity()
        kept = json.loads((fakes.directory / "speakers.json").read_text())
    assert (kept["sessions"], kept["speakers"], kept["is_learned"]) == (
        [runner.session.id],
        SPEAKERS_PER_WORKER,
        False,
    )


async def test_of_each_key_no_more_sessions_come_back_than_its_part() -> None:
    async with sessions(LiveSettings(live_speakers=6)) as fakes:
        runners = [await fakes.open() for _ in range(5)]
        other = await fakes.open(client=ClientId("bob"))
        await fakes.live.store_capacity()
        kept = json.loads((fakes.directory / "speakers.json").read_text())
    assert kept["sessions"] == [each.session.id for each in [*runners[:3], other]]


@pytest.mark.parametrize(
    ("jobs", "may_hang", "falls"),
    [(SEVERAL, False, True), (20, False, False), (SEVERAL, True, False)],
    ids=["live speech", "other work", "a worker that may hang"],
)
async def test_only_live_speech_that_makes_finals_late_lowers_the_capacity(
    jobs: int, may_hang: bool, falls: bool
) -> None:
    async with sessions() as fakes:
        fakes.transcriber.gate = anyio.Event()
        waiting = QueueStats(waiting_jobs=jobs, waiting_audio_s=600.0)
        busy = replace(READY.workers[0], state=WorkerState.BUSY, overdue=may_hang)
        fakes.transcriber.current = replace(
            READY, workers=(busy,), queue=waiting, seconds_per_audio_s=0.1
        )
        for _ in range(SEVERAL):
            runner = await fakes.open()
            speak(runner)
            runner.receive_command(Finalize())
        capacity = fakes.live.admission.capacity
        await poll_until(lambda: capacity.is_late)
        for step in range(1, 3):
            fakes.live._measure(MUCH_LATER_S + step * STEP_S)
        assert capacity.is_late
        assert capacity.is_learned is falls
        assert (capacity.speakers < SPEAKERS_PER_WORKER) is falls


async def test_an_address_has_a_limit_of_sessions_for_all_keys_and_loopback_has_none() -> None:
    async with sessions(LiveSettings(max_sessions_per_address=2)) as fakes:
        here, neighbour, local = map(ip_address, ("192.0.2.1", "192.0.2.2", "127.0.0.1"))
        place = fakes.live.places.admit(ALICE, here)
        fakes.live.places.admit(ClientId("bob"), here)
        with pytest.raises(RateLimited, match="2 concurrent live sessions") as caught:
            fakes.live.places.admit(ALICE, here)
        assert caught.value.retry_after_s == PLACE_RETRY_S
        fakes.live.places.admit(ALICE, neighbour)
        for _ in range(3):
            fakes.live.places.admit(ALICE, local)
        fakes.live.places.leave(place)
        fakes.live.places.admit(ALICE, here)
    async with sessions(LiveSettings(max_sessions_per_address=0)) as fakes:
        for _ in range(20):
            fakes.live.places.admit(ALICE, here)


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
    ("prefix", "shape"), [("", r"[0-9a-f]{24}"), ("Gw2-", r"Gw2-[0-9a-f]{24}")]
)
async def test_the_id_of_a_session_begins_with_the_prefix_of_its_server(
    prefix: str, shape: str
) -> None:
    async with sessions(id_prefix=prefix) as fakes:
        runner = await fakes.open()
        assert re.fullmatch(shape, runner.session.id)
        assert fakes.live.find(ALICE, *resume_of(runner)) is runner


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


async def test_parameters_that_make_no_session_leave_no_place_behind(fakes: Sessions) -> None:
    with pytest.raises(BadRequest):
        await fakes.open(StreamParameters(language="klingon"))
    assert fakes.transcriber.reserved == {}
    assert fakes.live.connected + fakes.live.waiting == 0


async def test_a_session_has_a_reservation_for_each_model_that_it_uses() -> None:
    async with sessions(models=models_of(SPEC, tiny=SPEC)) as fakes:
        live, transcriber = fakes.live, fakes.transcriber
        with pytest.raises(ModelNotFound):
            live.places.admit(ALICE, None, model="large")
        assert transcriber.reservations == []
        parameters = StreamParameters(format=Wire.PCM16, model="tiny")
        place = live.places.admit(ALICE, None, model="tiny")
        runner = await live.open(fakes.group, ALICE, parameters, place)
        runner.receive_command(Configure(model="tiny"))
        runner.receive_command(Configure(model="scripted"))
        runner.receive_command(Configure(model="tiny"))
        assert [each.model for each in transcriber.reserved.values()] == ["tiny", "scripted"]
        assert all(each.standing for each in transcriber.reserved.values())
        transcriber.refuse = Overloaded("full", 1)
        runner.receive_command(Configure(model="scripted"))  # its reservation is kept
        runner.end()
        await poll_until(lambda: not transcriber.reserved)


async def test_a_session_without_a_place_leaves_no_reservation_behind() -> None:
    async with sessions(models=models_of(SPEC, tiny=SPEC)) as fakes:
        runner, ear = await fakes.open(PLAIN), Ear()
        runner.attach(ear)
        runner.detach(ear)
        await poll_until(lambda: not fakes.transcriber.reserved)
        runner.attach(ear)
        runner.receive_command(Configure(model="tiny"))
        assert runner.session.model == "tiny"
        runner.end()
        await poll_until(lambda: not fakes.live.has_waiting_session(ALICE))
        assert not fakes.transcriber.reserved


async def test_a_model_that_is_not_ready_leaves_a_session_as_it_is() -> None:
    async with sessions(models=models_of(SPEC, tiny=SPEC)) as fakes:
        runner = await fakes.open()
        fakes.transcriber.refuse = Overloaded("full", 1)
        with pytest.raises(Overloaded):
            runner.receive_command(Configure(model="tiny"))
        assert runner.session.model == "scripted"
        with pytest.raises(ModelNotFound):
            runner.receive_command(Configure(model="large"))
