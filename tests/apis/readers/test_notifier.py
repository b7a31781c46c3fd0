from contextlib import ExitStack
from functools import partial

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import LogCapture

from auricle.apis.readers.notifier import GROUP, Notifier
from tests.support.service import poll_until

pytestmark = pytest.mark.server

READERS = 2 * GROUP + 1


async def test_all_are_called_in_groups_and_others_work_meanwhile() -> None:
    notifier, order = Notifier(), list[object]()
    with ExitStack() as listening:
        for number in range(READERS):
            listening.enter_context(notifier.subscribed(partial(order.append, number)))
        notifier.notify()
        assert order == []  # the session goes on first
        while READERS - 1 not in order:
            order.append("work")
            await anyio.lowlevel.checkpoint()
    assert [each for each in order if each != "work"] == list(range(READERS))
    assert order.index("work", 1) <= GROUP + 1


async def test_news_while_some_are_being_called_reach_all_once_more() -> None:
    notifier, called = Notifier(), list[int]()

    def call(number: int) -> None:
        called.append(number)
        if len(called) in (1, 2):
            notifier.notify()

    with ExitStack() as listening:
        for number in range(READERS):
            listening.enter_context(notifier.subscribed(partial(call, number)))
        notifier.notify()
        await poll_until(lambda: len(called) >= 2 * READERS)
        await anyio.wait_all_tasks_blocked()
    assert called == 2 * list(range(READERS))


async def test_a_reader_that_leaves_is_not_called_and_one_that_fails_silences_nobody(
    logged: LogCapture,
) -> None:
    notifier, called = Notifier(), list[str]()

    def fail() -> None:
        raise RuntimeError("what somebody said")

    with notifier.subscribed(fail), notifier.subscribed(lambda: called.append("second")):
        with notifier.subscribed(lambda: called.append("gone")):
            notifier.notify()
        await poll_until(lambda: called)
    notifier.notify()
    await anyio.wait_all_tasks_blocked()
    assert called == ["second"]
    assert [entry["event"] for entry in logged.entries] == ["unexpected_error"]
    assert "somebody" not in str(logged.entries)
