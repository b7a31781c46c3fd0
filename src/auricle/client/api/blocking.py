"""Runs coroutines and asynchronous generators that never suspend, without an event loop.

A client with a :class:`.http.BlockingTransport` consists of such: what waits blocks the thread. An
interrupt from the keyboard is raised there, as in any blocking program.
"""

from collections.abc import AsyncGenerator, Awaitable, Iterator
from typing import TypeVar

T = TypeVar("T")


def run(awaitable: Awaitable[T]) -> T:
    """Return the result of a coroutine that never suspends; its errors are raised."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("the coroutine waits for an event loop")


def iterate(items: AsyncGenerator[T, None]) -> Iterator[T]:
    """Iterate over a generator that never suspends; it is closed with the iterator."""
    try:
        while True:
            try:
                item = run(anext(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(items.aclose())
