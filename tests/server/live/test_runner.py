from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from struct import pack

import anyio
import numpy as np
import pytest
from structlog.testing import LogCapture

from auricle.apis.readers.feeds import Feeds
from auricle.server.live.runner import LiveRunner
from auricle.values.commands import Configure, Finalize, Stop, StreamParameters
from auricle.values.errors import (
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    RemoteProtocolError,
    SpeakersUnavailable,
    TakenOver,
    TurnsUnavailable,
)
from auricle.values.events import (
    Closed,
    Final,
    Partial,
    Ready,
    SessionEvent,
    SpeakerRevision,
    SpeechStarted,
    Trigger,
    Wire,
)
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Stats
from auricle.values.types import EmbedJob, Job, JobKind, SpeakerEmbeddings, Transcript, TurnJob
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.service import poll_until
from tests.support.session import silence
from tests.support.stream import SPEECH, echo, pcm
from tests.support.transcriber import READY

pytestmark = pytest.mark.server

SAID = "what somebody said"
PLAIN = StreamParameters(format=Wire.PCM16)


class Ear:
    """A listener that records the events it receives."""

    def __init__(self, fails_at: type | None = None) -> None:
        self.heard: list[SessionEvent] = []
        self.dismissals: list[AuricleError] = []
        self.fails_at = fails_at

    def deliver(self, event: SessionEvent) -> None:
        self.heard.append(event)
        if self.fails_at is not None and isinstance(event, self.fails_at):
            raise RuntimeError(SAID)

    def dismiss(self, error: AuricleError) -> None:
        self.dismissals.append(error)

    @property
    def finals(self) -> list[Final]:
        return [event for event in self.heard if isinstance(event, Final)]


@pytest.fixture
async def fakes() -> AsyncIterator[Sessions]:
    async with sessions() as started:
        yield started


async def opened(fakes: Sessions, parameters: StreamParameters = PLAIN) -> tuple[LiveRunner, Ear]:
    runner, ear = await fakes.open(parameters), Ear()
    runner.attach(ear)
    return runner, ear


def speak(runner: LiveRunner, seconds: float = 2.0) -> None:
    runner.receive_data(pcm(SPEECH[: int(seconds * 16_000)]))


async def test_jobs_go_to_the_transcriber_and_their_answers_to_the_listener(
    fakes: Sessions,
) -> None:
    fakes.transcriber.answer_with = echo
    runner, ear = await opened(fakes)
    runner.set_load(0.9)  # no final in advance
    speak(runner)
    runner.receive_command(Finalize())
    await poll_until(lambda: ear.finals)
    *_, job = [job for job in fakes.transcriber.jobs if job.kind is not JobKind.PARTIAL]
    assert ear.finals[0].text == echo(job).text
    assert isinstance(ear.heard[0], Ready)


class OneVoice:
    """Fails at first, as a worker that dies, and then finds one voice in everything."""

    def __init__(self) -> None:
        self.failures: list[Exception] = [SpeakersUnavailable(), RuntimeError(SAID)]
        self.is_prepared = False

    def prepare(self) -> None:
        self.is_prepared = True

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        if self.failures:
            raise self.failures.pop()
        vectors = np.eye(1, 192, dtype=np.float32).repeat(len(job.stretches), axis=0)
        return SpeakerEmbeddings(job.stretches, vectors)

    def stats(self) -> Stats:
        return Stats()


async def test_a_final_whose_speaker_is_late_is_sent_and_revised(
    fakes: Sessions,
) -> None:
    voice = OneVoice()
    fakes.live.workers = OptionalWorkers(speakers=LocalSpeakers(voice))
    runner, ear = await opened(fakes, StreamParameters(format=Wire.PCM16, speakers=True))
    speak(runner)
    runner.receive_command(Stop())
    await poll_until(lambda: isinstance(ear.heard[-1], Closed))
    assert [final.speaker for final in ear.finals] == [None]
    (revision,) = [event for event in ear.heard if isinstance(event, SpeakerRevision)]
    assert [(final.id, final.speaker) for final in revision.finals] == [(1, 0)]
    assert voice.is_prepared


def has_finals(ear: Ear, count: int) -> bool:
    return len(ear.finals) == count


