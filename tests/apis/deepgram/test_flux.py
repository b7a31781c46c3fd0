"""Flux over real sockets."""

import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import LogCapture
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from auricle.apis.deepgram.wire.flux import FluxDialect
from auricle.audio.g711 import mulaw_to_pcm16
from auricle.session import turn_end
from auricle.values.errors import NoWorkerReady, TurnsUnavailable
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Stats
from auricle.values.types import TurnJob
from tests.support.containers import ogg_stream
from tests.support.service import Live, keys, live, poll_until
from tests.support.stream import PACKETS, SPEECH, Caller, call, echo, pcm, silence
from tests.support.telephone import companded

pytestmark = pytest.mark.server

LINEAR: dict[str, Any] = {
    "model": "flux-general-en",
    "encoding": "linear16",
    "sample_rate": 16_000,
}


class Judge:
    """Says how probably each turn has ended, in this order; the last one again and again."""

    def __init__(self, *probabilities: float) -> None:
        self._probabilities = deque(probabilities)

    def prepare(self) -> None:
        pass

    async def judge(self, job: TurnJob) -> float:
        if len(self._probabilities) > 1:
            return self._probabilities.popleft()
        return self._probabilities[0]

    def stats(self) -> Stats:
        return Stats(ready=True)


class DeadJudge(Judge):
    async def judge(self, job: TurnJob) -> float:
        raise TurnsUnavailable("The worker has died.")


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setattr(turn_end, "ANSWER_S", 60.0)
    async with live(tmp_path, workers=OptionalWorkers(turns=Judge(0.0))) as started:
        yield started


def listen(service: Live, **how: Any) -> AbstractAsyncContextManager[Caller]:
    return call(service.port, path="/v2/listen", **how)


def turns(caller: Caller) -> list[tuple[str, str]]:
    """Return the changes of turns and their texts."""
    infos = [info for info in caller.of("TurnInfo") if info["event"] != "Update"]
    return [(info["event"], info["transcript"]) for info in infos]


def ends(caller: Caller) -> list[tuple[str, str]]:
    infos = [info for info in caller.of("TurnInfo") if info["event"] == "EndOfTurn"]
    return [(info["trigger"], info["transcript"]) for info in infos]


async def speak(caller: Caller, *parts: bytes) -> None:
    for part in parts:
        for at in range(0, len(part), 2560):
            await caller.send(part[at : at + 2560])


SENTENCE = pcm(SPEECH[:32_000])


async def test_a_turn_from_its_first_words_to_its_end(service: Live, logged: LogCapture) -> None:
    service.state.live.workers = OptionalWorkers(turns=Judge(0.9))
    async with listen(service, **LINEAR) as caller:
        assert (await caller.until("Connected"))["sequence_id"] == 0
        await speak(caller, SENTENCE, silence(1))
        end = await caller.until("TurnInfo", event="EndOfTurn")
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    assert (end["trigger"], end["end_of_turn_confidence"]) == ("model", 0.9)
    assert [word["word"] for word in end["words"]] == ["hello"]
    assert turns(caller) == [("StartOfTurn", "hello"), ("EndOfTurn", "hello")]
    assert [message["sequence_id"] for message in caller.received] == [*range(len(caller.received))]
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["dialect"], line["status"], line["end"]) == ("flux", 101, "done")
    assert "hello" not in str(logged.entries)


async def test_an_eager_end_is_confirmed_or_resumed(service: Live) -> None:
    service.state.live.workers = OptionalWorkers(turns=Judge(0.5, 0.8))
    service.transcriber.answer_with = echo
    query = LINEAR | {"eager_eot_threshold": 0.4}
    async with listen(service, **query) as caller:
        await speak(caller, SENTENCE, silence(0.6))
        first = await caller.until("TurnInfo", event="EagerEndOfTurn")
        await speak(caller, SENTENCE, silence(1))
        await caller.until("TurnInfo", event="EndOfTurn")
    kinds = [kind for kind, _ in turns(caller)]
    assert kinds == ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn"]
    (_, last_eager), (_, end) = turns(caller)[-2:]
    assert last_eager == end != first["transcript"]


async def test_silence_ends_a_turn_that_does_not_sound_finished(service: Live) -> None:
    async with listen(service, **LINEAR, eot_timeout_ms=900) as caller:
        await speak(caller, SENTENCE, silence(2))
        await caller.until("TurnInfo", event="EndOfTurn")
    assert ends(caller) == [("timeout", "hello")]


async def test_a_judge_that_dies_costs_no_turn(service: Live) -> None:
    service.state.live.workers = OptionalWorkers(turns=DeadJudge())
    async with listen(service, **LINEAR) as caller:
        await speak(caller, SENTENCE, silence(2))
        await caller.until("TurnInfo", event="EndOfTurn")
    assert ends(caller) == [("timeout", "hello")]
    assert [warning["code"] for warning in caller.of("Warning")] == ["TURNS_UNAVAILABLE"]
    assert not caller.of("Error")


async def test_a_client_ends_turns_itself(service: Live) -> None:
    service.state.live.workers = OptionalWorkers(turns=Judge(0.99))
    async with listen(service, **LINEAR, eot_threshold=1.0) as caller:
        await caller.tell("ForceEndTurn")
        await speak(caller, SENTENCE, silence(0.5))
        await caller.tell("ForceEndTurn")
        await caller.until("TurnInfo", event="EndOfTurn")
        await speak(caller, SENTENCE)
        await caller.tell("CloseStream")
        await caller.until_closed()
    assert ends(caller) == [("manual", "hello"), ("manual", "hello")]


