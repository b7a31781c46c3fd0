"""Coroutines without an event loop."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from auricle.client.api.blocking import iterate, run

pytestmark = pytest.mark.unit


async def half(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number // 2


async def quarter(number: int) -> int:
    return await half(await half(number))


def test_the_result_or_the_error_of_a_coroutine_is_passed_on() -> None:
    assert run(quarter(12)) == 3
    with pytest.raises(ValueError, match="7"):
        run(quarter(14))


def test_a_coroutine_that_waits_for_an_event_loop_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="event loop"):
        run(asyncio.sleep(0))


def test_a_generator_ends_or_is_closed_with_its_iterator() -> None:
    closed: list[str] = []

    async def halves(name: str, *numbers: int) -> AsyncGenerator[int, None]:
        try:
            for number in numbers:
                yield await half(number)
        finally:
            await half(2)
            closed.append(name)

    assert list(iterate(halves("whole", 2, 4, 6))) == [1, 2, 3]
    part = iterate(halves("part", 2, 4, 6))
    assert next(part) == 1
    assert closed == ["whole"]
    del part
    assert closed == ["whole", "part"]
    with pytest.raises(ValueError, match="3"):
        list(iterate(halves("failed", 2, 3)))
    assert closed == ["whole", "part", "failed"]
