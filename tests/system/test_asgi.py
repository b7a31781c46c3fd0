import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from auricle.system.asgi import while_connected
from auricle.values.errors import AudioError

pytestmark = pytest.mark.unit


async def never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def hangs_up() -> Message:
    return {"type": "http.disconnect"}


async def test_work_is_awaited_while_the_client_is_there() -> None:
    async with while_connected(never):
        await anyio.lowlevel.checkpoint()
        result = 5
    assert result == 5


async def test_work_is_cancelled_when_the_client_is_gone() -> None:
    cancelled = []

    async def work() -> None:
        async with while_connected(hangs_up):
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.append(True)

    with pytest.raises(ClientDisconnect):
        await work()
    assert cancelled


async def test_the_works_own_error_comes_out_unwrapped() -> None:
    async def work() -> None:
        async with while_connected(never):
            raise AudioError("broken")

    with pytest.raises(AudioError, match="broken"):
        await work()


async def test_what_comes_before_the_end_is_no_end() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await never()

    async with while_connected(receive):
        await anyio.wait_all_tasks_blocked()
    assert messages == []
