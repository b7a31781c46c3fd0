"""Callers get one outcome."""

import asyncio

import pytest

from auricle.values.errors import AudioError
from auricle.values.types import Transcript
from auricle.workers.delivery import deliver

TEXT = Transcript("text", "en", 1.0, 16_000)


async def test_a_caller_gets_the_first_outcome() -> None:
    future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
    deliver(future, TEXT)
    deliver(future, AudioError("late"))
    assert await future is TEXT


async def test_an_error_is_raised_and_a_caller_that_has_left_gets_none() -> None:
    future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
    deliver(future, AudioError("bad"))
    with pytest.raises(AudioError):
        await future
    left: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
    left.cancel()
    deliver(left, TEXT)
    deliver(None, TEXT)
    assert left.cancelled()
