"""Who may hold file slots, and whose slow upload yields."""

import contextlib

import anyio
import pytest
from starlette.types import Message

from auricle.server.uploads.file_slots import FileSlot, FileSlots
from auricle.server.uploads.upload_room import early_s
from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS, ClientId

pytestmark = pytest.mark.unit

ALICE, BOB, CAROL = ClientId("alice"), ClientId("bob"), ClientId("carol")
LATE = early_s(0) + 1.0
"""When a body of which nothing has arrived is slow, in seconds."""


def of_body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def receive(slot: FileSlot, body: bytes, *, more: bool = True) -> None:
    """Receive a part of the slot's body."""
    message = of_body(body, more=more)

    async def arrived() -> Message:
        return message

    assert await slot.receive(arrived) is message


def test_the_number_of_files_at_once_is_limited() -> None:
    slots = FileSlots(2)
    with slots.take(ANONYMOUS, 0.0):
        with (
            slots.take(ANONYMOUS, 0.0),
            pytest.raises(Overloaded, match="on this server"),
            slots.take(ANONYMOUS, 0.0),
        ):
            pass
        with slots.take(ANONYMOUS, 0.0):
            assert slots.taken == 2
    assert slots.taken == 0


@pytest.mark.parametrize("owner", [ALICE, "203.0.113.0/32"])
def test_one_key_or_address_leaves_slots_to_others(owner: str) -> None:
    slots = FileSlots(4)
    with contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(slots.take(owner, 0.0))
        with pytest.raises(Overloaded, match="for this key or address"), slots.take(owner, 0.0):
            pass
        with slots.take(BOB, 0.0), pytest.raises(Overloaded), slots.take(CAROL, 0.0):
            pass
    with slots.take(owner, 0.0), FileSlots(1).take(BOB, 0.0):
        assert slots.taken == 1


async def test_a_slow_body_yields_its_slot_to_who_holds_fewer() -> None:
    slots = FileSlots(2)
    with slots.take(ALICE, 0.0) as slow, slots.take(BOB, 0.0) as quick:
        await receive(slow, b"a")
        await receive(quick, bytes(1_000_000))
        with slots.take(CAROL, LATE):
            assert slots.taken == 2
            await receive(quick, b"more")
            with pytest.raises(Overloaded, match="slow"):
                await receive(slow, b"more")
        assert slots.taken == 1
    assert slots.taken == 0


async def test_a_slot_that_is_needed_interrupts_a_body_that_waits() -> None:
    slots = FileSlots(1)
    is_waiting = anyio.Event()

    async def never() -> Message:
        is_waiting.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def upload(slot: FileSlot) -> None:
        with pytest.raises(Overloaded):
            await slot.receive(never)

    with slots.take(ALICE, 0.0) as slot, anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(upload, slot)
            await is_waiting.wait()
            with slots.take(BOB, LATE):
                pass


@pytest.mark.parametrize(
    ("received_bytes", "now", "yields"),
    [(0, LATE, True), (0, LATE - 2.0, False), (1_000_000, LATE + 9.0, False), (1, 3600.0, True)],
)
async def test_only_a_body_slower_than_a_slow_connection_yields(
    received_bytes: int, now: float, yields: bool
) -> None:
    slots = FileSlots(1)
    with slots.take(ALICE, 0.0) as slot:
        await receive(slot, bytes(received_bytes))
        refusal = contextlib.nullcontext() if yields else pytest.raises(Overloaded)
        with refusal, slots.take(BOB, now):
            pass


async def test_a_file_whose_body_has_arrived_keeps_its_slot() -> None:
    slots = FileSlots(2)
    with slots.take(ALICE, 0.0) as slot, slots.take(ALICE, 0.0, is_received=True):
        await receive(slot, b"all", more=False)
        with pytest.raises(Overloaded), slots.take(BOB, LATE):
            pass


def test_no_client_takes_a_slot_from_one_that_holds_as_few() -> None:
    slots = FileSlots(4)
    with contextlib.ExitStack() as held:
        for owner in (ALICE, ALICE, BOB, BOB):
            held.enter_context(slots.take(owner, 0.0))
        with pytest.raises(Overloaded), slots.take(ALICE, LATE):
            pass


async def test_the_slowest_body_of_the_client_with_most_slots_yields() -> None:
    slots = FileSlots(4)
    with contextlib.ExitStack() as held:
        owners = (ALICE, BOB, ALICE, ALICE)
        taken = [held.enter_context(slots.take(owner, 0.0)) for owner in owners]
        for slot, size in zip(taken, (30, 1, 20, 40), strict=True):
            await receive(slot, bytes(size))
        with slots.take(CAROL, LATE):
            for slot in (taken[0], taken[1], taken[3]):
                await receive(slot, b"more")
            with pytest.raises(Overloaded):
                await receive(taken[2], b"more")
