"""Wyoming over real sockets, on fakes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from structlog.testing import LogCapture

from auricle.apis.wyoming import live as wyoming_server
from auricle.apis.wyoming.live import MAX_CONNECTIONS, WYOMING
from auricle.apis.wyoming.wire.framing import MAX_PAYLOAD_BYTES
from auricle.config.sections.live import LiveSettings
from auricle.values.errors import NoWorkerReady, Overloaded, PoisonJob
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Stats
from auricle.values.types import Job, TurnJob
from tests.apis.wyoming.service import (
    MONO_16,
    WyomingCaller,
    WyomingService,
    event,
    speaking,
    spoken,
    wyoming,
)
from tests.support.poll import poll_until
from tests.support.stream import SPEECH, echo
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

CHUNK = event("audio-chunk", MONO_16, SPEECH[:16_000].tobytes())


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[WyomingService]:
    async with wyoming(tmp_path) as started:
        yield started


@pytest.fixture
async def caller(service: WyomingService) -> AsyncIterator[WyomingCaller]:
    async with service.call() as connected:
        yield connected


async def assert_alive(caller: WyomingCaller) -> None:
    """Check that a connection can still be used."""
    assert await caller.ask() == "hello"


async def assert_at_rest(service: WyomingService) -> None:
    await poll_until(service.is_at_rest)
    await poll_until(lambda: not service.state.live.connected)


# Speech.


async def test_a_command_becomes_a_transcript(
    service: WyomingService, caller: WyomingCaller
) -> None:
    assert await caller.ask(language="en-GB") == "hello"
    types = [reply.type for reply in caller.received]
    assert types[0] == "voice-started"
    assert [type for type in types if not type.startswith("voice")] == [
        "transcript-start",
        "transcript-chunk",
        "transcript",
        "transcript-stop",
    ]
    assert caller.of("transcript") == [{"text": "hello", "language": "en"}]
    jobs = {(job.client, job.options.language) for job in service.transcriber.jobs}
    assert jobs == {(WYOMING, "en")}
    await assert_at_rest(service)


async def test_several_commands_in_a_row_are_served_over_one_connection(
    service: WyomingService, caller: WyomingCaller
) -> None:
    service.transcriber.answer_with = echo
    first = await caller.ask()
    await caller.send(spoken() + spoken(SPEECH[:48_000]) + spoken())  # as fast as can be
    texts = []
    for _ in range(3):
        texts.append((await caller.until("transcript")).data["text"])
    assert texts[0] == texts[2] == first
    assert texts[1] not in ("", first)
    await assert_at_rest(service)


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_command_right_behind_another_needs_no_second_place(tmp_path: Path) -> None:
    first, last = spoken()[:200_000], spoken()[200_000:]
    async with (
        wyoming(tmp_path, LiveSettings(live_speakers=1)) as service,
        service.call() as caller,
    ):
        await caller.send(first)
        await poll_until(lambda: service.state.live.admission.speakers == 1)
        await caller.send(last + spoken())
        await caller.stream.send_eof()
        await caller.until_closed()
    assert caller.of("error") == []
    assert [transcript["text"] for transcript in caller.of("transcript")] == ["hello"] * 2


async def test_pauses_do_not_cut_a_transcript_in_two(
    service: WyomingService, caller: WyomingCaller
) -> None:
    speech = np.concatenate([SPEECH[:32_000], np.zeros(24_000, np.int16), SPEECH[32_000:]])
    assert await caller.ask(speech) == "hello hello"
    assert len(caller.of("voice-stopped")) == 2
    assert len(caller.of("transcript")) == 1


async def test_silence_is_an_empty_transcript_and_no_job(
    service: WyomingService, caller: WyomingCaller
) -> None:
    assert await caller.ask(SPEECH[:16_000] * 0) == ""
    assert service.transcriber.jobs == []
    assert await caller.ask(SPEECH[:0]) == ""
    assert len(service.transcriber.reservations) == 1  # no audio, no session


async def test_a_client_that_closes_its_side_behind_the_last_word_gets_its_transcript(
    caller: WyomingCaller,
) -> None:
    await caller.send(spoken())
    await caller.stream.send_eof()
    assert [reply.type for reply in await caller.until_closed()][-1] == "transcript-stop"


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(
    service: WyomingService,
) -> None:
    service.transcriber.gate = anyio.Event()
    async with service.call() as caller:
        await caller.send(CHUNK * 3)
        await poll_until(lambda: service.transcriber.in_flight > 0)
    await assert_at_rest(service)


async def test_commands_to_one_session_do_not_reach_another(service: WyomingService) -> None:
    service.transcriber.answer_with = lambda job: heard(job.options.language or "", job)
    async with service.call() as one, service.call() as other:
        await one.send(spoken(language="de"))
        await other.send(spoken(language="fr"))
        assert (await one.until("transcript")).data["text"] == "de"
        assert (await other.until("transcript")).data["text"] == "fr"


# Commands that the server ends.

SILENCE = np.zeros(16_000, np.int16)


@pytest.fixture
async def ender(tmp_path: Path) -> AsyncIterator[WyomingService]:
    async with wyoming(tmp_path, options={"ends_commands": True}) as started:
        yield started
        await assert_at_rest(started)


@pytest.fixture
async def listener(ender: WyomingService) -> AsyncIterator[WyomingCaller]:
    async with ender.call() as connected:
        yield connected


async def test_a_command_is_answered_without_audio_stop(listener: WyomingCaller) -> None:
    await listener.send(event("describe") + speaking(np.concatenate([SPEECH, SILENCE])))
    info = await listener.until("info")
    assert info.data["asr"][0]["requires_external_vad"] is False
    assert (await listener.until("transcript")).data["text"] == "hello"
    await listener.until("transcript-stop")
    await listener.send(CHUNK * 5 + event("audio-stop") + event("ping"))  # what was on its way
    await listener.until("pong")
    assert len(listener.of("transcript")) == 1
    await assert_alive(listener)


class FinishedTurns:
    """Judges that each speaker has finished."""

    def prepare(self) -> None:
        """It is ready."""

    async def judge(self, job: TurnJob) -> float:
        return 1.0

    def stats(self) -> Stats:
        return Stats(ready=True)


@pytest.mark.wall_clock
async def test_a_text_that_is_there_early_is_answered_once_the_silence_is_long_enough(
    tmp_path: Path,
) -> None:
    workers = OptionalWorkers(turns=FinishedTurns())
    chunk = event("audio-chunk", MONO_16, bytes(2048))  # 64 ms
    async with (
        wyoming(tmp_path, workers=workers, options={"ends_commands": True}) as service,
        service.call() as caller,
    ):
        await caller.send(speaking(np.concatenate([SPEECH, SILENCE[:2000]])))
        await caller.until("transcript-chunk")
        chunks = 0
        while not caller.of("transcript") and chunks < 40:
            await caller.send(chunk + event("ping"))
            await caller.until("pong")
            chunks += 1
            await anyio.sleep(0.01)
        assert 3 <= chunks <= 8


async def test_a_next_command_needs_no_audio_stop(listener: WyomingCaller) -> None:
    for _ in range(2):
        await listener.send(speaking(np.concatenate([SPEECH, SILENCE])))
        assert (await listener.until("transcript")).data["text"] == "hello"
        await listener.send(CHUNK)  # of the same command


async def test_speech_that_is_there_before_the_answer_belongs_to_the_command(
    ender: WyomingService, listener: WyomingCaller
) -> None:
    ender.transcriber.gate = anyio.Event()
    two = np.concatenate([SPEECH[:32_000], SILENCE, SILENCE, SPEECH[32_000:], SILENCE])
    await listener.send(speaking(two))
    for _ in range(2):
        await listener.until("voice-stopped")
    ender.transcriber.gate.set()
    assert (await listener.until("transcript")).data["text"] == "hello hello"


async def test_a_client_that_ends_its_command_first_is_answered_as_ever(
    listener: WyomingCaller,
) -> None:
    assert await listener.ask(SPEECH) == "hello"
    assert await listener.ask(SPEECH[:0]) == ""


async def test_a_command_that_nobody_speaks_ends(listener: WyomingCaller) -> None:
    await listener.send(speaking(np.zeros(17 * 16_000, np.int16)))
    assert (await listener.until("transcript")).data["text"] == ""


# Hot words of all commands.


async def test_names_of_the_home_are_hot_words_after_those_of_the_command(tmp_path: Path) -> None:
    names = ["Bjørnholm lamp"]
    options = {"names": lambda: tuple(names)}
    async with wyoming(tmp_path, options=options) as service, service.call() as caller:
        await caller.ask(transcript_names=["Küche"])
        names.append("Attic")  # they were read again
        await caller.ask()
        jobs = service.transcriber.jobs
    assert [*dict.fromkeys(job.options.hotwords for job in jobs)] == [
        ("Küche", "Bjørnholm lamp"),
        ("Bjørnholm lamp", "Attic"),
    ]


# Without a recogniser.


async def test_describe_and_ping_are_answered_while_no_worker_is_ready(
    service: WyomingService, caller: WyomingCaller
) -> None:
    service.transcriber.refuse = NoWorkerReady("No worker is ready.", 2)
    service.transcriber.current = RuntimeError("no recogniser")
    await caller.send(event("describe") + event("ping", {"text": "x"}))
    assert (await caller.until("info")).data["asr"][0]["models"][0]["name"] == "whisper-base"
    assert (await caller.until("pong")).data == {"text": "x"}


async def test_pings_are_answered_while_a_transcript_is_owed(
    service: WyomingService, caller: WyomingCaller
) -> None:
    service.transcriber.gate = anyio.Event()
    await caller.send(spoken() + event("ping") + event("describe"))
    await caller.until("pong")
    await caller.until("info")
    assert not caller.of("transcript")
    service.transcriber.gate.set()
    await caller.until("transcript")


async def test_all_that_was_asked_is_answered_whenever_the_transcript_comes(
    service: WyomingService,
) -> None:
    for number in range(1, 5):
        asked = (event("describe") + event("ping")) * number
        async with service.call() as caller:
            await caller.send(spoken(SPEECH[:16_000]) + asked + spoken(SPEECH[:16_000]))
            await caller.stream.send_eof()
            await caller.until_closed()
        assert caller.of("transcript") == [{"text": "hello", "language": "en"}] * 2
        assert len(caller.of("info")) == len(caller.of("pong")) == number


@pytest.mark.parametrize(
    "refused",
    [NoWorkerReady("No worker is ready.", 2), Overloaded("The queue is full.", 3)],
)
async def test_overload_is_an_error_that_says_so_and_the_end(
    service: WyomingService, refused: Overloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wyoming_server, "ADMISSION_WAIT_S", 0.3)
    service.transcriber.refuse = refused
    async with service.call() as caller:
        await caller.send(spoken())
        assert [reply.type for reply in await caller.until_closed()] == ["error"]
        assert caller.of("error") == [{"text": str(refused), "code": refused.code}]
    service.transcriber.refuse = None
    async with service.call() as caller:
        await assert_alive(caller)
    await assert_at_rest(service)


async def test_a_client_that_speaks_on_after_a_refusal_still_reads_why(
    service: WyomingService,
) -> None:
    """Home Assistant sends all of a command before it reads anything."""
    service.transcriber.refuse = Overloaded("The queue is full.", 3)
    async with service.call() as caller:
        for _ in range(50):
            await caller.send(CHUNK)
        await caller.send(event("audio-stop"))
        assert [reply.type for reply in await caller.until_closed()] == ["error"]


async def test_more_connections_than_the_server_takes_are_refused(
    service: WyomingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_CONNECTIONS > 64
    monkeypatch.setattr(wyoming_server, "MAX_CONNECTIONS", 1)
    async with service.call() as first:
        await first.send(event("ping"))
        await first.until("pong")
        async with service.call() as second:
            await second.until_closed()
            assert [error["code"] for error in second.of("error")] == ["queue_full"]
        await assert_alive(first)
    await poll_until_served(service)


async def poll_until_served(service: WyomingService) -> None:
    """Wait until a place is free again."""
    with anyio.fail_after(60):
        while True:
            async with service.call() as caller:
                await caller.send(event("ping"))
                if (reply := await caller.next()) is not None and reply.type == "pong":
                    return


async def test_speech_that_can_t_be_recognised_is_an_error_and_the_end(
    service: WyomingService,
) -> None:
    service.transcriber.answer_with = refuse_speech
    async with service.call() as caller:
        await caller.send(spoken())
        await caller.until_closed()
        assert [error["code"] for error in caller.of("error")] == ["poison_job"]
        assert caller.of("transcript") == []


def refuse_speech(job: Job) -> Any:
    raise PoisonJob("It kills.")


# Bad input.


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "protocol_error"),
        (b"\n", "protocol_error"),
        (b'{"type":"audio-chunk","payload_length":-1}\n', "protocol_error"),
        (b"x" * 70_000, "too_large"),
        (b'{"type":"x","data_length":1000000000000}\n', "too_large"),
        (b'{"type":"x","payload_length":%d}\n' % (MAX_PAYLOAD_BYTES + 1), "too_large"),
        (event("audio-chunk", MONO_16 | {"rate": 1}, b"ab"), "unsupported_format"),
        (event("audio-chunk", {}, b"ab"), "unsupported_format"),
        (event("audio-chunk", MONO_16 | {"channels": 9}, b"ab"), "unsupported_format"),
        (event("audio-chunk", MONO_16, b"abc"), "bad_audio"),
        (CHUNK + event("audio-chunk", MONO_16 | {"rate": 8000}, b"ab"), "unsupported_format"),
        (CHUNK + b"noise\n", "protocol_error"),
    ],
)
async def test_bad_input_is_reported_and_ends_its_own_connection_only(
    service: WyomingService, caller: WyomingCaller, logged: LogCapture, wire: bytes, code: str
) -> None:
    await caller.send(CHUNK)
    async with service.call() as bad:
        await bad.send(wire)
        await bad.until_closed()
        assert [error["code"] for error in bad.of("error")] == [code]
    await caller.send(event("audio-stop"))
    assert (await caller.until("transcript")).data["text"] == "hello"
    await assert_at_rest(service)
    assert "unexpected_error" not in [entry["event"] for entry in logged.entries]


async def test_an_optional_feature_that_fails_is_reported_and_the_connection_stays(
    caller: WyomingCaller,
) -> None:
    await caller.send(event("transcribe", {"language": 5}))
    assert (await caller.until("error")).data["code"] == "bad_request"
    await caller.send(event("mystery", {"a": 1}, b"payload") + event("audio-start", {"rate": "x"}))
    await assert_alive(caller)


async def test_an_unknown_language_is_detected(
    service: WyomingService, caller: WyomingCaller
) -> None:
    assert await caller.ask(language="klingon") == "hello"
    assert caller.of("error") == []
    [transcript] = caller.of("transcript")
    assert transcript["warnings"] == ["The language is unknown, so it is detected."]
    first, *later = (job.options.language for job in service.transcriber.jobs)
    assert first is None
    assert set(later) <= {None, "en"}  # what was detected


async def test_events_after_the_end_of_an_utterance_begin_the_next(caller: WyomingCaller) -> None:
    await caller.send(spoken() + event("audio-stop"))
    assert (await caller.until("transcript")).data["text"] == "hello"
    assert (await caller.until("transcript")).data["text"] == ""
    await assert_alive(caller)


async def test_a_bug_ends_the_connection_and_reveals_nothing(
    service: WyomingService, monkeypatch: pytest.MonkeyPatch, logged: LogCapture
) -> None:
    monkeypatch.setattr(service.state.live.places, "admit", None)
    async with service.call() as caller:
        await caller.send(CHUNK)
        assert await caller.until_closed() == []
    monkeypatch.undo()
    async with service.call() as caller:
        await assert_alive(caller)
    assert "unexpected_error" in [entry["event"] for entry in logged.entries]


# Time.


async def test_a_client_that_sends_nothing_is_not_waited_for(tmp_path: Path) -> None:
    async with wyoming(tmp_path, LiveSettings(idle_timeout_s=0.2)) as service:
        for said in (b"", b'{"type":', CHUNK):
            async with service.call() as caller:
                await caller.send(said)
                await caller.until_closed()
                assert [error["code"] for error in caller.of("error")] == ["idle_timeout"]
        await assert_at_rest(service)


@pytest.mark.wall_clock
async def test_a_client_that_waits_for_a_transcript_is_not_idle(tmp_path: Path) -> None:
    async with wyoming(tmp_path, LiveSettings(idle_timeout_s=0.5)) as service:
        service.transcriber.gate = anyio.Event()
        async with service.call() as caller, service.call() as idler:
            await caller.send(spoken())
            await poll_until(lambda: service.transcriber.in_flight > 0)
            await idler.until_closed()
            service.transcriber.gate.set()
            assert (await caller.until("transcript")).data["text"] == "hello"


async def ask_on(deaf: WyomingCaller) -> None:
    """Ask and ask, and never read."""
    while True:
        await deaf.send(event("describe") * 500)


async def test_a_client_that_does_not_read_delays_no_other(
    service: WyomingService, caller: WyomingCaller
) -> None:
    async with service.call() as deaf, anyio.create_task_group() as group:
        group.start_soon(ask_on, deaf)
        for _ in range(3):
            await assert_alive(caller)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("first", [b"", CHUNK], ids=["between utterances", "in an utterance"])
async def test_a_client_that_never_reads_is_cut_off(
    service: WyomingService, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    with monkeypatch.context() as patched:
        for patience in ("SEND_S", "LINGER_S"):
            patched.setattr(wyoming_server, patience, 0.1)
        async with service.call() as deaf:
            await deaf.send(first)
            with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(60):
                await ask_on(deaf)
        await assert_at_rest(service)
    async with service.call() as caller:
        await assert_alive(caller)


async def test_an_open_utterance_is_finished_when_the_server_goes(
    service: WyomingService, caller: WyomingCaller
) -> None:
    await caller.send(CHUNK)
    await caller.until("voice-started")
    service.state.drain()
    async with service.call() as late:
        await late.send(event("describe") + spoken())
        await late.until_closed()
        assert [reply.type for reply in late.received] == ["info", "error"]
        assert late.of("error")[0]["code"] == "draining"
    assert service.state.lifecycle.requests  # what the server waits for
    await caller.send(CHUNK + event("audio-stop"))
    assert (await caller.until("transcript")).data["text"] == "hello"
    await poll_until(lambda: not service.state.lifecycle.requests)


async def test_an_utterance_longer_than_the_limit_gets_an_error(
    service: WyomingService, caller: WyomingCaller
) -> None:
    await caller.send(CHUNK)
    await caller.until("voice-started")
    service.state.drain()
    service.state.lifecycle.end_requests()
    await caller.until_closed()
    assert [error["code"] for error in caller.of("error")] == ["draining"]
    await assert_at_rest(service)


# What is noted.


async def test_each_utterance_is_counted_and_logged_without_a_word_of_it(
    service: WyomingService, caller: WyomingCaller, logged: LogCapture
) -> None:
    service.transcriber.answer_with = lambda job: heard("secret", job)
    assert await caller.ask(language="en", transcript_names=["secret"]) == "secret"
    service.transcriber.refuse = Overloaded("The queue is full.", 3)
    await caller.send(spoken())
    await caller.until_closed()
    lines = [entry for entry in logged.entries if entry["event"] == "request"]
    assert [line["route"] for line in lines] == ["wyoming", "wyoming"]
    assert [line["status"] for line in lines] == [200, 503]
    assert lines[0]["end"] == "done"
    assert lines[1]["code"] == "queue_full"
    assert "secret" not in str(logged.entries)

    def figure(name: str, **labels: str) -> float | None:
        return service.state.metrics.registry.get_sample_value(name, labels)

    assert figure("auricle_live_dialect_sessions_total", dialect="wyoming") == 1
    assert figure("auricle_live_ends_total", how="done") == 1
    served = {"method": "other", "route": "wyoming"}
    assert figure("auricle_http_requests_total", **served, status="200") == 1
    assert figure("auricle_http_requests_total", **served, status="503") == 1