class Judge:
    """Fails at first, and then finds every turn finished."""

    def __init__(self) -> None:
        self.failures: list[Exception] = [TurnsUnavailable(), RuntimeError(SAID)]
        self.is_prepared = False

    def prepare(self) -> None:
        self.is_prepared = True

    async def judge(self, job: TurnJob) -> float:
        if self.failures:
            raise self.failures.pop()
        return 1.0

    def stats(self) -> Stats:
        return Stats()


async def test_turns_are_judged_and_end_by_silence_after_failures(fakes: Sessions) -> None:
    judge = Judge()
    fakes.live.workers = OptionalWorkers(turns=judge)
    runner, ear = await opened(fakes, StreamParameters(format=Wire.PCM16, turn_detection=True))
    assert judge.is_prepared
    for count in (1, 2, 3):
        runner.receive_data(pcm(np.concatenate([SPEECH[:32_000], silence(2)])))
        await poll_until(partial(has_finals, ear, count))
    triggers = [(final.trigger, final.end_of_turn) for final in ear.finals]
    assert triggers == [(Trigger.TIMEOUT, None)] * 2 + [(Trigger.MODEL, 1.0)]


async def test_finals_without_a_listener_are_sent_to_the_next_one_and_counted_once(
    fakes: Sessions,
) -> None:
    fakes.transcriber.gate = anyio.Event()
    runner, first = await opened(fakes)
    speak(runner)
    runner.receive_command(Finalize())
    runner.detach(first)
    assert runner.detached_at is not None
    fakes.transcriber.gate.set()
    await poll_until(lambda: not fakes.transcriber.in_flight)
    await anyio.wait_all_tasks_blocked()
    for _ in range(2):
        later = Ear()
        runner.attach(later)
        assert [final.text for final in later.finals] == ["hello"]
    assert first.finals == []
    assert fakes.figure("auricle_live_finals_total", outcome="text") == 1


async def test_a_second_listener_takes_over_and_the_first_one_s_leaving_changes_nothing(
    fakes: Sessions,
) -> None:
    runner, first = await opened(fakes)
    second = Ear()
    runner.attach(second)
    assert [type(error) for error in first.dismissals] == [TakenOver]
    runner.detach(first)
    assert runner.detached_at is None
    delivered = len(first.heard)
    speak(runner)
    runner.receive_command(Finalize())
    await poll_until(lambda: second.finals)
    assert len(first.heard) == delivered


async def test_the_end_cancels_its_jobs_and_notifies_its_listener(fakes: Sessions) -> None:
    fakes.transcriber.gate = anyio.Event()
    runner, ear = await opened(fakes)
    runner.set_load(0.9)  # no final in advance
    speak(runner)
    runner.receive_command(Finalize())
    await poll_until(lambda: fakes.transcriber.in_flight > 0)
    runner.end(AuricleError("over"))
    runner.end(AuricleError("once is enough"))
    await poll_until(lambda: not fakes.transcriber.in_flight)
    assert [str(error) for error in ear.dismissals] == ["over"]
    assert runner.is_over
    assert {job.kind for job in fakes.transcriber.cancelled} >= {JobKind.FINAL}
    await poll_until(lambda: not fakes.transcriber.reserved)


async def test_unneeded_jobs_are_cancelled(fakes: Sessions) -> None:
    fakes.transcriber.gate = anyio.Event()
    fakes.transcriber.holds = lambda job: job.kind is JobKind.PARTIAL
    runner, ear = await opened(fakes)
    runner.set_load(0.6)  # no final in advance
    speak(runner)  # a partial of it is requested
    await poll_until(lambda: fakes.transcriber.in_flight > 0)
    runner.receive_command(Finalize())
    await poll_until(lambda: ear.finals)
    await poll_until(lambda: not fakes.transcriber.in_flight)
    assert {job.kind for job in fakes.transcriber.cancelled} == {JobKind.PARTIAL}


