import asyncio

import pytest

from auricle.server.net import read_throttle
from auricle.server.net.read_throttle import BURST_S, PacedReading
from tests.support.poll import poll_until

pytestmark = pytest.mark.unit


class FakeTransport(asyncio.Transport):
    """Says only whether it would be read."""

    max_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class Clock:
    """The time that parsing takes, which only tests move."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(read_throttle, "time", clock)
    return clock


def parse(reading: PacedReading, clock: Clock, work_s: float) -> None:
    with reading.parsing():
        clock.now += work_s


async def test_little_is_read_at_once() -> None:
    transport = FakeTransport()
    PacedReading(transport, 100, lambda: True)
    assert transport.max_size == 100


async def test_a_client_that_takes_too_long_rests_and_is_read_again(clock: Clock) -> None:
    transport = FakeTransport()
    reading = PacedReading(transport, 100, lambda: True)
    parse(reading, clock, 0)
    assert transport.is_read
    parse(reading, clock, BURST_S + 0.05)
    assert not transport.is_read
    reading.resume_reading()
    assert not transport.is_read
    await poll_until(lambda: transport.is_read)


async def test_a_client_that_is_not_wanted_is_not_read_after_the_rest(clock: Clock) -> None:
    transport, asked = FakeTransport(), list[bool]()

    def is_wanted() -> bool:
        asked.append(True)
        return False

    reading = PacedReading(transport, 100, is_wanted)
    parse(reading, clock, BURST_S + 0.05)
    await poll_until(lambda: bool(asked))
    assert not transport.is_read
    reading.resume_reading()
    assert transport.is_read
    reading.pause_reading()
    assert not transport.is_read
