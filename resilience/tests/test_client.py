import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from stt_resilience.client import Behaviour, Client, Event, Result, Take, delays, together
from stt_resilience.drivers.base import Lost, Refused, Session, Text
from stt_resilience.speech import RATE_HZ, Pcm16, Talk, Utterance

TALK = Talk(np.zeros(RATE_HZ // 2, np.int16), (Utterance("one two", RATE_HZ // 4, RATE_HZ // 2),))


class FakeSession:
    """Answers the end with how many samples arrived; the connection breaks after some."""

    def __init__(self, driver: "FakeDriver", resume_at: int, breaks_after: int | None) -> None:
        self.driver = driver
        self.resume_at = resume_at
        self._left = breaks_after
        self._ends = asyncio.Event()

    async def send(self, pcm: Pcm16, position: int) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Lost("broken")
        self.driver.received.append((position, pcm.size))

    async def end_utterance(self) -> None:
        self.driver.ends += 1

    async def finish(self) -> None:
        self._ends.set()

    async def texts(self) -> AsyncIterator[Text]:
        await self._ends.wait()
        yield Text("final", "one two")

    def set_reading(self, is_on: bool) -> None:
        self.driver.reading.append(is_on)

    def cut(self) -> None:
        self._left = 0

    async def close(self) -> None:
        pass


class FakeDriver:
    is_stream = True

    def __init__(self, *breaks_after: int | None, can_resume: bool = False) -> None:
        self.can_resume = can_resume
        self.received: list[tuple[int, int]] = []
        self.ends = 0
        self.reading: list[bool] = []
        self._breaks_after = list(breaks_after)

    async def open(self, lost: Session | None = None) -> FakeSession:
        if not self._breaks_after:
            raise Refused("full", 3.0)
        resume_at = 1600 if lost is not None else 0
        return FakeSession(self, resume_at, self._breaks_after.pop(0))


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stt_resilience.client.RETRY_S", 0.01)


def played(driver: FakeDriver, behaviour: Behaviour | None = None, talk: Talk = TALK) -> Take:
    [take] = asyncio.run(together([Client(driver, talk, behaviour)]))
    return take


def test_a_talk_is_sent_once_and_its_finals_are_kept() -> None:
    driver = FakeDriver(None)
    take = played(driver)
    assert driver.received == [(at, 1600) for at in range(0, 8000, 1600)]
    assert (driver.ends, take.text, take.is_complete) == (1, "one two", True)


def test_a_new_session_continues_with_what_was_not_sent() -> None:
    driver = FakeDriver(2, None)
    take = played(driver)
    assert [at for at, _ in driver.received] == [0, 1600, 3200, 4800, 6400]
    assert [event.kind for event in take.events] == ["opened", "lost", "opened", "complete"]


def test_a_resumed_session_gets_what_the_server_did_not_receive() -> None:
    driver = FakeDriver(3, None, can_resume=True)
    take = played(driver)
    assert [at for at, _ in driver.received] == [0, 1600, 3200, 1600, 3200, 4800, 6400]
    assert take.last("resumed") is not None


def test_a_refusal_ends_a_client_that_does_not_retry() -> None:
    take = played(FakeDriver(), Behaviour(retries=False))
    assert (take.is_refused, take.retry_after_s) == (True, 3.0)


def test_the_client_gives_up_after_its_patience() -> None:
    take = played(FakeDriver(), Behaviour(patience_s=0.05))
    assert take.last("silent") is not None
    assert not take.is_complete


def test_a_connection_is_cut_once_also_if_the_server_resumes_before() -> None:
    driver = FakeDriver(None, None, can_resume=True)
    take = played(driver, Behaviour(cut_at_s=0.3))
    assert [event.kind for event in take.events] == ["opened", "lost", "resumed", "complete"]


@pytest.mark.wall_clock
def test_the_time_until_the_session_is_open_is_not_part_of_the_talk() -> None:
    class Slow(FakeDriver):
        async def open(self, lost: Session | None = None) -> FakeSession:
            await asyncio.sleep(1.5)
            return await super().open(lost)

    take = played(Slow(None))
    assert take.events[0].kind == "opened"
    assert take.events[0].at_s >= 1.5
    assert 0.4 < take.results[0].at_s < 1.9


@pytest.mark.wall_clock
def test_a_client_that_does_not_read_reads_the_end() -> None:
    driver = FakeDriver(None)
    talk = Talk(np.zeros(3 * RATE_HZ, np.int16), ())
    played(driver, Behaviour(read_pause_s=(1.0, 2.0)), talk)
    assert driver.reading[0]
    assert not all(driver.reading)
    assert driver.reading[-1]


def test_an_action_that_fails_is_reported() -> None:
    async def action() -> None:
        raise Lost("no restart")

    with pytest.raises(Lost, match="no restart"):
        asyncio.run(together([Client(FakeDriver(None), TALK)], action))


def test_a_client_stops_sending_without_closing() -> None:
    driver = FakeDriver(None)
    take = played(driver, Behaviour(stop_at_s=0.25, patience_s=0.05))
    assert len(driver.received) < 5
    assert not take.is_complete


def test_a_delay_ends_with_the_final_that_has_the_last_word() -> None:
    utterances = (Utterance("one two", RATE_HZ, 2 * RATE_HZ), Utterance("six", 3 * RATE_HZ, 0))
    talk = Talk(np.zeros(0, np.int16), utterances)
    take = Take([Result(1.5, Text("final", "One")), Result(2.5, Text("final", "two."))])
    assert delays(talk, take) == [1.5, None]


def test_a_final_before_an_utterance_has_none_of_its_words() -> None:
    utterances = (Utterance("one two", 0, RATE_HZ), Utterance("six two", 3 * RATE_HZ, 0))
    talk = Talk(np.zeros(0, np.int16), utterances)
    take = Take([Result(0.9, Text("final", "one six two"))])
    assert delays(talk, take) == [0.9, None]


def test_finals_are_in_the_order_of_the_speech_within_each_session() -> None:
    orders = [("c", 1, 0), ("b", 0, 1), ("a", 0, 0), ("d", 1, 0)]
    results = [Result(0, Text("final", text, order), session) for text, session, order in orders]
    assert Take(results).text == "a b c d"


@pytest.mark.parametrize("last", ["partial", "final"])
def test_only_a_partial_after_the_last_final_is_open(last: str) -> None:
    kinds = ("partial", "final") if last == "final" else ("final", "partial")
    take = Take([Result(0, Text(kind, kind)) for kind in kinds], [Event(0, "opened")])  # type: ignore[arg-type] # literals
    assert take.last_partial == ("partial" if last == "partial" else "")