async def test_a_transcriber_that_fails_is_asked_again_and_its_words_are_not_logged(
    fakes: Sessions, logged: LogCapture
) -> None:
    fakes.transcriber.holds = lambda job: job.kind is not JobKind.FINAL
    fakes.transcriber.gate = anyio.Event()  # no partial takes the answer of the final
    runner, ear = await opened(fakes, StreamParameters(format=Wire.PCM16, partials=False))
    fakes.transcriber.script = [RuntimeError(SAID)]
    speak(runner, 1.0)
    runner.receive_command(Finalize())
    await poll_until(lambda: ear.finals)
    assert (ear.finals[0].text, ear.finals[0].error) == ("hello", None)
    (line,) = logged.entries
    assert (line["event"], line["error"]) == ("unexpected_error", "RuntimeError")
    assert SAID not in str(line)


async def test_a_bug_ends_its_own_session_and_no_other(fakes: Sessions, logged: LogCapture) -> None:
    neighbour, other_ear = await opened(fakes)
    runner, ear = await fakes.open(PLAIN), Ear(fails_at=Final)
    runner.attach(ear)
    for speaker in (runner, neighbour):
        speak(speaker, 1.0)
        speaker.receive_command(Finalize())
    await poll_until(lambda: runner.is_over)
    assert [error.code for error in ear.dismissals] == ["internal"]
    await poll_until(lambda: other_ear.finals)
    assert not neighbour.is_over
    assert [line["error"] for line in logged.entries] == ["RuntimeError"]
    assert SAID not in str(logged.entries)
    await poll_until(lambda: len(fakes.transcriber.reserved) == 1)


async def test_errors_found_late_in_a_message_are_raised_to_its_reader(
    fakes: Sessions,
) -> None:
    runner, ear = await opened(fakes, StreamParameters(format=Wire.OPUS))
    silence = b"\x08\xff\xfe"  # a packet of 20 ms in which nothing is coded
    message = 500 * (pack("<H", len(silence)) + silence) + b"\0\0"
    runner.receive_data(message)  # more than is worked off in one go
    assert ear.dismissals == []
    await poll_until(lambda: ear.dismissals)
    assert isinstance(ear.dismissals[0], RemoteProtocolError)
    assert not runner.is_over


async def test_wrong_commands_are_raised_and_the_session_continues(fakes: Sessions) -> None:
    runner, ear = await opened(fakes)
    with pytest.raises(BadRequest):
        runner.receive_command(Configure(language="klingon"))
    speak(runner, 1.0)
    runner.receive_command(Stop())
    await poll_until(lambda: any(isinstance(event, Closed) for event in ear.heard))
    assert len(ear.finals) == 1


async def test_a_client_that_sends_more_than_is_worked_off_waits_until_it_is(
    fakes: Sessions,
) -> None:
    runner, _ = await opened(fakes)
    runner.receive_data(pcm(np.zeros(30 * 16_000, np.int16)))
    assert not runner.session.wants_data
    with anyio.fail_after(60):
        await runner.until_data_wanted()
    assert runner.session.wants_data
    assert runner.session.received_sample == 30 * 16_000


async def test_a_waiting_task_learns_that_it_has_ended(fakes: Sessions) -> None:
    fakes.transcriber.gate = anyio.Event()
    runner, _ = await opened(fakes)
    runner.set_load(0.9)  # no final in advance
    speak(runner)
    runner.receive_command(Finalize())
    await poll_until(lambda: runner.session.channels.has_pending_finals)
    runner.receive_data(pcm(np.zeros(30 * 16_000, np.int16)))
    async with anyio.create_task_group() as group:
        group.start_soon(runner.until_settled)
        group.start_soon(runner.until_data_wanted)
        await anyio.wait_all_tasks_blocked()
        runner.end()


async def test_finals_in_flight_settle_with_their_answers(fakes: Sessions) -> None:
    fakes.transcriber.gate = anyio.Event()
    runner, ear = await opened(fakes)
    runner.set_load(0.9)  # no final in advance
    with anyio.fail_after(60):
        await runner.until_settled()  # there are none
    speak(runner)
    runner.receive_command(Finalize())
    await poll_until(lambda: runner.session.channels.has_pending_finals)
    async with anyio.create_task_group() as group:
        group.start_soon(runner.until_settled)
        await anyio.wait_all_tasks_blocked()
        assert ear.finals == []
        fakes.transcriber.gate.set()
    assert len(ear.finals) == 1