async def test_thresholds_and_keyterms_are_changed_in_mid_stream(service: Live) -> None:
    service.state.live.workers = OptionalWorkers(turns=Judge(0.6))
    async with listen(service, **LINEAR, keyterm="Auricle") as caller:
        await speak(caller, SENTENCE)
        await caller.tell(
            "Configure", thresholds={"eot_threshold": 0.5, "eot_timeout_ms": 900}, keyterms=["fee"]
        )
        success = await caller.until("ConfigureSuccess")
        await speak(caller, silence(1), SENTENCE, silence(1))
        await caller.until("TurnInfo", event="EndOfTurn")
        await caller.until("TurnInfo", event="EndOfTurn")
    assert success["thresholds"]["eot_threshold"] == 0.5
    assert ends(caller)[-1] == ("model", "hello")
    heard_with = {job.options.hotwords for job in service.transcriber.jobs}
    assert ("fee",) in heard_with


def in_messages(data: bytes, size_bytes: int = 3200) -> list[bytes]:
    return [data[at : at + size_bytes] for at in range(0, len(data), size_bytes)]


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"encoding": "opus", "sample_rate": 48_000}, PACKETS),
        ({}, in_messages(ogg_stream(PACKETS), 500)),
        ({"encoding": "mulaw"}, in_messages(companded(SPEECH[::2], mulaw_to_pcm16))),
    ],
    ids=["opus", "ogg", "mulaw"],
)
async def test_other_formats_are_transcribed(
    service: Live, query: dict[str, Any], messages: Iterable[bytes]
) -> None:
    async with listen(service, **query) as caller:
        for message in messages:
            await caller.send(message)
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    assert ends(caller)
    assert caller.of("TurnInfo")[-1]["languages"] == ["en"]  # another model than the English one


# Bad input.


async def test_a_flood_of_what_makes_no_sense_is_answered_and_harmless(service: Live) -> None:
    async with listen(service, **LINEAR) as caller:
        for text in ("no JSON", "[]", '{"type":"Dance"}', "\x00", '{"type":"Finalize"}') * 8:
            await caller.send(text)
            await caller.send(b"")
        await speak(caller, SENTENCE)
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    assert len(caller.of("Warning")) == 40
    assert ends(caller) == [("manual", "hello")]


async def test_unknown_parameters_are_reported(service: Live) -> None:
    async with listen(service, **LINEAR, turbo=1) as caller:
        warning = await caller.until("Warning")
        response = caller.connection.response
    assert warning["code"] == "UNSUPPORTED_PARAMETER"
    assert response is not None
    assert response.headers["x-auricle-warnings"] == warning["description"]


async def test_what_is_no_audio_ends_the_stream_with_an_error(service: Live) -> None:
    async with listen(service) as caller:
        await caller.send(b"This is no audio at all." * 10)
        code, reason = await caller.until_closed()
    assert (code, reason[:11]) == (1008, "DATA-0000: ")
    assert caller.received[-1]["type"] == "Error"


async def test_a_silent_client_is_told_and_closed(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FluxDialect, "idle_timeout_s", 0.05)
    async with listen(service, **LINEAR) as caller:
        code, reason = await caller.until_closed()
    assert (code, reason[:8]) == (1011, "NET-0001")
    assert caller.received[-1]["code"] == "IDLE_TIMEOUT"


async def test_a_server_that_goes_first_ends_the_turn(service: Live) -> None:
    async with listen(service, **LINEAR) as caller:
        await speak(caller, SENTENCE)
        await caller.until("TurnInfo", event="StartOfTurn")
        service.state.live.drain()
        code, _ = await caller.until_closed()
    assert code == 1012
    assert ends(caller) == [("manual", "hello")]
    assert caller.received[-1]["code"] == "DRAINING"


@pytest.mark.parametrize(
    "query",
    [
        {"encoding": "linear16"},
        {"encoding": "linear16", "sample_rate": 7},
        {"eot_threshold": 2},
        {"redact": "names"},
        {"language_hint": "elvish"},
    ],
)
async def test_a_bad_query_is_refused_as_deepgram_refuses(
    service: Live, query: dict[str, Any]
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with listen(service, **query):
            pass
    response = caught.value.response
    assert response.body is not None
    body = json.loads(response.body)
    assert (response.status_code, body["err_code"]) == (400, "Bad Request")
    assert response.headers["dg-error"] == body["err_msg"]


async def test_a_key_comes_in_a_header_or_a_subprotocol(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("tests:secret-key")) as service:
        with pytest.raises(InvalidStatus) as caught:
            async with listen(service, **LINEAR):
                pass
        assert caught.value.response.status_code == 401
        headers = {"authorization": "Token secret-key"}
        async with listen(service, headers=headers, **LINEAR) as caller:
            await caller.until("Connected")
        offered = [Subprotocol("token"), Subprotocol("secret-key")]
        async with listen(service, subprotocols=offered, **LINEAR) as caller:
            assert caller.connection.subprotocol == "token"


async def test_a_server_without_workers_says_when_to_retry(service: Live) -> None:
    service.transcriber.refuse = NoWorkerReady("Later.", 3)
    with pytest.raises(InvalidStatus) as caught:
        async with listen(service, **LINEAR):
            pass
    response = caught.value.response
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")


async def test_a_client_that_vanishes_leaves_nothing(service: Live) -> None:
    async with listen(service, **LINEAR) as caller:
        await speak(caller, SENTENCE)
        caller.connection.transport.abort()
    await poll_until(service.is_at_rest)
