"""Sessions: resumed, taken over, forgotten and restarted."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from struct import pack
from typing import Any

import anyio
import numpy as np
import pytest

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.server.live.admission import admission
from auricle.server.live.registry import FIRST_RETURN_S
from auricle.values.errors import Overloaded
from tests.apis.native.live.helpers import START, refused, started
from tests.support.service import Live, keys, live, poll_until
from tests.support.stream import PACKETS, SPEECH, Caller, call, echo, framed, pcm

pytestmark = pytest.mark.server


async def test_a_lost_session_continues_and_missed_finals_are_reported_once_and_in_order(
    service: Live,
) -> None:
    async with started(service, format="opus", seq=1) as (caller, ready):
        await caller.send(framed(PACKETS, 0))
        await caller.tell("finalize")
        await caller.until("final", id=1)
        service.transcriber.gate = anyio.Event()
        await caller.send(framed(PACKETS, len(PACKETS)))
        await caller.tell("finalize")
        await caller.until("speech_ended")
        caller.connection.transport.abort()
    await poll_until(lambda: service.state.live.waiting == 1)
    service.transcriber.gate.set()
    await poll_until(lambda: not service.transcriber.in_flight)
    for _ in range(2):  # not acknowledged: sent again
        async with call(service.port) as caller:
            await caller.tell(
                "resume", session=ready["session"], secret=ready["secret"], last_result=1
            )
            again = await caller.until("ready")
            assert (again["session"], again["resumed"]) == (ready["session"], True)
            assert again["received"] == 2 * len(PACKETS) * 320
            assert len(service.transcriber.reserved) == 1  # the session's own
            assert (await caller.until("final"))["id"] == 2
    async with call(service.port, resume=1) as caller:
        await caller.tell("resume", session=ready["session"], secret=ready["secret"], last_result=2)
        await caller.until("ready")
        await caller.send(framed(PACKETS, 2 * len(PACKETS)))
        await caller.tell("finalize")
        assert (await caller.until("final"))["id"] == 3
    assert len(caller.of("final")) == 1
    assert len(service.transcriber.reserved) == 1


async def test_a_lost_call_continues_in_both_channels(service: Live) -> None:
    service.transcriber.answer_with = echo
    pause = np.zeros(24_000, np.int16)
    left = np.concatenate([SPEECH, pause, pause])
    both = np.stack([left, np.roll(left, 16_000)], axis=1)
    how = {"format": "pcm16", "seq": True, "channels": 2, "multichannel": True, "language": "en"}

    def message(first: int, end: int) -> bytes:
        return pack("<Q", first) + both[first:end].tobytes()

    async def texts(cut: int | None) -> set[tuple[int, float, str]]:
        async with call(service.port) as caller:
            await caller.tell("start", **how)
            ready = await caller.until("ready")
            await caller.send(message(0, cut or len(both)))
            if cut is not None:
                await caller.until("progress", received=cut)
                caller.connection.transport.abort()
            else:
                await caller.tell("stop")
                await caller.until_closed()
        if cut is not None:
            async with call(service.port, resume=1) as caller:
                await caller.tell("resume", session=ready["session"], secret=ready["secret"])
                again = await caller.until("ready")
                assert (again["resumed"], again["received"]) == (True, cut)
                await caller.send(message(cut - 1000, len(both)))
                await caller.tell("stop")
                await caller.until_closed()
        await poll_until(lambda: not service.transcriber.reserved)
        finals = caller.of("final")
        assert len({final["id"] for final in finals}) == len(finals)
        return {(final["channel"], final["start_s"], final["text"]) for final in finals}

    peace = await texts(None)
    assert {channel for channel, _, _ in peace} == {0, 1}
    assert await texts(3 * 16_000) == peace


async def test_an_unknown_session_and_a_wrong_secret_look_the_same(service: Live) -> None:
    async with started(service) as (neighbour, ready):
        answers = []
        for session, secret in (
            (ready["session"], "wrong"),
            (ready["session"], "w\u00f6rng"),
            ("unknown", ready["secret"]),
            ("", ""),
        ):
            async with call(service.port) as caller:
                await caller.tell("resume", session=session, secret=secret)
                answer = await caller.until("ready")
                assert answer.pop("session") != ready["session"]
                assert answer.pop("secret") != ready["secret"]
                answers.append(answer)
        assert answers == [answers[0]] * 4
        assert answers[0]["resumed"] is False
        await neighbour.caption()


async def test_a_session_is_its_own_client_s_only(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("alice:a", "bob:b")) as service:
        alice, bob = ({"authorization": f"Bearer {key}"} for key in "ab")
        async with call(service.port, **START, headers=alice) as first:
            ready = await first.until("ready")
            async with call(service.port, headers=bob) as second:
                await second.tell("resume", session=ready["session"], secret=ready["secret"])
                assert (await second.until("ready"))["resumed"] is False
            await first.caption()


async def test_resuming_an_unknown_session_starts_a_new_one_as_the_query_says(
    service: Live,
) -> None:
    async with call(service.port, resume=1, format="pcm16", start_sample=48_000) as caller:
        await caller.tell("resume", session="gone", secret="gone", last_result=9)
        ready = await caller.until("ready")
        assert (ready["resumed"], ready["received"]) == (False, 48_000)
        await caller.caption()
        assert caller.of("final")[0]["id"] == 1


async def test_a_second_connection_takes_the_session_over(service: Live) -> None:
    async with started(service) as (neighbour, _), started(service) as (first, ready):
        async with call(service.port) as second:
            await second.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await second.until("ready"))["resumed"] is True
            assert await first.until_closed() == (1008, "taken_over")
            assert first.of("error")[0]["retryable"] is False
            await second.caption()
        await neighbour.caption()


async def test_a_waiting_session_is_admitted_though_there_is_no_room_for_others(
    service: Live,
) -> None:
    async with started(service) as (_, ready):
        pass
    await poll_until(lambda: service.state.live.waiting == 1)
    service.transcriber.refuse = Overloaded("full", 7)
    assert (await refused(service, **START))[0] == 503
    async with call(service.port) as caller:
        await caller.tell("resume", session=ready["session"], secret=ready["secret"])
        assert (await caller.until("ready"))["resumed"] is True
        await caller.caption()
        status, error, _ = await refused(service, resume=1)  # its worker is not ready
        assert (status, error["code"], error["retry_after_s"]) == (503, "queue_full", 7)
        await caller.caption()


async def test_a_finished_session_can_be_resumed_until_its_last_final_is_acknowledged(
    service: Live,
) -> None:
    async with started(service, format="opus", seq=1) as (caller, ready):
        await caller.send(framed(PACKETS, 0))
        await caller.tell("stop")
        await caller.until_closed()
    await poll_until(lambda: not service.transcriber.reserved)
    resume: dict[str, Any] = {"session": ready["session"], "secret": ready["secret"]}
    for last_result, finals in ((0, [1]), (0, [1]), (1, [])):
        async with call(service.port) as caller:
            await caller.tell("resume", **resume, last_result=last_result)
            assert (await caller.until("ready"))["resumed"] is True
            assert await caller.until_closed() == (1000, "done")
            assert [final["id"] for final in caller.of("final")] == finals
    await poll_until(lambda: service.state.live.waiting == 0)
    async with call(service.port) as caller:
        await caller.tell("resume", **resume)
        assert (await caller.until("ready"))["resumed"] is False


async def test_a_session_that_is_not_resumed_is_ended(tmp_path: Path) -> None:
    async with live(tmp_path, LiveSettings(resume_grace_s=0.1)) as service:
        service.transcriber.gate = anyio.Event()
        async with started(service, format="opus", seq=1) as (caller, ready):
            await caller.send(framed(PACKETS, 0))
            await caller.tell("finalize")
            await caller.until("speech_ended")
        await poll_until(lambda: not service.transcriber.reserved)
        await poll_until(lambda: not service.transcriber.in_flight)  # its job was cancelled
        async with call(service.port) as caller:
            await caller.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await caller.until("ready"))["resumed"] is False


async def test_a_session_that_cannot_continue_keeps_its_finals_but_no_room(service: Live) -> None:
    async with started(service) as (caller, ready):
        assert ready["resumable"] is False
        await caller.caption()
    await poll_until(lambda: not service.transcriber.reserved)
    async with call(service.port) as caller:
        await caller.tell("resume", session=ready["session"], secret=ready["secret"])
        assert (await caller.until("final"))["id"] == 1
        await caller.send(pcm(SPEECH))
        await caller.tell("stop")
        assert (await caller.until("final"))["id"] == 2


async def test_a_restart_of_the_server_loses_no_word(tmp_path: Path) -> None:
    speech, chunk = np.concatenate([SPEECH, SPEECH]), 1600
    messages = [
        pack("<Q", at) + pcm(speech[at : at + chunk]) for at in range(0, speech.size, chunk)
    ]
    uninterrupted, first, second = [], [], []
    async with echoing(tmp_path) as service:
        async with call(service.port, format="pcm16", seq=1, endpoint_ms=200) as caller:
            for message in messages:
                await caller.send(message)
            uninterrupted = await finals_of(caller)
        async with call(service.port, format="pcm16", seq=1, endpoint_ms=200) as caller:
            ready = await caller.until("ready")
            for message in messages[: len(messages) * 2 // 3]:
                await caller.send(message)
            await caller.until("final")
            service.state.drain()
            assert await caller.until_closed() == (1012, "draining")
            assert caller.of("error")[-1]["retry_after_s"] >= FIRST_RETURN_S
            first = [told_of(final) for final in caller.of("final")]
            safe = caller.of("progress")[-1]["safe"]
            assert (await refused(service, **START))[1]["code"] == "draining"
    async with echoing(tmp_path) as service:
        query = {"format": "pcm16", "seq": 1, "endpoint_ms": 200, "start_sample": safe}
        async with call(service.port, resume=1, **query) as caller:
            secret = {"session": ready["session"], "secret": ready["secret"]}
            await caller.tell("resume", **secret, last_result=len(first))
            again = await caller.until("ready")
            assert (again["resumed"], again["received"], again["safe"]) == (False, safe, safe)
            for message in messages[safe // chunk :]:
                await caller.send(message)
            second = await finals_of(caller)
    assert len(first) >= 1
    assert len(second) >= 1
    assert first + second == uninterrupted


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_session_of_the_last_run_is_admitted_first_and_a_forged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "RETURN_S", 0.0)
    settings = LiveSettings(live_speakers=1)
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    async with live(tmp_path, settings, ledger) as service:
        async with started(service, seq=1) as (caller, stopped):
            await finals_of(caller)
        async with started(service, seq=1) as (caller, ready):
            await caller.send(bytes(8) + pcm(SPEECH[:16_000]))
            service.state.drain()
            assert await caller.until_closed() == (1012, "draining")
    async with live(tmp_path, settings, ledger) as service:
        service.transcriber.gate = anyio.Event()
        lie = {"session": ready["session"], "secret": ready["secret"][::-1]}
        async with AsyncExitStack() as stack:
            newcomer, _ = await stack.enter_async_context(started(service))
            await newcomer.send(pcm(SPEECH[:32_000]))
            await poll_until(lambda: service.state.live.admission.speakers == 1)
            assert (await refused(service, **START))[1]["code"] == "server_full"
            for resume, is_admitted in (
                (lie, False),
                ({"session": stopped["session"], "secret": stopped["secret"]}, False),
                ({"session": "0" * 24, "secret": ready["secret"]}, False),
                ({"session": ready["session"], "secret": ready["secret"]}, True),
                ({"session": ready["session"], "secret": ready["secret"]}, False),  # only once
            ):
                again = await stack.enter_async_context(
                    call(service.port, resume=1, seq=1, **START)
                )
                await again.tell("resume", **resume)
                if is_admitted:
                    assert (await again.until("ready"))["resumed"] is False
                else:
                    assert await again.until_closed() == (1013, "server_full")
                    assert again.of("error")[0]["retry_after_s"] >= 1
            service.transcriber.gate.set()


async def test_places_are_kept_for_sessions_that_will_come_back_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "RETURN_S", 60.0)
    settings = LiveSettings(live_speakers=2)
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    async with live(tmp_path, settings, ledger) as service, AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(started(service, seq=1)) for _ in range(2)]
        await service.state.live.store_capacity()
        service.state.drain()
        for caller, _ in callers:
            assert await caller.until_closed() == (1012, "draining")
    async with live(tmp_path, settings, ledger) as service:
        assert (await refused(service, **START))[1]["code"] == "server_full"
        async with call(service.port, resume=1, seq=1, **START) as caller:
            ready = callers[0][1]
            await caller.tell("resume", session=ready["session"], secret=ready["secret"])
            await caller.until("ready")
            await caller.send(bytes(8) + pcm(SPEECH[:16_000]))
            await caller.tell("finalize")
            await caller.until("final")


@asynccontextmanager
async def echoing(folder: Path) -> AsyncIterator[Live]:
    """Serve with a transcriber that reports its samples."""
    async with live(folder) as service:
        service.transcriber.answer_with = echo
        yield service


async def finals_of(caller: Caller) -> list[dict[str, Any]]:
    await caller.tell("stop")
    assert await caller.until_closed() == (1000, "done")
    return [told_of(final) for final in caller.of("final")]


def told_of(final: dict[str, Any]) -> dict[str, Any]:
    """Return what doesn't depend on how often the client had to begin."""
    return {name: final[name] for name in ("text", "start_s", "end_s", "error")}