async def test_a_speculative_final_does_as_a_final_that_is_waited_for(fakes: Sessions) -> None:
    fakes.transcriber.gate = anyio.Event()
    runner, ear = await opened(fakes)
    speak(runner)
    runner.receive_data(pcm(np.zeros(5_000, np.int16)))
    runner.receive_command(Finalize())
    async with anyio.create_task_group() as group:
        group.start_soon(runner.until_settled)
        await anyio.wait_all_tasks_blocked()
        kinds = [job.kind for job in fakes.transcriber.jobs]
        assert {JobKind.SPECULATIVE, JobKind.FINAL} <= set(kinds)
        assert ear.finals == []
        fakes.transcriber.gate.set()
    assert len(ear.finals) == 1


async def test_speech_that_is_not_decoded_in_time_is_dropped_and_counted(fakes: Sessions) -> None:
    fakes.transcriber.script = [DeadlineExceeded("not begun")] * 20
    runner, ear = await opened(
        fakes, StreamParameters(format=Wire.PCM16, partials=False, max_lag_s=1)
    )
    speak(runner)
    runner.receive_command(Finalize())
    await poll_until(lambda: ear.finals)
    (final,) = ear.finals
    assert (final.text, final.error) == ("", "too_late")
    assert final.latency_ms >= 1000
    assert fakes.figure("auricle_live_finals_total", outcome="too_late") == 1
    assert not runner.is_over


async def test_a_full_service_makes_no_partials(fakes: Sessions) -> None:
    runner, ear = await opened(fakes)
    fakes.transcriber.current = replace(READY, workers=())  # also at the next measurement
    runner.set_load(1.0)
    speak(runner)
    assert any(isinstance(event, SpeechStarted) for event in ear.heard)
    await anyio.wait_all_tasks_blocked()
    assert fakes.transcriber.jobs == []


@dataclass
class FakePartials:
    """Recognises all partials, or none; see :class:`.PartialTranscriber`."""

    is_ready: bool = True
    languages: frozenset[str] = frozenset({"en"})
    jobs: list[Job] = field(default_factory=list)

    def recognises(self, job: Job) -> bool:
        return self.is_ready and job.kind is JobKind.PARTIAL

    async def transcribe(self, job: Job) -> Transcript:
        self.jobs.append(job)
        return echo(job)

    def stats(self) -> Stats:
        return Stats()


@pytest.mark.parametrize("is_ready", [True, False])
async def test_partials_go_to_their_own_pool_while_it_is_ready(
    fakes: Sessions, is_ready: bool
) -> None:
    partials = FakePartials(is_ready)
    fakes.live.workers = OptionalWorkers(partials=partials)
    runner, ear = await opened(fakes, StreamParameters(format=Wire.PCM16, language="en"))
    speak(runner)
    await poll_until(lambda: any(isinstance(event, Partial) for event in ear.heard))
    runner.receive_command(Finalize())
    await poll_until(lambda: ear.finals)
    assert {job.kind for job in partials.jobs} == ({JobKind.PARTIAL} if is_ready else set())
    others = {job.kind for job in fakes.transcriber.jobs}
    assert (JobKind.PARTIAL in others) is not is_ready
    assert others & {JobKind.FINAL, JobKind.SPECULATIVE}


async def test_readers_get_each_final_once_also_while_the_speaker_is_away() -> None:
    feeds = Feeds(8)
    async with sessions(followers={"readers": feeds}) as fakes:
        fakes.transcriber.gate = anyio.Event()
        place = fakes.live.places.admit(ALICE, None)
        runner = await fakes.live.open(fakes.group, ALICE, PLAIN, place, owner=ALICE)
        runner.attach(ear := Ear())
        feed = feeds.find(ALICE, runner.session.id)
        speak(runner)
        runner.receive_command(Finalize())
        runner.detach(ear)
        fakes.transcriber.gate.set()
        await poll_until(lambda: list(feed.finals))
        assert not ear.finals
        runner.attach(returned := Ear(), last_result=0)  # which replays the final
        assert returned.finals == list(feed.finals)
        runner.receive_command(Stop())
        await poll_until(lambda: feed.is_ended)
        assert returned.finals == list(feed.finals)
