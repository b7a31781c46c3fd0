import anyio
import anyio.lowlevel
import pytest

from auricle.server.live.readers.bell import GROUP, Bell
from tests.support.service import poll_until

pytestmark = pytest.mark.server


async def test_all_that_wait_are_woken_in_groups_and_others_work_meanwhile() -> None:
    bell, order = Bell(), list[str]()

    async def wait(name: str) -> None:
        await bell.wait()
        order.append(name)
        await bell.wait()  # a reader waits again at once, and is not woken twice
        order.append("again")

    async def work() -> None:
        while len(order) < 3 * GROUP:
            await anyio.lowlevel.checkpoint()
            if order and order[-1] != "work":
                order.append("work")

    async with anyio.create_task_group() as group:
        for number in range(2 * GROUP + 1):
            group.start_soon(wait, str(number))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(work)
        bell.ring()
        await poll_until(lambda: str(2 * GROUP) in order)
        assert [name for name in order if name.isdecimal()] == list(map(str, range(2 * GROUP + 1)))
        assert "again" not in order
        assert "work" in order[: order.index(str(GROUP)) + 1]
        group.cancel_scope.cancel()


async def test_a_ring_while_some_are_still_to_be_woken_wakes_those_that_came_since() -> None:
    bell, woken = Bell(), list[int]()

    async def wait(number: int) -> None:
        await bell.wait()
        woken.append(number)

    async with anyio.create_task_group() as group:
        for number in range(GROUP + 1):
            group.start_soon(wait, number)
        await anyio.wait_all_tasks_blocked()
        bell.ring()
        group.start_soon(wait, GROUP + 1)
        await poll_until(lambda: len(woken) >= GROUP)
        await anyio.wait_all_tasks_blocked()
        bell.ring()
    assert sorted(woken) == list(range(GROUP + 2))


async def test_a_reader_that_leaves_is_forgotten() -> None:
    bell = Bell()
    with anyio.move_on_after(0):
        await bell.wait()
    assert not bell._waiting
    bell.ring()
    with anyio.move_on_after(0.05) as limit:
        await bell.wait()
    assert limit.cancelled_caught
