from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup

from auricle.files.fair_semaphore import FairSemaphore
from auricle.values.types import ClientId

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

GREEDY, MODEST = ClientId("greedy"), ClientId("modest")


@asynccontextmanager
async def crowd(
    chunk_slots: FairSemaphore, *clients: ClientId
) -> AsyncIterator[tuple[TaskGroup, list[ClientId]]]:
    """Let them come one after the other; yields who has got in so far."""
    entered: list[ClientId] = []

    async def come(client: ClientId) -> None:
        await chunk_slots.enter(client)
        entered.append(client)

    async with anyio.create_task_group() as group:
        for client in clients:
            group.start_soon(come, client)
        await anyio.wait_all_tasks_blocked()
        yield group, entered
        group.cancel_scope.cancel()


async def test_the_client_with_the_fewest_slots_is_next() -> None:
    chunk_slots = FairSemaphore(3)
    async with crowd(chunk_slots, *[GREEDY] * 6, MODEST) as (_, entered):
        assert entered == [GREEDY] * 3
        chunk_slots.leave(GREEDY)
        await anyio.wait_all_tasks_blocked()
        assert entered == [*[GREEDY] * 3, MODEST]
        chunk_slots.leave(GREEDY)
        await anyio.wait_all_tasks_blocked()
        assert entered[4:] == [GREEDY]  # no other client waits
    assert chunk_slots.held == 3


async def test_an_additional_slot_is_used_at_once() -> None:
    chunk_slots = FairSemaphore(0)
    async with crowd(chunk_slots, GREEDY, MODEST) as (_, entered):
        assert not entered
        chunk_slots.width = 1
        await anyio.wait_all_tasks_blocked()
        assert entered == [GREEDY]


async def test_fewer_places_count_once_they_are_left() -> None:
    chunk_slots = FairSemaphore(2)
    async with crowd(chunk_slots, GREEDY, GREEDY, MODEST) as (_, entered):
        chunk_slots.width = 1
        chunk_slots.leave(GREEDY)
        await anyio.wait_all_tasks_blocked()
        assert entered == [GREEDY, GREEDY]
        chunk_slots.leave(GREEDY)
        await anyio.wait_all_tasks_blocked()
        assert entered == [GREEDY, GREEDY, MODEST]


async def test_a_client_that_gives_up_leaves_no_trace() -> None:
    chunk_slots, impatience = FairSemaphore(1), anyio.CancelScope()

    async def wait_in_vain() -> None:
        with impatience:
            await chunk_slots.enter(MODEST)

    await chunk_slots.enter(GREEDY)
    async with anyio.create_task_group() as group:
        group.start_soon(wait_in_vain)
        await anyio.wait_all_tasks_blocked()
        impatience.cancel()
    chunk_slots.leave(GREEDY)
    assert chunk_slots.held == 0


async def test_a_slot_granted_to_a_cancelled_waiter_goes_to_the_next() -> None:
    chunk_slots, impatience = FairSemaphore(1), anyio.CancelScope()

    async def wait_in_vain() -> None:
        with impatience:
            await chunk_slots.enter(MODEST)
            chunk_slots.leave(MODEST)  # it may have come in all the same

    await chunk_slots.enter(GREEDY)
    async with anyio.create_task_group() as group:
        group.start_soon(wait_in_vain)
        await anyio.wait_all_tasks_blocked()
        chunk_slots.leave(GREEDY)  # the place is the modest one's now, who does not know yet
        assert chunk_slots.held == 1
        impatience.cancel()
    with anyio.fail_after(60):
        await chunk_slots.enter(GREEDY)
    assert chunk_slots.held == 1


async def test_a_client_has_no_more_than_its_share_even_if_slots_are_free() -> None:
    chunk_slots = FairSemaphore(4, max_per_client=2)
    async with crowd(chunk_slots, *[GREEDY] * 3, MODEST) as (_, entered):
        assert entered == [GREEDY, GREEDY, MODEST]
        chunk_slots.leave(MODEST)
        await anyio.wait_all_tasks_blocked()
        assert entered == [GREEDY, GREEDY, MODEST]
        chunk_slots.leave(GREEDY)
        await anyio.wait_all_tasks_blocked()
        assert entered == [GREEDY, GREEDY, MODEST, GREEDY]


async def test_clients_have_equal_shares_whatever_the_number_of_their_slots() -> None:
    chunk_slots = FairSemaphore(4)
    async with crowd(chunk_slots, GREEDY, GREEDY, MODEST) as (_, entered):
        assert len(entered) == 3
        assert (chunk_slots.share(GREEDY), chunk_slots.share(MODEST)) == (0.25, 0.5)
        chunk_slots.leave(MODEST)
        assert chunk_slots.share(GREEDY) == 0.5
