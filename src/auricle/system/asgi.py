"""What the ASGI applications of server and recogniser share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the client disconnects.

    The whole body must have been read, so that the next message can only be the disconnect.

    Raises:
        ClientDisconnect: The client has disconnected.
    """
    with anyio.CancelScope() as scope:
        watch = asyncio.ensure_future(_cancel_when_gone(receive, scope))
        try:
            yield
        finally:
            watch.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([watch])
    if scope.cancelled_caught:
        raise ClientDisconnect


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
